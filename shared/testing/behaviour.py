"""How the test consumer behaves, as the event tells it."""

from __future__ import annotations

import time

from shared.events import Envelope


def behave(envelope: Envelope) -> None:
    """Do what the event's `reason` says: nothing, fail, fail for now, or take long."""
    reason = str(envelope.data["reason"])
    if reason == "poison":
        raise ValueError("this event is poison")
    if reason == "transient":
        raise TimeoutError("not now")
    if reason.startswith("slow:"):
        time.sleep(float(reason.removeprefix("slow:")))
