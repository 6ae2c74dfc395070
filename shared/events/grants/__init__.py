"""Events that the grants service publishes."""

from __future__ import annotations

from shared.events.base import Event, attempt_and_view
from shared.events.grants import application, cofinancing

AttemptRefused, RecordViewed = attempt_and_view("grants")

__all__ = ["AttemptRefused", "Event", "RecordViewed", "application", "cofinancing"]
