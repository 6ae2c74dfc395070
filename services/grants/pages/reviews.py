"""Reviewers' pages: what was asked of me, declaring, scoring; and staff's view of all reviews of a case."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import field_validator
from starlette.datastructures import FormData

from services.grants.domain.mainline import reviewed_at
from services.grants.domain.moderation import apart, spread
from services.grants.domain.pack import Sheet
from services.grants.domain.review import Review, Score
from services.grants.handlers import choosing, listing, reviewing, viewing
from services.grants.pages.common import CasePage, Words, back, case_path, show
from services.grants.pages.form import Posted
from services.grants.storage import judging, reads
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError, StaleVersionError
from shared.forms import words
from shared.web.conflicts import stay
from shared.web.dependencies import Reader, Uow, Who, allowed
from shared.web.errors import partial
from shared.web.forms import FormModel
from shared.web.identity import Identity
from shared.web.kept import keeps_words
from shared.workflow.requirements import Sentence

router = APIRouter()
READ = [allowed("grants.review.read")]


def _path(review_id: str) -> str:
    return f"/grants/reviews/{review_id}"


@router.get("/reviews", dependencies=[allowed("grants.review.mine")])
def mine(request: Request, who: Who, connection: Reader, q: Words = "", cursor: str | None = None) -> HTMLResponse:
    """Show the reviews that were asked of me."""
    page = listing.my_reviews(connection, who, cursor, q=q.strip())
    return show(request, "reviews_mine.html", reviews=page.items, page=page, q=q.strip())


@router.get("/reviews/{review_id}", dependencies=READ)
def review(request: Request, review_id: str, who: Who, uow: Uow) -> HTMLResponse:
    """Show a review: first the declaration, then the application and the scoring sheet."""
    return _review(request, who, uow, review_id)


def _review(request: Request, who: Identity, uow: UnitOfWork, review_id: str, **more: Any) -> HTMLResponse:
    found, application, others = viewing.review_seen(uow, who, review_id)
    pack = listing.pack_of_case(uow.connection, application)
    call = pack.call(application.call)
    own = found.reviewer == who.user
    context: dict[str, Any] = {
        "review": found,
        "own": own,
        "reads": found.may_read or not own,
        "application": application,
        "call": call,
        "sheet": pack.sheet_of(call),
        "others": others,
        "scores": {name: (score.points, score.comment) for name, score in found.scores.items()}
        | {name: ("", text) for name, text in found.unscored.items()},
        "points": {name: score.points for name, score in found.scores.items()},
        "summary": found.summary,
        "recommendation": found.recommendation,
        "apart": _may_revise(uow, found, pack.sheet_of(call)) if own else None,
        "words": words,
        "errors": {},
        "base": case_path(application.id),
        "conflict": None,
    }
    return show(request, "review.html", **(context | more))


def _may_revise(uow: UnitOfWork, review: Review, sheet: Sheet) -> Sentence | None:
    """Return why the author of a review that is in may change it now."""
    if review.status != "submitted" or sheet.max_spread is None:
        return None
    every = reads.reviews_of(uow.connection, review.application)
    return apart(every, sheet, judging.find_moderation(uow.connection, review.application))


def _stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    typed = request.state.typed
    more = _typed(*_given(typed.items())[1:], typed.get("summary", ""), typed.get("recommendation", ""))
    more = more if "summary" in typed else {}
    return _review(request, who, uow, request.path_params["review_id"], conflict=problem, status_code=409, **more)


STAY = stay(_stays)


class DeclarationForm(FormModel):
    """The declaration: `conflict` is yes or no."""

    conflict: bool
    nature: str = ""
    version: int


@router.post("/reviews/{review_id}/declaration", dependencies=[STAY, allowed("grants.review.declare")])
def declare(request: Request, review_id: str, form: Annotated[DeclarationForm, Form()], who: Who, uow: Uow) -> Response:
    """Declare a conflict of interest, or none."""
    command = reviewing.Declare(**form.model_dump(exclude={"csrf"}))
    try:
        reviewing.declare(uow, who, review_id, command)
    except InvalidError as error:
        uow.abandon()
        return _review(request, who, uow, review_id, errors=error.fields, status_code=422)
    return back(_path(review_id))


class DeclineForm(FormModel):
    """The form by which a reviewer steps back."""

    reason: str
    conflict: bool = False
    version: int


@router.post("/reviews/{review_id}/stepping-back", dependencies=[STAY, allowed("grants.review.declare")])
def step_back(review_id: str, form: Annotated[DeclineForm, Form()], who: Who, uow: Uow) -> RedirectResponse:
    """Decline a review, or leave it for a conflict found later."""
    reviewing.step_back(uow, who, review_id, reviewing.Decline(**form.model_dump(exclude={"csrf"})))
    return back("/grants/reviews")


@router.post("/reviews/{review_id}", dependencies=[STAY, allowed("grants.review.score")])
@keeps_words
def score(request: Request, review_id: str, fields: Posted, who: Who, uow: Uow) -> Response:
    """Keep scores, or hand the review in; refused, the form comes back as it was filled."""
    wrong, points, comments = _given(fields.multi_items())
    summary, chosen = str(fields.get("summary", "")).strip(), str(fields.get("recommendation", ""))
    typed = _typed(points, comments, summary, chosen)
    version = str(fields.get("version", ""))
    try:
        made = reviewing.score(uow, who, review_id, _command(fields, typed, wrong))
    except InvalidError as error:
        uow.abandon()
        if partial(request):
            return _kept(request, version, errors=error.fields)
        return _review(request, who, uow, review_id, **(typed | {"errors": error.fields, "status_code": 422}))
    except StaleVersionError as error:
        if not partial(request):
            raise
        uow.abandon()
        return _kept(request, version, stale=error)
    uow.flush()
    if partial(request):
        sheet = _sheet(uow, made)
        return _kept(request, made.version, at=uow.now(), sheet=sheet, points=typed["points"])
    if fields.get("go") == "next":
        return back(_next(uow, who, made.id))
    return back(_path(review_id))


def _sheet(uow: UnitOfWork, review: Review) -> Sheet | None:
    application = reads.find_application(uow.connection, review.application)
    if application is None:
        return None
    pack = listing.pack_of_case(uow.connection, application)
    return pack.sheet_of(pack.call(application.call))


def _kept(request: Request, version: int | str, **more: Any) -> HTMLResponse:
    """Answer the form's own saving: the version that its next one names, and the total of what is scored."""
    context: dict[str, Any] = {"version": version, "errors": {}, "stale": None, "at": None, "sheet": None, "points": {}}
    return show(request, "review_saved.html", **(context | more))


