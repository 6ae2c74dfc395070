"""Servers that are up and refuse: one sentence with the cure, and the data as they were."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import pytest
from amqp.exceptions import PreconditionFailed
from consumer_store import Store
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from services import prepare
from services.portal.application import create_app
from services.portal.frontdoor import FrontDoor
from services.portal.handlers import links
from shared.database import Context, UnitOfWork, system
from shared.infrastructure import system as machine
from shared.infrastructure.databases import run
from shared.infrastructure.postgres import Postgres
from shared.infrastructure.refusals import worded
from shared.messaging import inbox
from shared.messaging.link import channel_of
from shared.messaging.topology import apply
from shared.settings import SERVICES, Settings
from shared.testing.backbone import event_of
from shared.testing.clock import StandingClock
from shared.testing.node import PrivateDatabase, folder_for
from shared.testing.stand import Stand
from shared.testing.web import KEY, Browser, web_settings

pytestmark = pytest.mark.slow  # servers of its own that refuse in turn


def told(order: str, settings: Settings, admin_url: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return what the preparation answers to an order."""
    given = {"settings": settings.model_dump(mode="json"), "database_admin_url": admin_url}
    said = io.StringIO()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdin", io.StringIO(f"{json.dumps(given)}\n{order}\n"))
        patch.setattr(sys, "stdout", said)
        assert prepare.serve() == 0
    answer: dict[str, str] = json.loads(said.getvalue())
    return answer


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ("password", "the broker is up and refuses the password: put back the secrets"),
        ("vhost", "the broker is up and has no virtual host nowhere for us: `rabbitmqctl add_vhost nowhere`"),
    ],
)
def test_a_broker_that_refuses_is_told_apart_from_one_that_is_away(
    stand: Stand, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wrong: str, sentence: str
) -> None:
    """A wrong password and a missing virtual host each have their own sentence and cure, and tell no secret."""
    parts = urlsplit(stand.amqp_url)
    if wrong == "password":
        parts = parts._replace(netloc=f"{parts.username}:not-this-one@{parts.hostname}:{parts.port}")
    else:
        parts = parts._replace(path="/nowhere")
    answer = told("broker", Settings(home=tmp_path, amqp_admin_url=urlunsplit(parts)), "", monkeypatch)
    assert answer["failed"].startswith(f"broker: {sentence}")
    assert "\n" not in answer["failed"]
    assert "not-this-one" not in answer["failed"]


def test_a_queue_of_another_kind_is_left_and_named(stand: Stand) -> None:
    """Somebody's queue under our name is not replaced: the sentence names what differs and what shows it."""
    name, url = f"other-{stand.token}", stand.amqp_url
    with channel_of(url) as channel:
        channel.queue_declare(name, durable=True, auto_delete=False)
    try:
        with pytest.raises(PreconditionFailed) as refusal:
            apply(url, {name: ("portal.#",)}, exchange=f"exchange-{stand.token}")
        assert worded(refusal.value).startswith("the broker has a queue or exchange with another 'x-")
        assert worded(refusal.value).endswith("than ours: see `tamga topology diff`")
    finally:
        with channel_of(url) as channel:
            channel.queue_delete(name)
            channel.exchange_delete(f"exchange-{stand.token}")


