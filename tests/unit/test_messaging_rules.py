"""Small rules of the backbone: bindings, fingerprints, what fits into a batch, what is declared."""

from __future__ import annotations

import re
from typing import Any

import pytest

from shared.messaging import relay
from shared.messaging.quarantine import fingerprint, identify
from shared.messaging.reconcile import pattern
from shared.messaging.topology import QUEUE_ARGUMENTS, Topology
from shared.messaging.wire import Raw
from shared.testing.backbone import event_of
from shared.testing.behaviour import behave


@pytest.mark.parametrize(
    ("binding", "event_type", "expected"),
    [
        ("#", "grants.application.submitted", True),
        ("grants.#", "grants.application.submitted", True),
        ("grants.#", "grants", True),
        ("grants.#", "grantsx.application.submitted", False),
        ("grants.application.#", "grants.application.submitted", True),
        ("grants.application.#", "grants.award.made", False),
        ("grants.*.submitted", "grants.application.submitted", True),
        ("grants.*.submitted", "grants.application.more.submitted", False),
        ("portal.user.registered", "portal.user.registered", True),
        ("portal.user.registered", "portal_user_registered", False),
    ],
)
def test_bindings_let_through_what_the_broker_lets_through(binding: str, event_type: str, expected: bool) -> None:
    """The accounts ask for exactly the events that a topic binding routes."""
    assert bool(re.fullmatch(pattern((binding,)), event_type)) is expected


def test_no_bindings_let_nothing_through() -> None:
    """A service that consumes nothing is asked for nothing."""
    assert not re.fullmatch(pattern(()), "grants.application.submitted")


def _failure(reason: str) -> BaseException:
    try:
        behave(event_of("a", 1, reason))
    except Exception as error:  # noqa: BLE001 - the test's subject
        return error
    raise AssertionError("behaved")


def test_a_fingerprint_names_the_failure_and_the_place_in_our_code() -> None:
    """Two failures at one place are the same, another kind of failure is not."""
    assert fingerprint(_failure("poison")) == fingerprint(_failure("poison"))
    assert fingerprint(_failure("poison")) == "ValueError shared/testing/behaviour.py:behave"
    assert fingerprint(_failure("poison")) != fingerprint(_failure("transient"))


def test_the_place_is_in_our_code_even_when_a_library_raised() -> None:
    """Frames of libraries are passed over: the caller is what can be mended."""
    with pytest.raises(ValueError, match="int_parsing") as caught:
        event_of("a", "no number")  # type: ignore[arg-type]
    assert fingerprint(caught.value).endswith("shared/testing/backbone.py:event_of")


def test_a_failure_without_frames_has_a_fingerprint() -> None:
    """An error that was never raised is named by its type."""
    assert fingerprint(ValueError("x")) == "ValueError"


def test_a_message_is_identified_by_header_then_by_property() -> None:
    """The event id is read from wherever it is readable; without any, there is none."""
    event = str(event_of("a", 1).id)
    assert str(identify(Raw({"cloudEvents_id": event}, b""))) == event
    assert str(identify(Raw({"cloudEvents_id": "?"}, b"", message_id=event))) == event
    assert identify(Raw({}, b"")) is None


def _row(number: int, entity: str, size: int = 10) -> dict[str, Any]:
    return {"row": number, "entity": entity, "body": "x" * size}


def test_an_event_too_large_takes_its_followers_out_of_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the entity of the large event waits; the reason gives both sizes."""
    monkeypatch.setattr(relay, "LARGEST", 100)
    fitting, refused = relay._fitting([_row(1, "a"), _row(2, "b", 101), _row(3, "b"), _row(4, "a")])
    assert [row["row"] for row in fitting] == [1, 4]
    assert refused == {2: "101 bytes are more than 100"}


def test_backoff_grows_and_is_bounded() -> None:
    """A relay without its broker tries less and less often, but every two seconds at least."""
    waits = [relay._backoff(failures) for failures in range(1, 12)]
    assert waits == sorted(waits)
    assert waits[-1] == 2.0


def test_queues_are_quorum_queues_that_lose_nothing() -> None:
    """No default limit drops a message, and dead letters are kept at least once."""
    assert QUEUE_ARGUMENTS["x-queue-type"] == "quorum"
    assert QUEUE_ARGUMENTS["x-delivery-limit"] >= 1_000_000
    assert (QUEUE_ARGUMENTS["x-dead-letter-strategy"], QUEUE_ARGUMENTS["x-overflow"]) == (
        "at-least-once",
        "reject-publish",
    )


def test_a_service_that_consumes_nothing_has_no_queue() -> None:
    """The topology follows the cards."""
    topology = Topology.of({"portal": (), "audit": ("#",)})
    assert topology.queues == ("audit",)
    assert topology.bindings == (("audit", "#"),)
