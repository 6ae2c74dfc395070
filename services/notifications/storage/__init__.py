"""Tables of the notifications service and every query on them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
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
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert

from services.notifications.domain.audience import Person
from services.notifications.domain.delivery import Delivery
from services.notifications.domain.preference import Preference
from services.notifications.domain.programme import ProgrammeRules
from services.notifications.domain.retry import Answer, Verdict
from services.notifications.domain.ruleset import Category, RuleSet
from services.notifications.storage.base import metadata
from services.notifications.storage.standins import standin
from services.notifications.storage.webhooks import consent, endpoint, webhook, webhook_attempt
from shared.database import Repository, UnitOfWork, entity_table

# Of modules beside this one: they belong to the same metadata.
TABLES = (standin, endpoint, webhook, webhook_attempt, consent)

person = Table(
    "person",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("email", String(320), nullable=False),
    Column("locale", String(20), nullable=False),
    Column("roles", ARRAY(String), nullable=False),
    Column("organisation", String(80), index=True),
    Column("programmes", ARRAY(String), nullable=False),
    Column("active", Boolean, nullable=False),
    Index("person_roles", "roles", postgresql_using="gin"),
)
organisation = Table(
    "organisation",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("kind", String(40), nullable=False),
)
ruleset = entity_table("ruleset", metadata)
preference = entity_table("preference", metadata)
# What was decided about one event by one rule: whom to tell, whom not, and why. With the event, so that it can
# be decided again when somebody whom it names becomes known.
decision = Table(
    "decision",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("event_id", Uuid, nullable=False),
    Column("rule", String(120), nullable=False),
    Column("event_type", String(120), nullable=False),
    Column("programme", String(80)),
    Column("case", String(80), index=True),
    Column("envelope", JSONB, nullable=False),
    Column("trace", JSONB, nullable=False),
    Column("unknown", ARRAY(String), nullable=False),
    Column("recipients", Integer, nullable=False),
    Column("decided_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("event_id", "rule"),
    Index("decision_unknown", "unknown", postgresql_using="gin"),
    Index("decision_newest", "decided_at", "id"),
)
delivery = entity_table(
    "delivery",
    metadata,
    Column("event_id", Uuid, nullable=False),
    Column("recipient", String(80), nullable=False),
    Column("channel", String(16), nullable=False),
    Column("template", String(120), nullable=False),
    Column("status", String(24), nullable=False),
    Column("due_at", DateTime(timezone=True)),
    Column("read_at", DateTime(timezone=True)),
    Column("programme", String(80)),
    Column("case", String(80), index=True),
    # One letter to one person by one channel, however often its event comes.
    UniqueConstraint("event_id", "recipient", "channel", "template"),
    Index("delivery_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    Index("delivery_of_person", "recipient", "channel", "id"),
    Index("delivery_unread", "recipient", postgresql_where=text("channel = 'inbox' AND read_at IS NULL")),
)
attempt = Table(
    "attempt",
    metadata,
    Column("delivery_id", String(80), ForeignKey("delivery.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True)),
    Column("verdict", String(16)),
    Column("code", Integer),
    Column("reply", Text),
)


def _delivery_columns(item: Delivery) -> dict[str, Any]:
    return {
        "event_id": UUID(item.event_id),
        "recipient": item.recipient,
        "channel": item.channel,
        "template": item.template,
        "status": item.status.value,
        "due_at": item.due_at,
        "read_at": item.read_at,
        "programme": item.programme,
        "case": item.case_reference,
    }


def deliveries(uow: UnitOfWork) -> Repository[Delivery]:
    """Return the deliveries of this unit of work."""
    return Repository(uow, delivery, Delivery, _delivery_columns)


def preferences(uow: UnitOfWork) -> Repository[Preference]:
    """Return the preferences, by user id."""
    return Repository(uow, preference, Preference)


def rulesets(uow: UnitOfWork) -> Repository[ProgrammeRules]:
    """Return the programmes' rules, by programme id."""
    return Repository(uow, ruleset, ProgrammeRules)


@dataclass(frozen=True)
class InForce:
    """A programme's rules as they are in force."""

    sha256: str
    name: dict[str, str]  # by language
    rules: RuleSet


_read: dict[str, InForce] = {}  # by programme; reading some hundred letters at every event would be a waste


def rules_in_force(connection: Connection, programme: str) -> InForce | None:
    """Return a programme's rules, or None when it has none (yet)."""
    state = ruleset.c.state
    query = select(state["sha256"].astext).where(ruleset.c.id == programme)
    sha256 = connection.execute(query).scalar_one_or_none()
    if not sha256:
        return None
    if programme not in _read or _read[programme].sha256 != sha256:
        found = connection.execute(select(state).where(ruleset.c.id == programme)).scalar_one()
        _read[programme] = InForce(sha256, found["name"], RuleSet.model_validate(found["content"]))
    return _read[programme]


