# ruff: noqa: S608 - the statements of the attacker in these tests are our own
"""Attacks on the log by somebody with every right on its database: T1, T3 and T4 of its design, each by its number."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from audit_log import ANA, act, body
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from services.audit.application import create_app
from services.audit.cli import commands
from services.audit.cli import verifying as cli
from services.audit.handlers import ingest
from services.audit.handlers.erasure import House
from services.audit.handlers.signing import ForkedLogError, sign_checkpoint
from services.audit.handlers.verification import Report, verify
from services.audit.keys import Keys
from services.audit.storage import tree
from services.audit.storage.subjects import Subjects
from shared.checkpoints import Kept
from shared.messaging.wire import Raw, encode
from shared.testing.stand import Stand
from shared.testing.web import KEY, Browser, person, web_settings

BATCHES = (300, 520, 600)  # the sizes at which a batch ended
SIZE = BATCHES[-1]


@dataclass(frozen=True)
class Log:
    """A signed log, and what an attacker does to it."""

    engine: Engine
    root: Engine
    home: Path

    @property
    def keys(self) -> Keys:
        return Keys.of(web_settings(home=self.home))

    def verify(self, **options: Any) -> Report:
        later = lambda: datetime.now(UTC) + timedelta(minutes=1)  # noqa: E731 - by which everything has settled
        return verify(self.engine, self.keys, clock=later, **options)

    def sign(self) -> Kept:
        """Sign the log as it stands; returns what a partner keeps of it."""
        with self.engine.begin() as connection:
            made = sign_checkpoint(connection, self.keys)
        assert made is not None
        return Kept(made.size, made.root.hex(), made.note)

    def attack(self, *statements: str) -> None:
        """Do what nobody may, with the triggers off; each statement must have hit something."""
        with self.root.begin() as connection:
            connection.execute(text("SET session_replication_role = replica"))
            for statement in statements:
                assert connection.execute(text(statement)).rowcount > 0, statement

    def roll_back(self, size: int) -> None:
        """Cut the newest entries off and roll everything beside them back to a size that the log had."""
        whole = size // 256 < SIZE // 256  # a tile that became complete only afterwards goes too
        self.attack(
            f"DELETE FROM event WHERE leaf_index >= {size}",
            *([f"DELETE FROM tile WHERE number >= {size // 256}"] if whole else []),
            f"DELETE FROM tree_head WHERE size > {size}",
            f"DELETE FROM checkpoint WHERE size > {size}",
        )


def write(engine: Engine, first: int, last: int, subjects: Subjects | None = None) -> None:
    """Take acts of an applicant in as one batch."""
    raws = [encode(act(n, body=body(ANA, title=f"Crafts {n}"))) for n in range(first, last + 1)]
    with engine.begin() as connection:
        batch = [Raw(r.headers, r.body, r.routing_key, None, r.message_id) for r in raws]
        ingest(connection, batch, subjects=subjects)


@pytest.fixture(scope="module")
def written(stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> Log:
    """Give a log of 600 entries in three signed batches, with values of people sealed; no test may touch it."""
    home = tmp_path_factory.mktemp("log")
    log = Log(engine := stand.database("audit"), stand.superuser(engine), home)
    subjects, start = House.of(web_settings(home=home)).subjects, 1
    for end in BATCHES:
        write(engine, start, end, subjects)
        log.sign()
        start = end + 1
    return log


@pytest.fixture
def log(stand: Stand, written: Log, tmp_path: Path) -> Log:
    """Give a copy of that log with its keys, to do anything to."""
    engine = stand.copy(written.engine, "audit")
    shutil.copytree(written.home, tmp_path / "home")
    return Log(engine, stand.superuser(engine), tmp_path / "home")


def at(report: Report) -> set[int | None]:
    """Return the leaves that a report names."""
    return {item.leaf_index for item in report.findings}


def test_the_log_that_is_attacked_is_sound(log: Log) -> None:
    """Before anybody touches it nothing is found, so that whatever is found below is the attack."""
    assert log.verify().findings == []


# --- T1: one byte -----------------------------------------------------------------


def stored_body(log: Log, leaf: int) -> str:
    with log.engine.connect() as connection:
        return str(connection.execute(text(f"SELECT body FROM event WHERE leaf_index = {leaf}")).scalar_one())


@pytest.mark.parametrize(("leaf", "place"), [(0, 0), (255, 1), (256, 2), (599, 3)])
def test_t1_a_flipped_byte_of_a_row_names_its_leaf(log: Log, leaf: int, place: int) -> None:
    """T1: one other character anywhere in the stored words of an entry, and the verification names that entry."""
    words = stored_body(log, leaf)
    where = [len(words) // 2, words.index("Crafts"), len(words) - 3, words.index("submitted")][place]
    other = "x" if words[where] != "x" else "y"
    log.attack(f"UPDATE event SET body = overlay(body placing '{other}' from {where + 1}) WHERE leaf_index = {leaf}")
    report = log.verify()
    assert not report.ok
    assert at(report) == {leaf}


@pytest.mark.parametrize("leaf", [0, 599])
def test_t1_a_flipped_byte_of_a_persons_ciphertext_names_its_leaf(log: Log, leaf: int) -> None:
    """T1: what is sealed of a person is committed to as it is sealed: no key is needed to see that it was altered."""
    words = stored_body(log, leaf)
    assert ANA.name not in words
    where = words.index('"sealed":') + 60
    other = next(letter for letter in "AB" if letter != words[where])
    log.attack(f"UPDATE event SET body = overlay(body placing '{other}' from {where + 1}) WHERE leaf_index = {leaf}")
    report = log.verify()
    assert at(report) == {leaf}
    assert {item.column for item in report.findings} == {"body"}


@pytest.mark.parametrize("place", [0, 31])
def test_t1_a_flipped_byte_of_a_leafs_hash_names_the_leaf(log: Log, place: int) -> None:
    """T1: each byte of the hash that stands beside a row counts."""
    log.attack(
        f"UPDATE event SET leaf_hash = set_byte(leaf_hash, {place}, get_byte(leaf_hash, {place}) # 1)"
        " WHERE leaf_index = 300"
    )
    assert at(log.verify()) == {300}


# --- T3: the middle ---------------------------------------------------------------


@pytest.mark.parametrize("leaf", [0, 10, 555])
def test_t3_a_row_deleted_in_the_middle_is_named(log: Log, leaf: int) -> None:
    """T3: an entry that was taken out is missed at its place, whether its tile is complete or still grows.

    The hole in the positions of its source is named beside it.
    """
    log.attack(f"DELETE FROM event WHERE leaf_index = {leaf}")
    report = log.verify()
    assert leaf in at(report)
    assert [item.what for item in report.findings if item.kind == "gap"] == [
        f"grants: position {leaf + 1} never arrived"
    ]


def test_t3_a_row_taken_out_and_the_rest_moved_up_is_found(log: Log) -> None:
    """T3: who closes the hole by numbering the rest anew leaves no hole, and another tree than the one stored."""
    log.attack(
        "DELETE FROM event WHERE leaf_index = 400",
        "UPDATE event SET leaf_index = leaf_index + 1000 WHERE leaf_index > 400",
        "UPDATE event SET leaf_index = leaf_index - 1001 WHERE leaf_index > 1400",
    )
    report = log.verify()
    assert not report.ok
    assert min(leaf for leaf in at(report) if leaf is not None) in range(300, 401)  # the batch, or the very leaf


def test_t3_two_rows_that_changed_places_are_named(log: Log) -> None:
    """T3: the order is what is proven: two sound entries, each at the other's place, are found."""
    log.attack(
        "UPDATE event SET leaf_index = 9001 WHERE leaf_index = 20",
        "UPDATE event SET leaf_index = 20 WHERE leaf_index = 21",
        "UPDATE event SET leaf_index = 21 WHERE leaf_index = 9001",
    )
    assert {20, 21} & at(log.verify())


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM tile WHERE level = 0 AND number = 0",
        "DELETE FROM tile WHERE level = 0 AND number = 1",
        "UPDATE tile SET number = 9 WHERE number = 1",
        "UPDATE tile SET hashes = overlay(hashes placing substr(hashes, 1, 32) from 33) WHERE number = 0",
    ],
)
def test_t3_a_tile_that_was_deleted_or_renumbered_is_found(log: Log, statement: str) -> None:
    """T3: the tree is compared with its tiles: one that is gone, elsewhere, or has a hash twice is named."""
    log.attack(statement)
    report = log.verify()
    assert not report.ok
    assert {item.where for item in report.findings} == {"tile"}


