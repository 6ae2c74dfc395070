"""A repayment tape: what one bank says on one day of all its loans in a programme; checked, then applied whole."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, ClassVar

from services.loans.domain.portfolio import Sums, par
from shared.entity import Entity, Part
from shared.errors import ConflictError, InvalidError, Rule
from shared.events.loans import tape as events
from shared.money import Money

OLDEST = date(2000, 1, 1)


class Counts(Part):
    """What the check found, in lines and in loans."""

    lines: int
    wrong: int
    different: int
    missing: int  # loans of the bank that the tape leaves out; they are carried on


class Basis(Part):
    """On what the check rested: the tape before this one, and the latest change of the bank's loans."""

    former: str | None
    loans: int
    changed_at: datetime | None


class Figure(Part):
    """The tape's sums in one currency."""

    currency: str
    loans: int
    outstanding: Money
    par0: str | None
    par30: str | None
    par60: str | None
    par90: str | None
    par30_or_restructured: str | None
    written_off: Money

    @classmethod
    def of(cls, currency: str, sums: Sums) -> Figure:
        """Return the sums with the shares as decimal strings."""
        shares = {name: None if share is None else str(share) for name, share in par(sums).items()}
        amounts = {name: Money.of(getattr(sums, name), currency) for name in ("outstanding", "written_off")}
        return cls(currency=currency, loans=sums.loans, **amounts, **shares)


class Tape(Entity):
    """`checked` → `applied` → `superseded` by a correction of the same month, or `discarded` before it was applied."""

    KIND: ClassVar[str] = "tape"

    programme: str
    bank: str
    bank_name: str
    as_of: date
    name: str
    media_type: str
    sha256: str
    stage: str = "checked"
    counts: Counts | None = None
    basis: Basis | None = None
    figures: list[Figure] = []
    checked_at: datetime
    applied_at: datetime | None = None
    applied_by: str | None = None
    superseded_at: datetime | None = None
    supersedes: str | None = None
    superseded_by: str | None = None
    changed_loans: int = 0

    @property
    def month(self) -> str:
        return f"{self.as_of:%Y-%m}"

    def case(self) -> str:
        return self.id

    def programme_id(self) -> str:
        return self.programme

    def parties(self) -> dict[str, list[str]]:
        return {"partner": [f"org:{self.bank}"], "officer": ["role:officer"]}

    def facts(self, *notify: str) -> dict[str, Any]:
        """Return what every event about this tape says."""
        names = ("bank_name", "as_of", "sha256")
        return {name: getattr(self, name) for name in names} | {
            "tape_id": self.id,
            "bank_id": self.bank,
            "notify": list(notify),
        }

    def check(self, counts: Counts, basis: Basis, figures: list[Figure], now: datetime) -> None:
        """Record what a check of the file found; of a wrong file nothing is ever applied."""
        self._must_be("checked")
        self.counts, self.basis, self.figures, self.checked_at = counts, basis, figures, now
        numbers = counts.model_dump()
        self.record(events.TapeChecked(**self.facts(), **numbers))

    def apply(self, former: str | None, basis: Basis, now: datetime, by: str, *, without_missing: bool) -> None:
        """Let the tape count; `former` is the one of the same month that it corrects."""
        self._must_be("checked")
        counts = self.counts or Counts(lines=0, wrong=0, different=0, missing=0)
        if counts.wrong:
            raise ConflictError("%(wrong)s of %(lines)s lines are wrong: mend the file", **counts.model_dump())
        if basis != self.basis:
            raise ConflictError("The bank's loans have changed since the file was checked: check it again")
        if counts.missing and not without_missing:
            rule = Rule("say that %(n)s loans which the tape leaves out are carried on as last known", n=counts.missing)
            raise InvalidError({"without_missing": rule})
        self.stage, self.applied_at, self.applied_by, self.supersedes = "applied", now, by, former

    def applied(self, changed: int) -> None:
        """Record that it counts now, and how many loans it moved to another state."""
        self.changed_loans = changed
        counts = self.counts.model_dump() if self.counts else {}
        figures = [item.model_dump() for item in self.figures]
        facts = self.facts("officer", "partner")
        more = {"supersedes": self.supersedes, "changed_loans": changed, "figures": figures}
        self.record(events.TapeApplied(**facts, lines=counts["lines"], missing=counts["missing"], **more))

    def supersede(self, by: str, now: datetime) -> None:
        """Give way to a correction; what stood here stays as it was recorded."""
        self._must_be("applied")
        self.stage, self.superseded_by, self.superseded_at = "superseded", by, now
        self.record(events.TapeSuperseded(**self.facts(), superseded_by=by))

    def discard(self) -> None:
        """Drop a checked file that is not to count."""
        self._must_be("checked")
        self.stage = "discarded"
        self.record(events.TapeDiscarded(**self.facts()))

    def _must_be(self, stage: str) -> None:
        if self.stage != stage:
            raise ConflictError("The tape %(id)s is %(stage)s", id=self.id, stage=self.stage)


def must_be_possible(as_of: date, today: date) -> None:
    """Raise InvalidError unless a tape can be of that day."""
    if as_of > today:
        raise InvalidError({"as_of": Rule("must not be in the future: today is %(today)s", today=today)})
    if as_of < OLDEST:
        raise InvalidError({"as_of": Rule("must not be before %(oldest)s", oldest=OLDEST)})
