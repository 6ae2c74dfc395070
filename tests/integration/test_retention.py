"""Months of published events: kept for ever unless told otherwise, dropped only when nobody needs them any more."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import pytest
import typer
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import ProgrammingError
from typer.testing import CliRunner

from shared.events import Actor
from shared.infrastructure.databases import at
from shared.infrastructure.names import app_role
from shared.messaging import log_cli
from shared.messaging.reconcile import reconcile
from shared.messaging.retention import Month, drop, retain
from shared.testing.stand import Stand

OPERATOR = Actor(id="operator:test", name="Test")
NOW = datetime(2024, 6, 15, tzinfo=UTC)
BINDINGS = {"loans": ("portal.user.#",), "audit": ("#",)}
ROWS = {1: "2024-02-29", 2: "2024-03-01", 3: "2024-03-31", 4: "2024-06-01"}
SENT = """
INSERT INTO outbox (id, type, version, entity, sequence, position, "time", correlation_id, outcome, body, recorded_at,
                    published_at)
VALUES (:id, 'portal.user.deactivated', 1, 'user:a', :number, :number, :at, :id, 'success', '{}', :at, :at)
"""
HANDLED = """
INSERT INTO inbox (consumer, event_id, source, type, entity, sequence, position)
VALUES (:consumer, :id, 'portal', 'portal.user.deactivated', 'user:a', :number, :number)
"""


class World:
    """A source with four events in three months, and two consumers that have applied them all."""

    def __init__(self, stand: Stand) -> None:
        name = stand.database_name("portal")
        self.owner = stand.owner(name, "portal")
        portal = stand.engine(at(stand.admin_url, database=name, user=app_role("portal")))
        self.engines: dict[str, Engine] = {"portal": portal} | {name: stand.database(name) for name in BINDINGS}
        self.owners = {"portal": self.owner} | {
            service: stand.owner(str(self.engines[service].url.database), service) for service in BINDINGS
        }
        self.unlogged: set[UUID] = set()

    def begin(self) -> None:
        """Be as at the beginning."""
        self.unlogged = set()
        for owner in self.owners.values():
            with owner.begin() as connection:
                connection.execute(text("TRUNCATE outbox, outbox_dropped, outbox_sequence"))
        for consumer in BINDINGS:
            with self.owners[consumer].begin() as connection:
                connection.execute(text("TRUNCATE inbox, quarantine"))
        with self.owner.begin() as connection:
            for month in ("2024-02-01", "2024-03-01", "2024-06-01"):
                connection.execute(text("SELECT outbox_month(:month)"), {"month": month})
        for number, day in ROWS.items():
            facts = {"id": UUID(int=number), "number": number, "at": f"{day}T12:00:00+00:00"}
            self.run("portal", SENT, **facts)
            for consumer in BINDINGS:
                self.run(consumer, HANDLED, consumer=consumer, **facts)

    def run(self, service: str, statement: str, **facts: object) -> None:
        """Run one statement in a service's database."""
        with self.engines[service].begin() as connection:
            connection.execute(text(statement), facts)

    def in_log(self, _connection: Connection, ids: Sequence[UUID]) -> set[UUID]:
        return set(ids) - self.unlogged

    def retain(self, keep: int, *, dry_run: bool = False) -> list[Month]:
        """Return the portal's months after an attempt to drop what is older than `keep` months."""
        portal = {"portal": self.engines["portal"]}
        found = retain(
            self.engines | portal, BINDINGS, lambda _: self.owner, self.in_log, OPERATOR,
            keep=keep, dry_run=dry_run, clock=lambda: NOW,
        )  # fmt: skip
        return [month for month in found if month.service == "portal" and month.name != "outbox_default"]

    def partitions(self) -> list[str]:
        """Return the months that have rows, by SQL."""
        with self.engines["portal"].connect() as connection:
            query = "SELECT DISTINCT tableoid::regclass::text FROM outbox ORDER BY 1"
            return [str(name) for name in connection.execute(text(query)).scalars() if "2024" in name]


@pytest.fixture(scope="module")
def databases(stand: Stand) -> World:
    """Give the databases of this file."""
    return World(stand)


@pytest.fixture
def world(databases: World) -> World:
    """Give the source and its consumers."""
    databases.begin()
    return databases


def test_everything_is_kept_unless_told_otherwise(world: World) -> None:
    """With 0 months to keep nothing is ever due, however old."""
    found = world.retain(0)
    assert [(month.name, month.rows, month.due) for month in found] == [
        ("outbox_2024_02", 1, False),
        ("outbox_2024_03", 2, False),
        ("outbox_2024_06", 1, False),
    ]
    assert all(month.bytes > 0 for month in found)


def test_a_dry_run_says_what_would_go_and_changes_nothing(world: World) -> None:
    """Two full months are kept: of February and March both are over, and both are still there."""
    assert [(month.name, month.due, month.dropped) for month in world.retain(2, dry_run=True)] == [
        ("outbox_2024_02", True, False),
        ("outbox_2024_03", True, False),
        ("outbox_2024_06", False, False),
    ]
    assert world.partitions() == ["outbox_2024_02", "outbox_2024_03", "outbox_2024_06"]


