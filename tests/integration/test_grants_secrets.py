"""Bank numbers at rest: not to be read in the tables, and sealed anew under a newer key."""

from __future__ import annotations

from pathlib import Path

import pytest
from payable import IBAN, KEY, VAULT
from sqlalchemy import Engine, insert, select

from services.grants.domain.payee import Payee
from services.grants.storage import payees, secrets
from shared.database import Context, UnitOfWork, system
from shared.documents import DocumentStore
from shared.testing.clock import StandingClock
from shared.testing.stand import Stand
from shared.vault import Vault, VaultError, new_key


def test_numbers_and_files_are_sealed_and_take_a_newer_key(stand: Stand, tmp_path: Path) -> None:
    """No row has the number, equal ones are found while keys change, and then the old key can go."""
    engine: Engine = stand.database("grants")
    store, number = DocumentStore(tmp_path), payees.payee_number
    context, clock = Context(actor=system("grants")), StandingClock()
    with UnitOfWork(engine, "grants", context, clock=clock) as uow:
        for name in ("a", "b"):
            payees.payees(uow).add(Payee(id=name, name=name.upper(), programme="p"))
        uow.flush()
        connection = uow.connection
        payees.keep_number(connection, VAULT, "a", 1, IBAN)
        connection.execute(insert(number).values(payee="b", number=1, value=IBAN))  # as it was kept before
        sha256 = secrets.keep(connection, store, VAULT, b"<to>" + IBAN.encode())
        assert payees.numbers(connection, VAULT, "b") == {1: IBAN}
    assert not any(IBAN.encode() in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    newer = new_key()
    both, new = Vault([newer, KEY]), Vault([newer])
    with stand.owner(str(engine.url.database), "grants").begin() as connection:
        payees.keep_number(connection, both, "a", 2, IBAN)
        done = secrets.rekey(connection, both)
        assert (done.numbers, done.files, done.keys) == (2, 1, {new.newest: 4})
        assert secrets.rekey(connection, both).numbers == 0
        assert payees.others_with(connection, new, "a") == {1: ["B"], 2: ["B"]}
        assert secrets.get(connection, store, new, sha256).endswith(IBAN.encode())
        stored = connection.execute(select(number)).mappings().all()
        assert IBAN not in str(stored)
        with pytest.raises(VaultError, match="4 under"):
            secrets.must_be_openable(connection, VAULT)
    assert not store.path(sha256).exists()
