"""A message that can't stand in the log as an event: it is kept, and a leaf proves that it came and why not."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.events import Actor, Envelope
from shared.events.audit import EventRejected
from shared.events.canonical import NotCanonicalError, canonical
from shared.events.envelope import Body

MAX_REASON = 500
MAX_CLAIM = 120
SERVICE = Actor(id="service:audit", kind="system", name="audit")


@dataclass(frozen=True)
class Refused:
    """A message as it came, and why it was refused."""

    reason: str  # unreadable | spoofed | not-canonical | id-reused
    detail: str
    headers: dict[str, Any]
    body: bytes
    user_id: str | None
    id: UUID | None = None  # when it was kept elsewhere under an id already

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.body).hexdigest()

    def headers_text(self) -> str:
        """Return the headers as text that any of them can be turned into."""
        try:
            return canonical({str(name): str(value) for name, value in self.headers.items()}).decode()
        except (NotCanonicalError, UnicodeEncodeError):
            return canonical({"unreadable": repr(self.headers).encode("ascii", "backslashreplace").decode()}).decode()

    def event_id(self) -> UUID:
        """Return the id under which this very message is refused, so that a redelivery is refused once."""
        if self.id:
            return self.id
        material = self.headers_text().encode() + b"\x00" + self.body + b"\x00" + (self.user_id or "").encode()
        digest = int.from_bytes(hashlib.sha256(material).digest()[:16], "big")
        # RFC 9562 version 8: the bits mean what we say they mean.
        return UUID(int=digest & ~(0xF << 76) & ~(0x3 << 62) | 0x8 << 76 | 0x2 << 62)

    def kept(self) -> dict[str, Any]:
        """Return what is kept beside the log."""
        return {"event_id": self.event_id(), "headers": self.headers_text(), "body": self.body}

    def envelope(self, at: datetime) -> Envelope:
        """Return the event that records the refusal."""
        event = EventRejected(
            reason=self.reason,
            detail=printable(self.detail, MAX_REASON),
            sha256=self.sha256,
            headers_sha256=hashlib.sha256(self.headers_text().encode()).hexdigest(),
            size=len(self.body),
            claimed_source=_claim(self.headers, "source"),
            claimed_type=_claim(self.headers, "type"),
            claimed_id=_claim(self.headers, "id"),
            user_id=printable(self.user_id, MAX_CLAIM) if self.user_id else None,
        )
        own = self.event_id()
        return Envelope(
            id=own,
            source="audit",
            type=EventRejected.TYPE,
            entity=f"event:{own}",
            sequence=1,
            time=at,
            correlation_id=own,
            outcome="refused",
            body=Body(data=event.model_dump(mode="json"), actor=SERVICE),
        )


def printable(text: str, limit: int) -> str:
    """Return `text` without what PostgreSQL or UTF-8 can't hold, cut to `limit`."""
    return text.encode("utf-8", "replace").decode().replace("\x00", "\ufffd")[:limit]


def _claim(headers: dict[str, Any], name: str) -> str | None:
    value = headers.get(f"cloudEvents_{name}")
    return None if value is None else printable(str(value), MAX_CLAIM)
