"""Lists that people work from, as far as each may see them."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import Connection, RowMapping

from services.grants.domain.application import Application
from services.grants.domain.award import Award
from services.grants.domain.pack import Call, Pack
from services.grants.domain.review import Review
from services.grants.handlers.base import owns, pack_of
from services.grants.policy import POLICY
from services.grants.storage import reads
from shared.errors import InvalidError, NotFoundError
from shared.web.identity import Identity
from shared.web.letters import by_event
from shared.web.paging import Page, decode_cursor, page_of

QUEUE, PAYMENTS = "grants.application.queue", "grants.payment.list"
# What an applicant reads on their case's timeline: their own acts and what was told to them.
PUBLIC_ACTS = (
    "grants.application.started",
    "grants.application.submitted",
    "grants.application.information_requested",
    "grants.application.moved",
    "grants.application.document_added",
    "grants.application.document_removed",
    "grants.application.awarded",
    "grants.award.",
    "grants.report.submitted",
    "grants.report.returned",
    "grants.report.accepted",
    "grants.report.reopened",
    "grants.report.reminded",
    "grants.report.overdue",
)


def programmes_of(connection: Connection, who: Identity, action: str) -> list[str]:
    """Return the programmes in which `who` may do `action`."""
    return reads.programmes(connection) if "all" in POLICY.require(action, who).values() else list(who.programmes)


def programme_of(connection: Connection, who: Identity, action: str, wanted: str) -> str | None:
    """Return the programme whose list `who` looks at: the wanted one, or else their first; None when they have none."""
    mine = programmes_of(connection, who, action)
    if not wanted:
        return mine[0] if mine else None
    if wanted not in mine:
        raise NotFoundError("There is no such programme")
    return wanted


def latest(connection: Connection, programme: str) -> Pack | None:
    """Return the newest pack of a programme: its words label lists."""
    version = reads.latest_pack(connection, programme)
    return None if version is None else pack_of(connection, programme, version)


def _key(row: RowMapping) -> list[str]:
    return [row["due_order"].isoformat(), row["id"]]


def _after(cursor: str | None) -> list[Any] | None:
    values = decode_cursor(cursor, 2)
    if values is None:
        return None
    try:
        return [date.fromisoformat(str(values[0])), str(values[1])]
    except ValueError as error:
        raise InvalidError({"cursor": "is not a cursor that this list gave"}) from error


def mine(
    connection: Connection, who: Identity, cursor: str | None, limit: int = 50, *, q: str = ""
) -> Page[RowMapping]:
    """Return a page of the applications of one's own organisation; `q` stands in reference or title."""
    if who.organisation is None:
        return Page([], None)
    rows = reads.of_organisation(connection, who.organisation, q=q, after=_after(cursor), limit=limit)
    return page_of(rows, limit, _key)


def my_reviews(
    connection: Connection, who: Identity, cursor: str | None, limit: int = 50, *, q: str = ""
) -> Page[Review]:
    """Return a page of the reviews that were asked of `who`; `q` stands in reference, title or organisation."""
    rows = reads.reviews_for(connection, who.user, q=q, after=decode_cursor(cursor, 2), limit=limit)
    return page_of(rows, limit, lambda review: [review.status, review.id])


def payments(
    connection: Connection, who: Identity, *, programme: str = "", every: bool = False, cursor: str | None = None
) -> Page[Award]:
    """Return a page of awards with something to pay, or of all."""
    chosen = programme_of(connection, who, PAYMENTS, programme)
    if chosen is None:
        return Page([], None)
    after = decode_cursor(cursor, 1)
    rows = reads.awards_for_finance(
        connection, chosen, only_waiting=not every, after=str(after[0]) if after else None, limit=50
    )
    return page_of(rows, 50, lambda award: [award.id])


def call_seen(connection: Connection, call_id: str) -> tuple[Call, Pack]:
    """Return a call as its newest pack has it."""
    found = reads.find_calls(connection, call_id[:80])
    if not found:
        raise NotFoundError("There is no such call")
    pack = pack_of(connection, found[0]["programme"], found[0]["pack_version"])
    return pack.call(call_id), pack


def pack_of_case(connection: Connection, application: Application) -> Pack:
    """Return the pack that an application is pinned to."""
    return pack_of(connection, application.programme, application.pack_version)


def timeline(
    connection: Connection, who: Identity, application: Application, *, most: int = reads.TIMELINE
) -> list[dict[str, Any]]:
    """Return {kind, id, at, type, who, outcome, data, letters} of the acts of a case, newest first.

    The applicant sees what is public of the acts and the letters to their own organisation. A letter whose act
    does not stand here (a reminder, say) is an entry of its own, of kind "letter".
    """
    outside = owns(who, application.organisation)
    letters = by_event(reads.letters(connection, application.id, who.organisation if outside else None))
    acts = [
        {
            "kind": "act",
            "id": str(row["id"]),
            "at": row["time"],
            "type": row["type"],
            "who": row["body"]["actor"]["name"],
            "outcome": row["outcome"],
            "data": row["body"]["data"],
            "letters": letters.pop(str(row["id"]), None),
        }
        for row in reads.timeline(connection, application.id, most)
        if not outside or (row["type"].startswith(PUBLIC_ACTS) and row["outcome"] == "success")
    ]
    alone = [
        {"kind": "letter", "id": event, "at": group["at"], "type": "", "who": "", "outcome": "", "data": {}}
        | {"letters": group}
        for event, group in letters.items()
    ]
    return sorted(acts + alone, key=lambda item: item["at"], reverse=True)
