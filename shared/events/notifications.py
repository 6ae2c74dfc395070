"""Events that the notifications service publishes."""

from __future__ import annotations

from shared.events.base import Event, attempt_and_view

AttemptRefused, RecordViewed = attempt_and_view("notifications")
