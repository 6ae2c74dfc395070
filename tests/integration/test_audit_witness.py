"""A witness in other hands: what it signs and refuses, and what its word is worth when the log is verified."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from audit_log import act, take_in
from sqlalchemy import Engine

from services.audit.domain.merkle import root_from
from services.audit.domain.note import Checkpoint, NoteError, Signer, Verifier, cosigned, open_note
from services.audit.domain.policy import Policy, PolicyError
from services.audit.handlers.signing import sign_checkpoint
from services.audit.handlers.verification import Report, verify
from services.audit.handlers.witnessing import FILE, have_witnessed, policy_of
from services.audit.keys import Keys
from services.audit.signer.book import RefusedError, key_in, written
from services.audit.signer.server import Door
from services.audit.signer.wire import Asked
from services.audit.signer.witness import WitnessBook
from shared.database import Context, UnitOfWork, system
from shared.infrastructure.system import free_port
from shared.testing.stand import Stand

DONOR = "witness.example.org/donor"
# An independent example: key of the bytes 20..3f, made at 1763740800 (docs of C2SP tlog-cosignature).
VKEY = "witness.example.org/donor+ae90c3f4+BCmsuuFBvMrwsi4alNNNC8c2HlJtC/4SyJeUvJMilm3X"
TEXT = "audit.example.org/grantledger\n8\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n"
LINE = (
    "\u2014 witness.example.org/donor rpDD9AAAAABpIIyAgGfAJVQ3CRDLsI4/h5kMdapxkMZNdPaKN1vUuBN+wVcOelpHMMMvwPHsda0G++"
    "7pGDYerGLCIVZxgninyqp7AQ==\n"
)


@dataclass
class House:
    """A signed log, and a donor's witness that listens at a port."""

    engine: Engine
    keys: Keys
    donor: WitnessBook
    address: str

    def grow(self, first: int, last: int) -> None:
        take_in(self.engine, [act(n) for n in range(first, last + 1)])
        with self.engine.begin() as connection:
            sign_checkpoint(connection, self.keys)

    def ask(self) -> None:
        """Let the timer run."""
        with UnitOfWork(self.engine, "audit", Context(actor=system("audit"))) as uow:
            have_witnessed(uow, self.keys)

    @contextmanager
    def listening(self) -> Iterator[None]:
        stop = threading.Event()
        with Door(self.address, self.donor) as door:
            thread = threading.Thread(target=door.serve, args=(stop.is_set,))
            thread.start()
            try:
                yield
            finally:
                stop.set()
                thread.join()

    def policy(self, quorum: str = "donor") -> Policy:
        lines = [f"log {self.keys.verifier.encode()}", f"witness donor {self.donor.state().key} {self.address}"]
        written(self.keys.folder, FILE, "\n".join([*lines, f"quorum {quorum}"]).encode())
        found = policy_of(self.keys)
        assert found is not None
        return found

    def verify(self, policy: Policy) -> Report:
        return verify(self.engine, self.keys, policy=policy, clock=lambda: datetime.now(UTC) + timedelta(minutes=1))


@pytest.fixture
def house(stand: Stand, tmp_path: Path) -> House:
    """Give a log of twenty entries that no witness has seen yet."""
    keys = Keys(tmp_path / "keys", "log.example/audit")
    donor = WitnessBook(tmp_path / "donor", DONOR, keys.verifier, lambda: 1763740800.0)
    donor.open()
    made = House(stand.database("audit"), keys, donor, f"127.0.0.1:{free_port()}")
    made.grow(1, 20)
    return made


def test_the_cosignature_is_the_specifications(tmp_path: Path) -> None:
    """The line that a witness writes is, byte for byte, what C2SP's cosignature/v1 gives for this key and moment."""
    seed = bytes(range(0x20, 0x40))
    key = key_in(_pem(tmp_path, seed))
    signer = Signer(DONOR, key)
    assert signer.cosigner.encode() == VKEY
    assert signer.cosign(TEXT, 1763740800) == LINE
    assert cosigned(f"{TEXT}\n{LINE}", Verifier.parse(VKEY)) == 1763740800
    assert open_note(f"{TEXT}\n{LINE}", [Verifier.parse(VKEY)]) == TEXT
    with pytest.raises(NoteError, match="is wrong"):
        cosigned(f"{TEXT.replace('8', '9', 1)}\n{LINE}", Verifier.parse(VKEY))