# --- T4: the end ------------------------------------------------------------------


def without_memory(log: Log) -> None:
    """Roll back what the signer remembers as well, outside of the database."""
    with log.engine.connect() as connection:
        latest = tree.latest_checkpoint(connection)
    assert latest is not None
    log.keys.memory_file.write_text(latest.note)


def test_t4_rows_that_were_cut_alone_are_missed_by_the_head(log: Log) -> None:
    """T4: who cuts rows and leaves the rest is found by what stands beside them."""
    log.attack("DELETE FROM event WHERE leaf_index >= 599")
    assert 599 in at(log.verify())


def test_t4_a_log_that_was_cut_fails_against_the_signers_memory(log: Log) -> None:
    """T4: rows, tiles, heads and checkpoints rolled back together are sound in themselves, and not what was signed."""
    log.roll_back(300)
    report = log.verify()
    assert report.outside
    assert {(item.kind, item.leaf_index) for item in report.findings} == {("missing", 300)}
    with pytest.raises(ForkedLogError, match="600 entries when it was signed and has 300 now"):
        log.sign()


def test_t4_what_was_cut_can_not_be_told_from_inside(log: Log) -> None:
    """T4: with the signer's memory rolled back too nothing here can tell: that is what kept checkpoints are for."""
    log.roll_back(300)
    without_memory(log)
    assert log.verify().findings == []


