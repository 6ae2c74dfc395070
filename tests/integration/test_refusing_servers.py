"""Servers that are up and refuse: one sentence with the cure, and the data as they were."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import pytest
from amqp.exceptions import PreconditionFailed
from consumer_store import Store
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from services import prepare
from services.portal.application import create_app
from services.portal.frontdoor import FrontDoor
from services.portal.handlers import links
from shared import migrations
from shared.database import Context, UnitOfWork, system
from shared.infrastructure import system as machine
from shared.infrastructure.databases import admin_engine, at, drop_database, ensure_database, run
from shared.infrastructure.names import owner_role
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

FIRST = '''"""The first."""
from alembic import op
revision, down_revision = "0001", None
def upgrade():
    op.execute("CREATE TABLE ledger (id int PRIMARY KEY, label text NOT NULL)")
    op.execute("INSERT INTO ledger SELECT n, 'row ' || n FROM generate_series(1, 50) n")
'''
SECOND = '''"""One that succeeds."""
from alembic import op
revision, down_revision = "0002", "0001"
def upgrade():
    op.execute("ALTER TABLE ledger ADD COLUMN amount int NOT NULL DEFAULT 0")
'''
THIRD = '''"""One that fails half-way."""
from alembic import op
revision, down_revision = "0003", "0002"
def upgrade():
    op.execute("CREATE TABLE half_made (id int)")
    op.execute("ALTER TABLE ledger RENAME COLUMN label TO name")
    op.execute("UPDATE ledger SET name = 'changed'")
    op.execute("DROP INDEX IF EXISTS nothing")
    op.execute({statement!r})
'''


def contents(connection: Connection) -> list[str]:
    """Return all that a database holds: relations, columns, rights, and the rows of its tables."""
    catalogue = text(
        "SELECT format('%s %s %s', c.relname, c.relkind, c.relacl) FROM pg_class c"
        " WHERE c.relnamespace = 'public'::regnamespace"
        " UNION ALL SELECT format('%s.%s %s %s', attrelid::regclass, attname, atttypid::regtype, attnotnull)"
        " FROM pg_attribute JOIN pg_class c ON c.oid = attrelid"
        " WHERE c.relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT attisdropped ORDER BY 1"
    )
    tables = text("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    found = list(connection.execute(catalogue).scalars())
    for table in connection.execute(tables).scalars():
        rows = text(f'SELECT t::text FROM "{table}" t ORDER BY 1')  # noqa: S608 - the catalogue's own names
        found += [f"{table}: {row}" for row in connection.execute(rows).scalars()]
    return found


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


@pytest.fixture
def versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder of versions for the service `grants` alone, with the first in it."""
    monkeypatch.setattr(migrations, "versions", lambda _service: tmp_path)
    monkeypatch.setattr(migrations, "restrict", lambda *_: None)
    (tmp_path / "0001_first.py").write_text(FIRST)
    return tmp_path


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("SELECT 1 / 0", "division by zero"),
        ("SELECT pg_terminate_backend(pg_backend_pid())", "terminating connection"),
        ("CREATE INDEX CONCURRENTLY late ON ledger (id)", "cannot run inside a transaction block"),
    ],
    ids=["an error", "a cut connection", "a statement that no transaction takes"],
)
def test_a_version_that_fails_half_way_leaves_the_database_as_it_was(
    stand: Stand, versions: Path, statement: str, reason: str
) -> None:
    """After DDL, changed rows and a version that had succeeded before it, nothing of any of them is there."""
    name = stand.bare_database("grants")
    owner = stand.owner(name, "grants")
    with owner.begin() as connection:
        migrations.upgrade("grants", connection)
    with owner.connect() as connection:
        before = contents(connection)
    (versions / "0002_second.py").write_text(SECOND)
    (versions / "0003_third.py").write_text(THIRD.format(statement=statement))
    url = owner.url.render_as_string(hide_password=False)
    with pytest.raises(migrations.MigrationError) as refusal:
        migrations.upgrade_all(Settings(owner_database_urls={"grants": url}), ("grants",))
    with owner.connect() as connection:
        assert contents(connection) == before
    sentence = str(refusal.value)
    assert sentence.startswith("tamga_grants: version 0003 failed (")
    assert reason in sentence
    assert "as it was, at version 0001: mend that and start again, or go back to the former release" in sentence
    assert "\n" not in sentence


