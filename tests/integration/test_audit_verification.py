# ruff: noqa: S608 - the statements of the attacker in these tests are our own
"""Verification on a real database that somebody with all rights has tampered with: each place is named."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from audit_log import GORAN, act, body, take_in
from sqlalchemy import Engine, text

from services.audit.domain.leaf import Row, leaf_from, leaf_of, marks_of, parts_of
from services.audit.domain.merkle import leaf_hash
from services.audit.handlers import ingest
from services.audit.handlers.proofs import prove
from services.audit.handlers.signing import ForkedLogError, sign_checkpoint
from services.audit.handlers.verification import Report, verify
from services.audit.keys import Keys
from services.audit.storage import tree
from shared.errors import NotFoundError
from shared.messaging.wire import Raw
from shared.settings import settings
from shared.testing.stand import Stand

SIZE = 600
VICTIM = 123  # in the first tile


def later() -> datetime:
    """Return a moment by which everything has settled."""
    return datetime.now(UTC) + timedelta(minutes=1)


@dataclass(frozen=True)
class Log:
    """A log with its keys and what a superuser may do to it."""

    engine: Engine
    root: Engine
    keys: Keys

    def verify(self, **options: Any) -> Report:
        return verify(self.engine, self.keys, clock=later, **options)

    def sign(self) -> None:
        with self.engine.begin() as connection:
            sign_checkpoint(connection, self.keys)

    def tamper(self, *statements: str) -> None:
        """Do what nobody may, with the triggers off."""
        with self.root.begin() as connection:
            connection.execute(text("SET session_replication_role = replica"))
            for statement in statements:
                assert connection.execute(text(statement)).rowcount > 0, statement


@pytest.fixture(scope="module")
def written(stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> Log:
    """Give a signed log of 600 entries in three batches and one refused message, which no test may touch."""
    engine = stand.database("audit")
    for start, end in ((1, 300), (300, 301), (301, SIZE)):
        take_in(engine, [act(n, causation_id=uuid4(), traceparent="00-1") for n in range(start, end)])
    with engine.begin() as connection:
        ingest(connection, [Raw({"from": "nowhere"}, b"poison")])
    keys = Keys(tmp_path_factory.mktemp("log") / "keys", "log.example/audit")
    made = Log(engine, stand.superuser(engine), keys)
    made.sign()
    return made


@pytest.fixture
def log(stand: Stand, written: Log, tmp_path: Path) -> Log:
    """Give a copy of that log with its keys, to do anything to."""
    engine = stand.copy(written.engine, "audit")
    shutil.copytree(written.keys.folder, tmp_path / "keys")
    return Log(engine, stand.superuser(engine), Keys(tmp_path / "keys", "log.example/audit"))


def named(report: Report) -> set[tuple[str, int | None, str | None]]:
    """Return where, at which leaf and in which column the findings are."""
    return {(item.where, item.leaf_index, item.column) for item in report.findings}


def test_a_sound_log_verifies(log: Log) -> None:
    """Nothing is found in a log that nobody touched, and the report says what it was compared with."""
    report = log.verify()
    assert report.findings == []
    assert (report.ok, report.events, report.signatures, report.outside, report.whole) == (True, SIZE, 1, True, True)
    with log.engine.connect() as connection:
        assert report.root == tree.head(connection).root().hex()
    assert {item["source"]: item["last_position"] for item in report.coverage} == {"audit": None, "grants": SIZE - 1}


def test_an_empty_log_verifies(stand: Stand, tmp_path: Path) -> None:
    """A log in which nothing happened yet is sound."""
    report = verify(stand.database("audit"), Keys(tmp_path, "log.example/audit"))
    assert (report.ok, report.size) == (True, 0)


EDITS = {
    "event_id": "gen_random_uuid()",
    "source": "'loans'",
    "position": "position + 100000",
    "type": "'grants.application.submitteD'",
    "version": "2",
    "entity": "entity || '0'",
    "sequence": "sequence + 1",
    "occurred_at": "occurred_at + interval '1 microsecond'",
    "recorded_at": "recorded_at - interval '1 microsecond'",
    "actor_id": "'user:goran'",
    "actor_kind": "'system'",
    "actor_name": "'Ana Petrovа'",
    "role": "'officer'",
    "organisation": "NULL",
    "on_behalf_of": "''",
    "session": "'x'",
    "programme": "'other'",
    "case": "'BSO-2026-9999'",
    "outcome": "'refused'",
    "correlation_id": "gen_random_uuid()",
    "causation_id": "NULL",
    "traceparent": "'00-2'",
    "summary": "summary || ' '",
    "body": "replace(body, 'valley', 'Valley')",
    "leaf": "'{}'",
    "marks": "set_byte(marks, 9, get_byte(marks, 9) # 1)",
    "leaf_hash": "set_byte(leaf_hash, 31, get_byte(leaf_hash, 31) # 128)",
}


def test_every_column_is_tried() -> None:
    """The table of edits has every stored column, so that a new one can't be forgotten."""
    assert set(EDITS) == {*Row._fields, "leaf_hash"}


