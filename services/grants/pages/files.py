"""Every list as a file, CSV or XLSX: one mechanism, all rows, typed columns, flat memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from sqlalchemy import Connection

from services.grants.domain.award import Award
from services.grants.domain.cofinancing import CoFinancing
from services.grants.domain.review import Review
from services.grants.handlers import listing
from services.grants.handlers.base import owns
from services.grants.policy import POLICY
from services.grants.storage import files as stored
from shared import checkpoints
from shared.database import reading
from shared.exports.tables import TYPES, Column, Kind, Row, Table, pieces
from shared.i18n import translate
from shared.web.dependencies import Reader, Who, allowed
from shared.web.identity import Identity

router = APIRouter()
FileKind = Literal["csv", "xlsx"]
Rows = Callable[[Connection, Identity, str], Iterator[Row]]
Headings = tuple[tuple[str, Kind], ...]


@dataclass(frozen=True)
class Listed:
    """A list: who may have it, its columns, and its rows of a programme."""

    action: str
    headings: Headings
    rows: Rows
    by_programme: bool = True


def _payments(connection: Connection, _who: Identity, programme: str) -> Iterator[Row]:
    for award in stored.awards(connection, programme):
        yield from _tranches(award)


def _tranches(award: Award) -> Iterator[Row]:
    for milestone, tranche in award.pairs():
        yield (
            *(award.id, award.title, award.organisation_name, tranche.number, milestone.title, milestone.due),
            *(milestone.status, tranche.amount.amount, tranche.amount.currency, tranche.status),
            *(tranche.requested_by_name, tranche.released_by_name, tranche.paid_on, tranche.payment_reference),
        )


def _reviews(connection: Connection, who: Identity, programme: str) -> Iterator[Row]:
    for review in stored.reviews(connection, programme):
        # Whoever belongs to the applicant's organisation reads no scores of it.
        yield _review(review, score=not owns(who, review.organisation))


def _my_reviews(connection: Connection, who: Identity, _programme: str) -> Iterator[Row]:
    for review in stored.reviews_of(connection, who.user):
        yield _review(review, score=True)


def _review(review: Review, *, score: bool) -> Row:
    return (
        *(review.application, review.title, review.organisation_name, review.reviewer_name, review.status),
        *(review.score if score else None, review.recommendation if score else None),
        *(review.assigned_at, review.due, review.submitted_at),
    )


def _cofinancings(connection: Connection, who: Identity, programme: str) -> Iterator[Row]:
    for case in _cases(connection, who, programme):
        position, terms = case.position(), case.terms
        yield (
            *(case.id, case.title, case.organisation_name, case.kind, case.stage, case.due, case.currency),
            *(terms.total if terms else None, terms.programme_share if terms else None),
            *(terms.firm_cash if terms else None, terms.firm_in_kind if terms else None),
            *(position.match, position.released, position.refunded),
        )


def _cases(connection: Connection, who: Identity, programme: str) -> Iterator[CoFinancing]:
    """Give a programme's cases to its staff, to a firm its own."""
    scopes = set(POLICY.require("grants.cofinancing.list", who).values())
    if scopes & {"programme", "all"}:
        return stored.cofinancings(connection, programme=programme)
    return stored.cofinancings(connection, organisation=who.organisation)


def _contributions(connection: Connection, _who: Identity, programme: str) -> Iterator[Row]:
    for case in stored.cofinancings(connection, programme=programme):
        for item in case.contributions:
            yield (
                *(case.id, case.organisation_name, item.number, item.form, item.basis, item.description),
                *(item.given_on, item.claimed.amount, item.claimed.currency, item.ineligible, item.exchange_rate),
                *(item.value, case.currency, item.status, item.invoice_number, item.supplier_tax_id),
                *(item.entered_by_name, item.decided_by_name, item.decided_at, item.note),
            )


