"""An anonymised teaser: what a bank may know of a need before there is a consent.

It is made of codes and bands alone. Free text is never shown, not even a title: it may name the firm. What so few
firms of the programme share that it points to one of them is left out (k-anonymity over sector, region and size).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar, NamedTuple

from services.loans.domain.matching import size_class
from services.loans.domain.scoring import Score
from shared.entity import Entity, Part
from shared.errors import IllegalTransitionError, InvalidError, Rule
from shared.events.loans import teaser as events
from shared.events.round_rules import TeaserRules

GROUP = 3  # digits of an ISIC group
LIVE = ("shown", "interested", "not_for_us")


class Band(Part):
    """From `low` up to and without `high`; None where it has no end."""

    low: Decimal | None = None
    high: Decimal | None = None


class Face(Part):
    """All that a bank sees. `left_out` are the names of what was too rare to be said."""

    sector: str = ""  # ISIC Rev. 4 group
    region: str = ""  # as the programme codes it
    size: str = ""
    amount: Band
    currency: str
    purpose: str
    instrument: str
    term: Band
    readiness: Band
    dscr: Band | None = None
    left_out: list[str] = []


class Cell(NamedTuple):
    """What firms are alike by."""

    sector: str
    region: str
    size: str


def cell_of(sector: str, location: str, employees: str, rules: TeaserRules) -> Cell:
    """Return by what a firm is alike to others; "" where the proposal does not tell it in a way that can be coded."""
    group = sector[:GROUP] if sector.isascii() and sector.isdigit() and len(sector) >= GROUP else ""
    size = size_class(int(employees)) if employees.isascii() and employees.isdigit() else ""
    return Cell(group, rules.region_of(location), size)


def generalised(own: Cell, firms: Iterable[tuple[str, Cell]], k: int) -> tuple[Cell, list[str]]:
    """Return the cell with what is too rare left out, and the names of that: the region first, the size last.

    `firms` are the programme's firms, with this one, each with its cells; at least `k` share what is left.
    """
    known, kept = list(firms), list(Cell._fields)
    for name in ("region", "sector", "size"):
        alike = {firm for firm, cell in known if all(getattr(cell, key) == getattr(own, key) for key in kept)}
        if len(alike) >= k:
            break
        kept.remove(name)
    dropped = [name for name in ("region", "sector", "size") if name not in kept and getattr(own, name)]
    return Cell(*(getattr(own, name) if name in kept else "" for name in Cell._fields)), dropped


def band_of(figure: Decimal, edges: Sequence[Decimal]) -> Band:
    """Return the band between the edges that a figure lies in."""
    below = [edge for edge in edges if edge <= figure]
    above = [edge for edge in edges if edge > figure]
    return Band(low=below[-1] if below else None, high=above[0] if above else None)


def face_of(  # noqa: PLR0917 - what a teaser is made of
    locked: Mapping[str, Mapping[str, Any]],
    figures: Score,
    currency: str,
    cell: Cell,
    left_out: list[str],
    rules: TeaserRules,
) -> Face:
    """Return the teaser of a locked proposal: nothing but codes and bands is taken from it."""
    request = locked["request"]
    return Face(
        **cell._asdict(),
        amount=band_of(Decimal(str(request["amount"] or 0)), rules.amounts),
        currency=currency,
        purpose=request["purpose"],
        instrument=request["instrument"],
        term=band_of(Decimal(request["term_months"] or 0), rules.terms),
        readiness=band_of(figures.readiness(), rules.readiness),
        dscr=None if figures.dscr is None else band_of(figures.dscr, rules.dscr),
        left_out=left_out,
    )


class Teaser(Entity):
    """One proposal as one bank may see it. Its id is drawn by chance: no number leads from it to the proposal."""

    KIND: ClassVar[str] = "teaser"
    PRIVATE: ClassVar[frozenset[str]] = frozenset({"proposal", "number", "organisation", "organisation_name"})

    proposal: str
    number: int
    programme: str
    organisation: str
    organisation_name: str
    bank: str
    bank_name: str
    face: Face
    shown_on: date
    until: date
    stage: str = "shown"
    reasons: list[str] = []
    answered_at: datetime | None = None
    answered_by: str = ""

    def case(self) -> str:
        return self.id

    def programme_id(self) -> str:
        return self.programme

    def parties(self) -> dict[str, list[str]]:
        return {"officer": ["role:officer"], "partner": [f"org:{self.bank}"]}

    def _facts(self) -> dict[str, Any]:
        return {"teaser_id": self.id, "bank_id": self.bank, "bank_name": self.bank_name}

    def show(self) -> None:
        """Show it to the bank."""
        self.record(events.TeaserShown(**self._facts(), notify=["partner"], until=self.until))

    def answer(self, interested: bool, reasons: Sequence[str], rules: TeaserRules, now: datetime, by: str) -> None:
        """Say whether the bank wants to see more; no interest needs a coded reason, interest has none.

        The bank may change its mind while the teaser is shown.
        """
        known = [item.code for item in rules.reasons]
        if not interested and (not reasons or set(reasons) - set(known)):
            raise InvalidError({"reasons": Rule("choose at least one of: %(names)s", names=", ".join(known))})
        target = "interested" if interested else "not_for_us"
        if self.stage not in LIVE or self.stage == target:
            legal = [name for name in ("interested", "not_for_us") if name != self.stage and self.stage in LIVE]
            raise IllegalTransitionError(target, self.stage, legal)
        self.stage, self.reasons = target, [] if interested else list(dict.fromkeys(reasons))
        self.answered_at, self.answered_by = now, by
        self.record(events.TeaserAnswered(**self._facts(), interested=interested, reasons=self.reasons))

    def end(self, why: str) -> None:
        """Show it no more: `why` is taken_back, replaced or referred."""
        if self.stage not in LIVE:
            raise IllegalTransitionError("end", self.stage, [])
        self.stage = "ended"
        self.record(events.TeaserEnded(**self._facts(), why=why))


def alike(rows: Iterable[Any], rules: TeaserRules) -> list[tuple[str, Cell]]:
    """Return the firms of rows (organisation, sector, location, employees) with their cells, each pair once."""
    found: defaultdict[str, set[Cell]] = defaultdict(set)
    for row in rows:
        found[row.organisation].add(cell_of(row.sector or "", row.location or "", row.employees or "", rules))
    return [(firm, cell) for firm, cells in found.items() for cell in cells]
