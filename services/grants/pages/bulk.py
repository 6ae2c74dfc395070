"""Acts on many cases as pages: what is to happen, the dry run, the progress, what came of each row."""

from __future__ import annotations

import json
from collections import Counter
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import Field
from sqlalchemy import Connection

from services.grants.domain.bulk import MOST_ROWS, Bulk, Sayable
from services.grants.domain.pack import Pack
from services.grants.handlers import bulk as handlers
from services.grants.handlers import lettering, queue
from services.grants.handlers.base import Packs
from services.grants.handlers.bulk.planning import ASSIGNING
from services.grants.handlers.moving import PARTS_OF_ACTS
from services.grants.pages.common import HOLDERS, back, case_path, show
from services.grants.storage import bulk as stored
from services.grants.storage import reads
from shared.errors import InvalidError
from shared.i18n import translate
from shared.web.dependencies import Reader, Uow, Who, allowed
from shared.web.forms import FormModel
from shared.web.identity import Identity
from shared.workflow.model import say

router = APIRouter(prefix="/bulk")
ROWS = 100
STATES = {"waiting": ("Waits", ""), "done": ("Done", "good"), "refused": ("Not done", "bad")}


class Chosen(FormModel):
    """What was ticked in the queue; `all` means everything that the search finds."""

    programme: str
    reference: list[str] = []
    q: str = ""
    all: bool = False


class PlanForm(Chosen):
    """What is to happen to it."""

    act: str = Field(max_length=60)
    officer: str = ""
    reason_code: str = ""
    reason: str = ""
    comment: str = ""

    def command(self) -> handlers.PlanBulk:
        """Return the plan that is meant."""
        return handlers.PlanBulk(
            programme=self.programme,
            act=self.act,
            references=[] if self.all else self.reference,
            q=self.q if self.all else None,
            officer=self.officer or None,
            reason=self.reason or None,
            reason_code=self.reason_code,
            comment=self.comment or None,
        )


class StartForm(FormModel):
    """The button that starts it or throws it away."""

    version: int


@router.get("", dependencies=[allowed(handlers.READ)])
def listed(request: Request, who: Who, connection: Reader) -> HTMLResponse:
    """Show the latest acts on many cases of one's programmes."""
    programmes = who.programmes or tuple(reads.programmes(connection))
    found = stored.latest_bulks(connection, programmes)
    packs = {name: Packs(connection, name).newest for name in {item.programme for item in found}}
    rows = [(item, _named(item.act, packs[item.programme], request.state.locale)) for item in found]
    return show(request, "bulk_list.html", rows=rows)


@router.get("/new", dependencies=[allowed(handlers.BULK)])
def new(request: Request, who: Who, connection: Reader, chosen: Annotated[Chosen, Query()]) -> HTMLResponse:
    """Ask what is to happen to the chosen cases."""
    return _new(request, who, connection, chosen)


def _new(request: Request, who: Identity, connection: Connection, chosen: Chosen, **more: Any) -> HTMLResponse:
    asked = queue.Query(programme=chosen.programme, q=chosen.q)
    listing = queue.asked(connection, who, asked, request.app.state.clock)
    if chosen.all:
        rows = [row for part in queue.every(connection, queue.understood(listing)) for row in part][: MOST_ROWS + 1]
    else:
        rows = list(stored.chosen(connection, listing.programme or "", chosen.reference))
    at = Counter(row["stage"] for row in rows)
    context: dict[str, Any] = {
        "chosen": chosen,
        "count": len(rows),
        "most": MOST_ROWS,
        "acts": _acts(who, listing.pack, at, request.state.locale),
        "reasons": listing.pack.decisions.reasons if listing.pack else (),
        "officers": reads.people_with(connection, "officer", listing.programme),
        "errors": {},
        "given": {},
        "samples": [row["id"] for row in rows[:3]],
    }
    return show(request, "bulk_new.html", **(context | more))


def _acts(who: Identity, pack: Pack | None, at: Counter[str], locale: str) -> list[tuple[str, str, int]]:
    """Return (act, its name, at how many of the cases it leaves the stage) for this person's roles."""
    found: dict[str, tuple[str, int]] = {}
    for flow in queue.workflows(pack) if pack else []:
        for move in flow.transitions:
            if move.id in PARTS_OF_ACTS or not set(move.roles) & set(who.roles):
                continue
            count = sum(at[stage] for stage in move.sources)
            found[move.id] = (say(move.name, locale), count)
    moves = [(name, label, count) for name, (label, count) in found.items() if count]
    moves.sort(key=lambda item: -item[2])
    giving = translate("grants", "Give to an officer", locale=locale)
    return (
        [*moves, (ASSIGNING, giving, sum(at.values()))] if {"officer", "programme_manager"} & set(who.roles) else moves
    )


@router.post("", dependencies=[allowed(handlers.BULK)])
def plan(request: Request, form: Annotated[PlanForm, Form()], who: Who, uow: Uow) -> Any:
    """Try it out; a plan that can't be is shown again with what is wrong."""
    try:
        made = handlers.plan(uow, who, form.command())
    except InvalidError as refusal:
        uow.abandon()
        chosen = Chosen(**form.model_dump(include=set(Chosen.model_fields)))
        more = {"errors": refusal.fields, "given": form.model_dump(), "status_code": 422}
        return _new(request, who, uow.connection, chosen, **more)
    return back(f"/grants/bulk/{made.id}")


