"""What the audit tests share: envelopes of made-up acts, and a log of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Engine

from services.audit.handlers import ingest
from shared.events import Actor, Envelope
from shared.events.envelope import Body
from shared.messaging.wire import Raw, encode

MORNING = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
GORAN = Actor(id="user:goran", name="Goran Ristov", role="officer", organisation="programme-office")
ANA = Actor(id="user:ana", name="Ana Petrova", role="applicant", organisation="chamber-of-crafts")
RUN = UUID("0190a000-0000-7000-8000-000000000001")


def act(number: int, **changes: Any) -> Envelope:
    """Return the `number`-th event of grants (counted from 1), about an application of its own unless told."""
    values: dict[str, Any] = {
        "id": uuid4(),
        "source": "grants",
        "type": "grants.application.submitted",
        "entity": f"application:BSO-2026-{number:04d}",
        "sequence": 1,
        "position": number,
        "time": MORNING + timedelta(minutes=number),
        "correlation_id": RUN,
        "programme": "business-ecosystem",
        "case": f"BSO-2026-{number:04d}",
        "body": body(ANA, title=f"Crafts of valley {number}"),
    }
    return Envelope(**(values | changes))


def body(actor: Actor, *, changes: dict[str, list[Any]] | None = None, **data: Any) -> Body:
    """Return a body that says `data`."""
    return Body(
        data=data,
        actor=actor,
        changes=changes or {"stage": ["draft", "submitted"]},
        after_hash="ab" * 32,
        parties={"applicant": ["org:chamber-of-crafts"]},
        reason=None,
    )


def take_in(engine: Engine, envelopes: Iterable[Envelope], *, user_id: str | None = None) -> int:
    """Ingest envelopes in one batch; returns how many leaves that made."""
    raws = [encode(envelope) for envelope in envelopes]
    with engine.begin() as connection:
        return ingest(connection, [Raw(r.headers, r.body, r.routing_key, user_id, r.message_id) for r in raws])
