"""An envelope as it stands on the wire: CloudEvents headers in binary mode, and the JSON body as bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from shared.events.envelope import CONTENT_TYPE, Body, Envelope
from shared.settings import SERVICES

EXCHANGE = "events"
# CloudEvents compares `sequence` as text, so it is padded.
_DIGITS = 20
_LARGEST = 2**53  # up to here every reader of JSON counts exactly
LARGEST_BODY = 8 * 1024 * 1024  # bytes; RabbitMQ 4 takes 16 MiB by default
# What the inbox's columns take.
_LONGEST = {"source": 40, "type": 120, "entity": 155}

# header → attribute of the envelope, for those that may be absent
_OPTIONAL = {
    "cloudEvents_position": "position",
    "cloudEvents_causationid": "causation_id",
    "cloudEvents_traceparent": "traceparent",
    "cloudEvents_programme": "programme",
    "cloudEvents_case": "case",
}


class UnreadableError(ValueError):
    """The message is no event envelope, or claims a source that its sender may not speak for."""


@dataclass(frozen=True)
class Raw:
    """A message as it came: what quarantine keeps, and what can be read again later."""

    headers: dict[str, Any]
    body: bytes
    routing_key: str = ""
    user_id: str | None = None
    message_id: str | None = None

    def headers_json(self) -> str:
        """Return the headers as JSON text that PostgreSQL stores: no NUL, no lone surrogates, foreign types as text."""
        return json.dumps(storable(self.headers), default=repr, ensure_ascii=False)

    @cached_property
    def envelope(self) -> Envelope:
        """Return what the message says, read once; raises UnreadableError, saying what is wrong."""
        envelope = _read(self)
        _check(envelope, self)
        return envelope


def storable(value: Any) -> Any:
    """Return the value with every text in it as PostgreSQL takes it: no NUL, no lone surrogates."""
    if isinstance(value, str):
        return value.replace("\x00", "\\0").encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {storable(str(name)): storable(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable(item) for item in value]
    return value


@dataclass(frozen=True)
class Received:
    """A readable message: the envelope, and the message that it came in."""

    envelope: Envelope
    raw: Raw = field(repr=False)

    @property
    def key(self) -> str:
        """Return the entity under which a consumer keeps order."""
        return entity_key(self.envelope)


def entity_key(envelope: Envelope) -> str:
    """Return "source/kind:id": two services may have entities of one name."""
    return f"{envelope.source}/{envelope.entity}"


def headers_of(attributes: Mapping[str, Any]) -> dict[str, str]:
    """Return the AMQP headers of an envelope's attributes (an outbox row has the same names)."""
    headers = {
        "cloudEvents_specversion": "1.0",
        "cloudEvents_id": str(attributes["id"]),
        "cloudEvents_source": attributes["source"],
        "cloudEvents_type": attributes["type"],
        "cloudEvents_dataversion": str(attributes["version"]),
        "cloudEvents_subject": attributes["entity"],
        "cloudEvents_sequence": f"{attributes['sequence']:0{_DIGITS}d}",
        "cloudEvents_time": attributes["time"].astimezone(UTC).isoformat(),
        "cloudEvents_correlationid": str(attributes["correlation_id"]),
        "cloudEvents_outcome": attributes["outcome"],
    }
    for name, attribute in _OPTIONAL.items():
        if (value := attributes[attribute]) is not None:
            headers[name] = str(value)
    return headers


def encode(envelope: Envelope) -> Raw:
    """Return the message of an envelope."""
    attributes = {name: getattr(envelope, name) for name in Envelope.model_fields if name != "body"}
    body = envelope.body.model_dump_json().encode()
    return Raw(headers=headers_of(attributes), body=body, routing_key=envelope.type, message_id=str(envelope.id))


def decode(raw: Raw) -> Envelope:
    """Return the envelope of a message; raises UnreadableError, saying what is wrong."""
    return raw.envelope


def _read(raw: Raw) -> Envelope:
    if len(raw.body) > LARGEST_BODY:
        raise UnreadableError(f"a body of {len(raw.body)} bytes is over the limit of {LARGEST_BODY}")
    headers = raw.headers
    try:
        return Envelope(
            id=UUID(headers["cloudEvents_id"]),
            source=headers["cloudEvents_source"],
            type=headers["cloudEvents_type"],
            version=int(headers.get("cloudEvents_dataversion", 1)),
            entity=headers["cloudEvents_subject"],
            sequence=int(headers["cloudEvents_sequence"]),
            time=datetime.fromisoformat(headers["cloudEvents_time"]),
            correlation_id=UUID(headers["cloudEvents_correlationid"]),
            outcome=headers.get("cloudEvents_outcome", "success"),
            body=Body.model_validate_json(raw.body),
            **{attribute: headers[name] for name, attribute in _OPTIONAL.items() if name in headers},
        )
    except (KeyError, ValueError, TypeError, AttributeError, ValidationError) as error:
        raise UnreadableError(f"not an event envelope: {type(error).__name__}: {error}") from error


def _check(envelope: Envelope, raw: Raw) -> None:
    if not 1 <= envelope.sequence < _LARGEST or not 0 <= (envelope.position or 0) < _LARGEST:
        raise UnreadableError(f"sequence {envelope.sequence}: an entity's events are counted from 1")
    for name, limit in _LONGEST.items():
        text = str(getattr(envelope, name))
        if len(text) > limit or not ((text.isascii() and text.isprintable()) or storable(text) == text):
            raise UnreadableError(f"{name} is not a text of at most {limit} characters")
    if envelope.type.split(".", 1)[0] != envelope.source:
        raise UnreadableError(f"{envelope.source} may not publish {envelope.type}")
    # The broker vouches for user_id; on one machine all services may share one user.
    if raw.user_id in SERVICES and raw.user_id != envelope.source:
        raise UnreadableError(f"user {raw.user_id} may not speak for {envelope.source}")


__all__ = ["CONTENT_TYPE", "EXCHANGE", "Raw", "Received", "UnreadableError", "decode", "encode", "headers_of"]