@pytest.mark.parametrize("column", EDITS)
def test_t2_an_edit_of_any_column_is_named(log: Log, column: str) -> None:
    """One changed value in one column of one row is found and named by leaf, event and column."""
    log.tamper(f'UPDATE event SET "{column}" = {EDITS[column]} WHERE leaf_index = {VICTIM}')
    report = log.verify()
    assert (("event", VICTIM, column)) in named(report)
    altered = [item for item in report.findings if item.kind == "altered"]
    assert [(item.leaf_index, item.column) for item in altered] == [(VICTIM, column)]
    with log.engine.connect() as connection:
        found = connection.execute(text("SELECT event_id FROM event WHERE leaf_index = :i"), {"i": VICTIM}).scalar()
    assert altered[0].event_id == found


def stored(log: Log, leaf_index: int) -> Row:
    """Return a row as it is stored."""
    names = ", ".join(f'"{name}"' for name in Row._fields)
    with log.engine.connect() as connection:
        found = connection.execute(text(f"SELECT {names} FROM event WHERE leaf_index = :i"), {"i": leaf_index})
        return Row(*found.one())


@pytest.mark.parametrize("column", [name for name in EDITS if name != "marks"])
def test_t2_an_edit_of_a_row_with_its_leaf_is_named(log: Log, column: str) -> None:
    """A row that a former release stored with its leaf and without marks verifies, and its edits are named as well."""
    leaf = leaf_from(stored(log, VICTIM))
    log.tamper(f"UPDATE event SET marks = NULL, leaf = '\\x{leaf.hex()}' WHERE leaf_index = {VICTIM}")
    assert log.verify().ok
    edit = "set_byte(leaf, 40, get_byte(leaf, 40) # 1)" if column == "leaf" else EDITS[column]
    log.tamper(f'UPDATE event SET "{column}" = {edit} WHERE leaf_index = {VICTIM}')
    altered = [item for item in log.verify().findings if item.kind == "altered"]
    assert [(item.leaf_index, item.column) for item in altered] == [(VICTIM, column)]


@pytest.mark.parametrize("victim", [VICTIM, 550])
def test_a_consistent_forgery_of_a_row_is_named(log: Log, victim: int) -> None:
    """Who rewrites a row with its leaf and hash so that they agree is caught by the tile or the head above them."""
    forged = stored(log, victim)._replace(programme="other")
    parts = parts_of(forged.body)
    leaf, marks = leaf_of(forged, parts), marks_of(forged, parts)
    log.tamper(
        f"UPDATE event SET programme = 'other', marks = '\\x{marks.hex()}', leaf_hash = '\\x{leaf_hash(leaf).hex()}'"
        f" WHERE leaf_index = {victim}"
    )
    report = log.verify()
    [finding] = report.findings
    # In a complete tile the leaf itself is named; else the batch in which it stands.
    assert (finding.where, finding.leaf_index) == ("event", victim if victim == VICTIM else 300)
    assert not report.ok


@pytest.mark.parametrize(
    ("statement", "where", "column"),
    [
        ("UPDATE tile SET hashes = set_byte(hashes, 99, get_byte(hashes, 99) # 1) WHERE number = 1", "tile", "hashes"),
        ("UPDATE tile SET root = set_byte(root, 0, get_byte(root, 0) # 1) WHERE number = 0", "tile", "root"),
        ("UPDATE tree_head SET root = set_byte(root, 0, get_byte(root, 0) # 1) WHERE size = 299", "tree_head", "root"),
        ("UPDATE tree_head SET compact = set_byte(compact, 9, get_byte(compact, 9) # 1) WHERE size = 300",
         "tree_head", "compact"),
        ("DELETE FROM tree_head WHERE size = 600", "tree_head", None),
        ("UPDATE checkpoint SET root = set_byte(root, 0, get_byte(root, 0) # 1)", "checkpoint", "root"),
        ("UPDATE checkpoint SET note = replace(note, E'\\n600\\n', E'\\n601\\n')", "checkpoint", "note"),
        ("UPDATE checkpoint SET size = 599", "checkpoint", "size"),
        ("UPDATE rejected SET body = body || 'x'::bytea", "rejected", "body"),
        ("UPDATE rejected SET headers = headers || ' '", "rejected", "headers"),
        ("DELETE FROM rejected", "rejected", None),
    ],
)  # fmt: skip
def test_edits_beside_the_rows_are_named(log: Log, statement: str, where: str, column: str | None) -> None:
    """An edit or a deletion in tiles, heads, checkpoints and refused messages is found in its own table."""
    log.tamper(statement)
    report = log.verify()
    assert (where, column) in {(item.where, item.column) for item in report.findings}
    assert {item.where for item in report.findings} == {where}


