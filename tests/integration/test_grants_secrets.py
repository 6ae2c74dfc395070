"""Bank numbers at rest: not to be read in the tables, and sealed anew under a newer key."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from payable import IBAN, KEY, VAULT
from sqlalchemy import Engine, insert, select

from services.grants.domain.payee import Details, Letter, Payee
from services.grants.storage import payees, secrets, tables
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
        done = secrets.rekey(connection, both, store)
        assert (done.numbers, done.files, done.keys) == (2, 1, {new.newest: 4})
        assert secrets.rekey(connection, both, store).numbers == 0
        assert payees.others_with(connection, new, "a") == {1: ["B"], 2: ["B"]}
        assert secrets.get(connection, store, new, sha256).endswith(IBAN.encode())
        stored = connection.execute(select(number)).mappings().all()
        assert IBAN not in str(stored)
        with pytest.raises(VaultError, match="4 under"):
            secrets.must_be_openable(connection, VAULT)
    assert not store.path(sha256).exists()


def test_letters_of_banks_that_stood_open_are_sealed(stand: Stand, tmp_path: Path) -> None:
    """A letter of before reads on and is sealed; its open copy goes when no case has the same file as a document."""
    engine: Engine = stand.database("grants")
    store = DocumentStore(tmp_path)
    alone, shared = (b"%PDF-1.4 " + IBAN.encode() + tail for tail in (b"1", b"2"))
    with UnitOfWork(engine, "grants", Context(actor=system("grants")), clock=StandingClock()) as uow:
        for name, content in (("a", alone), ("b", shared)):
            letter = Letter(name="letter.pdf", media_type="application/pdf", size=9, sha256=store.keep(content))
            about = {"kind": "iban", "country": "MK", "masked": "MK**", "holder": "A", "resembles": 100}
            by = {"entered_by": "user:a", "entered_by_name": "A", "entered_role": "applicant"}
            item = Details(number=1, letter=letter, entered_at=StandingClock()(), **about, **by)
            payees.payees(uow).add(Payee(id=name, name=name, programme="p", details=[item]))
        uow.flush()
        name = hashlib.sha256(shared).hexdigest()
        by_whom = {"updated_by": "a", "updated_by_name": "A", "created_at": uow.now(), "updated_at": uow.now()}
        row = {"id": "x", "version": 1, "programme": "p", "waits_for_finance": False, "last_changes": {}, **by_whom}
        uow.connection.execute(insert(tables.award).values(state={"evidence": [{"sha256": name}]}, **row))
    with stand.owner(str(engine.url.database), "grants").begin() as connection:
        assert secrets.rekey(connection, VAULT, store).letters == 2
        assert secrets.rekey(connection, VAULT, store).letters == 0
    loans = stand.database("loans")
    with stand.owner(str(engine.url.database), "grants").begin() as connection, loans.begin() as elsewhere:
        assert secrets.forget_open(connection, store, [elsewhere]) == 1
        for content in (alone, shared):
            assert secrets.get(connection, store, VAULT, hashlib.sha256(content).hexdigest()) == content
    kept = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    assert [content for content in kept if IBAN.encode() in content] == [shared]
