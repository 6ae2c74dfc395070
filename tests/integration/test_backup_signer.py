"""Restores where a signer runs by itself: it keeps what it remembers, and the operator is told what that means."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest
from kept_house import OPERATOR, House
from rich.console import Console
from sqlalchemy import text

from services.audit.domain.note import Checkpoint
from services.audit.handlers.signing import ForkedLogError, sign_checkpoint
from services.audit.handlers.verification import verify
from services.audit.keys import Keys
from services.audit.signer.book import KEY, Book
from services.audit.signer.server import Door
from services.audit.signer.wire import FOLDER, Asked, address_in
from services.backup import cli
from services.backup.creating import Created
from services.backup.restoring import Restored, restore
from shared.safekeeping.showing import Steps
from shared.testing.stand import Stand

pytestmark = pytest.mark.slow  # backups and restores of whole houses


@dataclass
class Signed:
    """A house and the book of its signer."""

    house: House
    book: Book

    @contextmanager
    def running(self) -> Iterator[None]:
        """Have the signer run for a while, as it starts with Tamga."""
        self.book.open()
        stop = threading.Event()
        with Door(address_in(self.house.home), self.book) as door:
            thread = threading.Thread(target=door.serve, args=(stop.is_set,))
            thread.start()
            try:
                yield
            finally:
                stop.set()
                thread.join()

    def sign(self) -> int:
        with self.house.engine("audit").begin() as connection:
            signed = sign_checkpoint(connection, Keys.of(self.house.settings))
        return signed.size if signed else 0


@pytest.fixture
def signed(stand: Stand, tmp_path: Path) -> Signed:
    """Give a house with six acts, five of which its signer has signed."""
    house = House(stand, tmp_path / "home", stand.rabbitmq.url(vhost=stand.own_vhost()))
    house.home.mkdir()
    house.settings = house.settings.model_copy(update={"signer": address_in(house.home)})
    made = Signed(house, Book(house.home / FOLDER, "127.0.0.1:8400/audit", house.home / "keys"))
    with made.running():
        house.act(6)
        house.carry(lose=1)
    return made


def brought_back(house: House, made: Created) -> Restored:
    """Restore a backup over what is there."""
    return restore(house.settings, house.file(made), OPERATOR, Steps(), replacing=True, despite_findings=False)


def said(done: Restored, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return what the operator reads."""
    monkeypatch.setattr(cli, "console", Console(file=StringIO(), width=400))
    cli._say_restored(done)
    file = cli.console.file
    assert isinstance(file, StringIO)
    return file.getvalue()


def test_an_old_backup_does_not_make_the_signer_forget(signed: Signed, monkeypatch: pytest.MonkeyPatch) -> None:
    """The restored log is sound and not signed; the restore says why and what to do, and after that it is signed."""
    made = signed.house.backup()
    with signed.running():
        signed.house.act(3)
        signed.house.carry()
    kept = signed.book.state().note

    done = brought_back(signed.house, made)
    assert (done.log_size, done.signed_before, done.refuses, done.lost_entries, done.keys_left) == (5, 8, True, 3, [])
    assert "signed 8 entries and the restored log has 5" in said(done, monkeypatch)
    assert "begin-again" in said(done, monkeypatch)
    assert signed.book.state().note == kept
    assert not (signed.house.home / "keys" / KEY).exists()
    with signed.running():
        with pytest.raises(ForkedLogError, match="had 8 entries when it was signed and has 5 now"):
            signed.sign()
        signed.book.begin_again("the disk died")
        assert signed.sign() == 5
        assert verify(signed.house.engine("audit"), Keys.of(signed.house.settings)).trust.anchors[0].size == 5


def test_a_backup_of_all_that_was_signed_goes_on_by_itself(signed: Signed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is said and nothing has to be done when the signer had signed no more than came back."""
    made = signed.house.backup()
    done = brought_back(signed.house, made)
    assert (done.log_size, done.signed_before, done.refuses) == (5, 5, False)
    assert "begin" not in said(done, monkeypatch)
    with signed.running():
        assert signed.sign() == 5
        signed.house.carry()
    assert signed.book.state().size > 5


def test_a_new_machine_goes_on_under_the_restored_key(signed: Signed) -> None:
    """Where no signer has signed anything, it takes the key, the name and the memory that the backup brings."""
    made, before = signed.house.backup(), signed.book.state()
    for folder in (FOLDER, "keys"):
        shutil.rmtree(signed.house.home / folder)
    done = brought_back(signed.house, made)
    assert (done.refuses, done.signed_before) == (False, 0)
    with signed.running():
        assert (signed.book.state().key, signed.book.state().note) == (before.key, before.note)
        assert signed.sign() == 5
        with signed.house.engine("audit").connect() as connection:
            assert connection.execute(text("SELECT count(*) FROM checkpoint")).scalar_one() == 1


def test_a_machine_that_signs_another_log_takes_the_restored_key_when_told(signed: Signed) -> None:
    """A signer that has signed its own log is locked after a restore, until it is told to begin again."""
    made, before = signed.house.backup(), signed.book.state()
    shutil.rmtree(signed.house.home / FOLDER)
    shutil.rmtree(signed.house.home / "keys")
    other = Book(signed.house.home / FOLDER, "127.0.0.1:8400/audit", signed.house.home / "keys")
    other.open()
    other.add(Asked(0, (), Checkpoint(other.origin, 1, b"r" * 32).text()))
    done = brought_back(signed.house, made)
    assert done.refuses
    with signed.running():
        assert "not the one under which the log is known" in signed.book.state().locked
        signed.book.begin_again("this machine takes the other's place")
        assert signed.book.state().key == before.key
        assert signed.sign() == 5
