"""The log under fault: many who write at once, its database away under load, its disk full in the middle of a batch."""

from __future__ import annotations

import multiprocessing
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest
from log_parts import Stored, judge, messages, take_in, verified
from sqlalchemy import Engine, text

from services.audit.handlers import append
from shared.database import engine_for
from shared.infrastructure.databases import admin_engine, at, run
from shared.infrastructure.names import app_role
from shared.messaging import batch, topology
from shared.messaging.inbox import StorageDownError
from shared.messaging.link import channel_of
from shared.messaging.wire import Raw
from shared.testing.backbone import Backbone, backbone_on, consumer_database, eventually
from shared.testing.disk import small_disk
from shared.testing.node import PrivateDatabase
from shared.testing.scenario import SCALE
from shared.testing.stand import Stand

WRITERS, KILLED = 20, 5
PREFETCH = 1000  # messages that the log's worker may have in hand
HOUR = 7_200 * SCALE  # events: two a second for an hour
EACH = 20  # of them in a transaction
COMMIT = 5.0  # seconds within which a source's transaction has to end, whatever the log's database does
CATCHING_UP = 120.0  # seconds
STEP = 96 * 1024  # bytes more of room at each attempt
FULL = ("No space left on device", "could not write init file")  # the second to whoever connects


def ids(raws: Sequence[Raw]) -> set[UUID]:
    return {UUID(raw.message_id) for raw in raws}


# T15: many who write at once


def _write(url: str, start: object, batches: list[list[Raw]]) -> None:
    engine = engine_for(url, pool_size=1)
    start.wait()  # type: ignore[attr-defined] # a barrier of multiprocessing, whose types say less
    for raws in batches:
        take_in(engine, raws)


def _most_waiting(engine: Engine, while_alive: list[multiprocessing.Process], to_be_killed: int) -> int:
    """Watch the writers, kill some of them in the middle of it, and return how many stood in line at most."""
    waiting = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    most, left = 0, to_be_killed
    while any(process.is_alive() for process in while_alive):
        with engine.connect() as connection:
            now = int(connection.execute(waiting).scalar_one())
            most = max(most, now)
            if left and now:
                os.kill(while_alive[left].pid or 0, signal.SIGKILL)
                left -= 1
        time.sleep(0.01)
    return most


