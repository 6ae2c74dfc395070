"""Repositories: how each entity is stored, with the columns that lists need."""

from __future__ import annotations

from typing import Any

from services.loans.domain.facility import Facility
from services.loans.domain.fee import Fee
from services.loans.domain.guarantee import Guarantee
from services.loans.domain.guarantee_parts import LIVE
from services.loans.domain.improvement import Improvement
from services.loans.domain.loan import Loan
from services.loans.domain.permission import Permission
from services.loans.domain.product import Product
from services.loans.domain.proposal import Proposal
from services.loans.domain.referral import OPEN_STAGES, Referral
from services.loans.domain.sequence import Sequence
from services.loans.domain.tape import Tape
from services.loans.domain.teaser import Teaser
from services.loans.storage import guarantee_tables, tables
from shared.database import Repository, UnitOfWork


def _proposal(item: Proposal) -> dict[str, Any]:
    names = ("programme", "organisation", "organisation_name", "supporter_name", "stage", "currency", "number")
    return {name: getattr(item, name) for name in (*names, "accepted_referral")} | {
        "supporter": item.adviser(),
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


def _improvement(item: Improvement) -> dict[str, Any]:
    names = ("proposal", "referral", "number", "programme", "organisation", "organisation_name", "bank_name", "title")
    return {name: getattr(item, name) for name in (*names, "again")} | {
        "due": min((task.due for task in item.tasks if task.done_at is None), default=None),
        "readiness_before": item.before.readiness(),
        "readiness_after": item.after.readiness() if item.after else None,
        "dscr_before": item.before.dscr,
        "dscr_after": item.after.dscr if item.after else None,
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


def _fee(item: Fee) -> dict[str, Any]:
    names = ("proposal", "programme", "organisation", "organisation_name", "firm_name")
    sums = ("earned", "lost", "approved", "paid", "returned")
    return {name: getattr(item, name) for name in names} | {
        "stage": item.stage(),
        "currency": item.rule.currency,
        **{name: getattr(item, name)().amount for name in sums},
    }


def fees(uow: UnitOfWork) -> Repository[Fee]:
    return Repository(uow, tables.fee, Fee, _fee)


def _product(item: Product) -> dict[str, Any]:
    names = ("programme", "bank", "bank_name", "stage", "number", "effective_low", "effective_high")
    priced = ("instrument", "currency", "amount_min", "amount_max", "term_min", "term_max", "valid_from", "valid_until")
    terms = item.terms
    return (
        {name: getattr(item, name) for name in names}
        | {name: getattr(terms, name) for name in priced}
        | {
            "name": terms.said("en"),
            "rate_min": terms.rate_min_percent,
            "rate_max": terms.rate_max_percent,
        }
    )


def _teaser(item: Teaser) -> dict[str, Any]:
    names = ("proposal", "number", "programme", "bank", "stage", "until", "reasons")
    return {name: getattr(item, name) for name in names} | {"face": item.face.model_dump(mode="json")}


def _sequence(item: Sequence) -> dict[str, Any]:
    names, step = ("proposal", "number", "programme", "organisation", "stage"), item.current()
    return {name: getattr(item, name) for name in names} | {"referral": step.referral if step else None}


def sequences(uow: UnitOfWork) -> Repository[Sequence]:
    return Repository(uow, tables.sequence, Sequence, _sequence)


def teasers(uow: UnitOfWork) -> Repository[Teaser]:
    return Repository(uow, tables.teaser, Teaser, _teaser)


def products(uow: UnitOfWork) -> Repository[Product]:
    return Repository(uow, tables.product, Product, _product)


def proposals(uow: UnitOfWork) -> Repository[Proposal]:
    return Repository(uow, tables.proposal, Proposal, _proposal)


def referrals(uow: UnitOfWork) -> Repository[Referral]:
    return Repository(uow, tables.referral, Referral, _referral)


def improvements(uow: UnitOfWork) -> Repository[Improvement]:
    return Repository(uow, tables.improvement, Improvement, _improvement)


def tapes(uow: UnitOfWork) -> Repository[Tape]:
    return Repository(uow, tables.tape, Tape, _tape)


def loans(uow: UnitOfWork) -> Repository[Loan]:
    return Repository(uow, tables.loan, Loan, _loan)


def _facility(item: Facility) -> dict[str, Any]:
    names, terms = ("programme", "guarantor", "guarantor_name", "stage", "number"), item.terms
    return {name: getattr(item, name) for name in names} | {
        **{name: getattr(terms, name) for name in ("currency", "ceiling", "valid_from", "valid_until")},
        "name": terms.said("en"),
        "coverage": terms.coverage_percent,
        "waits": item.change is not None,
    }


def facilities(uow: UnitOfWork) -> Repository[Facility]:
    return Repository(uow, guarantee_tables.facility, Facility, _facility)


def _permission(item: Permission) -> dict[str, Any]:
    names = ("loan", "proposal", "programme", "organisation", "bank", "guarantor")
    return {name: getattr(item, name) for name in names} | {
        "until": item.consent.until,
        "live": item.revoked_at is None,
    }


def permissions(uow: UnitOfWork) -> Repository[Permission]:
    return Repository(uow, guarantee_tables.permission, Permission, _permission)


def _guarantee(item: Guarantee) -> dict[str, Any]:
    names = ("facility", "loan", "permission", "proposal", "programme", "organisation", "organisation_name", "bank")
    more = ("bank_name", "guarantor", "guarantor_name", "stage", "issued_on", "ended_on")
    days = [day for day in (item.next_fee_on(), item.lapses_on()) if day]
    return {name: getattr(item, name) for name in (*names, *more)} | {
        "live": item.stage in LIVE,
        "currency": item.sum.currency,
        "principal": item.principal.amount,
        "sum": item.sum.amount,
        "committed": item.committed().amount,
        "spent": item.spent().amount,
        "net": item.net().amount,
        "coverage": item.terms.coverage_percent,
        "acts_on": min(days, default=None),
    }


def guarantees(uow: UnitOfWork) -> Repository[Guarantee]:
    return Repository(uow, guarantee_tables.guarantee, Guarantee, _guarantee)