def test_of_several_databases_those_before_the_failing_one_are_ahead_and_the_next_start_goes_on(
    stand: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each database has its own transaction: when the cause is gone the same start brings all to the newest version."""
    folders = {service: tmp_path / service for service in ("portal", "grants")}
    for service, folder in folders.items():
        folder.mkdir()
        (folder / "0001_first.py").write_text(FIRST if service == "portal" else FIRST + "    op.execute('SELECT 1/0')")
    monkeypatch.setattr(migrations, "versions", folders.__getitem__)
    monkeypatch.setattr(migrations, "restrict", lambda *_: None)
    owners = {service: stand.owner(stand.bare_database(service), service) for service in folders}
    settings = Settings(
        owner_database_urls={name: owner.url.render_as_string(hide_password=False) for name, owner in owners.items()}
    )
    with pytest.raises(migrations.MigrationError, match=r"tamga_grants: version 0001 failed .* at no version"):
        migrations.upgrade_all(settings, ("portal", "grants"))
    with owners["grants"].connect() as connection:
        assert contents(connection) == []
    (folders["grants"] / "0001_first.py").write_text(FIRST)
    assert migrations.upgrade_all(settings, ("portal", "grants")) == {"portal": [], "grants": ["0001"]}


@contextmanager
def small_disk(megabytes: int) -> Iterator[Path]:
    """Give a disk of that size that the database server can write to."""
    folder = Path(tempfile.mkdtemp(prefix="tamga-disk-"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0777", "tamga-test", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        shutil.rmtree(folder)
        pytest.skip("only who may mount a disk can fill one without harm")
    try:
        (folder / "data").mkdir()
        shutil.chown(folder / "data", "postgres", "postgres")
        yield folder / "data"
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


def test_a_full_disk_under_a_migration_is_named_and_nothing_is_changed(stand: Stand, versions: Path) -> None:
    """On a disk of 24 MB a version that needs more fails with the cure; the rows are those of before."""
    name = f"test_{stand.token}_small"
    with small_disk(24) as disk, admin_engine(stand.admin_url).connect() as admin:
        run(admin, "CREATE TABLESPACE {name} LOCATION {where_text}", name=name, where_text=str(disk))
        try:
            ensure_database(stand.admin_url, name, "grants")
            run(admin, "ALTER DATABASE {name} SET TABLESPACE {name}", name=name)
            owner = create_engine(at(stand.admin_url, database=name, user=owner_role("grants")), poolclass=NullPool)
            with owner.begin() as connection:
                migrations.upgrade("grants", connection)
            with owner.connect() as connection:
                before = contents(connection)
            much = "INSERT INTO half_made SELECT generate_series(1, 2000000)"
            third = THIRD.replace('"0003", "0002"', '"0002", "0001"').format(statement=much)
            (versions / "0002_third.py").write_text(third)
            known = Settings(owner_database_urls={"grants": owner.url.render_as_string(hide_password=False)})
            with pytest.raises(migrations.MigrationError, match=r"the disk of the database is full.*make room"):
                migrations.upgrade_all(known, ("grants",))
            with owner.connect() as connection:
                assert contents(connection) == before
        finally:
            drop_database(stand.admin_url, name)
            run(admin, "DROP TABLESPACE {name}", name=name)


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


@pytest.mark.parametrize("service", SERVICES)
def test_a_migration_of_a_database_that_takes_no_changes_is_refused_whole(stand: Stand, service: str) -> None:
    """Each service's own versions, from nothing: the sentence names database and cure, not one table is there."""
    name = stand.bare_database(service)
    owner = stand.owner(name, service)
    url = owner.url.render_as_string(hide_password=False) + "?options=-c%20default_transaction_read_only%3Don"
    with pytest.raises(migrations.MigrationError, match=f"tamga_{service}: .*takes no changes.*at no version"):
        migrations.upgrade_all(Settings(owner_database_urls={service: url}), (service,))
    with owner.connect() as connection:
        assert contents(connection) == []
