"""How long records are kept, what holds them, and how people's data are erased: the rules, without a database."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import Any, ClassVar, Literal

from shared.entity import Entity
from shared.errors import ConflictError, ForbiddenError, IllegalTransitionError, InvalidError
from shared.events.audit import ErasureCompleted, ErasureRequested, ErasureWithdrawn, HoldPlaced, HoldReleased
from shared.events.retention_rules import RecordClass, Term

Scope = Literal["person", "case", "programme", "house"]
SCOPES: tuple[Scope, ...] = ("person", "case", "programme", "house")
MAX_WHY = 500


class RetainedError(ConflictError):
    """What was to be erased is under legal hold, or has to be kept for longer."""

    type = "retained"
    title = "It has to be kept"


class Hold(Entity):
    """A legal hold: nothing within its scope is erased while it stands."""

    KIND: ClassVar[str] = "hold"

    scope: Scope
    which: str = ""
    why: str
    placed_by: str
    placed_by_name: str
    placed_at: str
    released_by: str | None = None
    released_by_name: str | None = None
    released_at: str | None = None
    released_why: str | None = None

    @classmethod
    def place(cls, *, id: str, scope: str, which: str, why: str, by: tuple[str, str], at: datetime) -> Hold:  # noqa: A002 - an entity's name for it
        """Return a new hold; raises InvalidError that names each field and rule."""
        wrong = _why_problems(why)
        if scope not in SCOPES:
            wrong["scope"] = "is none of person, case, programme, house"
        elif (scope == "house") == bool(which):
            wrong["which"] = "is required" if scope != "house" else "must be empty for the whole house"
        if len(which) > 120:
            wrong["which"] = "is too long"
        if wrong:
            raise InvalidError(wrong)
        hold = cls(
            id=id,
            scope=scope,
            which=which,
            why=why,
            placed_by=by[0],
            placed_by_name=by[1],
            placed_at=at.isoformat(timespec="seconds"),
        )
        hold.record(HoldPlaced(hold_id=id, scope=scope, which=which, why=why))
        return hold

    def release(self, *, why: str, by: tuple[str, str], at: datetime, two_people: bool) -> None:
        """End the hold; where the house wants two people, another one than who placed it."""
        if wrong := _why_problems(why):
            raise InvalidError(wrong)
        if self.released_at:
            raise IllegalTransitionError("release", "released", [])
        if two_people and by[0] == self.placed_by:
            raise ForbiddenError("Another person than who placed the hold has to release it")
        self.released_by, self.released_by_name = by
        self.released_at, self.released_why = at.isoformat(timespec="seconds"), why
        facts = {"scope": self.scope, "which": self.which, "why": why, "placed_by": self.placed_by}
        self.record(HoldReleased(hold_id=self.id, **facts))

    def covers(self, subject: str, case: str | None, programme: str | None) -> bool:
        """Return whether the hold stands in the way of erasing that person, or that record of theirs."""
        if self.released_at:
            return False
        if self.scope == "house":
            return True
        return self.which == {"person": subject, "case": case, "programme": programme}[self.scope]


class Erasure(Entity):
    """The erasure of one person: asked for by one, carried out when another confirms. Its id is the opaque one."""

    KIND: ClassVar[str] = "erasure"

    stage: Literal["requested", "withdrawn", "erased"] = "requested"
    why: str
    entries: int
    requested_by: str
    requested_by_name: str
    requested_at: str
    erased_by: str | None = None
    erased_by_name: str | None = None
    erased_at: str | None = None
    receipt: str | None = None

    @classmethod
    def request(cls, *, subject: str, why: str, entries: int, by: tuple[str, str], at: datetime) -> Erasure:
        """Return a new request; raises InvalidError that names the field and its rule."""
        if wrong := _why_problems(why):
            raise InvalidError(wrong)
        facts: dict[str, Any] = {"why": why, "entries": entries, "requested_by": by[0], "requested_by_name": by[1]}
        erasure = cls(id=subject, requested_at=at.isoformat(timespec="seconds"), **facts)
        erasure.record(ErasureRequested(subject=subject, why=why, entries=entries))
        return erasure

    def again(self, *, why: str, entries: int, by: tuple[str, str], at: datetime) -> None:
        """Ask once more for what was withdrawn."""
        if wrong := _why_problems(why):
            raise InvalidError(wrong)
        self._only("withdrawn", "request")
        self.stage, self.why, self.entries = "requested", why, entries
        self.requested_by, self.requested_by_name = by
        self.requested_at = at.isoformat(timespec="seconds")
        self.record(ErasureRequested(subject=self.id, why=why, entries=entries))

    def withdraw(self, why: str) -> None:
        """Give up an erasure that was asked for."""
        if wrong := _why_problems(why):
            raise InvalidError(wrong)
        self._only("requested", "withdraw")
        self.stage = "withdrawn"
        self.record(ErasureWithdrawn(subject=self.id, why=why))

    def check_second(self, by: str, *, two_people: bool) -> None:
        """Raise unless this person may confirm now."""
        self._only("requested", "confirm")
        if two_people and by == self.requested_by:
            raise ForbiddenError("Another person than who asked for the erasure has to confirm it")

    def done(self, *, by: tuple[str, str], at: str, receipt: str, proven: int, sha256: str) -> None:
        """Record that the key is destroyed."""
        self._only("requested", "confirm")
        self.stage, self.erased_at, self.receipt = "erased", at, receipt
        self.erased_by, self.erased_by_name = by
        facts: dict[str, Any] = {"entries": self.entries, "proven": proven, "receipt_sha256": sha256}
        self.record(ErasureCompleted(subject=self.id, requested_by=self.requested_by, **facts))

    def _only(self, stage: str, act: str) -> None:
        if self.stage != stage:
            legal = {"requested": ["confirm", "withdraw"], "withdrawn": ["request"], "erased": []}
            raise IllegalTransitionError(act, self.stage, legal[self.stage])


def _why_problems(why: str) -> dict[str, str]:
    if not why.strip():
        return {"why": "is required"}
    return {"why": "is too long"} if len(why) > MAX_WHY else {}


@dataclass(frozen=True)
class Record:
    """What the log has of a person in one case (None: in none), as far as its keeping goes."""

    case: str | None
    programme: str | None
    entries: int
    record_class: RecordClass
    last: datetime  # of the case's acts
    ended: datetime | None  # when the award was settled or the loan ended; None while it runs


@dataclass(frozen=True)
class Judged:
    """Whether a record may be disposed of, from when, and why."""

    record: Record
    term: Term
    until: date | None  # None while its term has not begun
    holds: tuple[Hold, ...]
    due: bool

    @property
    def why(self) -> str:
        """Return the reason as a code: held | running | kept | due."""
        if self.holds:
            return "held"
        if self.until is None:
            return "running"
        return "due" if self.due else "kept"


def judge(record: Record, term: Term, holds: tuple[Hold, ...], today: date, zone: tzinfo) -> Judged:
    """Return what a record's term and the holds on it come to on that day of that zone.

    An award or a loan that has not ended has no last day yet.
    """
    begins = record.ended if record.record_class in {"award", "loan"} else record.last
    until = after_years(begins.astimezone(zone).date(), term.years) if begins else None
    return Judged(record, term, until, holds, due=not holds and until is not None and until <= today)


def after_years(day: date, years: int) -> date:
    """Return the same day so many years later, the last of February for a day that year does not have."""
    year = day.year + years
    return day.replace(year=year, day=min(day.day, calendar.monthrange(year, day.month)[1]))


def refusal(judged: list[Judged]) -> RetainedError | None:
    """Return why a person can't be erased: a hold first, else the record that is kept the longest; None if they can."""
    held = [item for item in judged if item.holds]
    if held:
        hold, record = held[0].holds[0], held[0].record
        return RetainedError(
            "%(what)s is under legal hold since %(date)s, placed by %(by)s: %(why)s",
            what=record.case or hold.which or "it",
            date=date.fromisoformat(hold.placed_at[:10]),
            by=hold.placed_by_name,
            why=hold.why,
        )
    running = next((item for item in judged if item.until is None), None)
    if running is not None:
        return RetainedError(
            "%(what)s has not ended: its term of %(years)s years has not begun (%(basis)s)",
            what=running.record.case or "it",
            years=running.term.years,
            basis=running.term.basis,
        )
    kept = [item for item in judged if not item.due]
    if not kept:
        return None
    longest = max(kept, key=lambda item: item.until or date.min)
    return RetainedError(
        "%(what)s has to be kept until %(date)s: %(basis)s",
        what=longest.record.case or "it",
        date=longest.until,
        basis=longest.term.basis,
    )
