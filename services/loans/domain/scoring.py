"""A version of a proposal in figures: what of the rules it meets, and what a bank looks at first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from services.loans.domain.comparison import plan_of
from services.loans.domain.documents import ProposalDocument
from services.loans.domain.finance import Finance, Partner
from services.loans.domain.lessons import Lesson
from services.loans.domain.ratios import ratios
from services.loans.domain.readiness import checks, partner_checks
from shared.entity import Part

# What a task can be measured by, and what is shown before and after.
FIGURES = ("dscr", "own_share", "collateral_coverage", "current_ratio", "debt_to_equity", "history_years")


class Score(Part):
    """Rules met, of the programme and of one bank, and the figures; `dscr` is the lowest year's."""

    met: int
    of: int
    failing: list[str] = []  # the programme's rules that are not met, by code
    dscr: Decimal | None = None
    own_share: Decimal | None = None
    collateral_coverage: Decimal | None = None
    current_ratio: Decimal | None = None
    debt_to_equity: Decimal | None = None
    history_years: Decimal | None = None

    def readiness(self) -> Decimal:
        """Return the share of rules that are met, to four decimals."""
        if not self.of:
            return Decimal(1)
        return (Decimal(self.met) / self.of).quantize(Decimal("0.0001"), rounding=ROUND_HALF_UP)

    def figure(self, name: str) -> Decimal | None:
        """Return one of FIGURES."""
        found: Decimal | None = getattr(self, name)
        return found


def score(
    content: dict[str, Any],
    finance: Finance,
    partner: Partner | None,
    today: date,
    lessons: Sequence[Lesson] = (),
) -> Score:
    """Return how a proposal's content (as it is locked) stands to the programme's rules and to a bank's own."""
    plan = plan_of(content)
    documents = [ProposalDocument.model_validate(file) for file in content["documents"]["files"]]
    found = ratios(plan)
    rules = checks(plan, documents, found, finance, today, lessons)
    own = partner_checks(content, partner) if partner else []
    met = sum(check.todo is None for check in rules) + sum(check.met is True for check in own)
    return Score(
        met=met,
        of=len(rules) + len(own),
        failing=[check.code for check in rules if check.todo],
        dscr=min((cover for cover in found.dscr if cover is not None), default=None),
        own_share=found.own_share,
        collateral_coverage=found.collateral_coverage,
        current_ratio=found.current_ratio,
        debt_to_equity=found.debt_to_equity,
        history_years=Decimal(len(plan.history.years)),
    )
