"""A case as it was at a moment of the past."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse

from services.audit.domain.cases import named
from services.audit.handlers import past
from services.audit.pages.explorer import called, teller
from services.audit.search_views import THINGS
from services.audit.storage import search
from services.audit.telling import ids_in
from shared.errors import InvalidError
from shared.web.dependencies import Uow, allowed
from shared.web.pages import render

router = APIRouter()
# Verdict → what it is called, its tone, what it means.
VERDICTS = {
    "matches": ("matches", "good", "This is the whole state: its hash is the one that the event carries."),
    "unproven": (
        "not proven",
        "warn",
        (
            "The hash is another one: it was changed without an event, or it has fields that were empty from the start "
            "and that no event names."
        ),
    ),
    "hidden": (
        "hidden in part",
        "",
        "Some values are not kept in the log, so that the whole can’t be checked; the rest is what the events say.",
    ),
    "before": (
        "begins before the log",
        "warn",
        "Its first event in the log is not its first: what was before is not known here.",
    ),
    "broken": (
        "does not match",
        "bad",
        (
            "Two events do not fit together: what one left is not what the next one found. One is missing, or it was "
            "changed between them."
        ),
    ),
    "unhashed": ("without a hash", "", "Its events carry no hash of a state."),
}


@router.get("/cases/{case}/as-of", dependencies=[allowed("audit.event.read")])
def as_of(
    request: Request,
    case: Annotated[str, Path(max_length=80)],
    uow: Uow,
    at: Annotated[str, Query(max_length=40)] = "",
) -> HTMLResponse:
    """Show what everything in a case was at a moment: in the time of the house, now unless told."""
    zone = ZoneInfo(request.app.state.settings.time_zone)
    moment = _moment(at, zone) if at else uow.now() + timedelta(minutes=1)
    say = teller(request)
    things, cut = past.case_as_of(uow, say.opener, case, moment) if say.opener else ([], False)
    ids = set(ids_in([thing.past.state for thing in things]))
    say = teller(request, search.names(uow.connection, ids) | called(request, ids))
    return render(
        request,
        "past.html",
        case=named(case),
        at=f"{moment.astimezone(zone):%Y-%m-%dT%H:%M}",
        things=[_shown(thing, say) for thing in things],
        verdicts=VERDICTS,
        cut=cut,
        most=past.MOST,
    )


def _moment(given: str, zone: ZoneInfo) -> datetime:
    try:
        read = datetime.fromisoformat(given)
    except ValueError:
        raise InvalidError({"at": "is not a moment"}) from None
    # The first and last years have no neighbour in UTC.
    if not 1900 <= read.year <= 9000:
        raise InvalidError({"at": "is not a moment"})
    return read if read.tzinfo else read.replace(tzinfo=zone)


def _shown(thing: past.Thing, say: Any) -> dict[str, Any]:
    kind, _, own_id = thing.entity.partition(":")
    return {
        "kind": THINGS.get(kind, kind),
        "id": own_id,
        "last": thing.last,
        "verdict": thing.past.verdict,
        "lines": say.data(thing.past.state),
    }
