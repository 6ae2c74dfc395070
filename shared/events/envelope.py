"""The envelope around every event: CloudEvents 1.0 attributes and what Tamga adds.

On the wire (AMQP 0-9-1, binary mode) the attributes are headers named `cloudEvents_<name>`, as the
CloudEvents AMQP binding names them, and the body is the JSON of `Body`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.events.base import Event, event_types

CONTENT_TYPE = "application/json"
PREFIX = "cloudEvents_"


class Actor(BaseModel):
    """Who acted: a person, or a service on its own account (`kind` system)."""

    model_config = ConfigDict(frozen=True)

    id: str
    kind: Literal["person", "system"] = "person"
    name: str = ""
    role: str | None = None
    organisation: str | None = None
    session: str | None = None  # hash of the session, never the session itself
    on_behalf_of: str | None = None


class Body(BaseModel):
    """The message body: the event's own data and the record of the act."""

    model_config = ConfigDict(frozen=True)

    data: dict[str, Any]
    actor: Actor
    changes: dict[str, list[Any]] = Field(default_factory=dict)
    after_hash: str | None = None
    parties: dict[str, list[str]] = Field(default_factory=dict)
    reason: str | None = None


class Envelope(BaseModel):
    """One event as it travels.

    `entity` is "kind:id"; `sequence` counts the entity's events from 1 without a hole; `position`
    counts the source's events from 1 without a hole and is given by the relay; `case` is the
    reference under which people find the case.
    """

    model_config = ConfigDict(frozen=True)

    id: UUID
    source: str
    type: str
    version: int = 1
    entity: str
    sequence: int
    position: int | None = None
    time: datetime
    correlation_id: UUID
    causation_id: UUID | None = None
    traceparent: str | None = None
    programme: str | None = None
    case: str | None = None
    outcome: Literal["success", "refused"] = "success"
    body: Body

    @property
    def actor(self) -> Actor:
        """Return who acted."""
        return self.body.actor

    @property
    def data(self) -> dict[str, Any]:
        """Return the event's own data as JSON types."""
        return self.body.data

    def event(self) -> Event:
        """Return the typed event; raises UnknownEventError when this service knows no such type and version."""
        model = event_types().get((self.type, self.version))
        if model is None:
            raise UnknownEventError(self.type, self.version)
        return model.model_validate(self.body.data)


class UnknownEventError(ValueError):
    """An event type or version that this release does not know."""

    def __init__(self, name: str, version: int) -> None:
        super().__init__(f"unknown event {name} version {version}")
