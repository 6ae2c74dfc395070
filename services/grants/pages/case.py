"""The page of a case and its parts, and the acts on them."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from services.grants.domain.ageing import age_of
from services.grants.handlers import deciding, lettering, listing, moving, viewing
from services.grants.handlers.moving import RISK, checked_at, key, panel_score
from services.grants.pages.common import CasePage, back, case_path, money_in, show
from services.grants.pages.eligibility import told
from services.grants.pages.guide import guide
from services.grants.pages.rows import today_of
from services.grants.pages.sentences import ANSWERS, latest, lines
from services.grants.pages.status import status
from services.grants.storage import reads
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError
from shared.forms import shown, words
from shared.web.conflicts import stay
from shared.web.dependencies import Uow, Who, allowed
from shared.web.forms import FormModel
from shared.web.identity import Identity
from shared.web.kept import keeps_words

router = APIRouter(prefix="/applications/{reference}")
READ = [allowed("grants.application.read")]
LATEST = 8


def _page(request: Request, uow: UnitOfWork, who: Identity, reference: str) -> CasePage:
    return CasePage(request, uow, who, viewing.application_seen(uow, who, reference))


@router.get("", dependencies=READ)
def summary(request: Request, reference: str, who: Who, uow: Uow) -> HTMLResponse:
    """Show a case: facts, budget, what can be done, what blocks the rest, the latest acts."""
    return _summary(request, uow, who, reference)


def _summary(request: Request, uow: UnitOfWork, who: Identity, reference: str, **more: Any) -> HTMLResponse:
    page = _page(request, uow, who, reference)
    acts = listing.timeline(uow.connection, who, page.application)
    context = page.context("") | {
        "acts": lines(request, latest(acts, LATEST), page.frame.workflow, inside=page.inside),
        "lists": _checklists(page) if page.inside else [],
        "answer_names": ANSWERS,
        "officers": _officers(page),
        "chart": _chart(page),
        "age": _age(page),
        "status": [] if page.inside else status(page, today_of(request, page.frame.pack)),
        "guide": guide(page),
        "check_errors": {},
        "rules": told(request, page.frame.call, page.application.eligibility) if page.inside else [],
    }
    context["homeless"] = _homeless(context, more.get("given", {}))
    return show(request, "case.html", **(context | more))


def _homeless(context: dict[str, Any], typed: dict[str, str]) -> list[str]:
    """Return what was typed into a form that the page has no more: it is shown, so that nobody's words are lost."""
    words = [typed[name] for name in ("reason", "comment", "note") if typed.get(name)]
    moves = {move.id for move in context["open_moves"]}
    points = {(item["id"], point["id"]) for item in context["lists"] if item["open"] for point in _open(item)}
    there = typed.get("transition") in moves or (typed.get("checklist"), typed.get("item")) in points
    return [] if there else words


def _open(checklist: dict[str, Any]) -> list[dict[str, Any]]:
    return [point for point in checklist["points"] if not point["check"]]


def _stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    ticked = [value for name, value in request.state.posted if name == "sections"]
    given = request.state.typed | {"sections": ticked}
    more = {"conflict": problem, "given": given, "status_code": 409}
    return _summary(request, uow, who, request.path_params["reference"], **more)


STAY = stay(_stays)


def _officers(page: CasePage) -> list[tuple[str, str]]:
    if not {"officer", "programme_manager"} & set(page.roles) or page.application.terminal:
        return []
    return [
        (row["id"], row["name"]) for row in reads.people_with(page.connection, "officer", page.application.programme)
    ]


def _checklists(page: CasePage) -> list[dict[str, Any]]:
    """Return the checklists that the case has met, the present one open for answers."""
    stages, application = checked_at(page.frame), page.application
    met = {visit.stage for visit in application.visits()}
    may = bool({"officer", "programme_manager"} & set(page.roles))
    found = []
    for stage, name in stages.items():
        if stage not in met:
            continue
        checklist = page.frame.pack.checklists[name]
        points: list[dict[str, Any]] = [
            {
                "id": item.id,
                "text": item.text,
                "options": ["yes", "no", *(["not_applicable"] if item.may_skip else [])],
                "check": application.checks.get(key(name, item.id)),
                "proof": item.proof,
            }
            for item in checklist.items
        ]
        if checklist.risk:
            text = {"en": "Risk rating", "ru": "Оценка риска"}
            check = application.checks.get(key(name, RISK))
            points.append(
                {"id": RISK, "text": text, "options": list(checklist.risk.ratings), "check": check, "proof": None}
            )
        answered = sum(1 for point in points if point["check"])
        now = may and stage == application.stage
        found.append({"id": name, "name": checklist.name, "points": points, "answered": answered, "open": now})
    return found


def _age(page: CasePage) -> dict[str, Any] | None:
    """Return how long an open case is where it is, with the pauses by name, for staff."""
    application = page.application
    if not page.inside or application.submitted_at is None or application.terminal:
        return None
    age = age_of(application, page.frame.workflow, page.frame.calendar, page.request.app.state.clock())
    return {"age": age, "pauses": [(page.stage_name(pause.stage), pause) for pause in age.pauses]}