@pytest.mark.parametrize("process", ["prepare once", "relay grants"])
def test_a_process_without_its_secret_ends_with_one_sentence(tmp_path: Path, process: str) -> None:
    """An empty secret: exit code 1 and a line with the cure, no traceback, and nothing was connected to."""
    (tmp_path / "grants_database_password").touch()
    given = {"TAMGA_SECRETS": str(tmp_path), "TAMGA_DATABASE_HOST": "nowhere.invalid", "TAMGA_HOME": str(tmp_path)}
    module, *arguments = process.split()
    command = [sys.executable, "-m", f"services.{module}", *arguments]
    given |= {"PATH": os.environ["PATH"]}
    done = subprocess.run(command, env=given, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert re.fullmatch(r"\w+: TAMGA_SECRETS: .*grants_database_password is empty: .* `make init`\n", done.stderr)


def test_the_broker_s_other_door_refuses_in_words_too(
    stand: Stand, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Users are made over the broker's HTTP API: a wrong password of its administrator is the same sentence there."""
    api = f"http://tamga-admin:not-this-one@127.0.0.1:{stand.rabbitmq.api_port}"
    users = {service: f"amqp://{service}:own@127.0.0.1:1//" for service in SERVICES}
    admin = "amqp://tamga-admin:not-this-one@127.0.0.1:1//"
    known = Settings(home=tmp_path, amqp_urls=users, amqp_admin_url=admin, amqp_api_url=api)
    assert prepare._each({"broker": lambda: prepare.prepare_broker(known)}) == 1
    said = capsys.readouterr().err
    assert "is up and does not know tamga-admin by this password" in said
    assert "put back the secrets that belong to its data" in said
    assert "not-this-one" not in said


def test_a_broker_that_is_away_is_said_to_be_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody listens: the sentence asks whether the server runs."""
    url = f"amqp://guest:guest@127.0.0.1:{machine.free_port()}//"
    answer = told("broker", Settings(home=tmp_path, amqp_admin_url=url), "", monkeypatch)
    cure = "`tamga status`"
    assert answer["failed"] == f"broker: nobody answers there: is the server running? {cure}"


def test_a_refused_password_of_the_database_is_named_without_the_password(tmp_path: Path) -> None:
    """The role stands in the sentence, what it was refused with does not."""
    with folder_for("postgres") as folder:
        server = Postgres(folder, machine.free_port(), password=quote("right one"), throw_away=True)
        server.start()
        try:
            server.wait()
            url = server.admin_url.replace(quote("right one"), "wrong-one")
            with pytest.raises(OperationalError) as refusal:
                create_engine(url, poolclass=NullPool).connect()
        finally:
            server.stop()
    assert worded(refusal.value).startswith("the database refuses the password of postgres: put back the secrets")
    assert "wrong-one" not in worded(refusal.value)


READ_ONLY = "the database is up and takes no changes, nothing was changed: it is a standby or default_transaction"


def test_the_preparation_of_a_standby_says_so_and_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A real standby takes questions and no changes: the sentence names the cure, no database has been made."""
    with folder_for("standby") as folder:
        server = PrivateDatabase(folder)
        server.start()
        server.stop()
        (folder / "data" / "standby.signal").touch()
        machine.hand_over(folder / "data" / "standby.signal", machine.runner_of("postgres"))
        server._server.start()
        try:
            engine = create_engine(server.admin_url, poolclass=NullPool)
            assert _answers(engine)
            before = _databases(engine)
            answer = told("database", Settings(home=tmp_path), server.admin_url, monkeypatch)
            assert answer["failed"].startswith(f"database: {READ_ONLY}")
            capsys.readouterr()
            assert prepare.once(Settings(home=tmp_path, database_admin_url=server.admin_url)) == 1
            said = capsys.readouterr().err
            assert said.startswith(f"databases: {READ_ONLY}")
            assert said.count("\n") == 1
            assert _databases(engine) == before
        finally:
            server.stop()


def _answers(engine: Engine) -> bool:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            with engine.connect() as connection:
                return bool(connection.execute(text("SELECT pg_is_in_recovery()")).scalar_one())
        except OperationalError:
            time.sleep(0.1)
    return False


def _databases(engine: Engine) -> list[str]:
    query = text("SELECT datname FROM pg_database UNION ALL SELECT rolname FROM pg_roles ORDER BY 1")
    with engine.connect() as connection:
        return list(connection.execute(query).scalars())


@contextmanager
def taking_no_changes(stand: Stand, engine: Engine) -> Iterator[None]:
    """Let a database take no changes from new connections, and then changes again."""
    with stand.superuser(engine).execution_options(isolation_level="AUTOCOMMIT").connect() as admin:
        name = str(engine.url.database)
        run(admin, "ALTER DATABASE {name} SET default_transaction_read_only = on", name=name)
        engine.dispose()
        try:
            yield
        finally:
            admin.execute(text("SET default_transaction_read_only = off"))
            run(admin, "ALTER DATABASE {name} RESET default_transaction_read_only", name=name)
            engine.dispose()


def test_an_event_waits_for_a_database_that_takes_no_changes(stand: Stand, store: Store) -> None:
    """It is neither acked nor put into quarantine nor counted as tried, and is handled once changes are taken."""
    with taking_no_changes(stand, store.engine), pytest.raises(inbox.StorageDownError, match="read-only"):
        store.give(event_of("a", 1))
    assert (store.count("inbox"), store.count("quarantine"), store.effects()) == (0, 0, [])
    assert store.give(event_of("a", 1)) is inbox.Outcome.APPLIED
    assert store.effects() == [("a", 1)]


def test_pages_can_be_read_and_an_act_is_refused_in_words(stand: Stand) -> None:
    """With a database that takes no changes who has signed in goes on reading; signing in is 503 with a sentence."""
    engine, moment, known = stand.database("portal"), StandingClock(), web_settings()
    app = create_app(known, engine=engine, key=KEY, clock=moment)
    browser = Browser(FrontDoor(app, settings=known, engine=engine, key=KEY, clock=moment))
    with UnitOfWork(engine, "portal", Context(actor=system("portal")), clock=moment) as uow:
        link = links.issue_first(uow, "oleg@x.example")
    assert link is not None
    chosen = {"password": "lantern orbit cactus velvet", "again": "lantern orbit cactus velvet"}
    assert browser.post(f"/welcome/{link.token}", chosen).status_code == 303
    moment.forward(120)  # long enough for the front door to note that the session is in use
    with taking_no_changes(stand, engine):
        assert browser.get("/people").status_code == 200
        answer = Browser(app).post("/sign-in", {"email": "a@x.example", "password": "a wrong one", "next": "/"})
    assert answer.status_code == 503
    assert "The database takes no changes at the moment. Nothing was changed" in answer.text
    assert answer.headers["retry-after"]
    again = Browser(app).post("/sign-in", {"email": "a@x.example", "password": "a wrong one"})
    assert again.status_code == 401
