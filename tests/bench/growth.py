"""What grows: the number of worker processes, and the tables that are there already."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from sqlalchemy import text

from shared.testing.stand import Stand
from tests.bench.measure import MismatchError, Rate, Say, committed, eventually, go, timed
from tests.bench.tamga import Tamga

PROCESSES = (1, 2, 4)
# Sizes of a log that end with complete tiles: 262,144 and 2,097,152 rows are about ten and a hundred times 20,000.
SIZES = {"as they are": 0, "10 times larger": 2**18, "100 times larger": 2**21}
_SPAN = "SELECT extract(epoch FROM max(at) - min(at)) FROM effect"
_OUTBOX = """
INSERT INTO outbox (id, type, version, entity, sequence, time, correlation_id, outcome, body, published_at)
SELECT gen_random_uuid(), 'grants.application.saved', 1, 'application:old-' || n, 1, now(), gen_random_uuid(),
       'success',
       jsonb_build_object('filler', repeat('x', 500)), now() FROM generate_series(1, :rows) n
"""
_INBOX = """
INSERT INTO inbox (consumer, event_id, source, type, entity, sequence, correlation_id)
SELECT 'audit', gen_random_uuid(), 'loans', 'loans.proposal.saved', 'proposal:old-' || n, 1, gen_random_uuid()
FROM generate_series(1, :rows) n
"""
_LOG = """
INSERT INTO event (leaf_index, event_id, source, type, version, entity, sequence, occurred_at, recorded_at, actor_id,
                   actor_kind, actor_name, outcome, correlation_id, summary, body, leaf, leaf_hash)
SELECT n - 1, gen_random_uuid(), 'loans', 'loans.proposal.saved', 1, 'proposal:old-' || n, 1, now(), now(),
       'user:' || n % 40, 'person', 'Person Number' || n % 40, 'success', gen_random_uuid(), 'old proposal saved ' || n,
       repeat('x', 500), decode(repeat('78', 400), 'hex'), decode(repeat('ab', 32), 'hex')
FROM generate_series(1, :rows) n
"""
_HEAD = "INSERT INTO tree_head (size, root, compact) VALUES (:rows, :hash, :hash)"


@dataclass(frozen=True)
class Size:
    """How fast acts were committed and carried beside so many rows in outbox, inbox and log."""

    rows: int
    committed: Rate
    carried: Rate


def processes(stand: Stand, acts: int, say: Say) -> dict[int, float]:
    """Return the effects a second of an ordinary consumer in 1, 2 and 4 processes; order is checked each time.

    All of them are there before the first event comes, so that no start is measured.
    """
    found = {}
    with Tamga(stand, queue="loans", start=False) as system:
        committed(system, acts)
        for number in PROCESSES:
            for _ in range(number):
                system.add_ordinary()
            system.await_consumers(number)
            relay = system.relay()
            go([relay])
            eventually(lambda: system.handled() >= acts, "every event is handled", 300)
            _judge(system, acts)
            found[number] = acts / float(system.milliseconds(_SPAN, system.loans)[0])
            say(f"{number} worker processes: {found[number]:,.0f} effects/s")
            system.end_ordinary()
            system.end_relay(relay)
            _again(stand, system)
    return found


def _judge(system: Tamga, acts: int) -> None:
    if (effects := system.handled()) != acts or not system.in_order():
        raise MismatchError(f"{effects} effects of {acts} events, in order: {system.in_order()}")


def _again(stand: Stand, system: Tamga) -> None:
    """Make the consumer forget everything, and the relay send everything again."""
    with stand.superuser(system.loans).begin() as connection:
        connection.execute(text("TRUNCATE effect, inbox, inbox_head"))
    with stand.superuser(system.source).begin() as connection:
        connection.execute(text("UPDATE outbox SET published_at = NULL"))


def sizes(stand: Stand, acts: int, names: list[str], say: Say) -> dict[str, Size]:
    """Return how fast Tamga is beside larger and larger tables."""
    found = {}
    for name in names:
        with Tamga(stand, start=False) as system:
            rows = SIZES[name]
            if rows:
                _fill(stand, system, rows)
            commit = committed(system, acts)
            system.start()
            found[name] = Size(rows, commit, timed(system, [system.relay()], acts, before=rows))
            say(f"tables {name}: {found[name].carried.per_second:,.0f} events/s")
    return found


def _fill(stand: Stand, system: Tamga, rows: int) -> None:
    """Fill outbox, inbox and log with rows of the past; the head of the log is made up, as nobody verifies it."""
    with stand.superuser(system.source).begin() as connection:
        connection.execute(text(_OUTBOX), {"rows": rows})
    with stand.superuser(system.engine).begin() as connection:
        for statement in (_INBOX, _LOG):
            connection.execute(text(statement), {"rows": rows})
        connection.execute(text(_HEAD), {"rows": rows, "hash": secrets.token_bytes(32)})
    for engine in (system.source, system.engine):
        with stand.superuser(engine).connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("VACUUM ANALYZE"))
