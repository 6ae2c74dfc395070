"""Pages of the MSME: its proposals, the proposal itself, submitting it. Officers read the same page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from services.loans import charts, storage
from services.loans.domain.cashflow import cash_flow
from services.loans.domain.proposal import Proposal
from services.loans.handlers import access, fees, firms, proposals, referrals, sequences
from services.loans.handlers.proposals import Assessment
from services.loans.pages import forms, words
from services.loans.pages.sequence_words import picture
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError
from shared.web.conflicts import stay
from shared.web.dependencies import Reader, Uow, Who, allowed
from shared.web.identity import Identity
from shared.web.letters import by_event
from shared.web.pages import render

router = APIRouter(include_in_schema=False)
Number = Callable[[Any, int], str]
Search = Annotated[str, Query(max_length=200)]


def seen(address: str) -> RedirectResponse:
    """Return the redirect that follows a successful act."""
    return RedirectResponse(address, 303)


@router.get("/", dependencies=[allowed("loans.home.read")])
def home(who: Who) -> Response:
    places = {"applicant": "mine", "finance_partner": "referrals", "guarantor": "guarantees"}
    return seen("/loans/" + next((places[role] for role in who.roles if role in places), "proposals"))


@router.get("/mine", dependencies=[allowed("loans.proposal.mine")])
def mine(request: Request, who: Who, connection: Reader, q: Search = "", cursor: str | None = None) -> HTMLResponse:
    page = storage.proposal_rows(connection, organisation=who.organisation or "", q=q, cursor=cursor)
    return render(request, "proposals.html", page=page, own=True, q=q, stages=words.STAGES, stage="")


@router.get("/proposals", dependencies=[allowed("loans.proposal.list")])
def queue(
    *,
    request: Request,
    who: Who,
    connection: Reader,
    stage: Annotated[str, Query(pattern="^(draft|locked|)$")] = "",
    q: Search = "",
    cursor: str | None = None,
) -> HTMLResponse:
    page = storage.proposal_rows(connection, programmes=who.programmes, stage=stage, q=q, cursor=cursor)
    return render(request, "proposals.html", page=page, own=False, q=q, stages=words.STAGES, stage=stage)


@router.get("/proposals/new", dependencies=[allowed("loans.proposal.start")])
def new(request: Request, who: Who, connection: Reader) -> HTMLResponse:
    rows = storage.supporters(connection, who.programmes)
    return render(request, "new.html", supporters=[(row.organisation, row.name) for row in rows])


@router.post("/proposals/new", dependencies=[allowed("loans.proposal.start")])
def start(request: Request, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    try:
        form = forms.parsed(forms.StartForm, posted)
        proposal = proposals.start(uow, who, form.supporter, form.title)
    except InvalidError as error:
        rows = storage.supporters(uow.connection, who.programmes)
        choices, given = [(row.organisation, row.name) for row in rows], forms.posted_values(posted)
        return render(request, "new.html", status_code=422, supporters=choices, errors=error.fields, given=given)
    return seen(f"/loans/proposals/{proposal.id}/edit/applicant")


@router.get("/proposals/{reference}", dependencies=[allowed("loans.proposal.read")])
def read(request: Request, reference: str, who: Who, uow: Uow) -> HTMLResponse:
    return _proposal(request, uow, who, reference)


def _proposal(request: Request, uow: UnitOfWork, who: Identity, reference: str, **more: Any) -> HTMLResponse:
    proposal = proposals.open_proposal(uow, who, reference)
    context = overview(uow, who, proposal, proposals.assess(uow, proposal), request.app.state.pages.number) | {
        "conflict": None
    }
    return render(request, "proposal.html", **(context | more))


def _stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    return _proposal(request, uow, who, request.path_params["reference"], conflict=problem, status_code=409)


STAY = stay(_stays)


def overview(uow: UnitOfWork, who: Identity, proposal: Proposal, found: Assessment, number: Number) -> dict[str, Any]:
    """Return what the proposal's page shows; the firm sees its own people's letters, staff all and refused attempts."""
    own = who.organisation == proposal.organisation
    rows = storage.timeline(uow.connection, proposal.id, refused=not own)
    letters = by_event(storage.letters(uow.connection, proposal.id, who.organisation if own else None))
    asked = sorted(storage.referrals(uow).where(storage.of_proposal(proposal.id)), key=lambda item: item.id)
    return {
        "own": own,
        "proposal": proposal,
        "figures": found.figures,
        "todos": [
            (edit_address(proposal.id, todo.block), words.todo_text(todo, found.finance)) for todo in found.todos
        ],
        "blocking": sum(todo.blocking for todo in found.todos),
        "referrals": asked,
        "looks": {row.referral: row for row in storage.looks_by_bank(uow.connection, proposal.id)},
        "improvements": storage.improvements_of(uow.connection, proposal.id),
        **picture(sequences.standing(uow, proposal, found.finance)),
        "loan": storage.loan_of(uow.connection, proposal.id),
        **fees.beside(uow, who, proposal),
        "profile_entries": firms.entries_of(uow, proposal.organisation),
        "group": storage.groups.group_of(uow.connection, proposal.id),
        "stages": words.STAGES,
        "blocks": words.BLOCKS,
        "cover": cover_of(found, number),
        "cash": cash_of(proposal, number),
        "lines": words.acts(rows, letters, alone=True),
        "views": words.views(storage.views_of(uow.connection, proposal.id)),
        "now": stage_index(proposal, [item.stage for item in asked]),
        "move_names": words.move_names(),
    }


def edit_address(reference: str, block: str) -> str:
    """Return where the applicant mends a block."""
    if block == "training":
        return "/loans/courses"
    part = "documents" if block == "documents" else f"edit/{block}"
    return f"/loans/proposals/{reference}/{part}"


def stage_index(proposal: Proposal, stages: list[str]) -> int:
    """Return how far a proposal has come: draft, submitted, with banks, accepted, disbursed."""
    if "disbursed" in stages:
        return 4
    if proposal.accepted_referral:
        return 3
    return (2 if stages else 1) if proposal.stage == "locked" else 0


def cover_of(found: Assessment, number: Number) -> Any:
    """Return the chart of debt service cover against the programme's floor."""
    floor = next(rule.at_least for rule in found.finance.readiness if rule.rule == "dscr")
    covers = ", ".join(str(cover) for cover in found.figures.dscr)
    label = words.say("Debt service cover by year: %(covers)s; floor %(floor)s", {"covers": covers, "floor": floor})
    return charts.cover_chart(found.figures.dscr, floor, label, words.say("Year"), words.say("floor"), number)


