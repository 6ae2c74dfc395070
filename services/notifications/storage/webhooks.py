"""Endpoints of banks' systems, the messages to them, every attempt, and which consents live."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, insert

from services.notifications.domain.endpoint import Endpoint
from services.notifications.domain.webhook import Reply, State, Webhook
from services.notifications.storage.base import metadata
from shared.database import Repository, UnitOfWork, entity_table

endpoint = entity_table(
    "endpoint",
    metadata,
    Column("organisation", String(80), nullable=False, index=True),
    Column("enabled", Boolean, nullable=False),
)
webhook = entity_table(
    "webhook",
    metadata,
    Column("endpoint", String(80), nullable=False),
    Column("event_id", Uuid, nullable=False),
    Column("subject", String(80), nullable=False),
    Column("status", String(16), nullable=False),
    Column("due_at", DateTime(timezone=True)),
    # One message about one event to one endpoint, however often the event comes.
    UniqueConstraint("event_id", "endpoint"),
    Index("webhook_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    Index("webhook_of_endpoint", "endpoint", "id"),
)
webhook_attempt = Table(
    "webhook_attempt",
    metadata,
    Column("webhook_id", String(80), ForeignKey("webhook.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True)),
    Column("url", Text, nullable=False),
    Column("headers", JSONB, nullable=False),
    Column("body", Text, nullable=False),
    Column("verdict", String(16)),
    Column("code", Integer),
    Column("reply", Text),
    Column("milliseconds", Integer),
)
consent = Table(
    "consent",
    metadata,
    Column("referral", String(80), primary_key=True),
    Column("until", Date, nullable=False),
    Column("ended", Boolean, nullable=False),
    Column("revoked", Boolean, nullable=False),
)


def endpoints(uow: UnitOfWork) -> Repository[Endpoint]:
    """Return the endpoints of this unit of work."""
    return Repository(
        uow, endpoint, Endpoint, lambda item: {"organisation": item.organisation, "enabled": item.enabled}
    )


def webhooks(uow: UnitOfWork) -> Repository[Webhook]:
    """Return the messages of this unit of work."""
    return Repository(uow, webhook, Webhook, _columns)


def _columns(item: Webhook) -> dict[str, Any]:
    return {
        "endpoint": item.endpoint,
        "event_id": UUID(item.event_id),
        "subject": item.facts.get("referral_id", ""),
        "status": item.state_now.value,
        "due_at": item.due_at,
    }


def endpoints_of(connection: Connection, organisation: str, *, lock: bool = False) -> list[Endpoint]:
    """Return an organisation's endpoints, oldest first; `lock` keeps others from adding one meanwhile."""
    if lock:
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"endpoints of {organisation}"))))
    query = select(endpoint.c.state, endpoint.c.version).where(endpoint.c.organisation == organisation)
    return [Endpoint.stored(row.state, row.version) for row in connection.execute(query.order_by(endpoint.c.id))]


def all_ids(connection: Connection) -> list[str]:
    """Return every endpoint of the house; an organisation has at most ten."""
    return list(connection.execute(select(endpoint.c.id).order_by(endpoint.c.id)).scalars())


def sealed_secrets(connection: Connection) -> list[str]:
    """Return every secret that is kept, as it is sealed."""
    found = connection.execute(select(endpoint.c.state["secrets"]).order_by(endpoint.c.id)).scalars()
    return [one["sealed"] for secrets in found for one in secrets]


def counts(connection: Connection, ids: Collection[str]) -> dict[str, dict[str, int]]:
    """Return how many messages of each endpoint stand how."""
    c = webhook.c
    query = select(c.endpoint, c.status, func.count().label("many")).where(c.endpoint.in_(ids))
    found: dict[str, dict[str, int]] = {}
    for row in connection.execute(query.group_by(c.endpoint, c.status)):
        found.setdefault(row.endpoint, {})[row.status] = row.many
    return found


def listening(connection: Connection, organisation: str, event_id: UUID) -> list[Endpoint]:
    """Return the endpoints of an organisation that have no message about this event yet."""
    has = select(webhook.c.endpoint).where(webhook.c.event_id == event_id)
    query = select(endpoint.c.state, endpoint.c.version).where(
        endpoint.c.organisation == organisation, endpoint.c.id.not_in(has)
    )
    return [Endpoint.stored(row.state, row.version) for row in connection.execute(query)]