def test_t15_twenty_ingesters_never_fork_the_log(stand: Stand, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """T15: twenty processes, each batch in the hands of two, five of them killed: each event is one leaf in one row."""
    engine = stand.database("audit")
    raws = messages(2_400, entities=2_400)  # in no order: a log takes in what comes
    batches = [raws[start : start + 40] for start in range(0, len(raws), 40)]
    hands: list[list[list[Raw]]] = [[] for _ in range(WRITERS)]
    for number, mine in enumerate(batches):
        hands[number % WRITERS].append(mine)
        # The second has some of them backwards, as messages that came again may be: the two can get into a deadlock.
        hands[(number * 7 + 3) % WRITERS].append(mine[::-1] if number % 10 == 0 else mine)
    forked = multiprocessing.get_context("fork")
    start, url = forked.Barrier(WRITERS), engine.url.render_as_string(hide_password=False)
    engine.dispose()
    writers = [forked.Process(target=_write, args=(url, start, mine), daemon=True) for mine in hands]
    for writer in writers:
        writer.start()
    most = _most_waiting(engine, writers, KILLED)  # type: ignore[arg-type] # the same class, of a context
    codes = [writer.exitcode for writer in writers]
    assert set(codes) <= {0, -signal.SIGKILL}
    assert codes.count(-signal.SIGKILL) >= 1
    for writer, mine in zip(writers, hands, strict=True):
        if writer.exitcode:  # what it had not acked comes again
            for raws_again in mine:
                take_in(engine, raws_again)
    assert most >= 2, "nobody had to wait: that was no crowd"
    judge(request, engine, ids(raws), writers=WRITERS, killed=codes.count(-signal.SIGKILL), in_line_at_most=most)
    assert verified(engine, tmp_path) == []


# T22: the log's database away


@pytest.fixture
def two_databases(stand: Stand, private_database: PrivateDatabase) -> Iterator[tuple[Engine, Engine]]:
    """Give the publishing service's database, and the log's on a server that may be stopped."""
    with consumer_database(stand) as source, Stand(private_database.admin_url) as own:
        yield source, own.database("audit")


@pytest.fixture
def log_backbone(stand: Stand, two_databases: tuple[Engine, Engine]) -> Iterator[Backbone]:
    """Give a source whose every event goes into the queue of the log, in a virtual host of their own."""
    source, log = two_databases
    with consumer_database(stand) as nobody, backbone_on(stand, source, nobody) as parts:
        with channel_of(parts.amqp_url) as channel:
            channel.queue_delete(parts.queue)
        parts.queue, parts.consumer = "audit", log
        topology.apply(parts.amqp_url, {"audit": ("#",)}, exchange=parts.exchange)
        yield parts


@contextmanager
def log_worker(parts: Backbone, home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the product's own worker of the log until the block ends; it must end well."""
    url = parts.consumer.url.render_as_string(hide_password=False)
    environment = os.environ | {"TAMGA_HOME": str(home), "TAMGA_LOG_LEVEL": "ERROR"}
    environment |= {"TAMGA_AUDIT_DATABASE_URL": url, "TAMGA_AUDIT_AMQP_URL": parts.amqp_url}
    command = [sys.executable, "-m", "services.work", "audit"]
    process = subprocess.Popen(command, env=environment, cwd=Path(__file__).parents[2])
    try:
        eventually(lambda: parts.depth().consumers >= 1 or process.poll() is not None, seconds=40)
        yield process
        process.terminate()
        assert process.wait(timeout=40) == 0
    finally:
        process.kill()
        process.wait()


def _load(parts: Backbone, took: list[float]) -> None:
    """Commit an hour's events, some in each transaction; notes how long each transaction took, in seconds."""
    for number in range(HOUR // EACH):
        began = time.monotonic()
        parts.commit(f"e{number % 50}", *["ok"] * EACH)
        took.append(time.monotonic() - began)


def _size(parts: Backbone) -> int:
    return parts.count("SELECT count(*) FROM event WHERE entity LIKE 'user:%'")


@pytest.mark.timeout(300)
def test_t22_the_log_s_database_is_away_for_an_hour(
    log_backbone: Backbone, private_database: PrivateDatabase, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """T22: an hour's events while the log's database is away: sources go on, the queue keeps all, all become leaves."""
    parts, took = log_backbone, list[float]()
    source = threading.Thread(target=_load, args=(parts, took))
    with parts.relaying(), log_worker(parts, tmp_path / "home") as worker:
        source.start()
        eventually(lambda: _size(parts) > 0, seconds=40)
        before = len(took)
        private_database.stop()
        source.join()
        eventually(lambda: parts.unpublished() == 0, seconds=60)
        assert worker.poll() is None
        kept = parts.depth().messages
        private_database.start()
        began, there = time.monotonic(), _size(parts)
        assert HOUR - there - PREFETCH <= kept <= HOUR - there
        eventually(lambda: _size(parts) > there, seconds=CATCHING_UP)
        first = time.monotonic() - began
        eventually(lambda: _size(parts) == HOUR, seconds=CATCHING_UP)
        spent = time.monotonic() - began
        eventually(lambda: parts.depth().messages == 0)
    with parts.source.connect() as connection:
        sent = set(connection.execute(text("SELECT id FROM outbox")).scalars())
    away = took[before:]
    judge(
        request,
        parts.consumer,
        sent,
        recovery=round(spent, 3),
        kept_in_the_queue=kept,
        first_after_s=first,
        caught_up_per_s=f"{(HOUR - there) / (spent - first):,.0f}",
        commit_ms_while_away=f"{statistics.median(away) * 1000:.1f}",
        slowest_commit_s=max(away),
    )
    assert len(away) > len(took) / 2
    assert max(away) <= COMMIT
    assert parts.count("SELECT count(*) FROM quarantine") == 0
    assert verified(parts.consumer, tmp_path / "home") == []


# T23: the disk full


@contextmanager
def log_on_a_small_disk(stand: Stand, where: Path) -> Iterator[Engine]:
    """Give an empty log all of whose tables are on that disk."""
    name = stand.database_name("audit")
    with admin_engine(stand.admin_url).connect() as admin:
        run(admin, "CREATE TABLESPACE {name} LOCATION {where_text}", name=name, where_text=str(where))
        run(admin, "ALTER DATABASE {name} SET TABLESPACE {name}", name=name)
        engine = stand.engine(at(stand.admin_url, database=name, user=app_role("audit")))
        try:
            yield engine
        finally:
            engine.dispose()
            run(admin, "ALTER DATABASE {name} SET TABLESPACE pg_default", name=name)
            run(admin, "DROP TABLESPACE {name}", name=name)


def _refused(engine: Engine, raws: Sequence[Raw]) -> str:
    """Return what the database said when it did not take a batch; nothing when it did."""
    try:
        batch.handle_batch(engine, "audit", append, raws)
    except StorageDownError as error:
        return str(error)
    return ""


def test_t23_a_disk_that_is_full_leaves_no_half_batch(
    stand: Stand, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """T23: the disk is full at one place of a batch after another: nothing of it stays, then all of it goes in."""
    raws = messages(900, padding=400)
    batches = [raws[start : start + 300] for start in range(0, len(raws), 300)]
    said: list[str] = []
    with small_disk(96) as disk, log_on_a_small_disk(stand, disk.folder) as engine:
        for number, mine in enumerate(batches):
            before, room = Stored.of(engine), STEP
            disk.leave_free(room)
            while refusal := _refused(engine, mine):
                said.append(refusal)
                assert any(words in refusal for words in FULL), refusal
                assert Stored.of(engine) == before
                room += STEP  # beyond what the refused rows keep until they are vacuumed away
                disk.leave_free(room)
            after = Stored.of(engine)
            assert (len(after.rows), after.faults()) == ((number + 1) * 300, [])
        copying = sum("COPY event" in refusal for refusal in said)
        judge(request, engine, ids(raws), refused=len(said), while_copying=copying)
        assert copying >= 3
        with engine.connect() as connection:
            assert connection.execute(text("SELECT count(*) FROM quarantine")).scalar_one() == 0
            assert connection.execute(text("SELECT count(*) FROM inbox")).scalar_one() == len(raws)
        disk.resize(96_000_000)
        assert verified(engine, tmp_path) == []
