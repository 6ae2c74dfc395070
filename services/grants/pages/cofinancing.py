"""Pages of co-financing: the list, the concept, and the case page of firm and staff."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from markupsafe import Markup
from sqlalchemy import Connection

from services.grants.domain.cofinancing import CoFinancing
from services.grants.domain.match import Position, leverage
from services.grants.domain.terms import Rules
from services.grants.handlers import cofinancing as act
from services.grants.pages import cofinancing_forms as forms
from services.grants.pages.cofinancing_forms import Posted, parsed
from services.grants.storage import judging, reads
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError, NotFoundError
from shared.i18n import current_zone
from shared.web.conflicts import stay
from shared.web.dependencies import Reader, Uow, Who, allowed
from shared.web.identity import Identity
from shared.web.letters import by_event
from shared.web.pages import render
from shared.workflow import Workflow, main_line, svg
from shared.workflow.model import say

router = APIRouter(prefix="/cofinancing", include_in_schema=False)
HOME = "/grants/cofinancing"
ACTS = (
    *("write", "draw", "contribute", "verify", "approve-market-value", "request-release", "release"),
    *("refund", "record-loan"),
)
TONES = {"verified": "good", "released": "good", "refused": "bad", "reversed": "bad", "entered": "go"}
TONES |= {"requested": "go"}


@router.get("", dependencies=[allowed("grants.cofinancing.list")])
def listed(
    request: Request,
    who: Who,
    connection: Reader,
    stage: Annotated[str, Query(max_length=60)] = "",
    cursor: Annotated[str | None, Query(max_length=500)] = None,
) -> HTMLResponse:
    page = act.listed_for(connection, who, stage=stage, cursor=cursor)
    starts = "applicant" in who.roles and bool(who.programmes)
    rows = [act.row_view(row) for row in page.items]
    names = _stage_names(connection, who, rows, request.state.locale)
    return render(request, "cofinancing/list.html", rows=rows, page=page, starts=starts, stage=stage, names=names)


def _stage_names(connection: Any, who: Identity, rows: list[dict[str, Any]], locale: str) -> dict[str, str]:
    """Return stages' names by the newest workflow of each programme in the list."""
    names: dict[str, str] = {}
    firm = set(who.roles) <= {"applicant"}
    for programme in {row["programme"] for row in rows}:
        workflow = act.workflow_of(connection, programme)
        names |= {stage.id: workflow.label(stage.id, locale, public=firm) for stage in workflow.stages}
    return names


@router.get("/new", dependencies=[allowed("grants.cofinancing.start")])
def new(request: Request, who: Who, connection: Reader) -> HTMLResponse:
    return _concept_form(request, connection, who)


def _concept_form(request: Request, connection: Any, who: Identity, **more: Any) -> HTMLResponse:
    _, rules = act.rules_of(connection, _programme(who))
    status = 422 if more.get("errors") else 200
    shares = parts_shown(Rules.of(rules))
    return render(request, "cofinancing/new.html", status_code=status, rules=rules, shares=shares, **more)


def parts_shown(rules: Rules) -> tuple[str, str] | None:
    """Return what each side carries in per cent; None where that depends on the size of the project."""
    if rules.tiers:
        return None
    programme, firm = rules.parts(Decimal(0))
    share = programme * 100 / (programme + firm)
    return f"{share:.4g}", f"{100 - share:.4g}"


def _programme(who: Identity) -> str:
    if not who.programmes:
        raise NotFoundError("You belong to no programme")
    return who.programmes[0]


@router.post("", dependencies=[allowed("grants.cofinancing.start")])
def start(request: Request, posted: Posted, who: Who, uow: Uow) -> Response:
    programme = _programme(who)
    try:
        form = parsed(forms.ConceptForm, posted)
        currency = act.rules_of(uow.connection, programme)[1]["currency"]
        case = act.start_concept(uow, who, programme, forms.concept(form, currency))
    except InvalidError as error:
        uow.abandon()
        return _concept_form(request, uow.connection, who, errors=error.fields, given=posted)
    return seen(case.id)


def seen(reference: str) -> RedirectResponse:
    return RedirectResponse(f"{HOME}/{reference}", 303)


@router.get("/{reference}", dependencies=[allowed("grants.cofinancing.read")])
def read(request: Request, reference: str, who: Who, uow: Uow) -> HTMLResponse:
    return case_page(request, uow, who, act.look_at(uow.connection, who, reference))


