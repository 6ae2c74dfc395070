"""Tables and queries of bank files. The files themselves are kept with the documents, by their hash."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Column, Connection, Index, String, select

from services.grants.domain.application import Application
from services.grants.domain.award import Award
from services.grants.domain.bank_file import BankFile
from services.grants.domain.payee import Payee
from services.grants.storage import payees as payees_stored
from services.grants.storage import tables as t
from services.grants.storage.base import metadata
from shared.database import Repository, UnitOfWork, entity_table

MOST_AWARDS, LATEST = 500, 100
bank_file = entity_table(
    "bank_file",
    metadata,
    Column("programme", String(80), nullable=False),
    Column("status", String(20), nullable=False),
    Index("bank_file_programme", "programme", "id"),
)


def bank_files(uow: UnitOfWork) -> Repository[BankFile]:
    """Return the bank files of this transaction."""
    return Repository(uow, bank_file, BankFile, lambda item: {"programme": item.programme, "status": item.status})


def find(connection: Connection, file_id: str) -> BankFile | None:
    """Return a bank file to look at."""
    row = connection.execute(select(bank_file).where(bank_file.c.id == file_id)).mappings().one_or_none()
    return None if row is None else BankFile.stored(row["state"], row["version"])


def latest(connection: Connection, programme: str) -> list[BankFile]:
    """Return the latest bank files of a programme, newest first."""
    query = select(bank_file).where(bank_file.c.programme == programme).order_by(bank_file.c.id.desc()).limit(LATEST)
    return [BankFile.stored(row["state"], row["version"]) for row in connection.execute(query).mappings()]


def released(connection: Connection, programme: str) -> list[Award]:
    """Return the awards of a programme in which something may wait for a bank file, by reference."""
    c = t.award.c
    query = select(t.award).where(c.programme == programme, c.concluded_at.is_not(None), c.waits_for_finance)
    rows = connection.execute(query.order_by(c.id).limit(MOST_AWARDS)).mappings()
    return [Award.stored(row["state"], row["version"]) for row in rows]


def cases(connection: Connection, references: Sequence[str]) -> dict[str, Application]:
    """Return applications to look at, by reference."""
    query = select(t.application).where(t.application.c.id.in_(references))
    rows = connection.execute(query).mappings()
    return {row["id"]: Application.stored(row["state"], row["version"]) for row in rows}


def payees(connection: Connection, organisations: Sequence[str]) -> dict[str, Payee]:
    """Return the payees among these organisations."""
    table = payees_stored.payee
    rows = connection.execute(select(table).where(table.c.id.in_(organisations))).mappings()
    return {row["id"]: Payee.stored(row["state"], row["version"]) for row in rows}
