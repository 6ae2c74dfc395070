"""A primary and its standby: no commit is lost with the primary, and there are never two of them."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from shared.engine import engine_for
from shared.infrastructure import postgres
from shared.safekeeping.programs import _command
from shared.testing.backbone import eventually
from shared.testing.cluster import DATABASES, FENCED, NativeCluster
from shared.testing.node import folder_for

pytestmark = pytest.mark.slow  # two servers of their own, and a copy of one at three places

ONE, OTHER = DATABASES
INSERT = text("INSERT INTO kept (number) VALUES (:number)")


@pytest.fixture(scope="module")
def pair() -> Iterator[NativeCluster]:
    """Give two servers that the tests kill in turn, in the order in which they stand here."""
    with folder_for("pair") as folder:
        folder.mkdir(mode=0o755)
        cluster = NativeCluster(folder)
        try:
            cluster.begin(DATABASES)
            eventually(lambda: _followed(cluster, ONE), seconds=30)
            yield cluster
        finally:
            cluster.end()


@pytest.fixture(scope="module")
def engine(pair: NativeCluster) -> Iterator[Engine]:
    """Give an engine as the services have it: told both servers, in an order that does not change."""
    engine = engine_for(pair.admin_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE kept (number integer)"))
    yield engine
    engine.dispose()


def _followed(pair: NativeCluster, primary: str) -> bool:
    return pair.ask(primary, "status").endswith("followed")


def _keep(engine: Engine, number: int) -> None:
    with engine.begin() as connection:
        connection.execute(INSERT, {"number": number})


def _kept(engine: Engine) -> set[int]:
    with engine.connect() as connection:
        return set(connection.execute(text("SELECT number FROM kept")).scalars())


def _alone(pair: NativeCluster, member: str) -> str:
    """Return a URL of one server only."""
    url = make_url(pair.admin_url).set(drivername="postgresql", host=pair.databases[member].host)
    return url.set(port=pair.databases[member].port, query={}).render_as_string(hide_password=False)


def test_commits_wait_for_a_standby_as_soon_as_one_follows(pair: NativeCluster, engine: Engine) -> None:
    """Nobody has to switch it on: the primary sees who follows, and has commits wait for that server's disk."""
    _keep(engine, 1)
    with psycopg.connect(_alone(pair, ONE)) as primary:
        assert primary.execute("SHOW synchronous_standby_names").fetchone() == ("database_2",)
        [standby] = primary.execute("SELECT application_name, sync_state FROM pg_stat_replication").fetchall()
    assert standby == ("database_2", "sync")


def test_a_standby_is_not_promoted_beside_a_primary_that_answers(pair: NativeCluster) -> None:
    """Who asks for a promotion too early is told what to do first, and nothing has changed."""
    with pytest.raises(RuntimeError, match="still answers as the primary: stop it first"):
        pair.ask(OTHER, "promote")
    with pytest.raises(RuntimeError, match="runs: stop it first"):
        pair.ask(OTHER, "rejoin")
    assert _followed(pair, ONE)


def test_without_its_standby_a_primary_acknowledges_nothing_until_it_is_told(
    pair: NativeCluster, engine: Engine
) -> None:
    """With the standby killed a commit waits; the word `alone` lets it through; the standby back, they wait again."""
    pair.kill(OTHER)
    waiting = threading.Thread(target=_keep, args=(engine, 2))
    waiting.start()
    waiting.join(timeout=1)
    assert waiting.is_alive()
    pair.ask(ONE, "alone")
    waiting.join(timeout=10)
    assert not waiting.is_alive()
    assert 2 in _kept(engine)
    pair.start(OTHER)
    eventually(lambda: _followed(pair, ONE), seconds=30)


def test_the_standby_takes_over_with_every_commit_and_the_former_primary_is_refused(
    pair: NativeCluster, engine: Engine
) -> None:
    """Nothing that was acknowledged is missing; the old server does not start beside the new one until it follows."""
    for number in range(10, 40):
        _keep(engine, number)
    pair.kill(ONE)
    pair.ask(OTHER, "promote")
    assert set(range(10, 40)) <= _kept(engine)
    pair.start(ONE)
    process = pair.databases[ONE].process
    assert process is not None
    assert process.wait(timeout=20) == FENCED
    assert 'has taken over (timeline 2, here 1): run "database rejoin"' in pair.said(ONE)
    with pytest.raises(psycopg.OperationalError, match="refused"):
        psycopg.connect(_alone(pair, ONE))


def test_who_is_told_both_finds_the_one_that_takes_changes(pair: NativeCluster, engine: Engine) -> None:
    """The former primary follows again and is named first: it answers, and nobody writes to it."""
    pair.ask(ONE, "rejoin")
    pair.start(ONE)
    eventually(lambda: _followed(pair, OTHER), seconds=30)
    engine.dispose()
    _keep(engine, 50)
    with engine.connect() as connection:
        assert (
            str(connection.execute(text("SELECT host(inet_server_addr())")).scalar_one()) == pair.databases[OTHER].host
        )
    with psycopg.connect(_alone(pair, ONE)) as standby, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        standby.execute("INSERT INTO kept (number) VALUES (51)")


def test_a_backup_is_taken_of_the_one_that_takes_changes(pair: NativeCluster) -> None:
    """PostgreSQL's own programs are told both servers too, and go to the primary, whichever is named first."""
    version = postgres.binaries()
    assert version is not None
    command, environment = _command(version / "psql", pair.admin_url, "--tuples-only", "--no-align")
    asked = [*command, "--command", "SELECT pg_is_in_recovery(), count(*) > 0 FROM kept"]
    assert subprocess.run(asked, env=environment, capture_output=True, text=True, check=True).stdout.strip() == "f|t"


def test_a_primary_that_wakes_up_beside_its_successor_ends(pair: NativeCluster, engine: Engine) -> None:
    """A primary that hung while its standby was promoted acknowledges nothing, and ends when it sees the other one."""
    with psycopg.connect(_alone(pair, OTHER)) as asleep:
        pair.freeze(OTHER)
        pair.ask(ONE, "promote")
        pair.thaw(OTHER)
        with pytest.raises((psycopg.OperationalError, OperationalError)):
            asleep.execute("INSERT INTO kept (number) VALUES (60)")
            asleep.commit()
    eventually(lambda: pair.ended(OTHER), seconds=20)
    engine.dispose()
    assert 60 not in _kept(engine)
    assert 50 in _kept(engine)


def test_a_server_with_the_data_of_another_system_is_refused(pair: NativeCluster) -> None:
    """Data that are not this system's are neither run beside it nor given up for it."""
    stranger = pair.databases[OTHER]
    stranger.initialise()
    stranger.start()
    process = stranger.process
    assert process is not None
    assert process.wait(timeout=20) == FENCED
    assert "holds the data of another system" in pair.said(OTHER)
    with pytest.raises(RuntimeError, match="another system: nothing was changed"):
        pair.ask(OTHER, "rejoin")
