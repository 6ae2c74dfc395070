"""Letters under the act that caused them: one group an act, told by the state that needs a look most."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.web.letters import by_event

AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def letter(event: str, state: str, channel: str = "email") -> Any:
    """Return a letter as a service keeps it."""
    return {"event": event, "to": "Ana", "channel": channel, "title": "News", "state": state, "at": AT}


def test_letters_are_grouped_by_their_act() -> None:
    """Each act has its own letters and no others."""
    groups = by_event([letter("a", "sent"), letter("b", "read"), letter("a", "read", "inbox")])
    assert {event: len(group["lines"]) for event, group in groups.items()} == {"a": 2, "b": 1}


@pytest.mark.parametrize(
    ("states", "told", "tone"),
    [
        (("sent", "read"), "delivered", "good"),
        (("sent", "queued"), "on the way", "warn"),
        (("sent", "temporary_failure", "queued"), "tried, will be tried again", "warn"),
        (("queued", "permanent_failure", "read"), "not delivered", "bad"),
        (("read", "unheard_of"), "unheard_of", ""),
    ],
)
def test_the_worst_state_is_told(states: tuple[str, ...], told: str, tone: str) -> None:
    """A failed or waiting letter colours its group; letters that all arrived are told as delivered."""
    group = by_event([letter("a", state) for state in states])["a"]
    assert (group["label"], group["tone"]) == (told, tone)