def next_due(connection: Connection, now: datetime, skip: Collection[str]) -> str | None:
    """Return the message that is due longest and nobody else has its hand on, locked; none of endpoints in `skip`."""
    c = webhook.c
    query = select(c.id).where(c.due_at <= now, c.endpoint.not_in(skip)).order_by(c.due_at, c.id).limit(1)
    return connection.execute(query.with_for_update(skip_locked=True)).scalar_one_or_none()


def was_told(connection: Connection, endpoint_id: str, subject: str) -> bool:
    """Return whether anything about a referral has reached an endpoint."""
    c = webhook.c
    one = select(c.id).where(c.endpoint == endpoint_id, c.subject == subject, c.status == State.DELIVERED.value)
    return connection.execute(one.limit(1)).first() is not None


def messages(
    connection: Connection, endpoint_id: str, *, status: str | None, before: str | None, limit: int
) -> list[Webhook]:
    """Return an endpoint's messages, newest first, `limit` older than `before`."""
    c = webhook.c
    query = select(c.state, c.version).where(c.endpoint == endpoint_id).order_by(c.id.desc()).limit(limit)
    if status:
        query = query.where(c.status == status)
    if before:
        query = query.where(c.id < before)
    return [Webhook.stored(row.state, row.version) for row in connection.execute(query)]


def given_up(connection: Connection, endpoint_id: str, since: datetime | None, limit: int) -> list[str]:
    """Return the ids of messages that did not arrive though tried or held, oldest first."""
    c = webhook.c
    query = select(c.id).where(c.endpoint == endpoint_id, c.status.in_([State.FAILED.value, State.HELD.value]))
    if since:
        query = query.where(c.created_at >= since)
    query = query.where(c.state["event_type"].astext != "tamga.test")
    return list(connection.execute(query.order_by(c.id).limit(limit)).scalars())


def start(connection: Connection, item: Webhook, now: datetime, sent: dict[str, Any], *, lost: bool) -> None:
    """Write down what is about to be sent (url, headers, body); `lost` if the attempt before never ended."""
    c = webhook_attempt.c
    if lost:
        unfinished = webhook_attempt.update().where(c.webhook_id == item.id, c.verdict.is_(None))
        connection.execute(unfinished.values(verdict="lost", ended_at=now))
    values = {"webhook_id": item.id, "number": item.attempts, "started_at": now}
    connection.execute(webhook_attempt.insert().values(values | sent))


def end(connection: Connection, webhook_id: str, number: int, reply: Reply, now: datetime) -> None:
    """Write down what became of an attempt."""
    c = webhook_attempt.c
    one = webhook_attempt.update().where(c.webhook_id == webhook_id, c.number == number)
    verdict = "accepted" if reply.arrived else "refused" if reply.code is not None else "no_answer"
    outcome = {"verdict": verdict, "code": reply.code, "reply": reply.text, "milliseconds": reply.milliseconds}
    connection.execute(one.values(outcome | {"ended_at": now}))


def attempts(connection: Connection, webhook_id: str) -> list[dict[str, Any]]:
    """Return a message's attempts, the newest first."""
    query = select(webhook_attempt).where(webhook_attempt.c.webhook_id == webhook_id)
    return [dict(row) for row in connection.execute(query.order_by(webhook_attempt.c.number.desc())).mappings()]


def keep_consent(connection: Connection, referral: str, until: date) -> None:
    """Keep until when an applicant's consent for a bank lasts."""
    values = {"until": until, "ended": False, "revoked": False}
    statement = insert(consent).values(referral=referral, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["referral"], set_=values))


def end_consent(connection: Connection, referral: str, *, revoked: bool) -> None:
    """Remember that a consent lives no more: it was revoked, or what it was given for is over."""
    values = {"ended": True} | ({"revoked": True} if revoked else {})
    connection.execute(consent.update().where(consent.c.referral == referral).values(values))


def consent_of(connection: Connection, referral: str, today: date) -> tuple[bool, bool]:
    """Return (it lives today, it was revoked); of one that we never heard of, (false, false)."""
    row = connection.execute(select(consent).where(consent.c.referral == referral)).one_or_none()
    return (not row.ended and today <= row.until, row.revoked) if row else (False, False)


def standing(connection: Connection, endpoint_id: str) -> str | None:
    """Return since when an endpoint has been failing, None when it is well."""
    query = select(endpoint.c.state["failing_since"].astext).where(endpoint.c.id == endpoint_id)
    return connection.execute(query).scalar_one_or_none()
