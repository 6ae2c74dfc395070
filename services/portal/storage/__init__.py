"""Tables and queries of the portal."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    RowMapping,
    String,
    Table,
    and_,
    case,
    func,
    or_,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert

from services.portal.domain import IDLE, Organisation, Programme, User
from services.portal.domain.numbers import key_of
from shared.database import Repository, UnitOfWork, entity_table, service_metadata

metadata = service_metadata(consumes=False)

account = entity_table(
    "account",
    metadata,
    Column("email", String(254), nullable=False, unique=True),
    Column("name", String(200), nullable=False),
    Column("active", Boolean, nullable=False),
    Column("organisation", String(80), index=True),
    Index("account_name_order", "name", "id"),
)
organisation = entity_table(
    "organisation",
    metadata,
    Column("name", String(200), nullable=False),
    Column("kind", String(40)),
    Column("country", String(2)),
    Column("registration", String(60)),  # as they are compared: letters and digits alone
    Column("tax", String(60)),
    Column("standing", String(20)),
    Column("waits", Boolean),
    Index("organisation_name_order", "name", "id"),
    Index("organisation_registration", "country", "registration"),
    Index("organisation_tax", "country", "tax"),
    Index("organisation_waiting", "id", postgresql_where=text("waits")),
)
programme = entity_table("programme", metadata)
call_draft = entity_table(
    "call_draft",
    metadata,
    Column("programme", String(80), nullable=False),
    Column("call", String(80), nullable=False),
    Column("open", Boolean, nullable=False),
    # Two people who begin to change one call at the same moment begin one draft.
    Index("call_draft_one_open", "programme", "call", unique=True, postgresql_where=text("open")),
)
programme_version = Table(
    "programme_version",
    metadata,
    Column("programme", String(80), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("pack", JSONB, nullable=False),
    Column("edited_call", String(80)),  # the call that was published in the browser; null when loaded from files
    Column("at", DateTime(timezone=True), nullable=False),
    Column("by_name", String(200), nullable=False),
)
credential = Table(
    "credential",
    metadata,
    Column("user_id", ForeignKey("account.id"), primary_key=True),
    Column("password_hash", String(200), nullable=False),
    Column("changed_at", DateTime(timezone=True), nullable=False),
)
session = Table(
    "session",
    metadata,
    Column("id", String(64), primary_key=True),  # SHA-256 of what the cookie carries
    Column("user_id", ForeignKey("account.id"), nullable=False, index=True),
    Column("csrf", String(64), nullable=False),
    Column("opened_at", DateTime(timezone=True), nullable=False),
    Column("last_seen_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("address", String(64), nullable=False),
    Column("agent", String(300), nullable=False),
    Column("closed_at", DateTime(timezone=True)),
    Column("closed_reason", String(40)),
    Column("confirmed_at", DateTime(timezone=True)),  # when the person last gave their password
)
api_key = Table(
    "api_key",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("key_hash", String(64), nullable=False, unique=True),
    Column("user_id", ForeignKey("account.id"), nullable=False, index=True),
    Column("label", String(120), nullable=False),
    Column("issued_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("revoked_at", DateTime(timezone=True)),
    Column("confirmed_at", DateTime(timezone=True)),
    Column("scopes", JSONB),  # none: whatever its person may do
    Column("start", String(12)),
    Column("last_used_at", DateTime(timezone=True)),
)
sign_in_link = Table(
    "sign_in_link",
    metadata,
    Column("id", String(64), primary_key=True),  # SHA-256 of what the link carries
    Column("user_id", ForeignKey("account.id"), nullable=False, unique=True),
    Column("expires_at", DateTime(timezone=True), nullable=False),
)
sign_in_limit = Table(
    "sign_in_limit",
    metadata,
    Column("key", String(64), primary_key=True),  # SHA-256 of the account and address, or of the address alone
    Column("failures", Integer, nullable=False),
    Column("last_failure_at", DateTime(timezone=True), nullable=False),
    Column("blocked_until", DateTime(timezone=True), nullable=False),
)
# Failures are forgotten after this long without another one.
FORGET = timedelta(hours=1)
TOUCH = timedelta(seconds=60)


def users(uow: UnitOfWork) -> Repository[User]:
    """Return the people."""
    return Repository(
        uow,
        account,
        User,
        lambda user: {
            "email": user.email,
            "name": user.name,
            "active": user.active,
            "organisation": user.organisation,
        },
    )


def organisations(uow: UnitOfWork) -> Repository[Organisation]:
    """Return the organisations."""
    return Repository(
        uow,
        organisation,
        Organisation,
        lambda item: {
            "name": item.name,
            "kind": item.kind,
            "country": item.country,
            "registration": key_of(item.registration_number),
            "tax": key_of(item.tax_number),
            "standing": item.standing,
            "waits": item.proposal is not None,
        },
    )


def programmes(uow: UnitOfWork) -> Repository[Programme]:
    """Return the programmes."""
    return Repository(uow, programme, Programme)


def user_by_email(uow: UnitOfWork, email: str) -> User | None:
    """Return the person with that address."""
    found = users(uow).where(account.c.email == email, limit=1)
    return found[0] if found else None


# --- passwords -------------------------------------------------------------


def password_hash(connection: Connection, user_id: str) -> str | None:
    """Return the stored hash of a person's password."""
    query = select(credential.c.password_hash).where(credential.c.user_id == user_id)
    return connection.execute(query).scalar_one_or_none()