def test_a_rewritten_log_is_caught_by_what_was_signed(log: Log, stand: Stand, tmp_path: Path) -> None:
    """A whole new log, consistent in itself, fails against the signer's memory and any checkpoint somebody kept."""
    kept = log.keys.remembered()
    assert kept is not None
    forged = Log(stand.database("audit"), log.root, log.keys)
    take_in(forged.engine, [act(n) for n in range(1, SIZE + 5)])
    report = forged.verify(pinned=kept)
    assert {item.kind for item in report.findings} == {"tree"}
    with pytest.raises(ForkedLogError, match="not its signed past"):
        forged.sign()
    other = Keys(tmp_path / "other", "log.example/audit")
    assert {item.kind for item in verify(log.engine, other, clock=later).findings} == {"signature"}


def test_a_log_that_moves_to_another_address_keeps_its_name(log: Log, tmp_path: Path) -> None:
    """Served from another port, the log goes on signing under its first name, and all that was signed still holds."""
    moved = settings().model_copy(update={"home": tmp_path, "base_url": "http://127.0.0.1:9999"})
    keys = Keys.of(moved)
    assert keys.origin == log.keys.origin == "log.example/audit"
    again = Log(log.engine, log.root, keys)
    take_in(log.engine, [act(n) for n in range(SIZE, SIZE + 5)])
    again.sign()
    report = again.verify()
    assert (report.findings, report.signatures) == ([], 2)
    elsewhere = moved.model_copy(update={"home": tmp_path / "new"})
    assert Keys.of(elsewhere).origin == "127.0.0.1:9999/audit"


def test_gaps_are_named_until_they_are_filled(log: Log) -> None:
    """A hole in a source's positions or an entity's sequence is a finding; late arrival closes it."""
    entity = "application:BSO-2026-0001"
    late = act(700, entity=entity, sequence=2, position=SIZE)
    take_in(log.engine, [act(701, entity=entity, sequence=4, position=SIZE + 2)])
    gaps = {item.what for item in log.verify().findings}
    assert gaps == {
        f"grants: position {SIZE} to {SIZE + 1} never arrived",
        f"grants: event 2 to 3 of {entity} never arrived",
    }
    take_in(log.engine, [act(702, entity=entity, sequence=3, position=SIZE + 1), late])
    assert log.verify().ok
    take_in(log.engine, [act(703, entity=entity, sequence=4, position=SIZE + 3)])
    assert [item.what for item in log.verify().findings] == [f"grants: event 4 of {entity} is claimed by two events"]


def test_the_newest_part_alone_can_be_read(log: Log) -> None:
    """A bounded verification begins at a signed state, finds edits after it and does not read what is before."""
    take_in(log.engine, [act(n, position=n - 100) for n in range(700, 720)])
    log.sign()
    report = log.verify(newest=20)
    assert (report.ok, report.first, report.events) == (True, SIZE, 20)
    log.tamper("UPDATE event SET actor_id = 'x' WHERE leaf_index IN (5, 610)")
    assert named(log.verify(newest=20)) == {("event", 610, "actor_id")}


def test_every_event_can_be_proven(log: Log) -> None:
    """Inclusion proofs of first, last and middle events check, also for events after the last checkpoint."""
    newest = act(900, position=SIZE)
    take_in(log.engine, [newest])
    with log.engine.begin() as connection:
        ids = connection.execute(
            text("SELECT event_id FROM event WHERE leaf_index IN (0, 255, 256, 511, 599)")
        ).scalars()
        for event_id in [*ids, newest.id]:
            proof = prove(connection, event_id, log.keys)
            proof.check()
            assert len(proof.steps()) == len(proof.path) <= 10
            assert proof.text().startswith(f"c2sp.org/tlog-proof@v1\nindex {proof.index}\n")
        assert proof.size == SIZE + 1
        with pytest.raises(NotFoundError):
            prove(connection, uuid4(), log.keys)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_big_log_is_proven_through_tiles_of_tiles(stand: Stand, tmp_path: Path) -> None:
    """Beyond 65,536 entries a second level of tiles carries the proofs, and it is guarded like the first."""
    engine = stand.database("audit")
    plain = body(GORAN)
    for start in range(1, 65_537 + 300, 8192):
        take_in(engine, [act(n, body=plain) for n in range(start, min(start + 8192, 65_537 + 300))])
    log = Log(engine, stand.superuser(engine), Keys(tmp_path, "log.example/audit"))
    log.sign()
    with engine.begin() as connection:
        for index in (0, 65_535, 65_536, 65_800):
            [event_id] = connection.execute(
                text("SELECT event_id FROM event WHERE leaf_index = :i"), {"i": index}
            ).scalars()
            prove(connection, event_id, log.keys).check()
    assert log.verify().ok
    log.tamper("UPDATE tile SET hashes = set_byte(hashes, 320, get_byte(hashes, 320) # 1) WHERE level = 1")
    assert [item.sentence() for item in log.verify().findings] == [
        "tile: hashes tile 0 of level 1: hash 10 was altered"
    ]


def test_the_key_is_its_owners_alone(log: Log) -> None:
    """The key is made once, readable by its owner only, and stays the same."""
    assert log.keys.key_file.stat().st_mode & 0o777 == 0o600
    assert log.keys.own_signer().verifier == log.keys.verifier
    assert log.keys.memory_file.stat().st_mode & 0o777 == 0o600
