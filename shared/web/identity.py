"""Who a request comes from: the one-minute signed statement that the front door gives each request.

The portal exchanges a cookie or an API key for a statement (EdDSA JWT); every service verifies it by
the public key alone. A statement that arrives from outside is stripped at the front door.
"""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from pydantic import BaseModel, ConfigDict

from shared.errors import ForbiddenError, StepUpError
from shared.events import Actor

HEADER = "x-tamga-identity"
ISSUER = "tamga-portal"
LIFETIME = 60
CONFIRMED_FOR = 5 * 60


class Identity(BaseModel):
    """A signed-in person as every service sees them."""

    model_config = ConfigDict(frozen=True)

    user: str
    name: str
    roles: tuple[str, ...]
    organisation: str | None = None
    organisation_name: str | None = None
    programmes: tuple[str, ...] = ()
    locale: str = "en"
    zone: str = ""  # the time zone of their programmes, "" where these differ or there are none
    session: str = ""  # hash of the session
    csrf: str = ""  # what forms of this session carry in their `csrf` field
    scopes: tuple[str, ...] = ()  # of a key that is limited to some acts; see scopes.py
    confirmed_at: int | None = None  # when they last gave their password, in seconds since 1970

    def actor(self, role: str | None = None) -> Actor:
        """Return this person as the actor of an act done in `role`."""
        return Actor(
            id=f"user:{self.user}",
            name=self.name,
            role=role or (self.roles[0] if self.roles else None),
            organisation=self.organisation,
            session=self.session or None,
        )


def has_confirmed(who: Identity, now: datetime) -> bool:
    """Return whether a person gave their password within the last five minutes (OWASP ASVS 5.0, 7.5.3).

    A key that is limited never has: a program has no password.
    """
    if who.scopes:
        return False
    return who.confirmed_at is not None and -5 <= now.timestamp() - who.confirmed_at <= CONFIRMED_FOR


def must_have_confirmed(who: Identity, now: datetime) -> None:
    """Raise StepUpError when a person did not give their password within the last five minutes."""
    if who.scopes:
        raise ForbiddenError("A key can't do this: a person does it in the browser, with their password")
    if not has_confirmed(who, now):
        raise StepUpError("This act asks for your password again: you gave it more than five minutes ago")


class StatementError(Exception):
    """A statement that is not ours, is too old, or was tampered with."""


def sign(identity: Identity, key: OKPKey, *, now: float | None = None) -> str:
    """Return the statement for `identity`, valid for a minute."""
    issued = int(now if now is not None else time.time())
    claims = identity.model_dump(mode="json") | {"iss": ISSUER, "iat": issued, "exp": issued + LIFETIME}
    return jwt.encode({"alg": "Ed25519"}, claims, key, algorithms=["Ed25519"])


def verify(statement: str, key: OKPKey, *, now: float | None = None) -> Identity:
    """Return who the statement is about; raises StatementError."""
    try:
        token = jwt.decode(statement, key, algorithms=["Ed25519"])
    except (JoseError, ValueError) as error:
        raise StatementError("not a statement of this house") from error
    claims = token.claims
    moment = now if now is not None else time.time()
    if claims.get("iss") != ISSUER or not claims.get("iat", 0) - 5 <= moment <= claims.get("exp", 0):
        raise StatementError("the statement is out of date")
    return Identity.model_validate({name: claims[name] for name in Identity.model_fields if name in claims})


def load_key(path: Path) -> OKPKey:
    """Return an Ed25519 key from a PEM file."""
    return OKPKey.import_key(path.read_text())
