"""Taking events in on a real database: once each, all or nothing, and nothing can be changed afterwards."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from audit_log import act, body, take_in
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from services.audit.domain.merkle import root_from
from services.audit.handlers import append, ingest
from services.audit.storage.tables import LOG
from shared.events import Actor
from shared.messaging import batch
from shared.messaging.wire import Raw, encode
from shared.testing.stand import Stand


@pytest.fixture
def engine(stand: Stand) -> Engine:
    """Give an empty log, as the role that the service works as."""
    return stand.database("audit")


def fetch(engine: Engine, query: str, **params: Any) -> list[Any]:
    """Return the rows of a query."""
    with engine.connect() as connection:
        return list(connection.execute(text(query), params))


def test_a_batch_becomes_leaves_tiles_and_a_head(engine: Engine) -> None:
    """Events of three batches stand in order, the complete tiles are written, each head has the root of its size."""
    for start, end in ((1, 201), (201, 301), (301, 701)):
        assert take_in(engine, [act(n) for n in range(start, end)]) == end - start
    rows = fetch(engine, "SELECT leaf_index, leaf_hash FROM event ORDER BY leaf_index")
    assert [row.leaf_index for row in rows] == list(range(700))
    hashes = [bytes(row.leaf_hash) for row in rows]
    heads = {row.size: bytes(row.root) for row in fetch(engine, "SELECT size, root FROM tree_head")}
    assert heads == {size: root_from(hashes[:size]) for size in (200, 300, 700)}
    tiles = fetch(engine, "SELECT level, number, hashes, root FROM tile ORDER BY number")
    assert [(tile.level, tile.number) for tile in tiles] == [(0, 0), (0, 1)]
    assert [bytes(tile.hashes) for tile in tiles] == [b"".join(hashes[:256]), b"".join(hashes[256:512])]
    assert bytes(tiles[1].root) == root_from(hashes[256:512])


def test_an_event_counts_once(engine: Engine) -> None:
    """T7: the same event twice in a batch and again in a later one makes one leaf and one inbox row."""
    one, two = act(1), act(2)
    assert take_in(engine, [one, one, two]) == 2
    assert take_in(engine, [two, one]) == 0
    assert [tuple(row) for row in fetch(engine, "SELECT count(*), count(DISTINCT event_id) FROM event")] == [(2, 2)]
    inbox = fetch(engine, "SELECT consumer, event_id, position FROM inbox ORDER BY position")
    assert [tuple(row) for row in inbox] == [("audit", one.id, 1), ("audit", two.id, 2)]


def test_other_content_under_a_known_id_is_refused(engine: Engine) -> None:
    """A second event that takes an id in use does not replace the first and does not vanish: its refusal is a leaf."""
    first = act(1)
    take_in(engine, [first])
    forged = act(1, id=first.id, body=body(Actor(id="user:mallory", name="M"), title="forged"))
    assert take_in(engine, [forged]) == 1
    rows = fetch(engine, "SELECT type, actor_id FROM event ORDER BY leaf_index")
    assert [tuple(row) for row in rows] == [
        ("grants.application.submitted", "user:ana"),
        ("audit.event.rejected", "service:audit"),
    ]


def test_t14_a_service_cant_speak_for_another(engine: Engine) -> None:
    """T14: an event of grants that the broker says notifications sent is refused, provably, and only once."""
    forged = act(1)
    assert take_in(engine, [forged], user_id="notifications") == 1
    assert take_in(engine, [forged], user_id="notifications") == 0
    assert take_in(engine, [forged], user_id="grants") == 1
    [refusal] = fetch(engine, "SELECT body::jsonb -> 'data' AS data FROM event WHERE type = 'audit.event.rejected'")
    assert (refusal.data["reason"], refusal.data["user_id"]) == ("spoofed", "notifications")
    [kept] = fetch(engine, "SELECT encode(sha256(body), 'hex') AS sha256 FROM rejected")
    assert kept.sha256 == refusal.data["sha256"]


@pytest.mark.parametrize(
    ("reason", "raw"),
    [
        ("unreadable", Raw({}, b"not json")),
        ("unreadable", Raw({"cloudEvents_id": "x\x00\ud800", "odd": b"\xff"}, b"\x00\xff")),
        ("unreadable", Raw(encode(act(1)).headers, b'{"data": {}}')),
        ("not-canonical", encode(act(1, case="BSO\x00"))),
        ("unreadable", encode(act(1, entity="e" * 200))),
        ("not-canonical", encode(act(1, body=body(Actor(id="user:x"), big=2**60)))),
        ("unreadable", encode(act(1, position=2**63))),
    ],
)
def test_what_cant_be_recorded_is_refused_beside_the_rest(engine: Engine, reason: str, raw: Raw) -> None:
    """Poison in the middle of a batch makes a leaf that says so, and its neighbours are recorded."""
    batch_ = [encode(act(2)), raw, encode(act(3))]
    with engine.begin() as connection:
        assert ingest(connection, batch_) == 3
    [refusal] = fetch(engine, "SELECT outcome, body::jsonb -> 'data' AS data FROM event WHERE source = 'audit'")
    assert (refusal.outcome, refusal.data["reason"]) == ("refused", reason)
    assert fetch(engine, "SELECT body FROM rejected")[0].body == raw.body


def test_odd_but_sound_text_is_recorded(engine: Engine) -> None:
    """NUL characters, floats and other scripts in the data are facts like any other."""
    odd = act(1, body=body(Actor(id="user:x", name="Анна \U0001f600"), text="a\x00b", ratio=1e22, half=0.5))
    assert take_in(engine, [odd]) == 1
    assert fetch(engine, "SELECT actor_name FROM event")[0].actor_name == "Анна \U0001f600"


def test_messages_reach_the_log_through_the_consumer(engine: Engine) -> None:
    """The consumer's batch gives admitted events to the log and counts a redelivery as a duplicate."""
    raws = [encode(act(1)), encode(act(2))]
    first = batch.handle_batch(engine, "audit", append, raws)
    again = batch.handle_batch(engine, "audit", append, raws)
    assert ([item.name for item in first], [item.name for item in again]) == (["APPLIED"] * 2, ["DUPLICATE"] * 2)
    assert fetch(engine, "SELECT count(*) AS n FROM event")[0].n == 2


