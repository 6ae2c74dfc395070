"""The outbox by months: rows come where they belong, and partitions come by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

import psycopg
import pytest
from alembic.operations import Operations
from psycopg.rows import dict_row
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from shared import migrations
from shared.database import Context, UnitOfWork, service_metadata, system
from shared.events.portal import UserDeactivated
from shared.infrastructure.databases import at
from shared.infrastructure.names import app_role
from shared.messaging.numbering import drop_run
from shared.messaging.partitioning import unite
from shared.messaging.publisher import Publisher, Result
from shared.messaging.relay import Relay
from shared.testing.stand import Stand

ROW = """
INSERT INTO outbox (id, type, version, entity, sequence, position, "time", correlation_id, outcome, body, recorded_at)
VALUES (:id, 'portal.user.deactivated', 1, 'user:a', :sequence, :position, :at, :id, 'success', '{}', :at)
"""


@pytest.fixture
def outbox(stand: Stand) -> Iterator[Engine]:
    """Give a database with the messaging tables."""
    with stand.empty_database() as engine:
        service_metadata(consumes=False).create_all(engine)
        yield engine


def put(connection: Connection, number: int, at: str, **changes: int) -> None:
    """Write one row as of a day."""
    values = {"id": number, "sequence": number, "position": number} | changes
    moment = datetime.fromisoformat(at)
    identity = f"{values['id']:032x}"
    connection.execute(text(ROW), values | {"id": identity, "at": moment})


def places(connection: Connection) -> list[tuple[str, int]]:
    """Return the partition of each row, with its number."""
    found = connection.execute(text("SELECT tableoid::regclass::text AS place, sequence FROM outbox ORDER BY row"))
    return [(row.place, row.sequence) for row in found]


def test_a_row_for_which_no_month_is_made_is_taken_and_moves_when_the_month_comes(outbox: Engine) -> None:
    """The default partition takes what has no other, in order; making the month moves the rows there."""
    with outbox.begin() as connection:
        put(connection, 1, "2031-05-01T00:00:00+00:00")
        put(connection, 2, "2031-05-31T23:59:59+00:00")
        put(connection, 3, "2031-06-01T00:00:00+00:00")
        assert {place for place, _ in places(connection)} == {"outbox_default"}
        assert connection.execute(text("SELECT outbox_month('2031-05-17')")).scalar_one() is True
        assert connection.execute(text("SELECT outbox_month('2031-05-02')")).scalar_one() is False
        assert places(connection) == [("outbox_2031_05", 1), ("outbox_2031_05", 2), ("outbox_default", 3)]


@pytest.mark.parametrize("same", ["id", "sequence", "position"])
def test_what_identifies_an_event_is_unique_in_its_month(outbox: Engine, same: str) -> None:
    """Neither the id, nor an entity's number, nor a position is taken twice, in a month or in the default partition."""
    for day in ("2031-05-01T00:00:00+00:00", datetime.now(UTC).isoformat()):
        with outbox.begin() as connection:
            put(connection, 1, day)
        with pytest.raises(IntegrityError), outbox.begin() as connection:
            put(connection, 2, day, **{same: 1})
        with outbox.begin() as connection:
            connection.execute(text("DELETE FROM outbox"))


def test_the_app_role_gets_months_ahead_and_may_make_nothing_else(stand: Stand) -> None:
    """A service without any right to create asks for the next months and gets them, once."""
    engine = stand.database("portal")
    months = text("SELECT count(*) FROM pg_inherits WHERE inhparent = 'outbox'::regclass")
    with engine.begin() as connection:
        before = connection.execute(months).scalar_one()
        assert connection.execute(text("SELECT outbox_ahead(12)")).scalar_one() == 13 + 1 - before
        assert connection.execute(text("SELECT outbox_ahead(12)")).scalar_one() == 0
        assert connection.execute(months).scalar_one() == 13 + 1
    for forbidden in ("SELECT outbox_month('2020-01-01')", "DROP TABLE outbox_default", "TRUNCATE outbox_default"):
        with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"), engine.begin() as connection:
            connection.execute(text(forbidden))
    with UnitOfWork(engine, "portal", Context(actor=system("portal"))) as uow:
        uow.record(UserDeactivated(user_id="a", reason="left"), entity="user:a")
    with engine.connect() as connection:
        [(place, _)] = places(connection)
    assert place == f"outbox_{datetime.now(UTC):%Y_%m}"


