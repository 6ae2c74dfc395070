"""The money side of a case: the agreement, its milestones and tranches, and the acts on them."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import ValidationError

from services.grants.api.applications import store
from services.grants.domain.award.terms import Terms
from services.grants.domain.capacity import Special
from services.grants.handlers import amending, awarding, partnering, reporting, viewing
from services.grants.handlers.capacity import conditions_of
from services.grants.handlers.drawing import proposed_lines
from services.grants.handlers.moving import OFFER
from services.grants.pages import terms_form
from services.grants.pages.common import CasePage, back, case_path, show
from services.grants.pages.form import Posted
from services.grants.pages.payment_parts import payment_context
from services.grants.storage.capacity import find_capacity
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError
from shared.money import Money
from shared.web.conflicts import stay
from shared.web.dependencies import Uow, Who, allowed
from shared.web.forms import FormModel, invalid
from shared.web.identity import Identity
from shared.workflow.model import say

router = APIRouter(prefix="/applications/{reference}")


def money_page(request: Request, uow: UnitOfWork, who: Identity, reference: str, **more: Any) -> HTMLResponse:
    """Show the agreement, its milestones and its tranches."""
    page = CasePage(request, uow, who, viewing.application_seen(uow, who, reference))
    may_offer = any(move.id == OFFER and move.allowed for move in page.moves)
    context = page.context("money") | {
        "may_offer": may_offer,
        "late_report": reporting.held_by_report(uow, page.application) if page.award else None,
        "form": _template(page) if may_offer else {},
        "may_accept": offered_to(page),
        "specials": _specials(page) if may_offer else [],
        "left_out": {},
        "errors": {},
        "evidence": page.application.documents,
        "today": request.app.state.clock().date(),
    }
    return show(request, "money.html", **(context | payment_context(page) | more))


def _specials(page: CasePage) -> list[Special]:
    return conditions_of(page.application, page.frame, find_capacity(page.connection, page.application.id))


def _stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    more = {"conflict": problem, "given": request.state.typed | {"form": request.scope["path"]}, "status_code": 409}
    return money_page(request, uow, who, request.path_params["reference"], **more)


STAY = stay(_stays)


def offered_to(page: CasePage) -> str:
    """Return the side for which the reader may sign now, or nothing."""
    award = page.award
    if award is None or award.concluded_at or page.application.stage != _offered_at(page):
        return ""
    side = "recipient" if not page.inside else "programme" if "programme_manager" in page.roles else ""
    signed = side in award.signatures or award.offered_by == f"user:{page.who.user}"
    return "" if signed else side


def _offered_at(page: CasePage) -> str:
    return next((move.to for move in page.frame.workflow.transitions if move.id == OFFER), "")


def _template(page: CasePage) -> dict[str, Any]:
    """Return what the agreement starts from: its last version, or the call's milestones and the budget asked for."""
    if page.award and page.award.milestones:
        return terms_form.filled(amending.standing(page.award, page.application))
    lines = proposed_lines(page.application, page.application.decided)
    terms = partnering.proposed(page.connection, page.application, Terms(lines=tuple(lines)), page.application.decided)
    form = terms_form.filled(terms)
    return form | {"plan": _from_call(page) + form["plan"]}


def _from_call(page: CasePage) -> list[dict[str, str]]:
    """Return the call's milestones with their shares of the grant; the last takes what rounding leaves."""
    whole, rest = page.application.decided, page.application.decided
    rows = []
    for index, item in enumerate(page.frame.call.milestones, 1):
        share = Money.of(whole.amount * item.percent / Decimal(100), whole.currency)
        share = rest if index == len(page.frame.call.milestones) else share
        rest = rest - share
        said = {"title": say(item.name, page.request.state.locale), "amount": str(share.amount)}
        rows.append(dict.fromkeys(terms_form.PLAN, "") | said)
    return rows


@router.get("/money", dependencies=[allowed("grants.award.read")])
def money(request: Request, reference: str, who: Who, uow: Uow) -> HTMLResponse:
    """Show the agreement, what was verified, released and paid, and what can be done."""
    return money_page(request, uow, who, reference)


@router.post("/agreement", dependencies=[STAY, allowed("grants.award.offer")])
def offer(request: Request, reference: str, fields: Posted, who: Who, uow: Uow) -> Response:
    """Draw up the agreement; refused, the plan comes back as it was typed."""
    application = viewing.application_seen(uow, who, reference)
    form = terms_form.typed(fields)
    chosen = [name.removeprefix("drop.") for name in fields if name.startswith("drop.")]
    left_out = {name: str(fields.get(f"why.{name}", "")) for name in chosen}
    try:
        more = {"version": fields.get("version"), "dropped": left_out}
        body = terms_form.said(form, application.currency) | more
        awarding.offer(uow, who, reference, _offer(body), store=store(request))
    except InvalidError as error:
        uow.abandon()
        wrong = terms_form.by_field(error.fields)
        shown = {"form": terms_form.again(form), "left_out": left_out, "errors": wrong, "status_code": 422}
        return money_page(request, uow, who, reference, **shown)
    return back(case_path(reference, "agreement"))


def _offer(body: dict[str, Any]) -> awarding.OfferAgreement:
    try:
        return awarding.OfferAgreement.model_validate(body)
    except ValidationError as error:
        raise invalid(error) from error


class AcceptForm(FormModel):
    """The form that accepts an agreement."""

    agreement_version: int
    sha256: str | None = None


@router.post("/agreement/acceptance", dependencies=[STAY, allowed("grants.award.accept")])
def accept(reference: str, form: Annotated[AcceptForm, Form()], who: Who, uow: Uow) -> RedirectResponse:
    """Accept the agreement for one's side."""
    awarding.accept(uow, who, reference, awarding.AcceptAgreement(**form.model_dump(exclude={"csrf"})))
    return back(case_path(reference, "agreement"))


class EvidenceForm(FormModel):
    """The form that shows evidence."""

    document: str
    version: int


@router.post("/milestones/{number}/evidence", dependencies=[STAY, allowed("grants.milestone.evidence")])
def evidence(
    reference: str, number: int, form: Annotated[EvidenceForm, Form()], who: Who, uow: Uow
) -> RedirectResponse:
    """Show a document as evidence of a milestone."""
    awarding.evidence(uow, who, reference, number, awarding.ShowEvidence(**form.model_dump(exclude={"csrf"})))
    return back(case_path(reference, "money"))
