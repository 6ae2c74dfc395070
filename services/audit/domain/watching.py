"""Acts as the watch reads them, and what its rules are made of: pairs of acts, and bursts of one person's acts.

Every rule judges an act by what was in the log before it and by nothing else, so that it finds the same however the
log is cut into batches, today and when somebody asks again in years.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from shared.events.watch_rules import HOUSE, RuleName, WatchRules
from shared.workflow.clock import is_working_day

MOST = 50  # events that a hit names as its evidence
LATE = timedelta(days=1)  # what is recorded later than that after it happened belongs to no burst
_WEEKEND = 5


@dataclass(frozen=True, slots=True)
class Act:
    """An event of the log; `data`, `changes` and `parties` are empty where no rule asks what it says."""

    leaf: int
    id: UUID
    source: str
    type: str
    entity: str
    at: datetime
    recorded_at: datetime
    actor: str
    role: str | None = None
    organisation: str | None = None
    on_behalf_of: str | None = None
    programme: str | None = None
    case: str | None = None
    outcome: str = "success"
    correlation: UUID | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    changes: Mapping[str, Any] = field(default_factory=dict)
    parties: Mapping[str, Any] = field(default_factory=dict)

    @property
    def people(self) -> frozenset[str]:
        """Return who acted, and in whose place: where two persons are needed they count as one."""
        return frozenset(who.removeprefix("user:") for who in (self.actor, self.on_behalf_of) if who)


@dataclass(frozen=True)
class Terms:
    """By what an act is judged: the figures of its programme or of the house, and their calendar."""

    rules: WatchRules = HOUSE
    zone: str = "UTC"
    country: str | None = None
    programme: str | None = None

    def day(self, at: datetime) -> date:
        """Return the day of a moment by the clocks there."""
        return at.astimezone(ZoneInfo(self.zone)).date()

    def at_work(self, at: datetime) -> bool:
        """Return whether a moment is on a working day within the hours of work; a house knows weekends alone."""
        local = at.astimezone(ZoneInfo(self.zone))
        if not self.rules.work_from <= local.hour < self.rules.work_until:
            return False
        return is_working_day(local.date(), self.country) if self.country else local.weekday() < _WEEKEND


Thing = tuple[str, str]
"""(source, entity) as "kind:id"."""


@dataclass(frozen=True)
class Found:
    """What a rule found. `key` says what it is about: the same thing is one hit, however often it is looked at."""

    rule: RuleName
    key: tuple[str, ...]
    act: Act
    evidence: tuple[UUID, ...]
    facts: Mapping[str, str]
    programme: str | None = None

    @property
    def id(self) -> str:
        """Return the hit's identity: a hash of the rule and of what it is about."""
        return hashlib.sha256(json.dumps([self.rule, *self.key]).encode()).hexdigest()[:32]

    @property
    def person(self) -> str:
        return self.act.actor

    @property
    def about(self) -> str:
        return self.act.case or self.act.entity

    def as_json(self) -> dict[str, Any]:
        """Return it for machines."""
        return {
            "id": self.id,
            "rule": self.rule,
            "programme": self.programme,
            "person": self.person,
            "about": self.about,
            "facts": dict(self.facts),
            "evidence": [str(item) for item in self.evidence],
            "leaf": self.act.leaf,
            "happened_at": self.act.at.isoformat(),
        }


@dataclass(frozen=True)
class Pair:
    """A rule about an act and something before it: `needs` names the things, cases apart, whose past it reads."""

    name: RuleName
    types: frozenset[str]  # of acts that are judged; empty: by `concerns` alone
    needs: Callable[[Act], Iterable[Thing]]
    judge: Callable[[Act, Sequence[Act], Terms], Found | None]
    past: frozenset[str]  # types that it reads of the past
    concerns: Callable[[Act], bool] = lambda _act: True

    def asked(self, act: Act) -> bool:
        """Return whether this act is judged."""
        return (not self.types or act.type in self.types) and self.concerns(act)


@dataclass(frozen=True)
class Burst:
    """A rule about too much by one person within a span.

    `counted` gives what an act counts as, so that the same counts once, and None for an act that does not count;
    `weight` is how much it counts; `limit` is still allowed.
    """

    name: RuleName
    span: timedelta
    counted: Callable[[Act, Terms], str | None]
    limit: Callable[[WatchRules], int]
    weight: Callable[[Act], int] = lambda _act: 1

    def judge(self, act: Act, past: Sequence[Act], terms: Terms) -> Found | None:
        """Return a hit when with this act it is too much; `past` are acts that count, of this person, before it."""
        window: dict[str, Act] = {}
        for item in (*past, act):
            what = self.counted(item, terms)
            if what is not None and act.at - self.span < item.at <= act.at:
                window.setdefault(what, item)
        total = sum(self.weight(item) for item in window.values())
        limit = self.limit(terms.rules)
        if total <= limit:
            return None
        evidence = tuple(item.id for item in list(window.values())[:MOST])
        facts = {"count": str(total), "limit": str(limit), "minutes": str(int(self.span.total_seconds() // 60))}
        key = (act.actor, terms.day(act.at).isoformat())
        return Found(self.name, key, act, evidence, facts, terms.programme)


def counts(act: Act) -> bool:
    """Return whether an act can belong to a burst: not when it reached the log long after it happened."""
    return act.recorded_at - act.at <= LATE
