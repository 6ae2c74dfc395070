"""One moment of several databases while acts go on: no effect without its cause, and nothing lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.pool import NullPool

from shared.database import system
from shared.messaging import mending
from shared.messaging.reconcile import Report, reconcile
from shared.safekeeping import bundle, making, moment, programs, sealing
from shared.safekeeping.making import Contents, Extras, Made
from shared.safekeeping.moment import Moment, one_moment
from shared.safekeeping.refusals import SafekeepingError
from shared.safekeeping.restoring import Server
from shared.testing.backbone import CONSUMER, SOURCE, Backbone, backbone_on, eventually
from shared.testing.stand import Stand

pytestmark = pytest.mark.slow  # backups under writes

BOUND = {CONSUMER: ("portal.user.#",)}


@pytest.fixture
def backbone(stand: Stand, both: tuple[Engine, Engine]) -> Iterator[Backbone]:
    """Give a publishing and a consuming service with nothing in them."""
    with backbone_on(stand, *both) as made:
        yield made


@contextmanager
def acting(backbone: Backbone) -> Iterator[None]:
    """Let acts be committed, published and handled without end, each by a process or thread of its own."""
    with backbone.relaying(), backbone.working():
        child = backbone.child("commit")
        try:
            eventually(lambda: len(backbone.effects()) > 20)
            yield
        finally:
            child.kill()
            child.wait()
            eventually(lambda: backbone.unpublished() == 0)
            eventually(lambda: backbone.depth().messages == 0)


def kept(backbone: Backbone, folder: Path, version: str = "1.0.0") -> Made:
    """Make a backup of both databases; two of one second have their names from the version."""
    key = folder / "key"
    if not key.exists():
        sealing.make_key(key)
    urls = {name: engine.url.render_as_string(hide_password=False) for name, engine in ends(backbone).items()}
    contents = Contents(version, urls, folder / "documents", lambda _: Extras({}, {}))
    return making.make(folder / "backups", sealing.key_in(key), contents)


def ends(backbone: Backbone) -> dict[str, Engine]:
    """Return both databases by their services."""
    return {SOURCE: backbone.source, CONSUMER: backbone.consumer}


@contextmanager
def restored(stand: Stand, made: Made, folder: Path) -> Iterator[dict[str, Engine]]:
    """Give the databases of a backup, under other names."""
    server = Server(stand.admin_url, {})
    names = {service: f"restored_{stand.token}_{service}" for service in (SOURCE, CONSUMER)}

    def receive(name: str) -> Any:
        service = name.removeprefix(making.DATABASES).removesuffix(".dump")
        return programs.loading(service, server.owner_url(service, names[service]), server.major())

    with server.scratch(names):
        bundle.read(made.file, sealing.key_in(folder / "key"), receive=receive)
        engines = {
            service: create_engine(server.owner_url(service, name), poolclass=NullPool)
            for service, name in names.items()
        }
        yield engines


def account(engines: Mapping[str, Engine]) -> Report:
    """Return the accounts of databases that stand still."""
    return reconcile(engines, BOUND, {}, grace=0)


def strange(report: Report) -> int:
    """Return how many events were handled that their source does not know of, or are in two states."""
    return report.contradictory + sum(one.unrecorded for one in report.accounts)


def test_a_backup_under_writes_shows_no_effect_without_its_cause(
    backbone: Backbone, stand: Stand, tmp_path: Path
) -> None:
    """Whenever the moment is: all that was applied is at its source, all that was on its way arrives once, in order."""
    with acting(backbone):
        made = kept(backbone, tmp_path)
    with restored(stand, made, tmp_path) as engines:
        report = account(engines)
        assert strange(report) == 0
        mended = mending.send_again(engines, report, system("test"))
        assert sum(pair.absent + pair.unnamed for pair in mended) == 0
        again = Backbone(backbone.amqp_url, engines[SOURCE], engines[CONSUMER])
        try:
            with again.relaying(), again.working():
                eventually(lambda: account(engines).open == 0)
            found = again.effects()
        finally:
            again.close()
    sent = [(entity, sequence) for _, entity, sequence in found]
    assert len(found) == report.accounts[0].events
    assert len({event for event, _, _ in found}) == len(found)
    for entity in {name for name, _ in sent}:
        own = [sequence for name, sequence in sent if name == entity]
        assert own == list(range(1, len(own) + 1))


def test_so_it_is_at_any_moment(backbone: Backbone, stand: Stand, tmp_path: Path) -> None:
    """Eight backups in a row, while relay, consumer and acts go on: none has an effect without its cause."""
    with acting(backbone):
        made = [kept(backbone, tmp_path, f"1.0.{number}") for number in range(8)]
    for one in made:
        with restored(stand, one, tmp_path) as engines:
            report = account(engines)
        assert (strange(report), report.accounts[0].events > 20) == (0, True)


def test_without_the_moment_it_would_not_hold(
    backbone: Backbone, stand: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Snapshots that are taken one after the other have effects whose cause is missing: the locks are what helps."""

    def one_after_the_other(
        number: int, locking: object, reading: Mapping[str, Connection], tables: Mapping[str, Sequence[str]]
    ) -> Moment:
        del locking, tables
        look, rows = text("SELECT pg_export_snapshot() AS id, clock_timestamp() AS at"), {}
        rows[SOURCE] = reading[SOURCE].execute(look).one()
        known = reading[SOURCE].execute(text("SELECT count(*) FROM outbox")).scalar_one()
        eventually(lambda: backbone.count("SELECT count(*) FROM inbox") > known, seconds=60)
        rows[CONSUMER] = reading[CONSUMER].execute(look).one()
        return Moment(rows[SOURCE].at, {name: row.id for name, row in rows.items()}, reading, 0.0, number)

    monkeypatch.setattr(moment, "_taken", one_after_the_other)
    with acting(backbone):
        made = kept(backbone, tmp_path)
    with restored(stand, made, tmp_path) as engines:
        assert strange(account(engines)) > 0


