"""The page on which a firm arranges which bank is asked after which, and sees where it stands."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from services.loans.handlers import sequences
from services.loans.pages import forms, words
from services.loans.pages.editor import agreement_of, consent_parts
from services.loans.pages.proposals import seen
from services.loans.pages.sequence_words import picture
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError
from shared.web.conflicts import stay
from shared.web.dependencies import Uow, Who, allowed
from shared.web.identity import Identity
from shared.web.pages import render

router = APIRouter(include_in_schema=False)
MOVES = {"arrange": "Change the order", "start": "Start", "end": "End the sequence"}


@router.get("/proposals/{reference}/sequence", dependencies=[allowed("loans.proposal.refer")])
def read(request: Request, reference: str, who: Who, uow: Uow) -> HTMLResponse:
    return _page(request, uow, who, reference)


def _page(request: Request, uow: UnitOfWork, who: Identity, reference: str, **more: Any) -> HTMLResponse:
    found = sequences.open_sequence(uow, who, reference)
    sequence = found.sequence
    parts: dict[str, Any] = {"partners": [], "referrals": []}
    locked = found.proposal.stage == "locked" and not found.proposal.accepted_referral
    if locked:
        parts = consent_parts(request, uow, found.proposal)
    return render(
        request,
        "sequence.html",
        status_code=422 if "errors" in more else 409 if "conflict" in more else 200,
        **{"proposal": found.proposal} | parts,
        **picture(found),
        refused={
            item.bank
            for item in parts["referrals"]
            if item.stage == "declined" and item.number == found.proposal.number
        },
        orders=orders([step.bank for step in sequence.waiting()]) if sequence and sequence.stage != "done" else {},
        move_names=words.move_names() | {name: words.say(said) for name, said in MOVES.items()},
        **({"conflict": None} | more),
    )


def orders(banks: list[str]) -> dict[str, dict[str, list[str]]]:
    """Return for each waiting bank the orders that its buttons make: one place up, and without it."""
    found: dict[str, dict[str, list[str]]] = {}
    for place, bank in enumerate(banks):
        rest = [other for other in banks if other != bank]
        found[bank] = {"out": rest}
        if place:
            found[bank]["up"] = [*rest[: place - 1], bank, *rest[place - 1 :]]
    return found


def _stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    return _page(request, uow, who, request.path_params["reference"], conflict=problem)


ACT = [stay(_stays), allowed("loans.proposal.refer")]


@router.post("/proposals/{reference}/sequence", dependencies=ACT)
def add(request: Request, reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    try:
        agreement, version = agreement_of(posted)
        sequences.add(uow, who, reference, agreement, version=version)
    except InvalidError as error:
        given = forms.posted_values(posted)
        return _page(request, uow, who, reference, errors=error.fields, given=given, chosen=posted.getlist("blocks"))
    return seen(f"/loans/proposals/{reference}/sequence")


@router.post("/proposals/{reference}/sequence/order", dependencies=ACT)
def arrange(reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    banks = [bank for bank in posted.getlist("banks") if isinstance(bank, str)]
    version = forms.version_of(forms.posted_values(posted))
    sequences.arrange(uow, who, reference, banks, version=version)
    return seen(f"/loans/proposals/{reference}/sequence")


@router.post("/proposals/{reference}/sequence/start", dependencies=ACT)
def start(reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    sequences.start(uow, who, reference, version=forms.version_of(forms.posted_values(posted)))
    return seen(f"/loans/proposals/{reference}/sequence")


@router.post("/proposals/{reference}/sequence/end", dependencies=ACT)
def end(reference: str, posted: forms.Posted, who: Who, uow: Uow) -> Response:
    sequences.end(uow, who, reference, version=forms.version_of(forms.posted_values(posted)))
    return seen(f"/loans/proposals/{reference}/sequence")
