"""What is sealed at rest besides bank numbers: files that carry them. And all of it sealed anew under a new key.

A file is sealed once, under a key of its own; the table has that key, sealed by the vault, so that another
installation key changes rows and no files.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, String, Table, Text, cast, column, or_, select, table, text, update
from sqlalchemy.dialects.postgresql import insert

from services.grants.storage import payees
from services.grants.storage.base import metadata
from shared.documents import DamagedDocumentError, DocumentStore
from shared.vault import Vault, VaultError, key_id, open_document, seal_document

sealed_file = Table(
    "sealed_file",
    metadata,
    Column("sha256", String(64), primary_key=True),  # of the file as it is taken out
    Column("kept", String(64), nullable=False),  # of the sealed bytes, by which they are stored
    Column("secret", String(200), nullable=False),
    Column("key", String(8), nullable=False),
    info={"app_may": "SELECT, INSERT"},
)


@dataclass(frozen=True)
class Rekeyed:
    """What was sealed anew; `keys` has how much stands under each key now."""

    numbers: int
    files: int
    keys: dict[str, int]
    letters: int = 0  # of the files: letters that stood open


def _about(sha256: str) -> str:
    return f"sealed_file:{sha256}"


def keep(connection: Connection, store: DocumentStore, vault: Vault, content: bytes) -> str:
    """Keep a file sealed; returns the hash of its content, by which it is known."""
    sha256 = hashlib.sha256(content).hexdigest()
    sealed, key = seal_document(content)
    row = {"kept": store.keep(sealed), "secret": vault.seal(key, _about(sha256)), "key": vault.newest}
    connection.execute(insert(sealed_file).values(sha256=sha256, **row).on_conflict_do_nothing())
    return sha256


def get(connection: Connection, store: DocumentStore, vault: Vault, sha256: str) -> bytes:
    """Return a kept file; raises DamagedDocumentError when it is not what it was. Those of before are as they were."""
    row = connection.execute(select(sealed_file).where(sealed_file.c.sha256 == sha256)).one_or_none()
    if row is None:
        return store.get(sha256)
    content = open_document(store.get(row.kept), vault.open(row.secret, _about(sha256)))
    if hashlib.sha256(content).hexdigest() != sha256:
        raise DamagedDocumentError("The stored bytes do not match the hash %(sha256)s", sha256=sha256)
    return content


def _letters(connection: Connection) -> set[str]:
    """Return the hashes of all letters of banks."""
    found = connection.execute(select(payees.payee.c.state["details"])).scalars()
    return {item["letter"]["sha256"] for details in found for item in details or ()}


def _seal_letters(connection: Connection, store: DocumentStore, vault: Vault) -> int:
    """Seal letters of banks that were kept open; returns how many. One that is gone stays unknown."""
    known = set(connection.execute(select(sealed_file.c.sha256)).scalars())
    found = [name for name in sorted(_letters(connection) - known) if store.path(name).exists()]
    for sha256 in found:
        keep(connection, store, vault, store.get(sha256))
    return len(found)


def forget_open(connection: Connection, store: DocumentStore, elsewhere: Sequence[Connection]) -> int:
    """Take the open copies of sealed letters out, when their seals are committed; returns how many.

    What a case has among its own documents, too, stays there: whoever may read the case may read it. So does what
    another service keeps in the same folder: `elsewhere` are their databases.
    """
    sealed = set(connection.execute(select(sealed_file.c.sha256)).scalars()) & _letters(connection)
    names = {name for name in sealed if store.path(name).exists()}
    for database in (connection, *elsewhere):
        names -= _named_in(database, names)
    for name in names:
        store.forget(name)
    return len(names)


# Columns in which entities, and versions of them, name documents.
_NAMING = ("state", "content", "answers", "documents", "sha256")
_TABLES = text(
    "SELECT table_name, column_name FROM information_schema.columns"
    " WHERE table_schema = current_schema() AND column_name = ANY(:naming)"
)


def _named_in(connection: Connection, names: set[str]) -> set[str]:
    """Return which of these hashes a database names beside payees and their seals."""
    found: set[str] = set()
    for table_name, column_name in connection.execute(_TABLES, {"naming": list(_NAMING)}) if names else ():
        if table_name in {payees.payee.name, sealed_file.name}:
            continue
        said = cast(column(column_name), Text)
        query = select(said).select_from(table(table_name)).where(said.regexp_match("|".join(sorted(names))))
        found |= {name for row in connection.execute(query) for name in names if name in row[0]}
    return found


def rekey(connection: Connection, vault: Vault, store: DocumentStore) -> Rekeyed:
    """Seal under the newest key what stands open or under an older one; raises VaultError when a key is missing.

    The service's own role may not change these rows: this is for the owner of the tables. When it is committed,
    `forget_open` takes out what stood open.
    """
    letters = _seal_letters(connection, store, vault)
    n, f = payees.payee_number.c, sealed_file.c
    numbers = connection.execute(
        select(n.payee, n.number, n.value, n.key).where(or_(n.key.is_(None), n.key != vault.newest)).with_for_update()
    ).all()
    for row in numbers:
        value = vault.open(row.value, payees.about(row.payee, row.number)).decode() if row.key else row.value
        changed = payees.sealed(vault, row.payee, row.number, value)
        connection.execute(
            update(payees.payee_number).where(n.payee == row.payee, n.number == row.number).values(**changed)
        )
    files = connection.execute(select(sealed_file).where(f.key != vault.newest).with_for_update()).all()
    for row in files:
        secret = vault.seal(vault.open(row.secret, _about(row.sha256)), _about(row.sha256))
        connection.execute(update(sealed_file).where(f.sha256 == row.sha256).values(secret=secret, key=key_id(secret)))
    return Rekeyed(len(numbers), letters + len(files), standing(connection), letters)


def standing(connection: Connection) -> dict[str, int]:
    """Return how much is sealed under each key; "" is what is not sealed."""
    found: Counter[str] = Counter()
    for stored in (payees.payee_number.c.key, sealed_file.c.key):
        rows: Any = connection.execute(select(stored)).scalars()
        found.update(key or "" for key in rows)
    return dict(found)


def unopenable(connection: Connection, vault: Vault) -> dict[str, int]:
    """Return what is sealed under keys that are not here: {key: how much}."""
    return {key: much for key, much in standing(connection).items() if key and key not in vault.ids}


def must_be_openable(connection: Connection, vault: Vault) -> None:
    """Raise VaultError that names the keys that are missing."""
    if missing := unopenable(connection, vault):
        said = ", ".join(f"{much} under {key}" for key, much in sorted(missing.items()))
        raise VaultError(
            f"Bank numbers and files are sealed with keys that are not here ({said}): add these lines from your copy"
            " of the key file, or take keys/payee.key out of the last backup"
        )
