"""The statement of identity: only what the portal signed a moment ago is believed."""

from __future__ import annotations

import base64
import hmac
import json

import pytest
from joserfc import jwt
from joserfc.jwk import OKPKey

from shared.testing.web import person
from shared.web.identity import ISSUER, LIFETIME, StatementError, sign, verify

KEY = OKPKey.generate_key("Ed25519")
NOW = 1_800_000_000.0
WHO = person("officer")


def _claims(**changes: object) -> dict[str, object]:
    claims = WHO.model_dump(mode="json") | {"iss": ISSUER, "iat": int(NOW), "exp": int(NOW) + LIFETIME}
    return claims | changes


def _encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).decode().rstrip("=")


def _unsigned(header: dict[str, object]) -> str:
    return ".".join([_encoded(json.dumps(header).encode()), _encoded(json.dumps(_claims()).encode()), ""])


def test_a_signed_statement_gives_back_the_person() -> None:
    """What was signed is what every service reads."""
    assert verify(sign(WHO, KEY, now=NOW), KEY, now=NOW + 1) == WHO


@pytest.mark.parametrize("moment", [NOW - 60, NOW + LIFETIME + 1, NOW + 86_400])
def test_a_statement_is_good_for_its_minute_only(moment: float) -> None:
    """Before it was made and after its minute a statement opens nothing."""
    with pytest.raises(StatementError):
        verify(sign(WHO, KEY, now=NOW), KEY, now=moment)


def test_a_statement_of_another_key_is_refused() -> None:
    """Somebody who signs with a key of their own is a stranger."""
    with pytest.raises(StatementError):
        verify(sign(WHO, OKPKey.generate_key("Ed25519"), now=NOW), KEY, now=NOW)


@pytest.mark.parametrize("header", [{"alg": "none"}, {"alg": "NONE", "typ": "JWT"}, {"alg": "Ed25519"}, {}])
def test_an_unsigned_statement_is_refused(header: dict[str, object]) -> None:
    """Neither "none" nor a missing signature is believed."""
    with pytest.raises(StatementError):
        verify(_unsigned(header), KEY, now=NOW)


def test_the_public_key_is_no_shared_secret() -> None:
    """A statement signed by HMAC with the public key as the secret is refused (algorithm confusion)."""
    secret = KEY.as_pem(private=False)
    parts = [_encoded(json.dumps({"alg": "HS256"}).encode()), _encoded(json.dumps(_claims()).encode())]
    forged = ".".join([*parts, _encoded(hmac.digest(secret, ".".join(parts).encode(), "sha256"))])
    with pytest.raises(StatementError):
        verify(forged, KEY, now=NOW)


def test_a_changed_statement_is_refused() -> None:
    """One changed role breaks the signature."""
    head, _, signature = sign(WHO, KEY, now=NOW).split(".")
    body = _encoded(json.dumps(_claims(roles=["operator"])).encode())
    with pytest.raises(StatementError):
        verify(f"{head}.{body}.{signature}", KEY, now=NOW)


def test_another_issuer_is_refused() -> None:
    """A statement signed by our key for another purpose is not a statement of identity."""
    other = jwt.encode({"alg": "Ed25519"}, _claims(iss="somebody-else"), KEY, algorithms=["Ed25519"])
    with pytest.raises(StatementError):
        verify(other, KEY, now=NOW)


@pytest.mark.parametrize("rubbish", ["", "a.b.c", "....", "\ud83d\ude00", "x" * 10_000])
def test_rubbish_is_refused(rubbish: str) -> None:
    """Whatever is in the header, the answer is a refusal and never a crash."""
    with pytest.raises(StatementError):
        verify(rubbish, KEY, now=NOW)