def _next(uow: UnitOfWork, who: Identity, done: str) -> str:
    """Return the way to one's next review: those that are open first, then those to declare for, soonest due first."""
    mine = [item for item in listing.my_reviews(uow.connection, who, None).items if item.id != done]
    waiting = [item for item in mine if item.status in {"open", "assigned"}]
    order = sorted(waiting, key=lambda item: (item.status != "open", item.due or date.max, item.id))
    return _path(order[0].id) if order else "/grants/reviews"


def _given(pairs: Iterable[tuple[str, Any]]) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """Return what is wrong with the points, the points and the comments, by criterion, as they were typed."""
    points: dict[str, str] = {}
    comments: dict[str, str] = {}
    for name, value in pairs:
        kind, _, criterion = name.partition(".")
        if kind in {"points", "comment"} and criterion:
            (points if kind == "points" else comments)[criterion[:80]] = str(value).strip()
    wrong = {f"scores.{name}": "is not a whole number" for name, text in points.items() if text and not _whole(text)}
    return wrong, points, comments


def _typed(points: dict[str, str], comments: dict[str, str], summary: str, chosen: str) -> dict[str, Any]:
    """Return what was typed as the form shows it again; a comment stays though its points are still missing."""
    both = {name: (points.get(name, ""), comments.get(name, "")) for name in points | comments}
    counted = {name: int(text) for name, text in points.items() if _whole(text)}
    return {"scores": both, "points": counted, "summary": summary, "recommendation": chosen}


def _command(fields: FormData, typed: dict[str, Any], wrong: dict[str, str]) -> reviewing.SaveReview:
    if not _whole(str(fields.get("version", ""))):
        wrong["version"] = "is not a whole number"
    if wrong:
        raise InvalidError(wrong)
    if typed["recommendation"] not in {"", "fund", "fund_with_changes", "do_not_fund"}:
        raise InvalidError({"recommendation": "is not one of the choices"})
    texts = {name: comment for name, (_, comment) in typed["scores"].items()}
    return reviewing.SaveReview.model_validate(
        {
            "scores": {name: Score(points=n, comment=texts.get(name, "")) for name, n in typed["points"].items()},
            "unscored": {name: text for name, text in texts.items() if text and name not in typed["points"]},
            "summary": typed["summary"],
            "recommendation": typed["recommendation"] or None,
            "submit": fields.get("go") in {"submit", "next"},
            "why": str(fields.get("why", "")).strip(),
            "version": int(str(fields.get("version"))),
        }
    )


