"""What stands on the wire, and what is refused when it is read."""

from __future__ import annotations

import json

import pytest

from shared.events import Envelope
from shared.messaging.wire import Raw, UnreadableError, decode, encode
from shared.testing.backbone import event_of


def _changed(**headers: str) -> Raw:
    raw = encode(event_of("a", 7))
    return Raw(raw.headers | {f"cloudEvents_{name}": value for name, value in headers.items()}, raw.body)


def test_an_envelope_survives_the_wire() -> None:
    """Every attribute comes back as it was, optional ones included."""
    event = event_of("a", 7).model_copy(
        update={"position": 12, "traceparent": "00-ab-cd-01", "programme": "p", "case": "BSO-2026-0001"}
    )
    assert decode(encode(event)) == event


def test_absent_attributes_have_no_header() -> None:
    """What an event does not have is not sent as text "None"."""
    names = encode(event_of("a", 7)).headers.keys()
    assert "cloudEvents_causationid" not in names
    assert "cloudEvents_specversion" in names


def test_sequence_compares_as_text() -> None:
    """CloudEvents sorts `sequence` as text, so nine comes before ten."""
    nine, ten = (encode(event_of("a", number)).headers["cloudEvents_sequence"] for number in (9, 10))
    assert nine < ten


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (Raw({}, b"{}"), "KeyError"),
        (Raw(encode(event_of("a", 1)).headers, b"{not json"), "not an event envelope"),
        (Raw(encode(event_of("a", 1)).headers, b'{"data": {}}'), "actor"),
        (_changed(id="seven"), "badly formed"),
        (_changed(sequence="-1"), "counted from 1"),
        (_changed(time="yesterday"), "isoformat"),
        (_changed(source="grants"), "grants may not publish portal.user.deactivated"),
    ],
)
def test_what_is_no_envelope_is_refused_with_the_reason(raw: Raw, why: str) -> None:
    """A reader learns what is wrong with the message."""
    with pytest.raises(UnreadableError, match=why):
        decode(raw)


@pytest.mark.parametrize(("user", "allowed"), [("portal", True), ("guest", True), (None, True), ("loans", False)])
def test_a_broker_user_that_is_a_service_speaks_for_itself_alone(user: str | None, allowed: bool) -> None:
    """The user that the broker vouches for must be the source; a user shared by all services may speak for each."""
    raw = encode(event_of("a", 1))
    sent = Raw(raw.headers, raw.body, raw.routing_key, user_id=user)
    if allowed:
        assert isinstance(decode(sent), Envelope)
    else:
        with pytest.raises(UnreadableError, match="may not speak for"):
            decode(sent)


def test_headers_of_any_kind_can_be_stored() -> None:
    """NUL, lone surrogates, nested lists and foreign types become JSON that PostgreSQL takes."""
    text = Raw({"a": "x\x00y", "b": ["\ud800", {"c": object}], "d": 1}, b"").headers_json()
    assert "\x00" not in text
    assert "u0000" not in text
    stored = json.loads(text)
    assert (stored["a"], stored["b"][0], stored["d"]) == ("x\\0y", "?", 1)