def test_the_step_to_months_and_back_keeps_every_row_and_goes_on_counting(stand: Stand) -> None:
    """Rows of several months survive the migration in both directions; the next row gets the next number."""
    name = stand.bare_database("portal")
    with stand.owner(name, "portal").begin() as connection:
        migrations.upgrade("portal", connection, months_ahead=1)
        for number, day in enumerate(("2024-02-29", "2024-03-01", "2026-11-30"), 1):
            put(connection, number, f"{day}T12:00:00+00:00")
        # Two of the rows are on their way: number 6 and 7 are theirs.
        connection.execute(text("UPDATE outbox SET position = NULL WHERE row > 1"))
        connection.execute(text("INSERT INTO outbox_position VALUES ('portal', 7, ARRAY[2, 3])"))
        script = migrations._script("portal")
        later = [step for step in script.walk_revisions("0003", "head") if step.revision != "0003"]
        with Operations.context(migrations._context(connection)):
            for step in later:  # newest first, back to the two that are looked at
                step.module.downgrade()
            drop_run(lambda statement: connection.execute(text(statement)))
            unite(lambda statement: connection.execute(text(statement)))
        numbers = connection.execute(text("SELECT array_agg(position ORDER BY row) FROM outbox")).scalar_one()
        assert numbers == [1, 6, 7]
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
        assert [number for _, number in places(connection)] == [1, 2, 3]
        assert sorted(migrations.upgrade("portal", connection, months_ahead=1)) == [
            "0002",
            "0003",
            *sorted(step.revision for step in later),
        ]
        assert [place for place, _ in places(connection)] == ["outbox_2024_02", "outbox_2024_03", "outbox_2026_11"]
        assert migrations.differences("portal", connection) == []
    app = stand.engine(at(stand.admin_url, database=name, user=app_role("portal")))
    with app.begin() as connection:
        put(connection, 4, "2024-02-01T00:00:00+00:00")
        assert connection.execute(text("SELECT array_agg(row ORDER BY row) FROM outbox")).scalar_one() == [1, 2, 3, 4]


class Broker:
    """Confirms whatever it is given."""

    def publish(self, _source: str, rows: list[dict[str, Any]], **_options: Any) -> Result:
        return Result(confirmed=[row["row"] for row in rows])


def test_the_relay_finds_what_lies_outside_its_months_with_the_next_look(
    outbox: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that came into a long gone or far off month goes out, in order, once the relay has measured again."""
    url = outbox.url.render_as_string(hide_password=False)
    relay = Relay("portal", url, "amqp://nowhere", batch=10)
    publisher = cast("Publisher", Broker())
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True, row_factory=dict_row) as db:
        relay._measure(db)
        with outbox.begin() as connection:
            connection.execute(text("SELECT outbox_month('2024-02-01')"))
            put(connection, 1, "2024-02-10T00:00:00+00:00")
            put(connection, 2, "2031-05-01T00:00:00+00:00")
            put(connection, 3, datetime.now(UTC).isoformat())
        assert relay.relay_batch(db, publisher) == 1
        monkeypatch.setattr("shared.messaging.relay._LOOK", 0.0)
        relay._measure(db)
        assert relay.relay_batch(db, publisher) == 2
        relay._measure(db)
        assert relay.relay_batch(db, publisher) == 0
    with outbox.connect() as connection:
        assert connection.execute(text("SELECT count(published_at) FROM outbox")).scalar_one() == 3


def test_the_relay_has_the_next_months_made(outbox: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once a day, without a hand; while somebody reads the default partition it is left for another day."""
    monkeypatch.setattr("shared.messaging.relay._AHEAD_FIRST", -1.0)
    months = text("SELECT count(*) FROM pg_inherits WHERE inhparent = 'outbox'::regclass")
    url = outbox.url.render_as_string(hide_password=False)
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True, row_factory=dict_row) as db:
        with outbox.connect() as connection:
            before = connection.execute(months).scalar_one()
            connection.execute(text("SELECT count(*) FROM outbox_default"))
            Relay("portal", url, "amqp://nowhere")._measure(db)
            assert connection.execute(months).scalar_one() == before
        Relay("portal", url, "amqp://nowhere")._measure(db)
    with outbox.connect() as connection:
        assert connection.execute(months).scalar_one() == 1 + 13