def all_rules(connection: Connection) -> dict[str, InForce]:
    """Return the rules in force of every programme."""
    names = connection.execute(select(ruleset.c.id).order_by(ruleset.c.id)).scalars().all()
    return {name: found for name in names if (found := rules_in_force(connection, name))}


def all_categories(connection: Connection) -> dict[str, Category]:
    """Return the categories of all programmes by name, locked ones first; the first programme decides about a name."""
    categories: dict[str, Category] = {}
    for found in all_rules(connection).values():
        categories = dict(found.rules.categories) | categories
    return dict(sorted(categories.items(), key=lambda item: (not item[1].locked, item[0])))


def refused_rules(connection: Connection) -> dict[str, list[str]]:
    """Return, by programme, what is wrong with the rules of its last refused pack."""
    state = ruleset.c.state
    rows = connection.execute(select(ruleset.c.id, state["problems"]).order_by(ruleset.c.id))
    return {name: problems for name, problems in rows if problems}


def muted_categories(connection: Connection, user_id: str) -> list[str]:
    """Return the categories that a person does not want by e-mail."""
    query = select(preference.c.state["muted"]).where(preference.c.id == user_id)
    return connection.execute(query).scalar_one_or_none() or []


# --- people -----------------------------------------------------------------------------------------------


def save_person(connection: Connection, known: Person) -> None:
    """Keep what was learned of a person, whole."""
    values = known.model_dump() | {"roles": list(known.roles), "programmes": list(known.programmes)}
    statement = insert(person).values(**values)
    connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))


def deactivate_person(connection: Connection, user_id: str) -> None:
    """Remember that a person is gone; their letters stay."""
    connection.execute(person.update().where(person.c.id == user_id).values(active=False))


def save_organisation(connection: Connection, organisation_id: str, name: str, kind: str) -> None:
    """Keep what was learned of an organisation."""
    values = {"name": name, "kind": kind}
    statement = insert(organisation).values(id=organisation_id, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))


def organisation_name(connection: Connection, organisation_id: str | None) -> str:
    """Return an organisation's name, or its id while the name is not known."""
    if not organisation_id:
        return ""
    found = connection.execute(select(organisation.c.name).where(organisation.c.id == organisation_id)).scalar()
    return found or organisation_id


def people_at(connection: Connection, address: str) -> list[Person]:
    """Return the people whom an address of a party may mean: user:<id>, org:<id> or role:<role>."""
    kind, _, name = address.partition(":")
    conditions = {
        "user": person.c.id == name,
        "org": person.c.organisation == name,
        "role": person.c.roles.contains([name]),
    }
    if kind not in conditions:
        return []
    rows = connection.execute(select(person).where(conditions[kind]).order_by(person.c.id)).mappings()
    return [Person.model_validate(dict(row)) for row in rows]


def person_by_id(connection: Connection, user_id: str) -> Person | None:
    """Return a person, or None."""
    return next(iter(people_at(connection, f"user:{user_id}")), None)


# --- decisions --------------------------------------------------------------------------------------------


def save_decision(connection: Connection, values: dict[str, Any]) -> None:
    """Keep a decision; deciding again replaces its trace."""
    statement = insert(decision).values(**values)
    again = {name: values[name] for name in ("trace", "unknown", "recipients", "decided_at")}
    connection.execute(statement.on_conflict_do_update(index_elements=["event_id", "rule"], set_=again))


def decisions_waiting_for(connection: Connection, address: str) -> list[dict[str, Any]]:
    """Return the envelopes of events that named somebody who was not known then."""
    query = select(decision.c.envelope).where(decision.c.unknown.contains([address])).order_by(decision.c.decided_at)
    return [dict(row) for row in connection.execute(query).scalars()]


def decision_of(connection: Connection, event_id: UUID, rule: str) -> dict[str, Any] | None:
    """Return the decision by which a letter came to be."""
    query = select(decision).where(decision.c.event_id == event_id, decision.c.rule == rule)
    row = connection.execute(query).mappings().one_or_none()
    return dict(row) if row else None


def decisions_of_case(connection: Connection, case: str, limit: int = 200) -> list[dict[str, Any]]:
    """Return a case's decisions, newest first."""
    query = select(decision).where(decision.c.case == case).order_by(decision.c.decided_at.desc()).limit(limit)
    return [dict(row) for row in connection.execute(query).mappings()]


# --- deliveries -------------------------------------------------------------------------------------------


