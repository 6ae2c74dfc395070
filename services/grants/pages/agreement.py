"""The agreement of a case to read and accept, its versions, and its amendments."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import ValidationError

from services.grants.api.agreements import pdf_answer
from services.grants.api.applications import store
from services.grants.domain.award.terms import Difference, Terms, differences
from services.grants.handlers import agreements, amending, viewing
from services.grants.handlers.moving import CONCLUDE
from services.grants.pages import terms_form
from services.grants.pages.common import CasePage, back, case_path, show
from services.grants.pages.form import Posted
from services.grants.pages.money import offered_to
from services.grants.storage import agreements as stored
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError, NotFoundError
from shared.web.conflicts import stay
from shared.web.dependencies import Uow, Who, allowed
from shared.web.forms import FormModel, invalid
from shared.web.identity import Identity

router = APIRouter()
_CASE = "/applications/{reference}/agreement"
CLASSES = {
    "results": "Change of results",
    "budget_major": "Budget change above the limit",
    "budget_minor": "Budget change within the limit",
    "extension": "Extension without more money",
    "administrative": "Administrative change",
}


def _page(
    request: Request, uow: UnitOfWork, who: Identity, reference: str, number: int | None = None, **more: Any
) -> HTMLResponse:
    application, award, texts = agreements.versions(uow, who, reference)
    page = CasePage(request, uow, who, application)
    number = number or (award.agreement_version if texts else None)
    text = next((item for item in texts if item.number == number), None)
    if number is not None and texts and text is None:
        raise NotFoundError("There is no such version of the agreement")
    terms = text.terms if text else award.agreed()
    before = {item.number: item.terms for item in texts}
    amendments = stored.amendments_of(uow.connection, application.id)
    context = page.context("agreement") | {
        "texts": texts,
        "text": text,
        "terms": terms,
        "changes": agreements.changed(texts, number or 0, award.amount.currency),
        "side": offered_to(page),
        "amendments": [
            (item, _diff(before.get(item.based_on), item.terms, award.amount.currency)) for item in amendments
        ],
        "classes": CLASSES,
        "line_names": {item.id: item.name for item in page.frame.call.budget_lines},
        "may_ask": _running(page) and bool({"applicant", "officer"} & set(page.roles)),
        "running": _running(page),
    }
    return show(request, "agreement.html", **(context | more))


def _diff(before: Terms | None, after: Terms, currency: str) -> list[Difference]:
    return differences(before, after, currency) if before else []


def _running(page: CasePage) -> bool:
    """Return whether the grant runs: the agreement is concluded and nothing has stopped it."""
    running = {item.to for item in page.frame.workflow.transitions if item.id == CONCLUDE}
    return bool(page.award and page.award.concluded_at) and page.application.stage in running


def _stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    reference = request.path_params.get("reference")
    if reference is None:
        found = stored.find_amendment(uow.connection, request.path_params["amendment"][:80])
        reference = found.application if found else ""
    given = request.state.typed | {"form": request.scope["path"]}
    return _page(request, uow, who, reference, conflict=problem, given=given, status_code=409)


STAY = stay(_stays)


def _refused(request: Request, uow: UnitOfWork, who: Identity, error: InvalidError, form: FormModel) -> HTMLResponse:
    """Show the agreement again with what was typed about one of its amendments, and what is wrong with it."""
    uow.abandon()
    found = stored.find_amendment(uow.connection, request.path_params["amendment"][:80])
    given = form.model_dump(exclude={"csrf"}) | {"form": request.scope["path"]}
    reference = found.application if found else ""
    return _page(request, uow, who, reference, errors=error.fields, given=given, status_code=422)


@router.get(_CASE, dependencies=[allowed("grants.award.read")])
def agreement(request: Request, reference: str, who: Who, uow: Uow, version: int | None = None) -> HTMLResponse:
    """Show what was agreed, in the present version or in `version`, and what changed by it."""
    return _page(request, uow, who, reference, version)


@router.get(_CASE + "/{number}/document", dependencies=[allowed("grants.award.read")])
def document(request: Request, reference: str, number: int, who: Who, uow: Uow) -> Response:
    """Download a version; the read is recorded."""
    text = agreements.text_of(uow, who, reference, number)
    return pdf_answer(text, store(request).get(text.sha256))


def _ask_page(request: Request, uow: UnitOfWork, who: Identity, reference: str, **more: Any) -> HTMLResponse:
    application, award, _texts = agreements.versions(uow, who, reference)
    page = CasePage(request, uow, who, application)
    if not _running(page):
        raise ConflictError("The grant is not running now: its stage is %(stage)s", stage=application.stage)
    standing = amending.standing(award, application)
    context = page.context("agreement") | {
        "form": terms_form.filled(standing),
        "why": "",
        "errors": {},
        "verdict": None,
        "checked": False,
        "classes": CLASSES,
        "rules": page.frame.pack.rules.amendments,
    }
    return show(request, "amendment.html", **(context | more))


@router.get(_CASE + "/amendment", dependencies=[allowed("grants.amendment.request")])
def ask(request: Request, reference: str, who: Who, uow: Uow) -> HTMLResponse:
    """Show the form of an amendment, filled with what is agreed now."""
    return _ask_page(request, uow, who, reference)


@router.post(_CASE + "/amendment", dependencies=[STAY, allowed("grants.amendment.request")])
def request_amendment(request: Request, reference: str, fields: Posted, who: Who, uow: Uow) -> Response:
    """Say of which class it would be (`check`), or ask for it; refused, it comes back as it was typed."""
    application = viewing.application_seen(uow, who, reference)
    form, why = terms_form.typed(fields), str(fields.get("why", "")).strip()
    try:
        body = terms_form.said(form, application.currency) | {"why": why, "version": fields.get("version")}
        command = _command(body)
        if "check" in fields:
            verdict = amending.preview(uow, who, reference, command)
            shown = {"form": terms_form.again(form), "why": why, "verdict": verdict, "checked": True}
            return _ask_page(request, uow, who, reference, **shown)
        amending.request(uow, who, reference, command)
    except InvalidError as error:
        uow.abandon()
        wrong = terms_form.by_field(error.fields)
        more = {"form": terms_form.again(form), "why": why, "errors": wrong, "status_code": 422}
        return _ask_page(request, uow, who, reference, **more)
    return back(case_path(reference, "agreement") + "#amendments")


def _command(body: dict[str, Any]) -> amending.RequestAmendment:
    try:
        return amending.RequestAmendment.model_validate(body)
    except ValidationError as error:
        raise invalid(error) from error


class DecisionForm(FormModel):
    """The form that approves an amendment or refuses it."""

    approve: bool
    note: str = ""
    version: int


@router.post(
    "/amendments/{amendment}/decision",
    dependencies=[STAY, allowed("grants.amendment.decide")],
    response_model=None,
)
def decide(request: Request, amendment: str, form: Annotated[DecisionForm, Form()], who: Who, uow: Uow) -> Response:
    """Approve or refuse an amendment."""
    command = amending.DecideAmendment(**form.model_dump(exclude={"csrf"}))
    try:
        made = amending.decide(uow, who, amendment, command, store=store(request))
    except InvalidError as error:
        return _refused(request, uow, who, error, form)
    return back(case_path(made.application, "agreement") + "#amendments")


class AcceptanceForm(FormModel):
    """The form that accepts the text with this hash."""

    sha256: str
    version: int


@router.post("/amendments/{amendment}/acceptance", dependencies=[STAY, allowed("grants.amendment.accept")])
def accept(amendment: str, form: Annotated[AcceptanceForm, Form()], who: Who, uow: Uow) -> RedirectResponse:
    """Accept the new text for one's side."""
    made = amending.accept(uow, who, amendment, amending.AcceptAmendment(**form.model_dump(exclude={"csrf"})))
    return back(case_path(made.application, "agreement") + "#amendments")


class WithdrawalForm(FormModel):
    """The form that takes an amendment back."""

    why: str = ""
    version: int


@router.post(
    "/amendments/{amendment}/withdrawal",
    dependencies=[STAY, allowed("grants.amendment.withdraw")],
    response_model=None,
)
def withdraw(request: Request, amendment: str, form: Annotated[WithdrawalForm, Form()], who: Who, uow: Uow) -> Response:
    """Take an amendment back."""
    try:
        made = amending.withdraw(uow, who, amendment, amending.WithdrawAmendment(**form.model_dump(exclude={"csrf"})))
    except InvalidError as error:
        return _refused(request, uow, who, error, form)
    return back(case_path(made.application, "agreement") + "#amendments")