def store_password_hash(connection: Connection, user_id: str, value: str, now: datetime) -> None:
    """Keep a new hash."""
    row = {"user_id": user_id, "password_hash": value, "changed_at": now}
    upsert = insert(credential).values(row)
    connection.execute(upsert.on_conflict_do_update(index_elements=["user_id"], set_=row))


# --- sessions and keys -------------------------------------------------------

_PERSON = (
    account.c.id.label("user"),
    account.c.name,
    account.c.state["roles"].label("roles"),
    account.c.state["programmes"].label("programmes"),
    account.c.state["locale"].astext.label("locale"),
    account.c.organisation,
    organisation.c.name.label("organisation_name"),
)
_WITH_ORGANISATION = account.outerjoin(organisation, organisation.c.id == account.c.organisation)


def live_session(connection: Connection, session_id: str, now: datetime) -> RowMapping | None:
    """Return a session that may still be used, with the person as they are now; None for any other."""
    query = (
        select(session.c.id.label("session"), session.c.csrf, session.c.last_seen_at, session.c.confirmed_at, *_PERSON)
        .select_from(session.join(_WITH_ORGANISATION, session.c.user_id == account.c.id))
        .where(session.c.id == session_id, account.c.active, *_usable(now))
    )
    return connection.execute(query).mappings().one_or_none()


def _usable(now: datetime) -> tuple[Any, ...]:
    return (session.c.closed_at.is_(None), session.c.expires_at > now, session.c.last_seen_at > now - IDLE)


def live_key(connection: Connection, key_hash: str, now: datetime) -> RowMapping | None:
    """Return an API key that may still be used, with the person as they are now."""
    query = (
        select(
            api_key.c.id.label("session"), api_key.c.confirmed_at, api_key.c.scopes, api_key.c.last_used_at, *_PERSON
        )
        .select_from(api_key.join(_WITH_ORGANISATION, api_key.c.user_id == account.c.id))
        .where(
            api_key.c.key_hash == key_hash, api_key.c.revoked_at.is_(None), api_key.c.expires_at > now, account.c.active
        )
    )
    return connection.execute(query).mappings().one_or_none()


def touch_session(connection: Connection, session_id: str, now: datetime) -> None:
    """Note that a session is in use; at most once a minute, so that reads stay reads."""
    stale = and_(session.c.id == session_id, session.c.last_seen_at < now - TOUCH)
    connection.execute(update(session).where(stale).values(last_seen_at=now))


def touch_key(connection: Connection, key_id: str, now: datetime) -> None:
    """Note that a key is in use; at most once a minute."""
    connection.execute(update(api_key).where(api_key.c.id == key_id).values(last_used_at=now))


def confirm(connection: Connection, session_id: str, renamed: str | None, now: datetime) -> str:
    """Note that the password was given now: for a session, which is called `renamed` from then on, or for a key."""
    if renamed is None:
        connection.execute(update(api_key).where(api_key.c.id == session_id).values(confirmed_at=now))
        return session_id
    connection.execute(update(session).where(session.c.id == session_id).values(id=renamed, confirmed_at=now))
    return renamed


def open_sessions(connection: Connection, user_id: str, now: datetime) -> list[RowMapping]:
    """Return a person's sessions that may still be used, the latest first."""
    query = select(session).where(session.c.user_id == user_id, *_usable(now)).order_by(session.c.opened_at.desc())
    return list(connection.execute(query.limit(50)).mappings())


def close_sessions(
    connection: Connection, user_id: str, now: datetime, reason: str, *, only: str | None = None, but: str | None = None
) -> list[str]:
    """End a person's sessions (`only` that one, or all `but` that one); returns the ids of those ended."""
    conditions = [session.c.user_id == user_id, session.c.closed_at.is_(None)]
    if only is not None:
        conditions.append(session.c.id == only)
    if but is not None:
        conditions.append(session.c.id != but)
    ended = update(session).where(*conditions).values(closed_at=now, closed_reason=reason).returning(session.c.id)
    return list(connection.execute(ended).scalars())


def keys_of(connection: Connection, user_id: str, now: datetime) -> list[RowMapping]:
    """Return a person's API keys that may still be used."""
    conditions = (api_key.c.user_id == user_id, api_key.c.revoked_at.is_(None), api_key.c.expires_at > now)
    query = select(api_key).where(*conditions).order_by(api_key.c.issued_at.desc()).limit(50)
    return list(connection.execute(query).mappings())


# --- links for choosing a password ---------------------------------------------


