"""Standing in: while one person is away, another acts for them in one role of one programme, from a day to a day."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from services.grants.domain.application import Calendar, Person
from shared.entity import Entity
from shared.errors import ConflictError, InvalidError, Rule
from shared.events.grants.day import DelegationEnded, DelegationMade

MOST_DAYS, MAX_WHY = 92, 300


class Delegation(Entity):
    """`delegate` acts for `delegator` in `role`, from the start of the first day to the end of the last, local time.

    It ends by itself; `ended_at` is when somebody ended it before. Both are one person for every rule of two persons.
    """

    KIND: ClassVar[str] = "delegation"

    programme: str
    role: str
    delegator: str
    delegator_name: str
    delegate: str
    delegate_name: str
    first_day: date
    last_day: date
    starts_at: datetime
    ends_at: datetime
    why: str = ""
    made_by_name: str
    ended_at: datetime | None = None
    ended_by_name: str = ""

    def programme_id(self) -> str:
        return self.programme

    def parties(self) -> dict[str, list[str]]:
        return {"colleague": [f"user:{self.delegate}", f"user:{self.delegator}"]}

    def _facts(self) -> dict[str, Any]:
        return {
            "delegation_id": self.id,
            "delegated_role": self.role,
            "delegator_id": self.delegator,
            "delegator_name": self.delegator_name,
            "delegate_id": self.delegate,
            "delegate_name": self.delegate_name,
            "first_day": self.first_day,
            "last_day": self.last_day,
            "notify": ["colleague"],
        }

    @classmethod
    def make(cls, *, first_day: date, last_day: date, today: date, calendar: Calendar, **fields: Any) -> Delegation:
        """Return a new delegation; raises InvalidError for days that can't be, or for standing in for oneself."""
        wrong: dict[str, str] = {}
        if first_day < today:
            wrong["first_day"] = Rule("has passed: today is %(today)s", today=today)
        if last_day < first_day:
            wrong["last_day"] = Rule("is before the first day, %(first)s", first=first_day)
        elif (last_day - first_day).days >= MOST_DAYS:
            days = (last_day - first_day).days + 1
            wrong["last_day"] = Rule("makes it %(days)s days; at most %(most)s", days=days, most=MOST_DAYS)
        if fields["delegate"] == fields["delegator"]:
            wrong["delegate"] = "nobody stands in for themselves"
        if len(fields["why"]) > MAX_WHY:
            wrong["why"] = Rule("is longer than %(most)s characters", most=MAX_WHY)
        if wrong:
            raise InvalidError(wrong)
        zone = ZoneInfo(calendar.zone)
        made = cls(
            first_day=first_day,
            last_day=last_day,
            starts_at=datetime.combine(first_day, time(), zone),
            ends_at=datetime.combine(last_day + timedelta(days=1), time(), zone),
            **fields,
        )
        made.record(DelegationMade(**made._facts()))
        return made

    def ended(self, now: datetime) -> bool:
        """Return whether it is over, by itself or by somebody."""
        return self.ended_at is not None or now >= self.ends_at

    def end(self, by: Person, now: datetime) -> None:
        """End it before its last day is over."""
        if self.ended(now):
            raise ConflictError("This has ended already")
        self.ended_at, self.ended_by_name = now, by.name
        self.record(DelegationEnded(**self._facts()))
