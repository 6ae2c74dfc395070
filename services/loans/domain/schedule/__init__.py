"""Repayment schedules: what is due when, exact to the cent. docs/loans-schedules.md says which practice is followed."""

from __future__ import annotations

from decimal import localcontext

from services.loans.domain.schedule.engine import Instalment, Run
from services.loans.domain.schedule.level import equal_instalment
from services.loans.domain.schedule.periods import add_months
from services.loans.domain.schedule.terms import PRECISION, Every, Holidays, Terms, TermsError, rounded
from services.loans.domain.schedule.truecost import effective_rate

__all__ = [
    "Every",
    "Holidays",
    "Instalment",
    "Terms",
    "TermsError",
    "add_months",
    "effective_rate",
    "equal_instalment",
    "rounded",
    "schedule",
]


def schedule(terms: Terms) -> list[Instalment]:
    """Return the rows of a loan; raises TermsError where the terms or a payment ahead of time make no sense."""
    with localcontext() as context:
        context.prec = PRECISION
        return Run(terms).make()
