"""What a guarantee is made of: its terms, its moves, what is due to the guarantor, claims and recoveries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from services.loans.domain.facility import FacilityTerms
from services.loans.domain.matching import Finding
from shared.entity import Part
from shared.money import Money


@dataclass(frozen=True)
class Move:
    """From any of `sources` to `target`; `by` is the side that makes it."""

    sources: tuple[str, ...]
    target: str
    by: str


_PAID = ("paid", "recovering")
# The whole machine. A stage that is nobody's source is an end.
MOVES: dict[str, Move] = {
    "approve": Move(("requested",), "approved", "guarantor"),
    "issue": Move(("requested", "approved"), "issued", "guarantor"),
    "decline": Move(("requested", "approved"), "declined", "guarantor"),
    "withdraw": Move(("requested", "approved"), "withdrawn", "bank"),
    "revoke": Move(("requested", "approved"), "void", "applicant"),
    "activate": Move(("issued",), "active", "system"),
    "claim": Move(("active", "refused", *_PAID), "claimed", "bank"),
    "approve_claim": Move(("claimed",), "claim_approved", "guarantor"),
    "pay_claim": Move(("claim_approved",), "paid", "guarantor"),
    "refuse_claim": Move(("claimed", "claim_approved"), "refused", "guarantor"),
    "recover": Move(_PAID, "recovering", "bank"),
    "claw_back": Move(_PAID, "clawed_back", "guarantor"),
    "reinstate": Move(("clawed_back",), "active", "system"),
    "close": Move((*_PAID, "refused"), "closed", "guarantor"),
    "release": Move(("issued", "active", "refused"), "released", "system"),
    "lapse": Move(("issued", "active", "refused"), "lapsed", "system"),
}
WAITING = ("requested", "approved")
# The ceiling holds room for these, whatever becomes of them.
HOLDING = ("issued", "active", "claimed", "claim_approved", "refused", *_PAID, "clawed_back")
CHARGED = ("issued", "active", "claimed", "claim_approved", "refused")  # no fee once a claim is paid
LIVE = (*WAITING, *HOLDING)


def legal_moves(stage: str, by: str | None = None) -> list[str]:
    """Return the moves that are possible at `stage`, of one side or of all."""
    return [name for name, move in MOVES.items() if stage in move.sources and by in {None, move.by}]


class GuaranteeTerms(Part):
    """What of the facility's terms holds for one guarantee, whatever becomes of the facility."""

    number: int
    coverage_percent: Decimal
    fee_percent: Decimal
    annual_fee_percent: Decimal
    fee_days: int
    claim_after_days: int
    first_claim_percent: Decimal
    tail_days: int

    @classmethod
    def of(cls, terms: FacilityTerms, number: int, coverage: Decimal) -> GuaranteeTerms:
        """Return the terms of a facility for a guarantee of that coverage."""
        same = {name: getattr(terms, name) for name in cls.model_fields if name not in {"number", "coverage_percent"}}
        return cls(number=number, coverage_percent=coverage, **same)


class Checked(Part):
    """One rule of the facility as it was held at the issue: met or not, with its figures."""

    rule: str
    met: bool | None
    message: str
    params: dict[str, str]

    @classmethod
    def of(cls, found: Finding) -> Checked:
        message, params = found.said
        return cls(rule=found.rule, met=found.met, message=message, params={k: str(v) for k, v in params.items()})


class Due(Part):
    """A sum that the bank owes the guarantor: a fee, its part of a recovery, or a claim that is taken back."""

    number: int
    kind: Literal["one_off", "yearly", "recovery", "claw_back"]
    base: Money
    percent: Decimal
    days: int = 0  # of the year that a yearly fee is for
    amount: Money
    charged_on: date
    due: date
    paid_on: date | None = None
    payment: str = ""
    by: str = ""


class Evidence(Part):
    """A document of the bank, by its hash in the document store."""

    name: str
    media_type: str
    size: int
    sha256: str
    added_at: datetime
    added_by: str


class Position(Part):
    """How the loan stood by the newest tape, as the house counts it."""

    tape: str
    as_of: date
    days: int
    outstanding: Money
    stage: str


class Claim(Part):
    """What a bank claims, on which figures, and what became of it. `cycle` grows when a loan cures."""

    number: int
    cycle: int
    position: Position
    principal: Money  # at default: of the first claim, for the later ones too
    most: Money
    amount: Money
    note: str
    documents: list[str]
    made_at: datetime
    made_by: str
    approved_at: datetime | None = None
    approved_by: str = ""
    approver: str = ""
    paid_on: date | None = None
    payment: str = ""
    paid_by: str = ""
    refused_at: datetime | None = None
    refused_by: str = ""
    why: str = ""


class Recovery(Part):
    """What the bank got of the debtor after a claim was paid, and how it is shared."""

    number: int
    cycle: int
    amount: Money
    on: date
    guarantor: Money
    bank: Money
    reference: str
    by: str


class Approval(Part):
    """The first of two people who issue a guarantee."""

    who: str
    name: str
    at: datetime


def named(claim: Claim) -> dict[str, Any]:
    """Return what events say of a claim."""
    return {"claim": claim.number, "amount": claim.amount}
