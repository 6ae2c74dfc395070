"""What the watch found: by rule and week, one hit with its evidence, and deciding about it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from services.audit import views
from services.audit.domain.hit import Hit, State
from services.audit.handlers import reading, watching
from services.audit.pages.explorer import teller
from services.audit.storage import hits
from services.audit.watch_words import CALLED, STAGES, sentence
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError
from shared.events.watch_rules import RULES, RuleName
from shared.web.conflicts import stay
from shared.web.dependencies import Uow, allowed
from shared.web.forms import FormModel
from shared.web.identity import Identity
from shared.web.pages import render
from shared.web.paging import Page, decode_cursor, page_of

router = APIRouter()
READ, DECIDE = allowed("audit.watch.read"), allowed("audit.watch.decide")
Id = Annotated[str, Path(max_length=80)]
Deed = Literal["explain", "confirm", "reopen"]
WEEKS, HEIGHT, STEP, BAR = 12, 28, 12, 9


class WatchQuery(BaseModel):
    """Which hits: of a stage, and of one rule if it is named."""

    model_config = ConfigDict(extra="forbid")

    stage: State = "open"
    rule: RuleName | None = None
    cursor: Annotated[str, Field(max_length=200)] = ""

    def page(self, uow: UnitOfWork) -> Page[Any]:
        """Return the page of hits that is asked for; raises InvalidError for a cursor that is none."""
        before = decode_cursor(self.cursor, 2)
        if before is not None and [type(item) for item in before] != [int, str]:
            raise InvalidError({"cursor": "is not a cursor that this list gave"})
        rows = hits.page(uow.connection, self.stage, self.rule or "", before)
        return page_of(rows, hits.LIMIT, lambda row: [row.leaf, row.id])


class DecideForm(FormModel):
    why: Annotated[str, Field(max_length=4000)] = ""
    version: Annotated[int, Field(ge=1)]


Asked = Annotated[WatchQuery, Query()]


@router.get("/watch", dependencies=[READ])
def overview(request: Request, query: Asked, uow: Uow) -> HTMLResponse:
    """Show what the rules found, by rule and week, and the hits of a stage."""
    zone = request.app.state.settings.time_zone
    page = query.page(uow)
    tally = hits.tally(uow.connection)
    reading.viewed(uow, f"watch:{query.stage}", "the watch")
    return render(
        request,
        "watching.html",
        page=page,
        items=[_line(row.state) for row in page.items],
        query=query,
        rules=_rules(tally, uow, zone),
        stages=[(name, *STAGES[name], sum(tally.get((rule, name), 0) for rule in RULES)) for name in STAGES],
        stage_names=STAGES,
        called=CALLED,
        weeks=WEEKS,
        picture={"width": WEEKS * STEP, "height": HEIGHT, "bar": BAR},
    )


@router.get("/watch/register", dependencies=[READ])
def register(request: Request, query: Asked, uow: Uow) -> HTMLResponse:
    """Show the register of false alarms: what was explained, by whom and why, and how often each rule was wrong."""
    page = query.model_copy(update={"stage": "explained"}).page(uow)
    tally = hits.tally(uow.connection)
    decided = [(rule, tally.get((rule, "explained"), 0), tally.get((rule, "confirmed"), 0)) for rule in RULES]
    reading.viewed(uow, "watch:register", "the register of false alarms")
    return render(
        request,
        "watching_register.html",
        page=page,
        items=[_line(row.state) for row in page.items],
        decided=[item for item in decided if item[1] or item[2]],
        called=CALLED,
    )


@router.get("/api/watch", dependencies=[READ])
def listed(query: Asked, uow: Uow) -> dict[str, Any]:
    """Return hits of a stage, the newest first; `next` is the cursor of the page after it."""
    page = query.page(uow)
    reading.viewed(uow, f"watch:{query.stage}", "the watch")
    return {"items": [row.state | {"id": row.id, "version": row.version} for row in page.items], "next": page.next}


def _line(state: Mapping[str, Any]) -> dict[str, Any]:
    return {**state, "says": sentence(state["rule"], state["facts"])}


def _rules(tally: Mapping[tuple[str, str], int], uow: UnitOfWork, zone: str) -> list[dict[str, Any]]:
    """Return each rule with its bars, a week each; of all rules one scale, so that they can be compared."""
    monday = uow.now().astimezone(ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    monday -= timedelta(days=monday.weekday())
    days = [monday - timedelta(weeks=back) for back in range(WEEKS - 1, -1, -1)]
    found = hits.weeks(uow.connection, days[0].replace(tzinfo=ZoneInfo(zone)), zone)
    most = max((count for count, _ in found.values()), default=1)
    return [
        {
            "name": rule,
            "open": tally.get((rule, "open"), 0),
            "bars": [_bar(place, day, *found.get((rule, day), (0, 0)), most) for place, day in enumerate(days)],
            "total": sum(found.get((rule, day), (0, 0))[0] for day in days),
        }
        for rule in RULES
    ]


def _bar(place: int, day: datetime, count: int, waiting: int, most: int) -> dict[str, Any]:
    tall = max(3.0, HEIGHT * count / most) if count else 0.0
    high = tall * waiting / count if count else 0.0
    return {
        "x": place * STEP,
        "day": day,
        "count": count,
        "open": waiting,
        "all": round(tall, 1),
        "high": round(high, 1),
    }


# --- one hit ----------------------------------------------------------------------


def _one(request: Request, uow: UnitOfWork, hit: Hit, **more: Any) -> HTMLResponse:
    given = {"errors": {}, "typed": {}, "conflict": None} | more
    rows = hits.evidence(uow.connection, hit.evidence)
    say = teller(request)
    return render(
        request,
        "watching_hit.html",
        status_code=422 if given["errors"] else 409 if given["conflict"] else 200,
        hit=hit,
        item=_line(hit.state()),
        acts=[views.act(row, say) for row in rows],
        called=CALLED,
        stage_names=STAGES,
        mine=uow.context.actor.id == hit.person,
        **given,
    )


def _stays(request: Request, uow: UnitOfWork, _who: Identity, problem: ConflictError) -> Response:
    hit = watching.found(uow, request.path_params["hit_id"])
    return _one(request, uow, hit, conflict=problem, typed=request.state.typed)


@router.get("/watch/{hit_id}", dependencies=[READ])
def one(request: Request, hit_id: Id, uow: Uow) -> HTMLResponse:
    """Show a hit: what the rule says, what it rests on, and what was decided."""
    hit = watching.found(uow, hit_id)
    reading.viewed(uow, f"hit:{hit.id}", "a hit of the watch", programme=hit.of)
    return _one(request, uow, hit)


@router.post("/watch/{hit_id}/{act}", dependencies=[stay(_stays), DECIDE])
def decide(request: Request, hit_id: Id, act: Deed, form: Annotated[DecideForm, Form()], uow: Uow) -> Response:
    """Say why there is nothing wrong, that it is as the rule says, or that it is looked at again."""
    try:
        watching.decide(uow, hit_id, act, form.why, expected=form.version)
    except InvalidError as error:
        uow.abandon()
        typed = form.model_dump() | {"act": act}
        return _one(request, uow, watching.found(uow, hit_id), errors=error.fields, typed=typed)
    return RedirectResponse(f"/audit/watch/{hit_id}", 303)
