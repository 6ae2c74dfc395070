"""The signer by itself: what it signs and refuses, what it keeps, how it is asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.audit.domain.merkle import leaf_hash, perfect_root, prove_consistency, root_from
from services.audit.domain.note import Checkpoint, Signer, Verifier, open_checkpoint, open_note
from services.audit.signer.book import BEGAN, HISTORY, KEY, LAST, PUBLIC, Book, LockedError, RefusedError, new_key
from services.audit.signer.client import Client, NotGrownError, SignerSilentError, StaleError
from services.audit.signer.server import Door
from services.audit.signer.wire import Asked, State, WireError, address_in

NAME = "log.example/audit"
LEAVES = [leaf_hash(bytes([n])) for n in range(20)]
OTHER = [leaf_hash(b"other" + bytes([n])) for n in range(20)]


def node_of(leaves: list[bytes]) -> object:
    """Return what gives the hashes of perfect subtrees."""
    return lambda height, index: perfect_root(leaves[index << height : (index + 1) << height])


def asked(old: int, size: int, leaves: list[bytes] = LEAVES) -> Asked:
    """Return the request for a log's first leaves."""
    proof = prove_consistency(old, size, node_of(leaves)) if 0 < old < size else []  # type: ignore[arg-type]
    return Asked(old, tuple(proof), Checkpoint(NAME, size, root_from(leaves[:size])).text())


@pytest.fixture
def book(tmp_path: Path) -> Book:
    """Give a new signer's book."""
    made = Book(tmp_path / "signer", NAME, tmp_path / "keys")
    made.open()
    return made


def test_growth_is_signed_by_one_key(book: Book) -> None:
    """Each continuation gets a note that the published key verifies, and the last of them is on the disk."""
    key = Verifier.parse((book.shared or book.folder).joinpath(PUBLIC).read_text().strip())
    for old, size in ((0, 3), (3, 8), (8, 8), (8, 20)):
        note = book.add(asked(old, size))
        assert open_checkpoint(note, key) == Checkpoint(NAME, size, root_from(LEAVES[:size]))
        assert (book.folder / LAST).read_text() == note
    assert (book.folder / KEY).stat().st_mode & 0o777 == 0o600
    assert (book.state().size, book.state().refused) == (20, "")


@pytest.mark.parametrize(
    ("wanted", "status", "said"),
    [
        (asked(5, 4), 409, "had 8 entries when it was signed and has 4 now"),
        (asked(3, 12), 409, "has 8 entries, not 3"),
        (asked(8, 8, OTHER), 409, "another root"),
        (asked(8, 12, OTHER), 422, "not its signed past"),
        (Asked(8, (), asked(8, 12).checkpoint), 422, "not its signed past"),
        (Asked(8, (), asked(8, 12).checkpoint.replace(NAME, "other/audit")), 404, "signs log.example/audit"),
        (Asked(8, (), asked(8, 12).checkpoint + "more\n"), 400, "three lines"),
        (Asked(8, (), "nothing"), 400, "three lines"),
    ],
)
def test_nothing_but_growth_is_signed(book: Book, wanted: Asked, status: int, said: str) -> None:
    """A log that is shorter, other, or not proven to continue what was signed is refused, and nothing is kept of it."""
    kept = book.add(asked(0, 8))
    with pytest.raises(RefusedError, match=said) as refused:
        book.add(wanted)
    assert refused.value.status == status
    assert (book.folder / LAST).read_text() == kept


def test_a_refusal_is_told_until_the_log_grows_again(book: Book) -> None:
    """Whoever asks for the state hears what was refused and since when; a mere mistake of the asker is no alarm."""
    book.add(asked(0, 8))
    with pytest.raises(RefusedError):
        book.add(asked(3, 12))
    assert book.state().refused == ""
    with pytest.raises(RefusedError):
        book.add(asked(0, 5))
    first = book.state()
    assert "had 8 entries" in first.refused
    assert first.refused_at
    book.add(asked(8, 9))
    assert book.state().refused == ""


def test_a_book_without_its_last_page_signs_nothing(book: Book) -> None:
    """A signer that has lost its memory, or its key, says so instead of believing whoever asks first."""
    book.add(asked(0, 8))
    kept = (book.folder / LAST).read_bytes()
    (book.folder / LAST).unlink()
    again = Book(book.folder, NAME, book.shared)
    again.open()
    with pytest.raises(LockedError, match="signed last is gone"):
        again.add(asked(0, 9))
    (book.folder / LAST).write_bytes(kept)
    (book.folder / KEY).unlink()
    again.open()
    assert "has no key" in again.state().locked
    (book.folder / KEY).write_bytes(new_key())
    assert "not the one under which the log is known" in again.state().locked