def test_writers_wait_for_milliseconds_and_nobody_is_thrown_out(backbone: Backbone) -> None:
    """While the moment is held its snapshots stand still and writers go on; the wait is measured."""
    urls = {name: engine.url.render_as_string(hide_password=False) for name, engine in ends(backbone).items()}
    backbone.commit("a", "ok")
    with one_moment(urls) as found:
        backbone.commit("a", "ok")
        seen = found.connections[SOURCE].execute(text("SELECT count(*) FROM outbox")).scalar_one()
        assert backbone.count("SELECT count(*) FROM outbox", at="source") == 2
    assert (seen, found.tries) == (1, 1)
    assert 0 < found.waited < moment.LONGEST
    assert set(found.snapshots) == {SOURCE, CONSUMER}


@pytest.mark.parametrize("ends_at", [2, None])
def test_a_transaction_that_stays_open_is_waited_for_and_then_named(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch, ends_at: int | None
) -> None:
    """Between the tries writers go on; when it does not end, the sentence has its process and how to end it."""
    monkeypatch.setattr(moment, "_PATIENCE", 0.05)
    urls = {name: engine.url.render_as_string(hide_password=False) for name, engine in ends(backbone).items()}
    options = {"application_name": "a long one"}
    long = create_engine(backbone.consumer.url, connect_args=options, poolclass=NullPool).connect()
    long.execute(text("INSERT INTO outbox_sequence VALUES ('x', 1)"))
    long.execute(text("DELETE FROM inbox"))
    pid = long.execute(text("SELECT pg_backend_pid()")).scalar_one()
    tried: list[float] = []

    def pause(seconds: float) -> None:
        tried.append(seconds)
        backbone.commit("a", "ok")
        if len(tried) == ends_at:
            long.rollback()

    with long:
        if ends_at is None:
            with (
                pytest.raises(SafekeepingError, match=rf"of loans stays open .*pg_terminate_backend\({pid}\) \(a long"),
                one_moment(urls, tries=3, pause=pause),
            ):
                pass
            assert len(tried) == 2
        else:
            with one_moment(urls, tries=3, pause=pause) as found:
                assert found.tries == 3


def test_a_writer_behind_the_lock_goes_on_by_itself(backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit that comes while the locks are held is neither refused nor lost: it waits and is done."""
    urls = {name: engine.url.render_as_string(hide_password=False) for name, engine in ends(backbone).items()}
    writers: list[threading.Thread] = []
    lock: Callable[..., None] = moment._lock

    def slowly(name: str, *arguments: Any) -> None:
        lock(name, *arguments)
        if name == SOURCE:
            writers.append(threading.Thread(target=partial(backbone.commit, "a", "ok")))
            writers[0].start()
            time.sleep(0.2)
            assert backbone.count("SELECT count(*) FROM outbox", at="source") == 0

    monkeypatch.setattr(moment, "_lock", slowly)
    with one_moment(urls):
        writers[0].join(timeout=10)
        assert backbone.count("SELECT count(*) FROM outbox", at="source") == 1
