"""Tables and queries of bank details.

The numbers stand in `payee_number` alone, sealed under a key that is not in the database; this service's role reads
the table and only adds to it. No entity, event, log or export carries them. What pays asks `account_of`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    RowMapping,
    String,
    Table,
    func,
    insert,
    select,
    text,
    union,
)

from services.grants.domain.payee import Payee
from services.grants.storage import cofinancing as cofinanced
from services.grants.storage import tables as t
from services.grants.storage.base import metadata
from shared.database import Repository, UnitOfWork, entity_table
from shared.vault import Vault

MOST = 300
payee = entity_table(
    "payee",
    metadata,
    Column("programme", String(80), nullable=False),
    Column("waits", Boolean, nullable=False),
    Index("payee_waiting", "programme", "id", postgresql_where=text("waits")),
)
payee_number = Table(
    "payee_number",
    metadata,
    Column("payee", String(80), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("value", String(200), nullable=False),  # sealed; `key` says under which key, none of what was kept before
    Column("key", String(8)),
    Column("mark", String(64), index=True),  # the same of the same number
    info={"app_may": "SELECT, INSERT"},
)
n = payee_number.c


@dataclass(frozen=True)
class Account:
    """Where a payment goes: `value` is an IBAN, or a domestic number at `bank`."""

    kind: str
    value: str
    bic: str
    bank: str
    country: str
    holder: str
    masked: str


def payees(uow: UnitOfWork) -> Repository[Payee]:
    """Return the payees of this transaction."""
    return Repository(uow, payee, Payee, lambda item: {"programme": item.programme, "waits": item.waiting is not None})


def find(connection: Connection, organisation: str) -> Payee | None:
    """Return a payee to look at."""
    row = connection.execute(select(payee).where(payee.c.id == organisation)).mappings().one_or_none()
    return None if row is None else Payee.stored(row["state"], row["version"])


def lock(connection: Connection, organisation: str) -> None:
    """Let one person at a time enter details of an organisation, until this transaction ends."""
    connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"payee:{organisation}", 0))))


def about(organisation: str, number: int) -> str:
    """Return what a number's seal is bound to."""
    return f"payee_number:{organisation}:{number}"


def sealed(vault: Vault, organisation: str, number: int, value: str) -> dict[str, str]:
    """Return a number as it is stored."""
    content = value.encode()
    mark = vault.marks(content)[0]
    return {"value": vault.seal(content, about(organisation, number)), "key": vault.newest, "mark": mark}


def keep_number(connection: Connection, vault: Vault, organisation: str, number: int, value: str) -> None:
    """Keep the number of one of the details; it is never changed."""
    row = sealed(vault, organisation, number, value)
    connection.execute(insert(payee_number).values(payee=organisation, number=number, **row))


def numbers(connection: Connection, vault: Vault, organisation: str) -> dict[int, str]:
    """Return all numbers that an organisation has or had."""
    query = select(n.number, n.value, n.key).where(n.payee == organisation)
    return {
        row.number: vault.open(row.value, about(organisation, row.number)).decode() if row.key else row.value
        for row in connection.execute(query)
    }


def account_of(connection: Connection, vault: Vault, organisation: str) -> Account | None:
    """Return the confirmed account of an organisation with its whole number, for a payment; None without one.

    Whether it may be paid to now is `handlers.payees.must_be_payable`.
    """
    found = find(connection, organisation)
    item = found.current if found else None
    if item is None:
        return None
    facts = {name: getattr(item, name) for name in ("kind", "bic", "bank", "country", "holder", "masked")}
    return Account(value=numbers(connection, vault, organisation)[item.number], **facts)


def others_with(connection: Connection, vault: Vault, organisation: str) -> dict[int, list[str]]:
    """Return {number of the details: names of other organisations that entered the same account}."""
    own = numbers(connection, vault, organisation)
    # While keys change, one number has a mark by each of them.
    marks = {number: set(vault.marks(value.encode())) for number, value in own.items()}
    query = (
        select(n.mark, payee.c.state["name"].astext.label("name"))
        .select_from(payee_number.join(payee, payee.c.id == n.payee))
        .where(n.mark.in_(sorted(set().union(*marks.values()))), n.payee != organisation)
        .distinct()
        .order_by("name")
        .limit(MOST)
    )
    rows = connection.execute(query).all() if own else []
    found = {number: sorted({row.name for row in rows if row.mark in known}) for number, known in marks.items()}
    return {number: names for number, names in found.items() if names}


def places(connection: Connection, organisation: str) -> list[str]:
    """Return the programmes in which an organisation has handed something in, by id."""
    a, c = t.application.c, cofinanced.cofinancing.c
    query = union(
        select(a.programme).where(a.organisation == organisation, a.submitted_at.is_not(None)),
        select(c.programme).where(c.organisation == organisation, c.stage != "concept"),
    )
    return sorted(connection.execute(query).scalars())


def find_organisation(connection: Connection, organisation: str) -> RowMapping | None:
    """Return what is known of an organisation."""
    query = select(t.organisation).where(t.organisation.c.id == organisation)
    return connection.execute(query).mappings().one_or_none()


def listed(connection: Connection, programmes: Sequence[str] | None, *, waiting: bool) -> list[Payee]:
    """Return payees of these programmes (of all when None), those that changed last first."""
    query: Any = select(payee)
    if programmes is not None:
        query = query.where(payee.c.programme.in_(programmes))
    if waiting:
        query = query.where(payee.c.waits)
    rows = connection.execute(query.order_by(payee.c.updated_at.desc(), payee.c.id).limit(MOST)).mappings()
    return [Payee.stored(row["state"], row["version"]) for row in rows]