def test_what_the_consumer_put_aside_gets_a_leaf(engine: Engine, uow_for: Any) -> None:
    """A message that could not be read goes into quarantine and, once, into the log."""
    from services.audit.handlers import record_refusals  # noqa: PLC0415 - named as the timer names it

    batch.handle_batch(engine, "audit", append, [Raw({"a": "b"}, b"garbage")])
    for expected in (1, 0):
        with uow_for(engine, "audit") as uow:
            assert record_refusals(uow) == expected
    assert fetch(engine, "SELECT type FROM event")[0].type == "audit.event.rejected"


def test_writers_at_the_same_time_never_fork_the_log(engine: Engine) -> None:
    """Eight writers at once give one contiguous row of leaves, and each head follows from the leaves before it."""

    def write(writer: int) -> None:
        for number in range(5):
            take_in(engine, [act(writer * 100 + number * 10 + k) for k in range(3)])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(1, 9)))
    rows = fetch(engine, "SELECT leaf_index, leaf_hash FROM event ORDER BY leaf_index")
    assert [row.leaf_index for row in rows] == list(range(120))
    hashes = [bytes(row.leaf_hash) for row in rows]
    for head in fetch(engine, "SELECT size, root FROM tree_head"):
        assert bytes(head.root) == root_from(hashes[: head.size])


def test_a_failed_transaction_leaves_nothing(engine: Engine) -> None:
    """When the transaction does not commit there is no leaf, no head and no inbox row; a redelivery then counts."""
    message = encode(act(1))
    with pytest.raises(ZeroDivisionError), engine.begin() as connection:
        ingest(connection, [message])
        raise ZeroDivisionError
    for table in ("event", "tree_head", "inbox"):
        assert fetch(engine, "SELECT * FROM " + table) == []  # noqa: S608 - our own names
    with engine.begin() as connection:
        assert ingest(connection, [message]) == 1


@pytest.mark.parametrize("table", [table.name for table in LOG])
@pytest.mark.parametrize("statement", ['DELETE FROM "{}"', 'TRUNCATE "{}"', 'UPDATE "{}" SET {} = {}'])
def test_the_log_cant_be_changed(stand: Stand, engine: Engine, table: str, statement: str) -> None:
    """The service may not change or delete, and a trigger refuses even a superuser who just tries."""
    columns = "SELECT column_name AS c FROM information_schema.columns WHERE table_name = :t"
    column = fetch(engine, columns, t=table)[0].c
    sql = statement.format(table, column, column)
    for role, message in ((engine, "permission denied"), (stand.superuser(engine), "append-only")):
        with pytest.raises(DBAPIError, match=message), role.begin() as connection:
            connection.exec_driver_sql(sql)