def case_page(request: Request, uow: UnitOfWork, who: Identity, case: CoFinancing, **more: Any) -> HTMLResponse:
    connection, locale = uow.connection, request.state.locale
    pack = act.pack_for(connection, case)
    current_zone.set(pack.calendar.zone)
    workflow, firm = pack.workflows[case.workflow], set(who.roles) <= {"applicant"}
    current, position = case.turn(workflow, pack.calendar, uow.now()), case.position(act.today_of(uow, case))
    context = {
        "case": case,
        "position": position,
        "turn": current,
        "firm": firm,
        "stage_name": workflow.label(case.stage, locale, public=firm),
        "stages": _progress(workflow, case, locale, public=firm),
        "bars": _bars(case, position),
        "shares": parts_shown(case.rules),
        "leverage": leverage(position.match, position.out),
        "mobilised": case.mobilised(),
        "leverage_with_banks": leverage(position.match + case.mobilised(), position.out),
        "may": {name: act.may(who, f"grants.cofinancing.{name}", case) for name in ACTS},
        "moves": act.moves_for(connection, who, case),
        "timeline": _timeline(connection, case.id, who.organisation if firm else None),
        "picture": Markup(svg(workflow, locale, case.stage, public=firm)),  # noqa: S704 - names in it are escaped
        "tones": TONES,
        **_recusals(connection, who, case, firm=firm),
        "conflict": None,
        "sent_to": "",  # the form that comes back as it was typed
        "move_names": {item.id: say(item.name, locale) for item in workflow.transitions},
    }
    status = 422 if more.get("errors") else 409 if more.get("conflict") else 200
    return render(request, "cofinancing/case.html", status_code=status, **(context | more))


def _recusals(connection: Connection, who: Identity, case: CoFinancing, *, firm: bool) -> dict[str, Any]:
    """Return why this reader judges nothing here, who else is out of the case, and whether they may step back."""
    if firm:
        return {"barred": None, "may_recuse": False}
    return {
        "barred": act.barred(connection, who, case),
        "recusals": judging.recusals_of(connection, case.id),
        "may_recuse": act.may(who, act.STEP_BACK, case),
        "roles": act.roles_on(who, case),
    }


def _stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    case = act.look_at(uow.connection, who, request.path_params["reference"])
    return case_page(
        request, uow, who, case, conflict=problem, given=request.state.typed, sent_to=request.scope["path"]
    )


STAY = stay(_stays)


def _progress(workflow: Workflow, case: CoFinancing, locale: str, *, public: bool) -> tuple[list[str], int]:
    """Return the names of the straight way and where on it the case stands; -1 when beside it."""
    line = main_line(workflow)
    place = line.index(case.stage) if case.stage in line else -1
    return [workflow.label(stage, locale, public=public) for stage in line], place


def _bars(case: CoFinancing, position: Position) -> list[dict[str, Any]]:
    """Return the bars of the picture: each amount and its part of the largest, 0 to 100."""
    if case.terms is None:
        return []
    waiting = sum((item.value for item in case.contributions if item.status == "entered"), Decimal(0))
    amounts = [
        ("Firm's share agreed", case.terms.firm_share, "soft"),
        ("Verified match", position.match, "good"),
        ("Waiting for verification", waiting, "warn"),
        ("Programme's share agreed", case.terms.programme_share, "soft"),
        ("Allowed by the match", position.allowed, "go"),
        ("Released", position.out, "good"),
    ]
    most = max(amount for _, amount, _ in amounts) or Decimal(1)
    return [
        {"label": label, "amount": case.money(amount), "width": f"{amount * 100 / most:.1f}", "tone": tone}
        for label, amount, tone in amounts
    ]


def _timeline(connection: Connection, reference: str, firm: str | None) -> list[dict[str, Any]]:
    """Return the acts, newest first, with their letters; the firm's people see what is public and their own letters."""
    letters = by_event(reads.letters(connection, reference, firm))
    acts = [
        _told(row, firm=firm is not None) | {"letters": letters.pop(str(row["id"]), None)}
        for row in reads.timeline(connection, reference)
        if firm is None or _public(row)
    ]
    alone = [{"verb": "", "title": group["title"], "at": group["at"], "letters": group} for group in letters.values()]
    return sorted(acts + alone, key=lambda item: item["at"], reverse=True)


def _public(row: Any) -> bool:
    """Return whether the firm reads this act on its timeline: no refused attempts and reads of staff."""
    return str(row["type"]).startswith("grants.cofinancing.")


def _told(row: Any, *, firm: bool) -> dict[str, Any]:
    """Return an act as the timeline shows it."""
    body = row["body"]
    data = body["data"]
    verb = str(row["type"]).rpartition(".")[2]
    number = data.get("contribution") or data.get("release") or data.get("refund") or ""
    amount = data.get("value") or (data.get("amount") if verb.startswith(("release", "refund", "bank")) else None)
    words = data.get("reason") or data.get("comment") or data.get("why") or data.get("note") or data.get("detail") or ""
    return {
        "verb": verb,
        "to": data.get("public_name" if firm else "stage_name"),
        "number": number,
        "amount": amount,
        "words": words,
        "who": body["actor"].get("name", ""),
        "at": row["time"],
        "refused": row["outcome"] == "refused",
    }
