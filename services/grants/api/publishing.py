"""JSON: what a programme publishes as open data, what is wrong with each record, the files that went out."""

from __future__ import annotations

from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from services.grants.api.applications import store
from services.grants.domain.publishing import (
    Entry,
    Format,
    Publication,
    Rates,
    Stored,
    Totals,
    converted,
    totals,
)
from services.grants.handlers import publishing as act
from services.grants.handlers.base import Command
from services.grants.storage import publishing as stored
from shared.documents import DocumentStore
from shared.errors import InvalidError, Rule
from shared.web.dependencies import Reader, Uow, Who, allowed

router = APIRouter(prefix="/api", tags=["publishing"])
_PLACE = "/programmes/{programme}/publications/{format}"


class RatesQuery(Command):
    """At which rates totals are put together, when they are: `rates` as `MKD:0.01626,USD:0.92`."""

    to: str = ""
    on: date | None = None
    rate_source: str = ""
    rates: str = ""

    def stated(self) -> Rates:
        """Return the rates; raises InvalidError for what is not understood."""
        found: dict[str, Decimal] = {}
        for part in filter(None, (piece.strip() for piece in self.rates.split(","))):
            currency, _, rate = part.partition(":")
            try:
                found[currency.strip().upper()] = Decimal(rate.strip())
            except InvalidOperation as error:
                raise InvalidError(
                    {"rates": Rule("must be written as MKD:0.01626, not %(part)s", part=part)}
                ) from error
        return Rates(self.to.upper(), self.on, self.rate_source, found)


@router.get(_PLACE + "/draft", dependencies=[allowed(act.READ)])
def draft(  # noqa: PLR0917 - an address with its query
    request: Request,
    programme: str,
    format: Format,  # noqa: A002 - as the address has it
    who: Who,
    connection: Reader,
    query: Annotated[RatesQuery, Query()],
) -> dict[str, Any]:
    """Return what would be published now: each record with the rules it breaks, changes since the last file, totals.

    Totals are by currency. `to`, `on`, `rate_source` and `rates` (`MKD:0.01626,USD:0.92`) give one total more, at
    those rates; 422 names what is not stated.
    """
    act.seen_by(connection, who, programme)
    known = act.Programme(connection, programme)
    now = request.app.state.clock()
    made = act.draft(connection, known, format, now)
    past = stored.publications_of(connection, programme, format, limit=1)
    change = made.difference(act.last_records(store(request), past[0] if past else None))
    sums = totals(made.entries)
    one = converted(sums, query.stated(), now.astimezone(known.zone).date()) if query.to else None
    return {
        "programme": programme,
        "format": format,
        "fingerprint": made.fingerprint(),
        "records": [entry_view(item) for item in ((made.head,) if made.head else ()) + made.entries],
        "can_be_published": [item.reference for item in made.good],
        "totals": {name: totals_view(item) for name, item in sums.items()},
        "converted": totals_view(one) | query.model_dump(mode="json") if one else None,
        "since_last": {
            "added": change.added,
            "removed": change.removed,
            "changed": {item.reference: item.places for item in change.changed},
        },
        "last": publication_view(past[0]) if past else None,
    }


def entry_view(entry: Entry) -> dict[str, Any]:
    """Return a record with the rules that it breaks."""
    return {
        "reference": entry.reference,
        "title": entry.title,
        "path": entry.path,
        "amount": entry.amount.model_dump(mode="json") if entry.amount else None,
        "problems": [problem.plain() for problem in entry.problems],
    }


def totals_view(item: Totals) -> dict[str, Any]:
    """Return the totals of one currency."""
    return {
        "agreed": item.agreed.model_dump(mode="json"),
        "paid": item.paid.model_dump(mode="json"),
        "records": item.records,
    }


def publication_view(item: Publication) -> dict[str, Any]:
    """Return a publication without what makes sense inside alone."""
    return item.model_dump(mode="json", exclude={"version"})


@router.post(_PLACE, status_code=201, dependencies=[allowed(act.PUBLISH)])
def publish(  # noqa: PLR0917 - an address with its command
    request: Request,
    programme: str,
    format: Format,  # noqa: A002 - as the address has it
    command: act.Publish,
    who: Who,
    uow: Uow,
) -> dict[str, Any]:
    """Publish what is good: all or nothing (`refuse`), or without what breaks a rule (`leave_out`)."""
    made = act.make_public(uow, who, programme, format, command, store=store(request))
    uow.flush()
    return publication_view(made)


@router.get(_PLACE, dependencies=[allowed(act.READ)])
def publications(programme: str, format: Format, who: Who, connection: Reader) -> list[dict[str, Any]]:  # noqa: A002
    """Return what was published in a format, the last first."""
    act.seen_by(connection, who, programme)
    return [publication_view(item) for item in stored.publications_of(connection, programme, format)]


@router.get("/publications/{publication}/files/{kind}", dependencies=[allowed(act.READ)])
def file(request: Request, publication: str, kind: str, who: Who, connection: Reader) -> Response:
    """Return a published file, its hash checked."""
    return published_file(store(request), act.file_seen(connection, who, publication, kind))


def published_file(place: DocumentStore, item: Stored) -> Response:
    """Return the bytes of a published file as a download."""
    headers = {"content-disposition": f'attachment; filename="{item.name}"', "cache-control": "private, no-store"}
    headers |= {"etag": f'"{item.sha256}"', "x-content-type-options": "nosniff"}
    return Response(place.get(item.sha256), media_type=item.media_type, headers=headers)


@router.get("/programmes/{programme}/publishing-facts", dependencies=[allowed(act.READ)])
def facts(programme: str, who: Who, connection: Reader) -> dict[str, Any]:
    """Return what the programme states of itself, by its pack and by its staff; null is not stated."""
    act.seen_by(connection, who, programme)
    known = act.Programme(connection, programme)
    version = known.statement.version if known.statement else 0
    return {"version": version, "facts": known.facts.model_dump(mode="json")}


@router.put("/programmes/{programme}/publishing-facts", dependencies=[allowed(act.STATE)])
def state_facts(programme: str, command: act.StateFacts, who: Who, uow: Uow) -> dict[str, Any]:
    """State what the programme's files say of it; members that are left out are as the pack has them."""
    statement = act.state_facts(uow, who, programme, command)
    uow.flush()
    return {"version": statement.version, "stated": statement.stated}