def keep_link(connection: Connection, hashed: str, user_id: str, until: datetime) -> None:
    """Keep a person's new link; the one before works no more."""
    drop_links(connection, user_id)
    connection.execute(insert(sign_in_link).values(id=hashed, user_id=user_id, expires_at=until))


def link_owner(connection: Connection, hashed: str, now: datetime) -> str | None:
    """Return whose link this is while it may be used."""
    query = select(sign_in_link.c.user_id).join(account, account.c.id == sign_in_link.c.user_id)
    usable = (sign_in_link.c.id == hashed, sign_in_link.c.expires_at > now, account.c.active)
    return connection.execute(query.where(*usable)).scalar_one_or_none()


def drop_links(connection: Connection, user_id: str) -> int:
    """Let a person's link work no more; returns how many there were."""
    return connection.execute(sign_in_link.delete().where(sign_in_link.c.user_id == user_id)).rowcount


def operators_have_signed_in(connection: Connection) -> bool:
    """Say whether anybody who may let others in has ever signed in."""
    query = select(account.c.id).join(session, session.c.user_id == account.c.id)
    may = (account.c.active, account.c.state["roles"].contains(["operator"]))
    return connection.execute(query.where(*may).limit(1)).scalar_one_or_none() is not None


# --- slowing down guessers ---------------------------------------------------


def blocked_until(connection: Connection, keys: list[str], now: datetime) -> datetime | None:
    """Return until when any of the keys is blocked."""
    query = select(func.max(sign_in_limit.c.blocked_until)).where(
        sign_in_limit.c.key.in_(keys), sign_in_limit.c.blocked_until > now
    )
    until: datetime | None = connection.execute(query).scalar_one()
    return until


def count_failure(connection: Connection, key: str, now: datetime) -> int:
    """Count one more failure of a key and return how many there are; old ones are forgotten."""
    table = sign_in_limit.c
    upsert = insert(sign_in_limit).values(key=key, failures=1, last_failure_at=now, blocked_until=now)
    forgotten = table.last_failure_at < now - FORGET
    counted = upsert.on_conflict_do_update(
        index_elements=["key"],
        set_={"failures": case((forgotten, 1), else_=table.failures + 1), "last_failure_at": now},
    ).returning(table.failures)
    failures: int = connection.execute(counted).scalar_one()
    return failures


def block(connection: Connection, key: str, until: datetime) -> None:
    """Refuse further tries of a key until then."""
    connection.execute(update(sign_in_limit).where(sign_in_limit.c.key == key).values(blocked_until=until))


def forgive(connection: Connection, key: str) -> None:
    """Forget the failures of a key."""
    connection.execute(sign_in_limit.delete().where(sign_in_limit.c.key == key))


# --- lists -------------------------------------------------------------------


def people(
    connection: Connection, *, words: str = "", after: list[Any] | None = None, limit: int = 50
) -> list[RowMapping]:
    """Return `limit` + 1 people by name, those whose name, address or organisation has the words."""
    query = select(*_PERSON, account.c.email, account.c.active, account.c.version).select_from(_WITH_ORGANISATION)
    if words:
        named = (account.c.name, account.c.email, organisation.c.name)
        query = query.where(or_(*(column.icontains(words, autoescape=True) for column in named)))
    if after:
        query = query.where(tuple_(account.c.name, account.c.id) > tuple_(*after))
    return list(connection.execute(query.order_by(account.c.name, account.c.id).limit(limit + 1)).mappings())


def organisation_list(connection: Connection) -> list[RowMapping]:
    """Return all organisations that somebody may belong to, by name."""
    columns = (organisation.c.id, organisation.c.name, organisation.c.state["kind"].astext.label("kind"))
    known = func.coalesce(organisation.c.standing, "known") == "known"
    return list(connection.execute(select(*columns).where(known).order_by(organisation.c.name).limit(2000)).mappings())


def programme_list(connection: Connection) -> list[RowMapping]:
    """Return all programmes: id, names, pack version and hash, when loaded and by whom."""
    state = programme.c.state
    columns = (
        programme.c.id,
        state["pack"]["programme"]["name"].label("names"),
        state["pack_version"].label("pack_version"),
        state["sha256"].astext.label("sha256"),
        programme.c.updated_at,
        programme.c.updated_by_name,
    )
    return list(connection.execute(select(*columns).order_by(programme.c.id).limit(200)).mappings())


def zones(connection: Connection) -> dict[str, str]:
    """Return the time zone of each programme that names one."""
    zone = programme.c.state["pack"]["programme"]["settings"]["timezone"].astext
    rows = connection.execute(select(programme.c.id, zone.label("zone")).where(zone.is_not(None)).limit(1000))
    return {row.id: row.zone for row in rows}


def programme_pack(connection: Connection, programme_id: str) -> RowMapping | None:
    """Return a programme's state and version."""
    query = select(programme.c.id, programme.c.state, programme.c.updated_at).where(programme.c.id == programme_id)
    return connection.execute(query).mappings().one_or_none()
