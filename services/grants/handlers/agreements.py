"""Agreements to read: every version with what changed, as a page, as JSON, as the document that was accepted."""

from __future__ import annotations

from typing import Any

from services.grants.domain.amendment import AgreementText, Amendment
from services.grants.domain.application import Application
from services.grants.domain.award import Award
from services.grants.domain.award.classes import Verdict
from services.grants.domain.award.terms import Difference, differences
from services.grants.handlers import viewing
from services.grants.storage import reads
from services.grants.storage.agreements import amendments_of, texts_of
from shared.database import UnitOfWork
from shared.errors import NotFoundError
from shared.web.identity import Identity


def versions(uow: UnitOfWork, who: Identity, reference: str) -> tuple[Application, Award, list[AgreementText]]:
    """Return a case that `who` may see, its award, and all versions of its agreement, oldest first."""
    application = viewing.application_seen(uow, who, reference)
    award = reads.find_award(uow.connection, application.id)
    if award is None:
        raise NotFoundError("There is no award yet")
    return application, award, texts_of(uow.connection, application.id)


def changed(texts: list[AgreementText], number: int, currency: str) -> list[Difference]:
    """Return in what a version differs from the one that it changes; nothing for the first."""
    known = {text.number: text for text in texts}
    after = known.get(number)
    before = known.get(after.based_on or number - 1) if after else None
    return differences(before.terms, after.terms, currency) if before and after else []


def text_of(uow: UnitOfWork, who: Identity, reference: str, number: int) -> AgreementText:
    """Return one version, to be opened as a document; that it was opened is recorded."""
    application, _award, texts = versions(uow, who, reference)
    for text in texts:
        if text.number == number:
            viewing.record(uow, application, f"agreement version {number}")
            return text
    raise NotFoundError("There is no such version of the agreement")


def version_view(texts: list[AgreementText], text: AgreementText, currency: str) -> dict[str, Any]:
    """Return a version as machines read it."""
    about = text.model_dump(mode="json", exclude={"id", "version", "programme", "organisation", "application"})
    return about | {"changes": [item.model_dump() for item in changed(texts, text.number, currency)]}


def amendment_view(amendment: Amendment) -> dict[str, Any]:
    """Return an amendment with the figures of its class."""
    return amendment.model_dump(mode="json") | {"verdict": verdict_view(amendment.verdict)}


def verdict_view(verdict: Verdict | None) -> dict[str, Any]:
    """Return a class and its figures; shares are in per cent of the grant, with two decimals, rounded up."""
    if verdict is None:
        return {"kinds": []}
    figures = {"class": verdict.kind, "percent_before": str(verdict.percent_before), "percent": str(verdict.percent)}
    return verdict.model_dump(mode="json") | figures


def amendments(uow: UnitOfWork, who: Identity, reference: str) -> list[Amendment]:
    """Return the amendments of a case that `who` may see, oldest first."""
    application = viewing.application_seen(uow, who, reference)
    return amendments_of(uow.connection, application.id)