@router.get("/{bulk}", dependencies=[allowed(handlers.READ)])
def shown(
    request: Request, bulk: str, who: Who, connection: Reader, after: Annotated[int, Query(ge=0)] = 0
) -> HTMLResponse:
    """Show the dry run, or how far it is, with its rows."""
    found = handlers.seen(connection, who, bulk)
    pack, locale = Packs(connection, found.programme).newest, request.state.locale
    rows = stored.rows_of(connection, found.id, after=after, limit=ROWS)
    table = [
        dict(row)
        | {
            "path": case_path(row["reference"]),
            "foreseen": [said(pack, one, locale) for one in row["foreseen"]],
            "said": [said(pack, one, locale) for one in row["said"]],
            "shown": STATES[row["state"]],
            "says": _words(pack, row["command"], locale),
        }
        for row in rows[:ROWS]
    ]
    context = _progress(connection, found) | {
        "name": _named(found.act, pack, locale),
        "rows": table,
        "more": rows[ROWS - 1]["number"] if len(rows) > ROWS else None,
        "after": after,
        "mine": found.owner == who.user,
        "why": _why(connection, pack, found, locale),
    }
    return show(request, "bulk.html", **context)


@router.get("/{bulk}/progress", dependencies=[allowed(handlers.READ)])
def progress(request: Request, bulk: str, who: Who, connection: Reader) -> HTMLResponse:
    """Give the bar of a running act; when it has ended, the page is asked for anew."""
    found = handlers.seen(connection, who, bulk)
    answer = show(request, "bulk_progress.html", **_progress(connection, found))
    if found.status != "running":
        answer.headers["hx-refresh"] = "true"
    return answer


def _progress(connection: Connection, bulk: Bulk) -> dict[str, Any]:
    counts = {"waiting": 0, "done": 0, "refused": 0} | stored.counts(connection, bulk.id)
    return {"bulk": bulk, "counts": counts, "tried": counts["done"] + counts["refused"]}


@router.get("/{bulk}/letter/{number}", dependencies=[allowed(handlers.BULK)])
def letter(request: Request, bulk: str, number: int, who: Who, connection: Reader) -> HTMLResponse:
    """Show the letters that one case's part of it would bring."""
    application, draft = lettering.row_would_say(connection, who, bulk, number, request.app.state.clock)
    context: dict[str, Any] = {
        "application": application,
        "draft": json.dumps(draft),
        "item": None,
        "back_to": f"/grants/bulk/{bulk}",
    }
    return show(request, "letter.html", **context)


@router.post("/{bulk}/start", dependencies=[allowed(handlers.BULK)])
def start(bulk: str, form: Annotated[StartForm, Form()], who: Who, uow: Uow) -> RedirectResponse:
    """Let it be done."""
    handlers.start(uow, who, bulk, handlers.StartBulk(version=form.version))
    return back(f"/grants/bulk/{bulk}")


@router.post("/{bulk}/discard", dependencies=[allowed(handlers.BULK)])
def discard(bulk: str, form: Annotated[StartForm, Form()], who: Who, uow: Uow) -> RedirectResponse:
    """Throw the plan away."""
    handlers.discard(uow, who, bulk, handlers.StartBulk(version=form.version))
    return back("/grants/")


def _named(act: str, pack: Pack | None, locale: str) -> str:
    own = {ASSIGNING: "Give to an officer", "recommendations": "Carry out what the panel recommends"}
    if act in own:
        return translate("grants", own[act], locale=locale)
    moves = [move for flow in (queue.workflows(pack) if pack else []) for move in flow.transitions]
    return next((say(move.name, locale) for move in moves if move.id == act), act)


def _words(pack: Pack | None, command: dict[str, Any], locale: str) -> str:
    """Return what is to happen to a case where each has a move of its own, and the reason given with it."""
    reason = pack.decisions.reason(command.get("reason_code") or "") if pack else None
    own = [_named(command["transition"], pack, locale)] if command.get("said") or command.get("panel") else []
    return " · ".join([*own, *([say(reason.name, locale)] if reason else [])])


def _why(connection: Connection, pack: Pack | None, bulk: Bulk, locale: str) -> list[tuple[str, int]]:
    """Return (reason, how many cases) of what keeps cases from following, the most frequent first."""
    column = "foreseen" if bulk.status in {"planned", "discarded"} else "said"
    found = stored.reasons_counted(connection, bulk.id, column)
    return [("; ".join(said(pack, one, locale) for one in sentences), count) for sentences, count in found]


def said(pack: Pack | None, one: dict[str, Any], locale: str) -> str:
    """Return a kept sentence in the reader's language, documents, checklists and roles by their names."""
    kept = Sayable.model_validate(one)
    if kept.names:
        return say(kept.names, locale)
    params = {name: _figure(pack, name, value, locale) for name, value in kept.params.items()}
    return translate("grants", kept.message, params or None, locale=locale)


def _figure(pack: Pack | None, name: str, value: str, locale: str) -> str:
    if name == "next_role":
        return translate("grants", HOLDERS.get(value, value), locale=locale)
    if pack is None or name not in {"id", "type", "stage"}:
        return value
    known = {item.type: item.name for call in pack.calls.values() for item in call.documents}
    known |= {key: item.name for key, item in pack.checklists.items()}
    known |= {stage.id: stage.name for flow in pack.workflows.values() for stage in flow.stages}
    return say(known[value], locale) if value in known else value