@pytest.mark.parametrize("size", [300, 520])
def test_t4_a_log_that_was_cut_fails_against_any_kept_checkpoint(log: Log, size: int) -> None:
    """T4: whoever kept a later checkpoint, of whatever moment, sees it, though the signer's memory is gone."""
    kept = log.sign()
    log.roll_back(size)
    without_memory(log)
    report = log.verify(pinned=kept.note)
    assert {(item.kind, item.leaf_index) for item in report.findings} == {("missing", size)}


FORMS: dict[str, Callable[[Kept], str]] = {
    "the header of a webhook": lambda kept: kept.carried(),
    "the last line of a letter": lambda kept: f"Checkpoint of the record when this was sent: {kept.short()}. Whoever",
    "the properties of a workbook": lambda kept: kept.note,
}


@pytest.mark.english
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_t4_a_log_that_was_cut_fails_against_any_partners_message(log: Log, form: Callable[[Kept], str]) -> None:
    """T4: a bank pastes what stood in one of our messages, and is told that the log has not grown from that."""
    kept = log.sign()
    page = Browser(create_app(web_settings(home=log.home), engine=log.engine, key=KEY), person("finance_partner"))
    assert "Yes: this log has grown from that" in page.post("/checkpoint", {"kept": form(kept)}).text
    log.roll_back(300)
    without_memory(log)
    assert "It speaks of 600 entries, and the log has 300" in page.post("/checkpoint", {"kept": form(kept)}).text


def test_t4_a_log_that_was_cut_and_filled_again_fails_as_well(log: Log) -> None:
    """T4: other entries in place of those that were cut off make the number right, and not the root."""
    kept = log.sign()
    log.roll_back(300)
    without_memory(log)
    write(log.engine, 301, SIZE + 50)
    log.sign()
    assert log.verify().findings == []
    assert not log.verify(pinned=kept.note).ok
    page = Browser(create_app(web_settings(home=log.home), engine=log.engine, key=KEY), person("finance_partner"))
    assert 'class="note bad"' in page.post("/checkpoint", {"kept": kept.carried()}).text


def test_t4_the_command_takes_what_stood_in_a_message(
    log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T4: `tamga audit verify --checkpoint` reads the header of a webhook as it came, and figures alone are refused."""
    kept = log.sign()
    header, figures = tmp_path / "header.txt", tmp_path / "figures.txt"
    header.write_text(f"audit-checkpoint: {kept.carried()}\n")
    figures.write_text(kept.short())
    assert cli._kept(header) == kept.note
    refused = CliRunner().invoke(commands, ["verify", "--checkpoint", str(figures)])
    assert refused.exit_code == 2
    assert "/audit/checkpoint" in refused.output