def cash_of(proposal: Proposal, number: Number) -> Any:
    """Return the chart of cash by month."""
    closings = [(f"{month.on:%m/%Y}", month.closing) for month in cash_flow(proposal.plan)]
    return charts.cash_chart(closings, words.say("Cash at the end of each of 36 months"), number)


@router.post("/proposals/{reference}/submit", dependencies=[STAY, allowed("loans.proposal.submit")])
def submit(reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    version = forms.version_of(forms.posted_values(posted))
    proposals.submit(uow, who, reference, version=version)
    return seen(f"/loans/proposals/{reference}/consent")


@router.post("/proposals/{reference}/reopen", dependencies=[STAY, allowed("loans.proposal.submit")])
def reopen(reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    version = forms.version_of(forms.posted_values(posted))
    proposals.reopen(uow, who, reference, version=version)
    return seen(f"/loans/proposals/{reference}")


@router.get("/proposals/{reference}/offers", dependencies=[allowed("loans.proposal.offers")])
def offers(request: Request, reference: str, who: Who, uow: Uow) -> HTMLResponse:
    proposal = access.proposal(uow, who, reference, "loans.proposal.offers", lock=False)
    lines, number = referrals.compared(uow, reference), request.app.state.pages.number
    bars = [(line.referral.bank_name, line.offer.effective_rate * 100) for line in lines if line.live]
    label = words.say("Effective annual cost")
    return render(
        request,
        "offers.html",
        proposal=proposal,
        lines=lines,
        best=min((line.offer.effective_rate for line in lines if line.live), default=None),
        bars=charts.cost_chart(bars, label, number) if len(bars) > 1 else None,
        floor=proposals.dscr_floor(uow, proposal),
        stages=words.STAGES,
        today=access.today(uow),
    )
