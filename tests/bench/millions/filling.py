"""Writing the log's past: every row as the product would have stored it, the slow indexes made when all are there."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path

from sqlalchemy import Connection, Engine, insert, text

from services.audit.domain.leaf import row_of
from services.audit.domain.merkle import SIZE, CompactRange
from services.audit.storage.append import complete_tiles, store
from services.audit.storage.tables import heads
from shared import migrations
from shared.database import engine_for
from shared.infrastructure.databases import admin_engine, at, ensure_database
from shared.infrastructure.names import app_role, owner_role
from shared.infrastructure.postgres import Postgres
from shared.infrastructure.system import free_port
from tests.bench.measure import Say
from tests.bench.millions import lives

DATABASE = "tamga_audit"
PIECE = 4  # blocks that one process writes in one transaction
LAG = timedelta(milliseconds=200)  # from the act to its leaf
_ENGINES: list[Engine] = []
_INDEXES = text("""
SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition, conname, indisunique
FROM pg_index LEFT JOIN pg_constraint ON conindid = indexrelid
WHERE indrelid = 'event'::regclass AND NOT indisprimary ORDER BY 1
""")


@contextmanager
def server(folder: Path) -> Iterator[Postgres]:
    """Give a database server as `make run` has it, whose data stay in `folder`; it tells when a row was committed."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    postgres = Postgres(folder / "postgresql", free_port())
    try:
        for _ in range(2):
            postgres.start()
            postgres.wait(120)
            with admin_engine(postgres.admin_url).connect() as connection:
                if connection.execute(text("SHOW track_commit_timestamp")).scalar() == "on":
                    break
                connection.execute(text("ALTER SYSTEM SET track_commit_timestamp = on"))
            postgres.stop()
        ensure_database(postgres.admin_url, DATABASE, "audit")
        with engine_for(at(postgres.admin_url, database=DATABASE, user=owner_role("audit"))).begin() as owner:
            migrations.upgrade("audit", owner)
        yield postgres
    finally:
        postgres.stop()


def app(postgres: Postgres) -> Engine:
    """Return an engine of the log, connected as the service."""
    return engine_for(at(postgres.admin_url, database=DATABASE, user=app_role("audit")))


def superuser(postgres: Postgres) -> Engine:
    """Return an engine of the log that may do everything, each statement alone."""
    return admin_engine(at(postgres.admin_url, database=DATABASE))


def fill(postgres: Postgres, events: int, say: Say) -> None:
    """Write that many events, rounded up to whole blocks, unless they are there already."""
    engine, owner, blocks = app(postgres), superuser(postgres), lives.blocks_of(events)
    with engine.connect() as connection:
        if connection.execute(text("SELECT max(size) FROM tree_head")).scalar():
            return
    with owner.connect() as connection:
        definitions = _without_indexes(connection)
    _write(engine, blocks, say)
    for statement in definitions:
        say(f"index: {statement[:100]}")
        with owner.connect() as connection:
            connection.execute(text("SET maintenance_work_mem = '1GB'"))
            connection.exec_driver_sql(statement.replace("%", "%%"))
    with owner.connect() as connection:
        say("vacuum")
        connection.execute(text("ALTER TABLE event RESET (autovacuum_enabled)"))
        connection.execute(text("VACUUM (ANALYZE, FREEZE) event"))
        connection.execute(text("VACUUM ANALYZE"))


def _without_indexes(connection: Connection) -> list[str]:
    """Take the indexes away, those that are sorted when they are made later; returns how they are made."""
    connection.execute(text("ALTER TABLE event SET (autovacuum_enabled = off)"))
    made = []
    for index in connection.execute(_INDEXES).all():
        if index.conname:
            connection.exec_driver_sql(f'ALTER TABLE event DROP CONSTRAINT "{index.conname}"')
            made.append(f'ALTER TABLE event ADD CONSTRAINT "{index.conname}" UNIQUE (event_id)')
        else:
            connection.exec_driver_sql(f'DROP INDEX "{index.name.strip(chr(34))}"')
            made.append(index.definition)
    return made


def _write(engine: Engine, blocks: int, say: Say) -> None:
    pieces = deque((at, min(at + PIECE, blocks)) for at in range(0, blocks, PIECE))
    url, tree = engine.url.render_as_string(hide_password=False), CompactRange()
    cores = len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(cores, get_context("spawn"), _begin, (url,)) as pool:
        waiting: deque[Future[bytes]] = deque()
        while pieces or waiting:
            while pieces and len(waiting) < cores * 2:
                waiting.append(pool.submit(_piece, *pieces.popleft(), blocks))
            packed = waiting.popleft().result()
            _grow(engine, tree, [packed[at : at + SIZE] for at in range(0, len(packed), SIZE)])
            if tree.size % (lives.BLOCK * PIECE * 10) == 0:
                say(f"{tree.size:,} events")


def _grow(engine: Engine, tree: CompactRange, hashes: list[bytes]) -> None:
    first = tree.size
    for item in hashes:
        tree.append(item)
    with engine.begin() as connection:
        complete_tiles(connection, first, hashes)
        head = {"size": tree.size, "root": tree.root(), "compact": tree.pack()}
        connection.execute(insert(heads), head)


def _begin(url: str) -> None:
    _ENGINES.append(engine_for(url, pool_size=1))


def _piece(first: int, end: int, blocks: int) -> bytes:
    """Store the rows of blocks [first, end); returns their leaves' hashes, one behind the other."""
    with _ENGINES[0].begin() as connection:
        rows = (row_of(item, item.time + LAG) for item in lives.events(first, end, blocks))
        return b"".join(store(connection, first * lives.BLOCK, rows))