def next_due(connection: Connection, now: datetime) -> str | None:
    """Return the id of the delivery that is due longest and that no other sender has its hand on, locked."""
    query = (
        select(delivery.c.id)
        .where(delivery.c.due_at <= now)
        .order_by(delivery.c.due_at, delivery.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return connection.execute(query).scalar_one_or_none()


def letters_about(connection: Connection, event_id: UUID) -> set[tuple[str, str, str]]:
    """Return the letters that an event has brought already, as (recipient, channel, template)."""
    query = select(delivery.c.recipient, delivery.c.channel, delivery.c.template)
    return {
        (row.recipient, row.channel, row.template)
        for row in connection.execute(query.where(delivery.c.event_id == event_id))
    }


def _page(connection: Connection, conditions: Iterable[Any], before: str | None, limit: int) -> list[Delivery]:
    query = select(delivery.c.state, delivery.c.version).where(*conditions).order_by(delivery.c.id.desc()).limit(limit)
    if before:
        query = query.where(delivery.c.id < before)
    return [Delivery.model_validate(row.state | {"version": row.version}) for row in connection.execute(query)]


def inbox(
    connection: Connection, user_id: str, *, unread: bool = False, before: str | None = None, limit: int = 50
) -> list[Delivery]:
    """Return a person's inbox, newest first, `limit` letters older than `before`."""
    conditions = [delivery.c.recipient == user_id, delivery.c.channel == "inbox"]
    if unread:
        conditions.append(delivery.c.read_at.is_(None))
    return _page(connection, conditions, before, limit)


def unread_count(connection: Connection, user_id: str) -> int:
    """Return how many letters a person has not read, counted up to 100."""
    some = (
        select(delivery.c.id)
        .where(delivery.c.recipient == user_id, delivery.c.channel == "inbox", delivery.c.read_at.is_(None))
        .limit(100)
    )
    return connection.execute(select(func.count()).select_from(some.subquery())).scalar_one()


def find_deliveries(
    connection: Connection,
    *,
    case: str | None = None,
    status: str | None = None,
    channel: str | None = None,
    programmes: Iterable[str] | None = None,
    before: str | None = None,
    limit: int = 50,
) -> list[Delivery]:
    """Return deliveries, newest first, of the given case, status, channel; `programmes` None means of all."""
    wanted = {"case": case, "status": status, "channel": channel}
    conditions = [delivery.c[name] == value for name, value in wanted.items() if value]
    if programmes is not None:
        conditions.append(delivery.c.programme.in_(list(programmes)))
    return _page(connection, conditions, before, limit)


def read_delivery(connection: Connection, delivery_id: str) -> Delivery | None:
    """Return one delivery without locking it, or None."""
    return next(iter(_page(connection, [delivery.c.id == delivery_id], None, 1)), None)


# --- attempts ---------------------------------------------------------------------------------------------


def start_attempt(connection: Connection, delivery_id: str, number: int, now: datetime, *, lost: bool) -> None:
    """Write down that an attempt begins; `lost` if the one before it never ended: it is gone with its sender."""
    if lost:
        unfinished = attempt.update().where(attempt.c.delivery_id == delivery_id, attempt.c.verdict.is_(None))
        connection.execute(unfinished.values(verdict=Verdict.LOST.value, ended_at=now))
    connection.execute(attempt.insert().values(delivery_id=delivery_id, number=number, started_at=now))


def end_attempt(connection: Connection, delivery_id: str, number: int, answer: Answer, now: datetime) -> None:
    """Write down what became of an attempt."""
    one = attempt.update().where(attempt.c.delivery_id == delivery_id, attempt.c.number == number)
    connection.execute(
        one.values(ended_at=now, verdict=answer.verdict.value, code=answer.code, reply=answer.reply[:2000])
    )


def attempts_of(connection: Connection, delivery_id: str) -> list[dict[str, Any]]:
    """Return a delivery's attempts, first to last."""
    query = select(attempt).where(attempt.c.delivery_id == delivery_id).order_by(attempt.c.number)
    return [dict(row) for row in connection.execute(query).mappings()]


# --- figures ----------------------------------------------------------------------------------------------


def waiting_letters(connection: Connection, now: datetime) -> dict[str, Any]:
    """Return how many letters are to be sent, how many were refused before, and how long the oldest has been due."""
    c = delivery.c
    query = select(
        func.count().label("waiting"),
        func.count().filter(c.status == "temporary_failure").label("retrying"),
        func.min(c.due_at).filter(c.due_at <= now).label("since"),
    ).where(c.due_at.is_not(None))
    row = connection.execute(query).one()
    late = (now - row.since).total_seconds() if row.since else 0.0
    return {"waiting": row.waiting, "retrying": row.retrying, "late_seconds": max(0.0, late)}


def letters_since(connection: Connection, first: str) -> dict[str, dict[str, int]]:
    """Return how many letters with ids from `first` on (ids are in the order of time) stand how, by channel."""
    c = delivery.c
    query = select(c.channel, c.status, func.count().label("letters")).where(c.id >= first)
    found: dict[str, dict[str, int]] = {}
    for row in connection.execute(query.group_by(c.channel, c.status)):
        found.setdefault(row.channel, {})[row.status] = row.letters
    return found
