"""A version of an agreement written as a document: its number, its budget lines, its place in the store."""

from __future__ import annotations

from datetime import datetime
from io import BytesIO

from services.grants.domain.amendment import AgreementText, Amendment
from services.grants.domain.application import Application
from services.grants.domain.award import Award
from services.grants.domain.award.terms import AgreedLine, Terms
from services.grants.handlers.base import Frame
from services.grants.handlers.printing import agreement_pdf
from services.grants.storage.agreements import agreement_texts, texts_of
from shared.database import UnitOfWork
from shared.documents import DocumentStore
from shared.money import Money


def proposed_lines(application: Application, amount: Money) -> list[AgreedLine]:
    """Return the budget that was applied for; where another amount was decided, each line in its proportion."""
    asked, rest = application.amount, amount
    made: list[AgreedLine] = []
    for index, row in enumerate(application.budget, 1):
        part = row.grant
        if asked != amount and asked:
            # The last line takes what rounding leaves.
            share = Money.of(amount.amount * row.grant.amount / asked.amount, amount.currency)
            part = rest if index == len(application.budget) else share
        rest = rest - part
        made.append(AgreedLine(line=row.line, note=row.note, grant=part, own=row.own))
    return made


def next_version(uow: UnitOfWork, award: Award) -> int:
    """Return the number of the next version: none is given twice, not even that of a text nobody accepted."""
    drawn = texts_of(uow.connection, award.id)
    return max([award.agreement_version, *(text.number for text in drawn)]) + 1


def draw(  # noqa: PLR0917 - what a document is made of
    uow: UnitOfWork,
    application: Application,
    award: Award,
    terms: Terms,
    version: int,
    by_name: str,
    store: DocumentStore,
    amendment: Amendment | None = None,
) -> AgreementText:
    """Write a version of the agreement as a document, and keep it by its content."""
    now: datetime = uow.now()
    pdf = agreement_pdf(Frame(uow.connection, application), award, terms, version, now, amendment)
    kept = store.put(f"{award.id}-v{version}.pdf", BytesIO(pdf))
    text = AgreementText(
        id=f"{award.id}-v{version}",
        application=award.id,
        programme=award.programme,
        organisation=award.organisation,
        number=version,
        terms=terms,
        sha256=kept.sha256,
        size=kept.size,
        drawn_at=now,
        drawn_by_name=by_name,
        amendment=amendment.number if amendment else None,
        based_on=amendment.based_on if amendment else None,
    )
    agreement_texts(uow).add(text)
    text.drawn()
    return text
