"""Offers of several banks held side by side: what each costs, and whether the proposal carries it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from services.loans.domain.blocks import BLOCKS, Plan
from services.loans.domain.cashflow import years
from services.loans.domain.offer import Offer
from services.loans.domain.ratios import dscr
from services.loans.domain.referral import Referral
from services.loans.domain.schedule import Terms, schedule
from shared.money import Money, decimals_of

# Offers that can still become the loan, or did.
LIVE = ("offered", "countered", "accepted", "partly_disbursed", "disbursed")


@dataclass(frozen=True)
class Compared:
    """One bank's newest offer with what follows from it; `total_paid` is all instalments and the fee."""

    referral: Referral
    offer: Offer
    instalment: Money
    interest: Money
    total_paid: Money
    missing: Money  # what is asked for above the offer
    dscr: list[Decimal | None]  # by year, the proposal as the bank was given it with this loan in place of its own

    @property
    def live(self) -> bool:
        return self.referral.stage in LIVE

    @property
    def lowest_dscr(self) -> Decimal | None:
        return min((cover for cover in self.dscr if cover is not None), default=None)


def plan_of(locked: dict[str, Any]) -> Plan:
    """Return the plan that a locked version holds."""
    return Plan.model_validate({name: locked[name] for name in BLOCKS if name in locked})


def cover(plan: Plan, offer: Offer) -> list[Decimal | None]:
    """Return debt service cover by year with the offer's loan in place of the one that the plan asks for."""
    given = {
        "amount": offer.amount.amount,
        "rate_percent": offer.rate * 100,
        "term_months": offer.term_months,
        "grace_principal_months": 0,  # an offer has equal instalments from the first month on
    }
    under = plan.model_copy(update={"request": plan.request.model_copy(update=given)})
    return [dscr(year) for year in years(under)]


def compare(referral: Referral, offer: Offer, plan: Plan, today: date) -> Compared:
    """Return what an offer costs over its whole term."""
    currency = offer.amount.currency
    terms = Terms(
        principal=offer.amount.amount,
        annual_rate=offer.rate,
        periods=offer.term_months,
        start=today,
        cent=Decimal(1).scaleb(-decimals_of(currency)),
    )
    rows = schedule(terms)
    interest = sum((row.interest for row in rows), Decimal(0))
    paid = sum((row.due for row in rows), offer.fee.amount)
    return Compared(
        referral=referral,
        offer=offer,
        instalment=Money.of(rows[0].due, currency),
        interest=Money.of(interest, currency),
        total_paid=Money.of(paid, currency),
        missing=Money.of(max(referral.amount.amount - offer.amount.amount, Decimal(0)), currency),
        dscr=cover(plan, offer),
    )
