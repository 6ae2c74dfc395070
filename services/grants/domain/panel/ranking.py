"""How reviewed applications rank, and where the money ends: nothing here but what the record of a selection has.

Order: the mean of the reviews' weighted scores, the highest first; those without a score last. Equal scores are a tie,
which is named; among them the reference decides the place in the list and nothing else. Going down the list, each
application at or above the threshold takes what it asks for from the money of the call; the cut stands before the
first for which it is not enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from services.grants.domain.pack import mean
from shared.entity import Part
from shared.money import Money, total


class Scored(Part):
    """One review that is in, or why one is not counted."""

    review: str
    reviewer: str
    name: str
    status: str
    score: Decimal | None = None
    recommendation: str | None = None


class Candidate(Part):
    """An application as the panel sees it; `version` is that of the case at this moment."""

    reference: str
    version: int
    title: str
    organisation: str
    organisation_name: str
    requested: Money
    reviews: tuple[Scored, ...] = ()

    @property
    def scores(self) -> list[Decimal]:
        """Return the scores that count."""
        return [item.score for item in self.reviews if item.status == "submitted" and item.score is not None]


class Line(Part):
    """An application at its rank, from 1; `cumulative` is what it and all above it take of the money."""

    rank: int
    candidate: Candidate
    mean: Decimal | None
    spread: Decimal | None
    wide: bool
    reaches: bool
    tied_with: tuple[str, ...] = ()
    cumulative: Money
    fits: bool


class Ranking(Part):
    """All lines in order; `cut` is the rank of the first that the money does not reach, None when it reaches all."""

    lines: tuple[Line, ...]
    threshold: Decimal
    spread: Decimal | None
    budget: Money | None
    committed: Money
    available: Money | None
    cut: int | None

    def line(self, reference: str) -> Line | None:
        """Return the line of an application."""
        return next((line for line in self.lines if line.candidate.reference == reference), None)

    @property
    def tie_at_cut(self) -> tuple[str, ...]:
        """Return the references that share a score across the cut: there the score alone does not decide."""
        last = next((line for line in self.lines if line.rank == self.cut), None)
        if last is None or not last.tied_with:
            return ()
        above = [line for line in self.lines if line.fits and line.candidate.reference in last.tied_with]
        return tuple(sorted([last.candidate.reference, *(line.candidate.reference for line in above)])) if above else ()


def ranked(
    candidates: Sequence[Candidate],
    *,
    threshold: Decimal,
    spread: Decimal | None,
    budget: Money | None,
    committed: Money,
) -> Ranking:
    """Return the ranking of the candidates; amounts are all in the call's currency."""
    scored = [(mean(item.scores), item) for item in candidates]
    order = sorted(scored, key=lambda pair: (-(pair[0] if pair[0] is not None else Decimal(-1)), pair[1].reference))
    available = None if budget is None else Money.of(max(budget.amount - committed.amount, Decimal(0)), budget.currency)
    lines: list[Line] = []
    taken, cut = Money.of(Decimal(0), committed.currency), None
    for rank, (score, item) in enumerate(order, 1):
        reaches = score is not None and score >= threshold
        taken = total([taken, item.requested], taken.currency) if reaches else taken
        fits = reaches and cut is None and (available is None or taken <= available)
        if reaches and not fits and cut is None:
            cut = rank
        same = tuple(other.reference for mark, other in order if mark == score and score is not None and other != item)
        place: dict[str, Any] = {
            "rank": rank,
            "mean": score,
            "reaches": reaches,
            "tied_with": same,
            "cumulative": taken,
            "fits": fits,
        }
        lines.append(Line(candidate=item, **_width(item, spread), **place))
    money: dict[str, Any] = {"budget": budget, "committed": committed, "available": available}
    return Ranking(lines=tuple(lines), threshold=threshold, spread=spread, cut=cut, **money)


def _width(item: Candidate, spread: Decimal | None) -> dict[str, Any]:
    """Return how far the scores of an application are apart, and whether that is too far."""
    width = max(item.scores) - min(item.scores) if item.scores else None
    return {"spread": width, "wide": spread is not None and width is not None and width > spread}