def _pem(folder: Path, seed: bytes) -> Path:
    import base64  # noqa: PLC0415

    raw = base64.b64encode(bytes.fromhex("302e020100300506032b657004220420") + seed).decode()
    file = folder / "key.pem"
    file.write_text(f"-----BEGIN PRIVATE KEY-----\n{raw}\n-----END PRIVATE KEY-----\n")
    return file


def test_a_witness_signs_growth_of_the_log_that_it_knows(house: House) -> None:
    """It signs each newer checkpoint; a fork, a shorter log, and what the log has not signed it refuses."""
    with house.listening():
        policy = house.policy()
        house.ask()
        house.grow(21, 30)
        house.ask()
        report = house.verify(policy)
    assert (report.ok, report.trust.witnessed) == (True, 30)
    assert report.trust.witnesses == ("donor (witness.example.org/donor): 30 entries, 2025-11-21 16:00:00 UTC",)
    assert [anchor.sentence() for anchor in report.trust.anchors][-1] == ("what the witness donor saw, of 30 entries")
    signer = house.keys.own_signer()
    shorter = signer.sign(Checkpoint(signer.name, 5, root_from([b"x" * 32])).text())
    with pytest.raises(RefusedError, match="had 30 entries"):
        house.donor.add(Asked(30, (), shorter))
    other = Signer(signer.name, key_in(house.donor.folder / "audit.pem"))
    with pytest.raises(RefusedError, match="not signed by") as refused:
        house.donor.add(Asked(30, (), other.sign(Checkpoint(signer.name, 31, b"r" * 32).text())))
    assert refused.value.status == 403


def test_the_witness_gives_an_old_backup_away(house: House, stand: Stand) -> None:
    """Even if database and signer were both put back, what the witness saw contradicts the shorter log."""
    backup = stand.copy(house.engine, "audit")
    memory = house.keys.memory_file.read_bytes()
    with house.listening():
        policy = house.policy()
        house.grow(21, 30)
        house.ask()
        house.keys.memory_file.write_bytes(memory)
        restored = House(backup, house.keys, house.donor, house.address)
        restored.ask()
        report = restored.verify(policy)
    assert {item.kind for item in report.findings} >= {"missing", "signature"}
    assert report.trust.witnessed == 0


def test_a_witness_that_is_away_holds_up_nothing(house: House) -> None:
    """Nobody behind the address is a line in the log of the worker; the verdict says that the quorum is missing."""
    policy = house.policy()
    house.ask()
    report = house.verify(policy)
    assert [item.sentence() for item in report.findings] == [
        "checkpoint: none is signed by as many witnesses as the policy asks for"
    ]
    assert report.trust.witnesses == ("donor: has signed nothing yet",)
    assert house.verify(house.policy("none")).ok
    written(house.keys.folder, FILE, b"log nonsense")
    house.ask()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "names the log's key"),
        (f"log {VKEY}\nquorum none", "line 1: the key of a log is of type 1"),
        ("log x\n", "line 1: a verifier key is"),
        (f"witness a {VKEY}\nwitness a {VKEY}", "line 2: the name a is taken"),
        ("quorum a", "nobody is called a"),
        (f"witness a {VKEY}\ngroup g 2 a", "line 2: 2 of 1 can't be"),
        (f"witness a {VKEY}\ngroup g all a a", "stands in a group once"),
        ("surely", "not understood: surely"),
    ],
)
def test_a_policy_that_cannot_be_followed_is_refused_with_its_line(text: str, said: str) -> None:
    """Who wrote the policy reads which line, and why."""
    with pytest.raises(PolicyError, match=said):
        Policy.parse(text)


def test_groups_count_their_members(house: House) -> None:
    """Any, all and a number of members, groups within groups, as tlog-policy has it."""
    log = house.keys.verifier.encode()
    names = "".join(f"witness {name} {VKEY}\n" for name in "abc")
    policy = Policy.parse(f"# who\nlog {log}\n{names}group two 2 a b c\ngroup both all two a\nquorum both\n")
    assert [policy.satisfied(seen) for seen in ("", "bc", "ab", "abc")] == [False, False, True, True]
    assert Policy.parse(f"log {log}\n{names}group one any a b\nquorum one").satisfied("b")