_CASE: Headings = (("Case", "text"), ("Title", "text"), ("Organisation", "text"))
_REVIEW: Headings = (
    *_CASE,
    *(("Reviewer", "text"), ("State", "text"), ("Score", "number"), ("Recommendation", "text")),
    *(("Asked", "moment"), ("Due", "day"), ("Handed in", "moment")),
)
LISTS: dict[str, Listed] = {
    "payments": Listed(
        "grants.payment.list",
        (
            *_CASE,
            *(("Tranche", "number"), ("Milestone", "text"), ("Due", "day"), ("State of the milestone", "text")),
            *(("Amount", "money"), ("Currency", "text"), ("State", "text"), ("Requested by", "text")),
            *(("Released by", "text"), ("Paid on", "day"), ("Reference of the payment", "text")),
        ),
        _payments,
    ),
    "reviews": Listed("grants.review.list", _REVIEW, _reviews),
    "my-reviews": Listed("grants.review.mine", _REVIEW, _my_reviews, by_programme=False),
    "cofinancing": Listed(
        "grants.cofinancing.list",
        (
            *_CASE,
            *(("Kind", "text"), ("Stage", "text"), ("Due", "day"), ("Currency", "text"), ("Total", "money")),
            *(("Programme's share", "money"), ("Firm's cash", "money"), ("Firm's share in kind", "money")),
            *(("Verified match", "money"), ("Released", "money"), ("Paid back", "money")),
        ),
        _cofinancings,
    ),
    "contributions": Listed(
        "grants.contribution.list",
        (
            *(("Case", "text"), ("Organisation", "text"), ("Number", "number"), ("Form", "text"), ("Basis", "text")),
            *(("What it is", "text"), ("Given on", "day"), ("Amount", "money"), ("Currency", "text")),
            *(("Not eligible", "money"), ("Rate", "number"), ("Counts for", "money"), ("Currency of the case", "text")),
            *(("State", "text"), ("Invoice", "text"), ("Tax number of the supplier", "text"), ("Entered by", "text")),
            *(("Decided by", "text"), ("Decided", "moment"), ("Note", "text")),
        ),
        _contributions,
    ),
}


def answer(connection: Connection, table: Table, kind: FileKind, name: str) -> StreamingResponse:
    """Return a table as a download; the newest checkpoint of the log travels with it."""
    kept = checkpoints.newest(connection)
    headers = {"content-disposition": f'attachment; filename="{name}.{kind}"', "cache-control": "private, no-store"}
    if kept:
        headers[checkpoints.HEADER], table = kept.carried(), replace(table, about=kept.note)
    return StreamingResponse(pieces(table, kind), media_type=TYPES[kind], headers=headers)


def columns(headings: Headings, locale: str) -> list[Column]:
    """Return columns with their headings in the reader's language."""
    return [Column(translate("grants", heading, locale=locale), kind) for heading, kind in headings]


def _route(name: str, listed: Listed) -> Callable[..., StreamingResponse]:
    def file(
        request: Request,
        kind: FileKind,
        who: Who,
        connection: Reader,
        programme: Annotated[str, Query(max_length=80)] = "",
    ) -> StreamingResponse:
        staff = set(POLICY.require(listed.action, who).values()) & {"programme", "all"}
        by_programme = listed.by_programme and bool(staff)
        chosen = listing.programme_of(connection, who, listed.action, programme) or "" if by_programme else ""
        pack = listing.latest(connection, chosen) if chosen else None
        zone = ZoneInfo(pack.calendar.zone) if pack else None

        def rows() -> Iterator[Row]:
            with reading(request.app.state.engine) as snapshot:
                yield from listed.rows(snapshot, who, chosen)

        table = Table(name, columns(listed.headings, request.state.locale), rows(), zone)
        return answer(connection, table, kind, name)

    file.__doc__ = f"Give every row of the list of {name} as CSV or XLSX."
    return file


for _name, _listed in LISTS.items():
    router.add_api_route(
        f"/lists/{_name}.{{kind}}", _route(_name, _listed), methods=["GET"], dependencies=[allowed(_listed.action)]
    )
