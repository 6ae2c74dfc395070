"""The operator's view: one look, shown by `tamga status` and by the page of operations, on real servers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import amqp
import pytest
import typer
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from services import status
from services.audit.figures import figures as of_the_record
from services.backbone import broker as broker_of
from services.backbone import queues
from services.catalogue import catalogue
from services.launcher import health
from services.portal.application import create_app
from services.portal.pages import operations
from shared.clock import in_utc, new_id, utc_now
from shared.database import Context, UnitOfWork, reading, system
from shared.events.portal import UserDeactivated
from shared.heartbeat import beat
from shared.messaging import drift, quarantine
from shared.messaging.link import channel_of
from shared.messaging.wire import encode
from shared.operations import Look, Sources, look
from shared.operations.figures import figures
from shared.operations.gathering import reconciled_in
from shared.operations.processes import NAME, SEEN, Processes, Running, take_note
from shared.settings import SERVICES, Settings
from shared.testing.backbone import event_of, eventually
from shared.testing.node import PrivateBroker, folder_for
from shared.testing.stand import Stand
from shared.testing.web import KEY, Browser, person

MISSING = (
    'tamga_events_unaccounted{consumer="a",source="portal"} 2.0\n'
    'tamga_events_unaccounted{consumer="b",source="portal"} 1.0\ntamga_reconcile_timestamp_seconds 1e9\n'
)
ASKED = ("portal", "loans", "audit")  # the others do not answer


@pytest.fixture(scope="module")
def engines(stand: Stand) -> dict[str, Engine]:
    """Give the databases of three services."""
    return {service: stand.database(service) for service in ASKED}


@pytest.fixture(scope="module")
def node() -> Iterator[PrivateBroker]:
    """Give a broker that a test may freeze and alarm."""
    with folder_for("rabbitmq") as folder:
        broker = PrivateBroker(folder)
        broker.start()
        yield broker
        broker.kill()


@pytest.fixture
def known(node: PrivateBroker, engines: dict[str, Engine], tmp_path: Path) -> Settings:
    """Give the settings of a house on that broker, everything declared."""
    node.calm()
    settings = Settings(
        home=tmp_path,
        database_urls={name: engine.url.render_as_string(hide_password=False) for name, engine in engines.items()},
        amqp_urls=dict.fromkeys(SERVICES, node.amqp_url),
        amqp_admin_url=node.amqp_url,
        amqp_api_url=node.api_url,
    )
    drift.apply(broker_of(settings), queues())
    with channel_of(node.amqp_url) as channel:
        channel.queue_purge("dead-letters")
    return settings


def _figures(engines: dict[str, Engine], service: str) -> dict[str, Any] | None:
    if service not in engines:
        return None
    with reading(engines[service]) as connection:
        return (
            {"database": "ok"}
            | figures(connection, service)
            | (of_the_record(connection) if service == "audit" else {})
        )


def looked(known: Settings, engines: dict[str, Engine]) -> Look:
    """Look at everything."""
    return look(Sources(known, queues(), partial(_figures, engines)))


def line(found: Look, key: str) -> dict[str, Any]:
    """Return one line as machines get it."""
    return next(item for item in found.as_json()["lines"] if item["key"] == key)


@contextmanager
def frozen(node: PrivateBroker) -> Iterator[None]:
    """Stop the broker's processes for a while, as a machine that hangs does: connections open, no answer comes."""
    os.killpg(node.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(node.pid, signal.SIGCONT)


@pytest.fixture
def operator(known: Settings, engines: dict[str, Engine], monkeypatch: pytest.MonkeyPatch) -> Browser:
    """Give the operator's browser; what services tell over HTTP comes from their databases."""
    monkeypatch.setattr(operations, "_ask", lambda _settings, service, _path, _cookie: _figures(engines, service))
    operations._kept.clear()
    return Browser(create_app(known, catalogue=catalogue(), engine=engines["portal"], key=KEY), person("operator"))


def test_a_house_in_order_is_good(known: Settings, engines: dict[str, Engine]) -> None:
    """The broker with its version, the topology as declared, the outboxes' months; who does not answer is named."""
    found = looked(known, engines)
    broker = line(found, "broker")
    assert (broker["state"], broker["facts"]["alarms"], broker["facts"]["blocked"]) == ("good", [], 0)
    assert broker["facts"]["version"].count(".") == 2
    assert line(found, "topology")["state"] == "good"
    months = line(found, "retention")
    assert months["facts"]["oldest_month"]["loans"] == f"{datetime.now(UTC):%Y-%m}"
    assert months["facts"]["next_month"] == dict.fromkeys(ASKED, True)
    assert "Not known: grants does not answer." in months["says"]
    assert line(found, "unaccounted")["says"] == ["Not known: the process that reconciles does not answer."]


def test_what_waits_is_held_or_missing_has_its_line(known: Settings, engines: dict[str, Engine]) -> None:
    """An old unpublished event, a quarantined one, gaps alarmed and not: by service, with the command that helps."""
    with UnitOfWork(engines["portal"], "portal", Context(actor=system("portal"))) as uow:
        uow.record(UserDeactivated(user_id="a", reason="ok"), entity="user:a")
    with engines["portal"].begin() as connection:
        connection.execute(text("UPDATE outbox SET recorded_at = recorded_at - interval '5 s'"))
    with UnitOfWork(engines["audit"], "audit", Context(actor=system("audit"))) as uow:
        uow.record(UserDeactivated(user_id="b", reason="ok"), entity="user:b")
    with engines["audit"].begin() as connection:
        connection.execute(text("UPDATE outbox SET not_before = now() + interval '1 hour'"))
    with engines["loans"].begin() as connection:
        quarantine.hold(connection, "loans", encode(event_of("b", 1)), ValueError("no"), attempts=1, now=utc_now())
        gap = (
            "INSERT INTO inbox_gap (consumer, entity, source, first, last, since, alarmed_at)"
            " VALUES ('loans', :entity, 'portal', 1, 1, now(), :alarmed)"
        )
        connection.execute(text(gap), {"entity": "portal/user:c", "alarmed": utc_now()})
        connection.execute(text(gap), {"entity": "portal/user:d", "alarmed": None})
        waits = (
            "INSERT INTO inbox_parked (consumer, event_id, entity, sequence, why, headers, body)"
            " VALUES ('loans', gen_random_uuid(), 'portal/user:e', 3, 'gap', '{}', '')"
        )
        connection.execute(text(waits))
    found = looked(known, engines)
    outbox = line(found, "outbox")
    assert outbox["facts"]["waiting"] == {"portal": 1}
    assert outbox["facts"]["oldest_seconds"]["portal"] >= 5
    assert (line(found, "quarantined")["state"], line(found, "quarantined")["facts"]["held"]["loans"]) == ("look", 1)
    gaps = line(found, "gaps")
    assert (gaps["state"], gaps["commands"]) == ("bad", ["tamga events gaps"])
    assert gaps["says"][0] == "loans: alarmed: 1, not yet: 2."


@pytest.mark.english
def test_the_page_speaks_the_readers_language(operator: Browser, known: Settings, engines: dict[str, Engine]) -> None:
    """State and sentence stand there as words, in English and in Russian, with the zone of the times."""
    page = operator.get("/operations").text
    assert "The broker stands as declared." in page
    assert "<code>tamga topology diff</code>" in page
    assert "Times are local: Europe/Skopje, UTC+" in page
    app = create_app(known, catalogue=catalogue(), engine=engines["portal"], key=KEY)
    russian = Browser(app, person("operator", locale="ru")).get("/operations").text
    assert "На брокере всё как объявлено." in russian
    assert "в порядке" in russian


@pytest.mark.english
def test_the_quarantines_are_gathered_on_one_page(operator: Browser) -> None:
    """Every consuming service with what it holds and the way there; one that is silent is named so."""
    page = operator.get("/operations/quarantine").text
    for service in SERVICES[1:]:
        assert f'href="/{service}/operations/quarantine"' in page
    assert page.count("does not answer") == 2


def test_differences_and_alarms_are_bad(known: Settings, engines: dict[str, Engine], node: PrivateBroker) -> None:
    """A binding that went is a difference; a memory alarm is named, and the command for either stands beside it."""
    with channel_of(known.amqp_admin_url) as channel:
        channel.queue_unbind("loans", "events", "portal.user.#")
        channel.basic_publish(amqp.Message(b"lost"), exchange="dead-letters")
    node.memory_alarm()
    eventually(lambda: line(looked(known, engines), "broker")["facts"]["dead_letters"])
    found = looked(known, engines)
    topology = line(found, "topology")
    assert (topology["state"], topology["facts"]) == ("bad", {"differences": 1})
    assert topology["commands"] == ["tamga topology diff", "tamga topology apply"]
    broker = line(found, "broker")
    assert (broker["state"], broker["facts"]["alarms"]) == ("bad", ["memory"])
    assert "short of memory" in broker["says"][1]
    assert broker["facts"]["dead_letters"] == 1


def test_a_proxy_of_the_environment_is_passed_by(
    known: Settings, engines: dict[str, Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the machine's way to the internet is a proxy, processes of our own are asked directly all the same."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert line(looked(known, engines), "topology")["state"] == "good"


def test_a_broker_without_its_plugin_is_not_called_ill(known: Settings, engines: dict[str, Engine]) -> None:
    """What only the management plugin can tell is not known then; the broker itself answers and is good."""
    found = looked(known.model_copy(update={"amqp_api_url": "http://127.0.0.1:1"}), engines)
    assert line(found, "broker")["state"] == "good"
    assert "Its alarms are not known" in line(found, "broker")["says"][1]
    assert line(found, "topology")["state"] == "look"


@pytest.mark.english
def test_a_frozen_broker_is_said_at_once(operator: Browser, node: PrivateBroker) -> None:
    """A broker that hangs takes the page a second and not the reader's patience; it is bad in words."""
    with frozen(node):
        began = time.monotonic()
        page = operator.get("/operations").text
        took = time.monotonic() - began
    assert "<p>The broker does not answer.</p>" in page
    assert took < 3, "one wait of a second, and not one after another"


def test_the_last_verification_is_told(known: Settings, engines: dict[str, Engine]) -> None:
    """One of the newest part that is sound does not hide that the whole log was not; the later whole one counts."""

    def verified(*, ok: bool, whole: bool, ago: timedelta) -> None:
        at = utc_now() - ago
        report = json.dumps({"events": 3, "findings": [] if ok else [1], "by": "oleg"})
        insert = (
            "INSERT INTO verification (id, started_at, finished_at, whole, size, root, ok, report)"
            " VALUES (:id, :at, :at, :whole, 3, 'r', :ok, CAST(:report AS jsonb))"
        )
        with engines["audit"].begin() as connection:
            values = {"id": new_id(), "at": at, "whole": whole, "ok": ok, "report": report}
            connection.execute(text(insert), values)

    assert line(looked(known, engines), "verification")["state"] == "look"
    verified(ok=False, whole=True, ago=timedelta(hours=3))
    verified(ok=True, whole=False, ago=timedelta(hours=2))
    told = line(looked(known, engines), "verification")
    assert told["state"] == "bad"
    assert [words.split(": ", 1)[1] for words in told["says"]] == [
        "the newest part is sound, entries: 3 (oleg).",
        "findings: 1 (oleg).",
    ]
    verified(ok=True, whole=True, ago=timedelta(hours=1))
    assert line(looked(known, engines), "verification")["state"] == "good"


def test_processes_that_ended_are_counted(known: Settings, engines: dict[str, Engine]) -> None:
    """How often and when, and which log tells why; to be looked at until somebody has, or for a day."""
    now = utc_now()
    note = Processes(since=now, ends={"web": 0, "work": 2}, ended_at={"work": now}, broker_log="/b.log")
    (known.home / NAME).write_text(note.model_dump_json())
    told = line(looked(known, engines), "restarts")
    assert (told["state"], told["facts"]["ends"]) == ("look", {"web": 0, "work": 2})
    assert told["says"][0] == f"work: 2, the last at {in_utc(now)}."
    assert told["commands"] == [f"tail {known.home}/log/work.log", "tamga status --seen"]
    take_note(known.home, now)
    seen = line(looked(known, engines), "restarts")
    assert (seen["state"], seen["says"][1]) == ("good", f"Seen at {in_utc(now)}.")
    later = note.model_copy(update={"ended_at": {"work": now + timedelta(seconds=1)}})
    (known.home / NAME).write_text(later.model_dump_json())
    assert line(looked(known, engines), "restarts")["state"] == "look"
    old = note.model_copy(update={"ended_at": {"work": now - timedelta(hours=25)}})
    (known.home / NAME).write_text(old.model_dump_json())
    (known.home / SEEN).unlink()
    assert line(looked(known, engines), "restarts")["state"] == "good"
    (known.home / NAME).write_text("{")
    torn = looked(known, engines)
    assert "restarts" not in {item.key for item in torn.lines}
    assert "processes" in torn.unanswered


def test_a_killed_process_is_not_well_for_a_moment_longer(tmp_path: Path) -> None:
    """Its sign of life is young and means nothing any more, nor for the process that is started in its place."""
    beat(tmp_path, "worker.grants")
    assert health.worker_states(tmp_path)["worker grants"] == "ok", "no launcher here: the sign alone says"
    process = subprocess.Popen(["sleep", "60"])
    running = Running(pid=process.pid, since=utc_now() - timedelta(seconds=1))
    note = Processes(since=utc_now(), running={"work": running})
    (tmp_path / NAME).write_text(note.model_dump_json())
    assert health.worker_states(tmp_path)["worker grants"] == "ok"
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody has noticed yet
    assert health.worker_states(tmp_path)["worker grants"] == "ended"
    process.wait()
    assert health.worker_states(tmp_path)["worker grants"] == "ended"
    again = Running(pid=os.getpid(), since=utc_now() + timedelta(seconds=1))
    (tmp_path / NAME).write_text(note.model_copy(update={"running": {"work": again}}).model_dump_json())
    assert health.worker_states(tmp_path)["worker grants"] == "starting"


def test_what_the_watch_found_is_read_from_its_figures() -> None:
    """Sums over consumers and sources, and when it looked; before its first look there is no moment."""
    found = reconciled_in(MISSING)
    assert (found.unaccounted, found.contradictory) == (3, 0)
    assert found.at == datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC)
    assert reconciled_in("tamga_reconcile_timestamp_seconds 0.0\n").at is None


def test_the_terminal_shows_the_same(
    known: Settings, engines: dict[str, Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`tamga status` has the lines of the page, in the terminal's language, and as JSON; bad ones make it fail."""
    (known.home / "runtime.json").write_text("{}")
    monkeypatch.setenv("TAMGA_HOME", str(known.home))
    monkeypatch.setattr(status, "settings", lambda: known)
    monkeypatch.setattr(status, "states", lambda *_: {"web portal": "ok"})
    command = typer.Typer()
    command.command()(status.status)
    answer = CliRunner().invoke(command, ["--json"])
    found = json.loads(answer.stdout)
    assert {item["key"] for item in found["lines"]} == {item.key for item in looked(known, engines).lines}
    assert (answer.exit_code, found["ok"], found["state"]) == (1, False, "bad")
    english = CliRunner().invoke(command, [], env={"LC_ALL": "C", "COLUMNS": "100"}).stdout
    assert "The broker stands as declared." in english
    assert "times in UTC" in english
    assert "→ tamga events gaps" in english
    note = Processes(since=utc_now(), ends={"work": 1}, ended_at={"work": utc_now()})
    (known.home / NAME).write_text(note.model_dump_json())
    russian = CliRunner().invoke(command, ["--seen"], env={"LC_ALL": "ru_RU.UTF-8", "COLUMNS": "100"}).stdout
    assert "Просмотрено: " in russian
    assert "На брокере всё как объявлено." in russian


def test_a_connection_that_may_not_send_is_counted(known: Settings, engines: dict[str, Engine]) -> None:
    """Where the broker collects no statistics the relays' own word says who is blocked."""
    beat = known.home / "heartbeats" / "relay.loans"
    beat.parent.mkdir()
    beat.write_text('{"state": "blocked", "oldest_seconds": 1}')
    told = line(looked(known, engines), "broker")
    assert (told["state"], told["facts"]["blocked"]) == ("bad", 1)
