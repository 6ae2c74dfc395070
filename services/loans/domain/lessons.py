"""What people of a firm have learned, and whether that is what the programme asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from services.loans.domain.schedule import add_months


@dataclass(frozen=True)
class Lesson:
    """What one person has from one training: hours, and when the test was passed."""

    person: int
    role: str
    topic: str
    held_on: date
    hours: Decimal
    passed_on: date | None


@dataclass(frozen=True)
class Learned:
    """Who comes nearest to the rule: hours, whether the test is passed, and whether that is enough."""

    person: int | None
    hours: Decimal
    passed: bool
    met: bool


def learned(  # noqa: PLR0917 - the parts of the rule
    lessons: Sequence[Lesson], topic: str, hours: Decimal, months: int, roles: Sequence[str], today: date
) -> Learned:
    """Return the person nearest to so many hours and a passed test of a topic within so many months.

    Both have to be the same person's, and in one of `roles`; a day exactly so many months ago still counts.
    """
    since = add_months(today, -months)
    best = Learned(None, Decimal(0), passed=False, met=False)
    for person in sorted({item.person for item in lessons}):
        own = [item for item in lessons if item.person == person and item.topic == topic and item.role in roles]
        had = sum((item.hours for item in own if item.held_on >= since), Decimal(0))
        passed = any(item.passed_on and item.passed_on >= since for item in own)
        found = Learned(person, had, passed, met=passed and had >= hours)
        if own and (found.met, found.passed, found.hours) > (best.met, best.passed, best.hours):
            best = found
    return best