def test_a_key_that_lay_elsewhere_is_taken_over_with_its_name_and_memory(tmp_path: Path) -> None:
    """An installation of a former release keeps key, name and memory; the old place is emptied an hour later."""
    keys = tmp_path / "keys"
    former = Book(keys, "old.example/audit")
    former.open()
    text = Checkpoint("old.example/audit", 8, root_from(LEAVES[:8])).text()
    note = former.add(Asked(0, (), text))
    book = Book(tmp_path / "signer", NAME, keys)
    book.open()
    assert (book.state().origin, book.state().note) == ("old.example/audit", note)
    assert book.state().key == former.state().key == (keys / PUBLIC).read_text().strip()
    book.tidy()
    assert (keys / KEY).exists()
    long_ago = time.time() - 4000
    os.utime(book.folder / KEY, (long_ago, long_ago))
    book.tidy()
    assert not (keys / KEY).exists()
    book.give_back()
    book.tidy()
    assert (former.state().note, former.state().key) == (note, book.state().key)
    with pytest.raises(RefusedError, match="had 8 entries"):
        book.add(Asked(0, (), Checkpoint("old.example/audit", 5, root_from(LEAVES[:5])).text()))


def test_beginning_again_is_written_down_and_signed(book: Book) -> None:
    """After an operator's word the signer signs what it refused; reason, time and what it had signed stay provable."""
    before = book.add(asked(0, 12))
    with pytest.raises(RefusedError):
        book.add(asked(0, 5, OTHER))
    book.begin_again("restored the backup of  last night")
    state = book.state()
    assert state.began is not None
    assert (state.began.size, state.began.note, state.began.reason) == (12, before, "restored the backup of last night")
    book.add(asked(0, 5, OTHER))
    with pytest.raises(RefusedError):
        book.add(asked(5, 6))
    [line] = [json.loads(line) for line in (book.folder / HISTORY).read_text().splitlines()]
    key = Signer(f"{NAME}/{BEGAN}", book.signer().key).verifier
    assert "restored the backup of last night" in open_note(line["statement"], [key])


def test_beginning_again_with_the_key_that_a_restore_brought(book: Book, tmp_path: Path) -> None:
    """On another machine the restored log's own key takes the new one's place, which stays known as a former one."""
    book.add(asked(0, 12))
    mine = book.state().key
    (tmp_path / "keys" / KEY).write_bytes(new_key())
    book.begin_again("this machine takes the place of the old one")
    assert (tmp_path / "keys" / PUBLIC).read_text().split() == [book.state().key, mine]
    assert book.state().key != mine
    assert book.state().locked == ""
    assert [file.name.startswith(f"{KEY}.before-") for file in book.folder.glob(f"{KEY}.*")] == [True]


@pytest.mark.parametrize(
    "body", [b"", b"old x\n\n", b"new 3\n\nx", b"old 3\nnot base64\n\nx", b"old 1\nAAAA\n\nx", b"\xff"]
)
def test_a_malformed_request_is_refused(body: bytes) -> None:
    """What is no request of tlog-witness is refused as a whole."""
    with pytest.raises(WireError):
        Asked.parse(body)


def test_what_is_said_on_the_wire_is_understood(book: Book) -> None:
    """Requests and states are read as they were written."""
    wanted = asked(3, 12)
    assert Asked.parse(wanted.encode()) == wanted
    book.begin_again("for a test")
    assert State.parse(book.state().encode()) == book.state()


@pytest.fixture(params=["socket", "deep/" + "socket" * 20])
def door(request: pytest.FixtureRequest, book: Book, tmp_path: Path) -> Iterator[Client]:
    """Give a client of a signer that listens: on a socket, and on one with a long name."""
    address = str(tmp_path / request.param / "s")
    Path(address).parent.mkdir(parents=True)
    stop = threading.Event()
    with Door(address, book) as made:
        thread = threading.Thread(target=made.serve, args=(stop.is_set,))
        thread.start()
        yield Client(address)
        stop.set()
        thread.join()


def test_the_signer_is_asked_through_its_door(door: Client, book: Book) -> None:
    """Through a socket come the same answers and the same refusals, each as what it is."""
    note = door.add(asked(0, 8))
    assert door.state().note == note
    with pytest.raises(StaleError) as stale:
        door.add(asked(3, 12))
    assert stale.value.size == 8
    with pytest.raises(NotGrownError, match="not its signed past"):
        door.add(asked(8, 12, OTHER))
    (book.folder / LAST).unlink()
    with pytest.raises(SignerSilentError, match="is gone"):
        door.add(asked(8, 12))
    assert "is gone" in door.state().locked


def test_a_signer_that_is_not_there_is_silent(tmp_path: Path) -> None:
    """Nobody behind the address is something else than a refusal."""
    with pytest.raises(SignerSilentError, match="does not answer"):
        Client(str(tmp_path / "nobody")).state()


def test_the_process_is_small_and_imports_nothing_heavy(tmp_path: Path) -> None:
    """The signer's process takes less than 30 MB, knows no database and no web, answers, and ends when asked."""
    heavy = "{'sqlalchemy', 'pydantic', 'fastapi', 'amqp'}"
    probe = f"import sys, services.signer; print(sorted({heavy} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
    environment = os.environ | {"TAMGA_HOME": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-m", "services.signer"], env=environment) as process:
        client, until = Client(address_in(tmp_path)), time.monotonic() + 20
        while True:
            try:
                name = client.state().origin
                break
            except SignerSilentError:
                assert time.monotonic() < until
                time.sleep(0.05)
        status = Path(f"/proc/{process.pid}/status").read_text()
        process.terminate()
    assert name == "127.0.0.1:8400/audit"
    assert int(status.split("VmRSS:")[1].split()[0]) < 30 * 1024
    assert process.returncode == 0
    assert not (tmp_path / "keys" / "signer.socket").exists()