def test_a_month_that_is_over_goes_and_the_books_still_balance(world: World) -> None:
    """The month is gone, the record says who dropped what, and reconciling counts its events as before."""
    before = reconcile(world.engines, {"loans": BINDINGS["loans"]}, {}, grace=0)
    assert [month.name for month in world.retain(3) if month.dropped] == ["outbox_2024_02"]
    assert world.partitions() == ["outbox_2024_03", "outbox_2024_06"]
    after = reconcile(world.engines, {"loans": BINDINGS["loans"]}, {}, grace=0)
    assert (before.accounts[0].events, before.unaccounted) == (after.accounts[0].events, after.unaccounted) == (4, 0)
    with world.engines["portal"].connect() as connection:
        query = "SELECT entity, body->'data', body->'actor'->>'id' FROM outbox WHERE type = 'portal.outbox.dropped'"
        [(entity, data, actor)] = connection.execute(text(query)).all()
    assert (entity, actor) == ("outbox:outbox_2024_02", OPERATOR.id)
    assert (data["events"], data["kept_months"], data["first_at"]) == (1, 3, "2024-02-29T12:00:00Z")


def test_a_loss_after_dropping_is_not_hidden(world: World) -> None:
    """When a consumer forgets an event whose month is gone, reconciling shows that one is unaccounted for."""
    world.retain(3)
    world.run("loans", "DELETE FROM inbox WHERE event_id = :id", id=UUID(int=1))
    assert reconcile(world.engines, {"loans": BINDINGS["loans"]}, {}, grace=0).unaccounted == 1


@pytest.mark.parametrize(
    ("service", "statement", "why"),
    [
        ("portal", "UPDATE outbox SET published_at = NULL WHERE id = :id", "1 not published"),
        ("loans", "DELETE FROM inbox WHERE event_id = :id", "1 not yet in loans"),
        ("audit", "DELETE FROM inbox WHERE event_id = :id", "1 not yet in audit"),
    ],
)
def test_a_month_with_anything_open_stays(world: World, service: str, statement: str, why: str) -> None:
    """What is not published, or not applied by a declared consumer, keeps its month, and is said."""
    world.run(service, statement, id=UUID(int=1))
    [february] = [month for month in world.retain(3) if month.due]
    assert (february.dropped, february.refused) == (False, [why])
    assert "outbox_2024_02" in world.partitions()


def test_a_month_that_the_audit_log_lacks_stays(world: World) -> None:
    """The log keeps what the outbox forgets, so an event must be in it first."""
    world.unlogged = {UUID(int=1)}
    [february] = [month for month in world.retain(3) if month.due]
    assert (february.dropped, february.refused) == (False, ["1 not yet in the audit log"])


def test_an_event_that_somebody_discarded_keeps_no_month(world: World) -> None:
    """A decision with a reason is an end as good as any; one that is only held is not."""
    held = """
    INSERT INTO quarantine (id, consumer, event_id, headers, body, error, traceback, fingerprint, attempts,
                            consumer_version, first_seen, last_seen, state)
    VALUES (:id, 'loans', :id, '{}', '', '', '', 'f', 1, '1', now(), now(), 'held')
    """
    world.run("loans", "DELETE FROM inbox WHERE event_id = :id", id=UUID(int=1))
    world.run("loans", held, id=UUID(int=1))
    assert [month.refused for month in world.retain(3) if month.due] == [["1 not yet in loans"]]
    world.run("loans", "UPDATE quarantine SET state = 'discarded'")
    assert [month.dropped for month in world.retain(3) if month.due] == [True]


def test_only_the_owner_of_the_tables_drops(world: World) -> None:
    """The role that a service works as is refused, and nothing is dropped or recorded."""
    [february] = [month for month in world.retain(3, dry_run=True) if month.due]
    with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"):
        drop(february, world.engines["portal"], OPERATOR, 3)
    assert "outbox_2024_02" in world.partitions()


def test_the_command_shows_every_month_and_what_becomes_of_it(world: World) -> None:
    """As a table for people and as JSON for machines; the number of months is the setting's or the option's."""
    log = log_cli.Log(
        engines=lambda: {"portal": world.engines["portal"]} | world.engines,
        consumers=lambda: BINDINGS,
        owner=lambda _: world.owner,
        in_log=world.in_log,
        kept_months=lambda: 0,
        projections=dict,
        archive=lambda _, __: (),
    )
    app = typer.Typer()
    app.command("retention")(log_cli.retention(log))
    quiet = CliRunner().invoke(app, ["--json"])
    assert quiet.exit_code == 0, quiet.output
    assert not any(month["due"] for month in json.loads(quiet.output))
    shown = CliRunner().invoke(app, ["--months", "1", "--dry-run"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0, shown.output
    assert "would be dropped" in shown.output
    done = json.loads(CliRunner().invoke(app, ["--months", "1", "--json"]).output)
    assert [month["name"] for month in done if month["dropped"]] == [
        "outbox_2024_02",
        "outbox_2024_03",
        "outbox_2024_06",
    ]
