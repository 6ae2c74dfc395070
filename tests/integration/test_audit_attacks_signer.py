"""Attacks on the log that its signer and what people keep of it have to stop: T5 and T6, and what follows of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from audit_log import act, take_in
from sqlalchemy import Engine, text

from services.audit.figures import figures
from services.audit.handlers.proofs import prove
from services.audit.handlers.signing import ForkedLogError, SilentError, sign_checkpoint, signed_at_least
from services.audit.handlers.verification import Report, verify
from services.audit.handlers.watching_signer import keep_signing
from services.audit.keys import Keys
from services.audit.signer.book import Book
from services.audit.signer.server import Door
from services.audit.signer.wire import address_in
from services.audit.storage import tree
from shared.database import Context, UnitOfWork, reading, system
from shared.errors import ConflictError
from shared.testing.stand import Stand

NAME = "log.example/audit"


@dataclass
class House:
    """A log whose signer runs by itself."""

    engine: Engine
    home: Path
    book: Book
    now: datetime

    @property
    def keys(self) -> Keys:
        return Keys(self.home / "keys", NAME, address_in(self.home))

    def sign(self) -> tree.Signed | None:
        with self.engine.begin() as connection:
            return sign_checkpoint(connection, self.keys)

    def tick(self, seconds: float = 0) -> list[tuple[str, dict[str, Any]]]:
        """Let the timer run after a while; return the events that it recorded."""
        self.now += timedelta(seconds=seconds)
        with UnitOfWork(self.engine, "audit", Context(actor=system("audit")), clock=lambda: self.now) as uow:
            keep_signing(uow, self.keys)
        query = "SELECT type, body->'data' FROM outbox WHERE type LIKE 'audit.signing.%' ORDER BY row"
        with self.engine.connect() as connection:
            return [(row[0].removeprefix("audit.signing."), row[1]) for row in connection.execute(text(query))]

    def told(self) -> dict[str, Any] | None:
        with reading(self.engine) as connection:
            found: dict[str, Any] | None = figures(connection)["unsigned"]
            return found

    def verify(self, **options: Any) -> Report:
        return verify(self.engine, self.keys, clock=lambda: datetime.now(UTC) + timedelta(minutes=1), **options)

    def write(self, first: int, last: int) -> None:
        take_in(self.engine, [act(n) for n in range(first, last + 1)])


@pytest.fixture
def signer(tmp_path: Path) -> Iterator[Book]:
    """Give the book of a signer that listens where the house looks for it."""
    book = Book(tmp_path / "signer", NAME, tmp_path / "keys")
    book.open()
    stop = threading.Event()
    with Door(address_in(tmp_path), book) as door:
        thread = threading.Thread(target=door.serve, args=(stop.is_set,))
        thread.start()
        yield book
        stop.set()
        thread.join()


@pytest.fixture
def house(stand: Stand, tmp_path: Path, signer: Book) -> House:
    """Give a signed log of twenty entries."""
    made = House(stand.database("audit"), tmp_path, signer, datetime.now(UTC))
    made.write(1, 20)
    made.sign()
    return made


def test_the_signer_alone_has_the_key(house: House) -> None:
    """The audit service signs through the signer, verifies with its public key, and has no private one."""
    assert not house.keys.key_file.exists()
    house.write(21, 25)
    signed = house.sign()
    assert signed is not None
    assert (signed.size, house.book.state().size) == (25, 25)
    report = house.verify()
    assert report.ok
    assert report.trust.as_json()["mode"] == "own"
    assert [anchor.what for anchor in report.trust.anchors] == ["signer"]


def test_t5_a_log_rewritten_with_a_new_key_fails_against_a_pinned_key_and_an_old_checkpoint(
    house: House, stand: Stand, tmp_path: Path
) -> None:
    """Rows, tiles, tree and checkpoints all made anew and signed by another key are sound to themselves alone.

    Whoever brings the key and one checkpoint along sees it, and each verdict says on whose word it rests.
    """
    signed = house.sign()
    assert signed is not None
    kept, pinned = signed.note, house.keys.verifier
    forged = replace(house, engine=stand.database("audit"), home=tmp_path / "forger")
    forged.write(101, 130)
    forger = Keys(forged.home / "keys", NAME)
    with forged.engine.begin() as connection:
        sign_checkpoint(connection, forger)

    own = verify(forged.engine, forger)
    assert (own.ok, own.trust.mode) == (True, "own")
    assert "this installation's own word" in own.trust.sentence()
    by_key = verify(forged.engine, forger, brought=[pinned])
    assert not by_key.ok
    assert (by_key.trust.mode, by_key.trust.keys) == ("key", (pinned.encode(),))
    by_both = verify(forged.engine, forger, brought=[pinned], pinned=kept)
    assert not by_both.ok
    assert by_both.trust.mode == "pinned"
    assert {"signature", "tree"} <= {item.kind for item in by_both.findings}
    sound = house.verify(brought=[pinned], pinned=kept)
    assert (sound.ok, sound.trust.mode) == (True, "pinned")
    assert [anchor.what for anchor in sound.trust.anchors] == ["brought", "signer"]


def test_t6_last_nights_backup_is_not_signed_and_that_is_an_alarm(house: House, stand: Stand) -> None:
    """A database put back to last night is refused at once, and still when it has grown past what was signed.

    The refusal is one event, a line for the operator and a figure, and stays so until an operator has the signer
    begin again; that the log was begun again, why, and what had been signed, stands in the log itself.
    """
    backup = stand.copy(house.engine, "audit")
    house.write(21, 30)
    house.sign()
    restored = replace(house, engine=backup)
    with pytest.raises(ForkedLogError, match="had 30 entries when it was signed and has 20 now"):
        restored.sign()
    [(kind, told)] = restored.tick()
    assert (kind, told["kind"], told["signed"], told["size"]) == ("stopped", "refused", 20, 20)
    assert "had 30 entries" in told["problem"]

    restored.write(21, 40)
    with pytest.raises(ForkedLogError, match="not its signed past"):
        restored.sign()
    assert len(restored.tick(3600)) == 1
    unsigned = restored.told()
    assert unsigned is not None
    assert unsigned["kind"] == "refused"
    assert "had 30 entries" in house.book.state().refused or "signed past" in house.book.state().refused

    house.book.begin_again("restored the backup of last night")
    restored.now = datetime.now(UTC) + timedelta(seconds=1)
    events = restored.tick()
    assert [kind for kind, _ in events] == ["stopped", "resumed"]
    assert events[1][1]["begun_again"] == "restored the backup of last night"
    assert (events[1][1]["signed_before"], events[1][1]["signed"]) == (30, 40)
    assert restored.told() is None
    assert restored.verify().ok


def test_a_log_that_catches_up_is_signed_without_a_word(house: House, stand: Stand) -> None:
    """What was restored in time to have all that was signed goes on by itself."""
    house.write(21, 30)
    house.sign()
    newer = replace(house, engine=stand.copy(house.engine, "audit"))
    newer.write(31, 33)
    signed = newer.sign()
    assert signed is not None
    assert signed.size == 33
    assert newer.tick() == []


def test_while_the_signer_is_down_everything_else_goes_on(house: House) -> None:
    """Writing, verifying and old proofs go on; silence is on record after a minute, and so is its end."""
    away = replace(house, home=house.home / "nobody")
    (away.home / "keys").mkdir(parents=True)
    for file in house.keys.folder.glob("audit.*"):
        (away.home / "keys" / file.name).write_bytes(file.read_bytes())
    away.write(21, 25)
    with pytest.raises(SilentError, match="does not answer"):
        away.sign()
    assert away.tick() == []
    assert away.tick(30) == []
    [(kind, told)] = away.tick(31)
    assert (kind, told["kind"]) == ("stopped", "silent")
    assert len(away.tick(60)) == 1
    report = away.verify()
    assert (report.ok, report.signed_size) == (True, 20)
    assert [anchor.what for anchor in report.trust.anchors] == ["beside"]
    with away.engine.begin() as connection:
        at = "SELECT event_id FROM event WHERE leaf_index = :index"
        old, new = (connection.execute(text(at), {"index": index}).scalar_one() for index in (3, 22))
        prove(connection, old, away.keys).check()
        with pytest.raises(ConflictError, match="can't be signed at the moment"):
            prove(connection, new, away.keys)
        checkpoint = signed_at_least(connection, away.keys, 20)
        assert checkpoint is not None
        assert checkpoint.size == 20
    back = replace(house, now=away.now)
    assert [kind for kind, _ in back.tick(5)] == ["stopped", "resumed"]
    assert house.told() is None


def test_a_signer_with_another_key_is_not_believed(house: House, stand: Stand, tmp_path: Path) -> None:
    """Somebody else behind the signer's address can't sign for it: the house knows its key."""
    other = Book(tmp_path / "impostor", NAME)
    other.open()
    key = (other.folder / "audit.pem").read_bytes()
    house.write(21, 22)
    (house.book.folder / "audit.pem").write_bytes(key)
    with pytest.raises(SilentError, match="not the one under which the log is known"):
        house.sign()


def test_before_the_signer_has_told_its_key_pages_say_so(tmp_path: Path) -> None:
    """In the first seconds of a new house nobody knows the log's key: that is a sentence, not a failure."""
    with pytest.raises(ConflictError, match="not told its key yet"):
        _ = Keys(tmp_path / "keys", NAME, address_in(tmp_path)).verifier
