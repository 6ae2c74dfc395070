"""A hit of the watch: what a rule found, and what an auditor made of it."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

from services.audit.domain.watching import Found
from shared.entity import Entity
from shared.errors import ForbiddenError, IllegalTransitionError, InvalidError
from shared.events.audit import HitConfirmed, HitExplained, HitFound, HitReopened

LEAST, MOST = 10, 2000  # characters of a reason
State = Literal["open", "explained", "confirmed"]
STATES: tuple[State, ...] = ("open", "explained", "confirmed")
_LEGAL = {"open": ["explain", "confirm"], "explained": ["reopen"], "confirmed": ["reopen"]}


class Hit(Entity):
    """What a rule found; its id follows from the rule and from what it is about."""

    KIND: ClassVar[str] = "hit"

    rule: str
    of: str | None
    person: str
    about: str
    facts: dict[str, str]
    evidence: list[str]
    leaf: int
    happened_at: str
    stage: State = "open"
    why: str | None = None
    decided_by: str | None = None
    decided_by_name: str | None = None
    decided_at: str | None = None

    def programme_id(self) -> str | None:
        return self.of

    @classmethod
    def found(cls, found: Found) -> Hit:
        """Return the new hit of what a rule found."""
        told = found.as_json()
        facts = {name: told[name] for name in ("rule", "person", "about", "facts", "evidence", "leaf")}
        hit = cls(id=found.id, of=found.programme, happened_at=found.act.at.isoformat(), **facts)
        hit.record(HitFound(hit_id=hit.id, of=hit.of, happened_at=found.act.at, **facts))
        return hit

    def explain(self, *, why: str, by: tuple[str, str], at: datetime) -> None:
        """Say why there is nothing wrong: it goes to the register of false alarms."""
        self._decide("explain", "explained", why, by, at)
        self.record(HitExplained(hit_id=self.id, rule=self.rule, of=self.of, why=why))

    def confirm(self, *, why: str, by: tuple[str, str], at: datetime) -> None:
        """Say that it is as the rule says."""
        self._decide("confirm", "confirmed", why, by, at)
        self.record(HitConfirmed(hit_id=self.id, rule=self.rule, of=self.of, why=why))

    def reopen(self, *, why: str, by: tuple[str, str], at: datetime) -> None:
        """Look at it again."""
        before = self.stage
        self._decide("reopen", "open", why, by, at)
        self.record(HitReopened(hit_id=self.id, rule=self.rule, of=self.of, why=why, before=before))

    def _decide(self, act: str, stage: State, why: str, by: tuple[str, str], at: datetime) -> None:
        if act not in _LEGAL[self.stage]:
            raise IllegalTransitionError(act, self.stage, _LEGAL[self.stage])
        if by[0] == self.person:
            raise ForbiddenError("Another person than whom a hit is about decides about it")
        if len(why.strip()) < LEAST:
            raise InvalidError({"why": "is too short: say it in a sentence"})
        if len(why) > MOST:
            raise InvalidError({"why": "is too long"})
        self.stage, self.why = stage, why.strip()
        self.decided_by, self.decided_by_name = by
        self.decided_at = at.isoformat(timespec="seconds")
