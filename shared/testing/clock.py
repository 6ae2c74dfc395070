"""A clock that stands until it is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class StandingClock:
    """Time that passes only when a test lets it."""

    def __init__(self, now: datetime = MONDAY) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float = 0, **more: float) -> None:
        """Let time pass: seconds, or `days=7`."""
        self.now += timedelta(seconds=seconds, **more)