def _chart(page: CasePage) -> dict[str, Any] | None:
    """Return the bars of the scores, for staff who may see them."""
    visible = viewing.may_see_scores(page.who, page.reviews)
    if not page.inside or not page.reviews or not visible or page.barred or "finance_officer" in page.roles:
        return None
    bars = [(r.reviewer_name, r.score) for r in page.reviews if r.status in {"assigned", "open", "submitted"}]
    threshold = page.frame.pack.sheet_of(page.frame.call).threshold
    return {"bars": bars, "threshold": threshold, "mean": panel_score(page.reviews)}


@router.get("/answers", dependencies=READ)
def answers(request: Request, reference: str, who: Who, uow: Uow, version: int | None = None) -> HTMLResponse:
    """Show what the applicant wrote: as it is now, or as it was handed in (`version`, from 1).

    While an applicant works on what was asked for, everybody else reads what was handed in last.
    """
    page = _page(request, uow, who, reference)
    application = page.application
    if version is None and application.asked and page.inside:
        version = len(application.handed)
    handed = application.handed_in(version) if version is not None else None
    context = page.context("answers")
    if handed is not None:
        context["asked"] = shown(page.frame.call.form, handed.answers)
    written = handed or application
    return show(request, "answers.html", words=words, written=written, handed=handed, number=version, **context)


@router.get("/timeline", dependencies=READ)
def timeline(request: Request, reference: str, who: Who, uow: Uow) -> HTMLResponse:
    """Show everything that happened to a case, newest first, with how it stands with each letter."""
    page = _page(request, uow, who, reference)
    acts = listing.timeline(uow.connection, who, page.application)
    found = lines(request, acts, page.frame.workflow, inside=page.inside)
    return show(request, "timeline.html", acts=found, **page.context("timeline"))


class MoveForm(FormModel):
    """The form of a move."""

    transition: str
    version: int
    reason: str | None = None
    comment: str | None = None
    sections: list[str] = []
    reason_code: str = ""
    amount: str = ""

    def command(self, currency: str) -> moving.MoveApplication:
        """Return the move that is meant; a recommended amount is in the call's currency."""
        given = self.model_dump(exclude={"csrf", "amount"})
        return moving.MoveApplication(**given, amount=money_in("amount", self.amount, currency))


@router.post("/moves", dependencies=[STAY, allowed("grants.application.move")])
@keeps_words
def move(reference: str, form: Annotated[MoveForm, Form()], who: Who, uow: Uow) -> RedirectResponse:
    """Make a move."""
    moving.move(uow, who, reference, form.command(viewing.application_seen(uow, who, reference).currency))
    return back(case_path(reference))


@router.post("/letter", dependencies=[STAY, allowed("grants.application.assign")])
def letter(request: Request, reference: str, form: Annotated[MoveForm, Form()], who: Who, uow: Uow) -> HTMLResponse:
    """Show the letters that a move would bring, and its form to change the words or make it; nothing happens yet."""
    page = _page(request, uow, who, reference)
    command = form.command(page.application.currency)
    draft = lettering.would_say(uow.connection, who, page.application, command, request.app.state.clock)
    item = next(move for move in page.moves if move.id == form.transition)
    context = page.context("") | {"item": item, "given": form.model_dump(), "draft": json.dumps(draft)}
    return show(request, "letter.html", **context)


class SignForm(FormModel):
    """The form of a signature."""

    version: int
    comment: str | None = None


@router.post("/approvals", dependencies=[STAY, allowed(deciding.SIGN)])
def sign(reference: str, form: Annotated[SignForm, Form()], who: Who, uow: Uow) -> RedirectResponse:
    """Give the next signature that the amount needs."""
    deciding.sign(uow, who, reference, deciding.SignCase(**form.model_dump(exclude={"csrf"})))
    return back(case_path(reference) + "#decision")


class OfficerForm(FormModel):
    """The form that gives a case to an officer."""

    officer: str
    version: int


@router.post("/officer", dependencies=[STAY, allowed("grants.application.assign")])
def assign(reference: str, form: Annotated[OfficerForm, Form()], who: Who, uow: Uow) -> RedirectResponse:
    """Give the case to an officer."""
    moving.assign(uow, who, reference, moving.AssignOfficer(**form.model_dump(exclude={"csrf"})))
    return back(case_path(reference))


class CheckForm(FormModel):
    """One point of a checklist."""

    checklist: str
    item: str
    answer: str
    note: str
    version: int


@router.post("/checks", dependencies=[STAY, allowed("grants.application.check")])
@keeps_words
def check(request: Request, reference: str, form: Annotated[CheckForm, Form()], who: Who, uow: Uow) -> Response:
    """Answer one point of a checklist; refused, the form comes back with what was typed."""
    try:
        moving.check(uow, who, reference, moving.AnswerCheck(**form.model_dump(exclude={"csrf"})))
    except InvalidError as error:
        uow.abandon()
        more = {"check_errors": error.fields, "given": form.model_dump(), "status_code": 422}
        return _summary(request, uow, who, reference, **more)
    return back(case_path(reference) + "#checks")