def _whole(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 10


class ExcuseForm(FormModel):
    """The form that lets a reviewer go."""

    reason: str
    version: int


@router.post("/reviews/{review_id}/excuse", dependencies=[allowed("grants.review.assign")])
def excuse(review_id: str, form: Annotated[ExcuseForm, Form()], who: Who, uow: Uow) -> RedirectResponse:
    """Let a reviewer go."""
    review = reviewing.excuse(uow, who, review_id, reviewing.Excuse(**form.model_dump(exclude={"csrf"})))
    return back(case_path(review.application, "reviews"))


class ReassignForm(FormModel):
    """The form that asks another person for a review instead."""

    reviewer: str = ""
    reason: str = ""
    version: int


@router.post("/reviews/{review_id}/reassignment", dependencies=[allowed("grants.review.assign")])
def reassign(review_id: str, form: Annotated[ReassignForm, Form()], who: Who, uow: Uow) -> RedirectResponse:
    """Ask another person for a review instead of who has it."""
    made = reviewing.reassign(uow, who, review_id, reviewing.Reassign(**form.model_dump(exclude={"csrf"})))
    return back(case_path(made.application, "reviews"))


@router.get("/applications/{reference}/reviews", dependencies=READ)
def of_case(request: Request, reference: str, who: Who, uow: Uow) -> HTMLResponse:
    """Show all reviews of a case to staff; the read is recorded."""
    application, every, visible = viewing.reviews_seen(uow, who, reference)
    page = CasePage(request, uow, who, application)
    sheet = page.frame.pack.sheet_of(page.frame.call)
    return show(
        request,
        "reviews.html",
        reviews=every,
        visible=visible,
        sheet=sheet,
        recusals=judging.recusals_of(uow.connection, reference),
        **_choices(page, uow),
        **page.context("reviews"),
    )


def _choices(page: CasePage, uow: UnitOfWork) -> dict[str, Any]:
    """Return who can still be asked, as the rule ranks them, and what is to be said about scores far apart."""
    sheet = page.frame.pack.sheet_of(page.frame.call)
    moderation = judging.find_moderation(uow.connection, page.application.id)
    may = page.application.stage in reviewed_at(page.frame.workflow)
    return {
        "candidates": choosing.candidates(uow, page.application, page.frame) if may else [],
        "spread": spread(page.reviews),
        "apart": apart(page.reviews, sheet, moderation),
        "moderation": moderation,
    }


class AskForm(FormModel):
    """The form that asks people for reviews."""

    reviewers: list[str] = []
    due: date | None = None
    version: int

    @field_validator("due", mode="before")
    @classmethod
    def _no_day(cls, given: Any) -> Any:
        return given or None


@router.post("/applications/{reference}/reviews", dependencies=[allowed("grants.review.assign")])
def ask(reference: str, form: Annotated[AskForm, Form()], who: Who, uow: Uow) -> RedirectResponse:
    """Ask people for reviews."""
    reviewing.ask(uow, who, reference, reviewing.AskForReviews(**form.model_dump(exclude={"csrf"})))
    return back(case_path(reference, "reviews"))


class RuleForm(FormModel):
    """The button that lets the rule choose."""

    version: int


@router.post("/applications/{reference}/reviews/by-rule", dependencies=[allowed("grants.review.assign")])
def choose(reference: str, form: Annotated[RuleForm, Form()], who: Who, uow: Uow) -> RedirectResponse:
    """Let the rule choose and ask."""
    choosing.choose(uow, who, reference, choosing.ChooseReviewers(version=form.version))
    return back(case_path(reference, "reviews"))


class ModerationForm(FormModel):
    """The form that says how scores far apart were settled."""

    outcome: Literal["third_review", "discussed"]
    note: str = ""
    version: int = 0


@router.post("/applications/{reference}/moderation", dependencies=[allowed("grants.review.moderate")])
def moderate(reference: str, form: Annotated[ModerationForm, Form()], who: Who, uow: Uow) -> RedirectResponse:
    """Record how scores far apart were settled."""
    choosing.moderate(uow, who, reference, choosing.Moderate(**form.model_dump(exclude={"csrf"})))
    return back(case_path(reference, "reviews"))
