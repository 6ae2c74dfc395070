"""One scenario of the reliability suite: its clock of recovery, what it expects, and the verdict at its end."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

import pytest
from amqp.exceptions import AMQPError
from sqlalchemy.exc import DBAPIError

from shared.testing import tally
from shared.testing.backbone import Backbone
from shared.testing.scenarios import number_of
from shared.testing.tally import Figures

PROPERTY = "tamga scenario"
SEED = int(os.environ.get("TAMGA_CHAOS_SEED", "7"))
SCALE = int(os.environ.get("TAMGA_CHAOS_SCALE", "1"))
_AWAY = (AMQPError, DBAPIError, OSError)


@dataclass
class Expected:
    """How many events end elsewhere than in one effect; `events` 0 says that the scenario records none."""

    parked: int = 0
    quarantined: int = 0
    discarded: int = 0
    held: int = 0
    events: int | None = None

    def differences(self, figures: Figures) -> list[str]:
        """Return what is otherwise than expected, in words."""
        wanted = {name: value for name, value in asdict(self).items() if value is not None}
        found = asdict(figures)
        return [f"{name}: {found[name]} instead of {value}" for name, value in wanted.items() if found[name] != value]


class Scenario:
    """Given to a test by the fixture `scenario`, which prints and judges it afterwards."""

    def __init__(self, backbone: Backbone, name: str) -> None:
        self.backbone, self.name = backbone, name
        self.seed = SEED
        self.random = random.Random(f"{SEED} {name}")  # noqa: S311 - to be repeated, not to be secret
        self.recovery: float | None = None
        self.notes: dict[str, str] = {}
        self._expected = Expected()
        self._sent: set[UUID] = set()
        self._over: float | None = None

    def many(self, events: int) -> int:
        """Return how many events to use: `events` in the short version, more when the suite runs at length."""
        return events * SCALE

    def expects(self, **counts: int) -> None:
        """Declare how many events end `parked`, `quarantined`, `discarded`, `held`; or `events=0`: none recorded."""
        for name, value in counts.items():
            if not hasattr(self._expected, name):
                raise ValueError(f"a scenario can't expect {name}")
            setattr(self._expected, name, value)

    def sent(self, events: UUID | Iterable[UUID]) -> None:
        """Count events that the test itself sends to the broker as recorded."""
        self._sent |= {events} if isinstance(events, UUID) else set(events)

    def note(self, **facts: Any) -> None:
        """Add figures to the printed line."""
        self.notes |= {
            name: f"{value:.2f}" if isinstance(value, float) else str(value) for name, value in facts.items()
        }

    def fault_over(self) -> None:
        """Say that the fault ends now: the time to recover runs from here until the next `settle`."""
        self._over = time.monotonic()

    def settle(self, seconds: float = 30) -> None:
        """Wait until the world is at rest as expected: all published, queue empty, every event accounted for."""
        deadline = time.monotonic() + seconds
        while True:
            began = time.monotonic()
            unrest = self._unrest()
            if not unrest:
                break
            if time.monotonic() > deadline:
                raise AssertionError(f"not at rest after {seconds} s: {'; '.join(unrest)}")
            time.sleep(max(0.02, time.monotonic() - began))
        if self._over is not None:
            self.recovery = max(self.recovery or 0.0, time.monotonic() - self._over)
            self._over = None

    def figures(self) -> Figures:
        """Count what became of the events so far."""
        return tally.count(self.backbone.source, self.backbone.consumer, sent=self._sent)

    def _unrest(self) -> list[str]:
        try:
            unpublished, depth = self.backbone.unpublished(), self.backbone.depth()
            if unpublished != self._expected.held or depth.messages:
                return [f"{unpublished} not published", f"{depth.messages} in the queue"]
            figures = self.figures()
        except _AWAY as error:
            return [f"{type(error).__name__}: {error}"]
        return self._expected.differences(figures) + ([f"{figures.lost} not accounted for"] if figures.lost else [])

    def judge(self) -> tuple[dict[str, Any], list[str]]:
        """Return the figures for the record, and what is wrong."""
        figures = self.figures()
        wrong = self._expected.differences(figures)
        if figures.violations:
            wrong.append(f"{figures.violations} violations: {', '.join(figures.why) or 'out of order'}")
        if not figures.events and self._expected.events != 0:
            wrong.append("no event was recorded, and the scenario does not say that it needs none")
        facts = {"number": number_of(self.name), "name": self.name, "seed": self.seed, "notes": self.notes}
        recovery = None if self.recovery is None else round(self.recovery, 3)
        return facts | asdict(figures) | {"recovery": recovery}, wrong


def line_of(facts: dict[str, Any]) -> str:
    """Return a scenario's one printed line."""
    number = f"{facts['number']:02}" if facts["number"] else "--"
    recovery = "-" if facts["recovery"] is None else f"{facts['recovery']:.2f} s"
    parts = [f"{name}={facts[name]}" for name in ("events", "lost", "duplicated", "disordered")]
    parts += [f"{name}={facts[name]}" for name in ("parked", "quarantined", "discarded", "held") if facts[name]]
    parts += [f"recovery={recovery}", *(f"{name}={value}" for name, value in facts["notes"].items())]
    return f"{number} {facts['name']}  {' '.join(parts)} seed={facts['seed']}"


def judged(scenario: Scenario, item: pytest.Item) -> None:
    """Write the verdict into the test's report and fail when the promise was broken."""
    facts, wrong = scenario.judge()
    item.user_properties.append((PROPERTY, facts | {"wrong": wrong}))
    if wrong:
        pytest.fail(f"{line_of(facts)}\n" + "\n".join(wrong), pytrace=False)
