"""Signatures by the standard's published vectors, and the file with which banks verify them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone

import pytest

from services.notifications.domain import signing
from services.notifications.domain.signing import Scheme, SecretError
from services.notifications.receiver.tamga_webhooks import Receiver, WebhookError

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PRIVATE = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
PUBLIC = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
MESSAGE, AT, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
HMAC = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
ED25519 = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="


@pytest.mark.parametrize("minutes", [0, 6 * 60, 6 * 60 + 30, 7 * 60, 8 * 60])
@pytest.mark.parametrize(("secret", "expected"), [(SECRET, HMAC), (PRIVATE, ED25519)])
def test_published_vectors_from_any_time_zone(minutes: int, secret: str, expected: str) -> None:
    """One moment has one signature, whichever zone its time is written in."""
    moment = datetime.fromtimestamp(AT, timezone(timedelta(minutes=minutes)))
    made = signing.headers([secret], MESSAGE, moment, BODY)
    assert made == {"webhook-id": MESSAGE, "webhook-timestamp": str(AT), "webhook-signature": expected}


def test_what_can_not_be_signed_is_refused() -> None:
    """A time without a zone, an id with a point, and keys of another shape are errors that show no secret."""
    with pytest.raises(ValueError, match="without a zone"):
        signing.stamp(datetime(2026, 11, 22))  # noqa: DTZ001 - that is the point
    with pytest.raises(ValueError, match="no point"):
        signing.signed_bytes("msg.1", AT, BODY)
    for wrong in ("whsec_c2hvcnQ=", "whsec_***", "whsk_AAAA", PRIVATE[:-4] + "Kwg=="):
        with pytest.raises(SecretError) as refused:
            signing.signature(wrong, MESSAGE, AT, BODY)
        assert wrong[6:] not in str(refused.value)


def test_new_secrets_sign_and_verify() -> None:
    """A secret of ours is of the standard's size, and the half that is told verifies what the other signs."""
    for scheme in Scheme:
        secret = signing.new_secret(scheme, lambda many: bytes(range(many)))
        told = signing.public_half(secret) or secret
        headers = signing.headers([secret, SECRET], MESSAGE, datetime.fromtimestamp(AT, UTC), b"{}")
        assert Receiver(told).verify(headers, b"{}", now=AT) == {"id": MESSAGE}
        assert Receiver(SECRET).verify(headers, b"{}", now=AT) == {"id": MESSAGE}
    assert signing.public_half(PRIVATE) == PUBLIC


def _headers(**changes: str) -> dict[str, str]:
    plain = {"webhook-id": MESSAGE, "webhook-timestamp": str(AT), "webhook-signature": HMAC}
    return plain | {f"webhook-{name}": value for name, value in changes.items()}


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (_headers(signature="garbage"), BODY),
        (_headers(signature="v1"), BODY),
        (_headers(signature="v1,  ,,"), BODY),
        (_headers(signature="v1,\u00e9"), BODY),
        (_headers(signature=ED25519), BODY),
        (_headers(signature=""), BODY),
        (_headers(timestamp="1614265330.0"), BODY),
        (_headers(timestamp="-1"), BODY),
        (_headers(timestamp="9" * 40), BODY),
        (_headers(timestamp="\u0661\u0662"), BODY),
        (_headers(timestamp=str(AT + 301)), BODY),
        (_headers(id="msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330"), BODY),
        ({}, BODY),
        (_headers(), b"\xff\xfe"),
        (_headers(), b'{"test": 2432232315}'),
    ],
)
def test_rubbish_is_refused_and_never_a_crash(headers: Mapping[str, str], body: bytes) -> None:
    """Whatever a stranger sends is one kind of error, so that a receiver answers 401 and not 500."""
    with pytest.raises(WebhookError):
        Receiver(SECRET).verify(headers, body, now=AT)


@pytest.mark.parametrize("body", [b"\xff", b"[1]", b"{", b"[" * 100_000])
def test_a_signed_body_that_is_no_object_is_refused_too(body: bytes) -> None:
    """Also what is rightly signed but can't be read is that one kind of error."""
    headers = signing.headers([SECRET], MESSAGE, datetime.fromtimestamp(AT, UTC), body)
    with pytest.raises(WebhookError, match="body"):
        Receiver(SECRET).verify(headers, body, now=AT)


def test_a_receiver_takes_what_is_right_however_it_is_written() -> None:
    """Doubled spaces, other versions beside ours, upper-case names and text instead of bytes do not matter."""
    headers = {"Webhook-Id": MESSAGE, "WEBHOOK-TIMESTAMP": str(AT), "webhook-signature": f"v2,x  v1,AAAA  {HMAC} "}
    assert Receiver(SECRET).verify(headers, BODY.decode(), now=AT + 300) == {"id": MESSAGE} | json.loads(BODY)
    assert Receiver(PUBLIC).verify(_headers(signature=ED25519), BODY, now=AT)["test"] == 2432232314


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_*", PRIVATE, "whpk_AAAA"])
def test_a_receiver_refuses_a_wrong_secret_at_once(secret: str) -> None:
    """A mistyped secret, or the sender's half, is told when the program starts."""
    with pytest.raises(ValueError, match=r"secret|base64|half|32"):
        Receiver(secret)
