"""Pages of co-financing: the list, the concept, and the case page of firm and staff."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, File, Query, Request, UploadFile
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from markupsafe import Markup
from sqlalchemy import Connection

from services.grants.api.applications import file_answer, store
from services.grants.domain.cofinancing import CoFinancing
from services.grants.domain.match import leverage
from services.grants.handlers import cofinancing as act
from services.grants.pages import cofinancing_forms as forms
from services.grants.pages.cofinancing_forms import Posted, parsed
from services.grants.storage import reads
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError, NotFoundError
from shared.web.conflicts import stay
from shared.web.dependencies import Reader, Uow, Who, allowed
from shared.web.identity import Identity
from shared.web.letters import by_event
from shared.web.pages import render
from shared.workflow import Workflow, main_line, svg
from shared.workflow.model import say

router = APIRouter(prefix="/cofinancing", include_in_schema=False)
HOME = "/grants/cofinancing"
ACTS = ("write", "draw", "contribute", "verify", "request-release", "release")
TONES = {"verified": "good", "released": "good", "refused": "bad", "entered": "go", "requested": "go"}


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
    return render(request, "cofinancing/new.html", status_code=status, rules=rules, **more)


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
        return _concept_form(request, uow.connection, who, errors=error.fields, given=posted)
    return _seen(case.id)


def _seen(reference: str) -> RedirectResponse:
    return RedirectResponse(f"{HOME}/{reference}", 303)


@router.get("/{reference}", dependencies=[allowed("grants.cofinancing.read")])
def read(request: Request, reference: str, who: Who, uow: Uow) -> HTMLResponse:
    return _case(request, uow, who, act.look_at(uow.connection, who, reference))


def _case(request: Request, uow: UnitOfWork, who: Identity, case: CoFinancing, **more: Any) -> HTMLResponse:
    connection, locale = uow.connection, request.state.locale
    pack = act.pack_for(connection, case)
    workflow, firm = pack.workflows[case.workflow], set(who.roles) <= {"applicant"}
    current = case.turn(workflow, pack.calendar, uow.now())
    context = {
        "case": case,
        "position": case.position(),
        "turn": current,
        "firm": firm,
        "stage_name": workflow.label(case.stage, locale, public=firm),
        "stages": _progress(workflow, case, locale, public=firm),
        "bars": _bars(case),
        "leverage": leverage(case.position().match, case.position().released),
        "may": {name: act.may(who, f"grants.cofinancing.{name}", case) for name in ACTS},
        "moves": act.moves_for(connection, who, case),
        "timeline": _timeline(connection, case.id, who.organisation if firm else None),
        "picture": Markup(svg(workflow, locale, case.stage, public=firm)),  # noqa: S704 - names in it are escaped
        "tones": TONES,
        "conflict": None,
        "move_names": {item.id: say(item.name, locale) for item in workflow.transitions},
    }
    status = 422 if more.get("errors") else 409 if more.get("conflict") else 200
    return render(request, "cofinancing/case.html", status_code=status, **(context | more))


def _stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    case = act.look_at(uow.connection, who, request.path_params["reference"])
    return _case(request, uow, who, case, conflict=problem, given=request.state.typed)


STAY = stay(_stays)
CONTRIBUTE = [STAY, allowed("grants.cofinancing.contribute")]


def _progress(workflow: Workflow, case: CoFinancing, locale: str, *, public: bool) -> tuple[list[str], int]:
    """Return the names of the straight way and where on it the case stands; -1 when beside it."""
    line = main_line(workflow)
    place = line.index(case.stage) if case.stage in line else -1
    return [workflow.label(stage, locale, public=public) for stage in line], place


def _bars(case: CoFinancing) -> list[dict[str, Any]]:
    """Return the bars of the picture: each amount and its part of the largest, 0 to 100."""
    if case.terms is None:
        return []
    position = case.position()
    waiting = sum((item.value for item in case.contributions if item.status == "entered"), Decimal(0))
    amounts = [
        ("Firm's share agreed", case.terms.firm_share, "soft"),
        ("Verified match", position.match, "good"),
        ("Waiting for verification", waiting, "warn"),
        ("Programme's share agreed", case.terms.programme_share, "soft"),
        ("Allowed by the match", position.allowed, "go"),
        ("Released", position.released, "good"),
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
    number = data.get("contribution") or data.get("release") or ""
    amount = data.get("value") or (data.get("amount") if verb.startswith("release") else None)
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


# --- acts ---------------------------------------------------------------------------------------


def _act(  # noqa: PLR0917 - what every route has
    request: Request, uow: UnitOfWork, who: Identity, reference: str, posted: dict[str, str], do: Callable[[], Any]
) -> Response:
    """Do it and show the case, or show the form again with what is wrong in it."""
    try:
        do()
    except InvalidError as error:
        case = act.look_at(uow.connection, who, reference)
        return _case(request, uow, who, case, errors=error.fields, given=posted)
    return _seen(reference)


@router.post("/{reference}/concept", dependencies=[STAY, allowed("grants.cofinancing.write")])
def save(request: Request, reference: str, posted: Posted, who: Who, uow: Uow) -> Response:
    def do() -> None:
        form = parsed(forms.ConceptForm, posted)
        currency = act.look_at(uow.connection, who, reference).currency
        act.save_concept(uow, who, reference, form.version, forms.concept(form, currency))

    return _act(request, uow, who, reference, posted, do)


@router.post("/{reference}/terms", dependencies=[STAY, allowed("grants.cofinancing.draw")])
def draw(request: Request, reference: str, posted: Posted, who: Who, uow: Uow) -> Response:
    def do() -> None:
        form = parsed(forms.TermsForm, posted)
        currency = act.look_at(uow.connection, who, reference).currency
        total, in_kind = forms.money("total", form.total, currency), forms.money("in_kind", form.in_kind, currency)
        act.draw_terms(uow, who, reference, form.version, total=total, in_kind=in_kind)

    return _act(request, uow, who, reference, posted, do)


@router.post("/{reference}/moves", dependencies=[STAY, allowed("grants.cofinancing.move")])
def move(request: Request, reference: str, posted: Posted, who: Who, uow: Uow) -> Response:
    def do() -> None:
        form = parsed(forms.MoveForm, posted)
        words = {"reason": form.reason, "comment": form.comment}
        act.move(uow, who, reference, form.version, form.transition, **words)

    return _act(request, uow, who, reference, posted, do)


@router.post("/{reference}/contributions", dependencies=CONTRIBUTE)
def enter(request: Request, reference: str, posted: Posted, who: Who, uow: Uow) -> Response:
    def do() -> None:
        form = parsed(forms.ContributionForm, posted)
        act.enter(uow, who, reference, form.version, form.command())

    return _act(request, uow, who, reference, posted, do)


@router.post("/{reference}/contributions/{number}/evidence", dependencies=CONTRIBUTE)
def evidence(  # noqa: PLR0917 - a form's fields beside what every route has
    request: Request,
    reference: str,
    number: int,
    posted: Posted,
    who: Who,
    uow: Uow,
    file: Annotated[UploadFile, File()],
) -> Response:
    def do() -> None:
        form = parsed(forms.FileForm, posted)
        about: dict[str, Any] = {"number": number, "kind": form.kind, "name": file.filename or "", "content": file.file}
        act.add_evidence(uow, who, reference, form.version, store(request), **about)

    return _act(request, uow, who, reference, posted, do)


@router.post("/{reference}/contributions/{number}/decision", dependencies=[STAY, allowed("grants.cofinancing.verify")])
def decide(  # noqa: PLR0917 - what every route has
    request: Request, reference: str, number: int, posted: Posted, who: Who, uow: Uow
) -> Response:
    def do() -> None:
        form = parsed(forms.DecisionForm, posted)
        act.decide(uow, who, reference, form.version, number, good=form.verdict == "good", note=form.note)

    return _act(request, uow, who, reference, posted, do)


@router.post("/{reference}/releases", dependencies=[STAY, allowed("grants.cofinancing.request-release")])
def ask(request: Request, reference: str, posted: Posted, who: Who, uow: Uow) -> Response:
    def do() -> None:
        form = parsed(forms.ReleaseForm, posted)
        currency = act.look_at(uow.connection, who, reference).currency
        act.request_release(uow, who, reference, form.version, forms.money("amount", form.amount, currency))

    return _act(request, uow, who, reference, posted, do)


@router.post("/{reference}/releases/{number}/decision", dependencies=[STAY, allowed("grants.cofinancing.release")])
def settle(  # noqa: PLR0917 - what every route has
    request: Request, reference: str, number: int, posted: Posted, who: Who, uow: Uow
) -> Response:
    def do() -> None:
        form = parsed(forms.DecisionForm, posted)
        act.settle_release(uow, who, reference, form.version, number, good=form.verdict == "good", note=form.note)

    return _act(request, uow, who, reference, posted, do)


@router.get("/{reference}/documents/{document_id}", dependencies=[allowed("grants.cofinancing.read")])
def download(request: Request, reference: str, document_id: str, who: Who, uow: Uow) -> Response:
    return file_answer(*act.read_evidence(uow, who, reference, document_id, store(request)))
