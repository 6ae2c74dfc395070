"""Repositories: how each entity is stored, with the columns that lists need."""

from __future__ import annotations

from typing import Any

from services.loans.domain.loan import Loan
from services.loans.domain.proposal import Proposal
from services.loans.domain.referral import OPEN_STAGES, Referral
from services.loans.domain.tape import Tape
from services.loans.storage import tables
from shared.database import Repository, UnitOfWork


def _proposal(item: Proposal) -> dict[str, Any]:
    names = ("programme", "organisation", "organisation_name", "supporter_name", "stage", "currency", "number")
    return {name: getattr(item, name) for name in (*names, "accepted_referral")} | {
        "title": item.title(),
        "amount": item.plan.request.amount,
    }


def _referral(item: Referral) -> dict[str, Any]:
    names = ("proposal", "programme", "organisation", "organisation_name", "bank", "bank_name", "stage", "title", "due")
    return {name: getattr(item, name) for name in names} | {
        "term_months": item.term_months,
        "open": item.stage in OPEN_STAGES,
        "amount": item.amount.amount,
        "currency": item.amount.currency,
        "valid_until": item.offer.valid_until if item.offer else None,
    }


def loan_columns(item: Loan) -> dict[str, Any]:
    """Return what a line of a tape is held against, as columns."""
    names = ("bucket", "settled_on", "profile", "disclosed")
    return {name: getattr(item, name) for name in names} | {
        "currency": item.amount.currency,
        "payouts": item.payouts().written,
        "timetable": item.timetable().written,
        "whole": item.disbursed() == item.amount,
        "stage": item.standing(),
        "restructured": bool(item.restructurings) or item.stage == "restructured",
    }


def _loan(item: Loan) -> dict[str, Any]:
    names = ("proposal", "referral", "programme", "organisation", "bank")
    return {name: getattr(item, name) for name in names} | loan_columns(item)


def _tape(item: Tape) -> dict[str, Any]:
    names = ("programme", "bank", "as_of", "month", "stage", "applied_at", "superseded_at")
    return {name: getattr(item, name) for name in names}


def proposals(uow: UnitOfWork) -> Repository[Proposal]:
    return Repository(uow, tables.proposal, Proposal, _proposal)


def referrals(uow: UnitOfWork) -> Repository[Referral]:
    return Repository(uow, tables.referral, Referral, _referral)


def tapes(uow: UnitOfWork) -> Repository[Tape]:
    return Repository(uow, tables.tape, Tape, _tape)


def loans(uow: UnitOfWork) -> Repository[Loan]:
    return Repository(uow, tables.loan, Loan, _loan)
