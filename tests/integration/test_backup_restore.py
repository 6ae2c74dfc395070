"""Backups of whole houses: made, tried out, brought back; the rights, the log and the documents as they were."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import amqp
import pytest
from kept_house import OPERATOR, House
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool
from typer.testing import CliRunner

from services.backup import cli, creating, place, restoring
from services.backup.creating import Created
from services.backup.drilling import drill
from services.backup.restoring import Restored, restore
from services.backup.reviving import Backup
from shared.events.portal import RecordViewed
from shared.infrastructure.databases import admin_engine, at, run
from shared.messaging import topology
from shared.messaging.link import channel_of
from shared.operations import backups
from shared.safekeeping import making, programs
from shared.safekeeping.refusals import SafekeepingError
from shared.safekeeping.showing import Steps
from shared.testing.stand import Stand

pytestmark = pytest.mark.slow  # backups and restores of whole houses


@pytest.fixture(scope="module")
def amqp_url(stand: Stand) -> str:
    """Give a broker's virtual host whose queues may be emptied."""
    return stand.rabbitmq.url(vhost=stand.own_vhost())


@pytest.fixture
def house(stand: Stand, tmp_path: Path, amqp_url: str) -> Iterator[House]:
    """Give a house with five acts in its log, a sixth on its way, and a document."""
    made = House(stand, tmp_path / "home", amqp_url)
    made.home.mkdir()
    made.act(6)
    made.carry(lose=1)
    made.document()
    yield made
    for name in made.databases() - set(made.names.values()):
        raise AssertionError(f"{name} was left on the server")


@pytest.fixture(scope="module")
def kept(stand: Stand, tmp_path_factory: pytest.TempPathFactory, amqp_url: str) -> tuple[House, Created]:
    """Give a house of which there is a backup, for whatever changes nothing of it."""
    made = House(stand, tmp_path_factory.mktemp("kept"), amqp_url)
    made.act(6)
    made.carry(lose=1)
    made.document()
    return made, made.backup()


def brought_back(house: House, backup: Backup, *, replacing: bool = True, despite_findings: bool = False) -> Restored:
    """Restore a backup into the house."""
    return restore(house.settings, backup, OPERATOR, Steps(), replacing=replacing, despite_findings=despite_findings)


def outbox(house: House) -> list[tuple[object, ...]]:
    """Return the acts of people that are there."""
    return house.rows("SELECT id FROM outbox WHERE type = 'portal.record.viewed' ORDER BY row")


def test_what_was_there_is_there_again(house: House, amqp_url: str) -> None:
    """Rows, rights, documents and the signer's memory are as at the backup; what was on its way goes out again.

    What came later is gone: its rows, and its messages that waited in the queues. The restore is on record.
    """
    acts, rights = outbox(house), house.rights()
    made = house.backup()
    digest = house.document(b"%PDF-1.7 later")
    house.act(3)
    house.carry()
    later = (house.home / "keys" / "audit.checkpoint").read_text()
    document = next(file for file in house.settings.documents_folder.glob("??/*") if file.name != digest)
    document.unlink()
    topology.apply(amqp_url, {"audit": ("#",)})
    with channel_of(amqp_url) as channel:
        channel.basic_publish(amqp.Message(b"of tomorrow"), routing_key="audit")

    (house.home / backups.NAME).unlink()  # as on a new machine
    done = brought_back(house, house.file(made))

    assert (done.events, done.documents, done.log_size, done.findings) == (6, 1, 5, [])
    assert (outbox(house), house.rights()) == (acts, rights)
    assert document.exists()
    [(may, everybody)] = house.rows(
        "SELECT has_database_privilege('tamga_portal', current_database(), 'CONNECT'), datacl::text LIKE '%{=%'"
        " FROM pg_database WHERE datname = current_database()"
    )
    assert (may, everybody) == (True, False)
    assert (house.home / "keys" / "audit.checkpoint").read_text().splitlines()[1] == "5"
    assert backups.note_of(house.home).kept == 1
    [kept] = (house.home / "keys").glob("audit.checkpoint.before-*")
    assert (kept.read_text(), done.lost_entries) == (later, int(later.splitlines()[1]) - 5)
    assert (done.purged, topology.depths(amqp_url, ["audit"])["audit"].messages) == (1, 0)
    unpublished = house.rows("SELECT type FROM outbox WHERE published_at IS NULL ORDER BY row")
    assert (done.sent_again, unpublished) == (1, [("portal.record.viewed",), ("portal.backfill.answered",)])
    record = "SELECT body->'data'->>'file', body->'actor'->>'id' FROM outbox WHERE type = 'audit.backup.restored'"
    assert house.rows(record, "audit") == [(made.file, OPERATOR.id)]
    house.carry()
    assert house.rows("SELECT count(*) FROM inbox WHERE source = 'portal'", "audit") == [(7,)]


def test_a_new_machine_needs_the_file_and_the_key_alone(house: House, stand: Stand, tmp_path: Path) -> None:
    """Where there is nothing, a restore makes databases, roles' rights, documents and keys."""
    made = house.backup()
    house.settings.backups_folder.rename(tmp_path / "elsewhere")
    backup = Backup(tmp_path / "elsewhere" / made.file, place.key_of(house.settings))
    acts, rights = outbox(house), house.rights()
    new = House(stand, tmp_path / "new", house.settings.amqp_admin_url)
    for name in new.names.values():
        creating_away(stand, name)

    done = brought_back(new, backup, replacing=False)

    assert done.lost_entries == 0
    assert outbox(new) == acts
    assert new.rights() == rights
    assert [file.name for file in sorted((new.home / "keys").iterdir())] == ["audit.checkpoint", "audit.pem"]
    assert len(list(new.settings.documents_folder.glob("??/*"))) == 1


def creating_away(stand: Stand, name: str) -> None:
    """Drop a database."""
    with create_engine(stand.admin_url, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text(f'DROP DATABASE "{name}"'))


def test_an_older_backup_is_brought_to_this_release(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables of an earlier version are migrated on the way back."""
    from alembic.operations import Operations  # noqa: PLC0415 - only here

    from shared import migrations  # noqa: PLC0415 - the same

    newest = house.rows("SELECT version_num FROM alembic_version", "loans")
    owner = create_engine(house.settings.owner_database_urls["loans"], poolclass=NullPool)
    with owner.begin() as connection:
        script = migrations._script("loans")
        context = migrations._context(connection, fn=lambda revision, _: script._downgrade_revs("-1", revision))
        with context.begin_transaction(), Operations.context(context):
            context.run_migrations()
    assert house.rows("SELECT version_num FROM alembic_version", "loans") != newest
    made = house.backup()
    brought_back(house, house.file(made))
    assert house.rows("SELECT version_num FROM alembic_version", "loans") == newest


def test_a_drill_tells_what_would_be_lost_and_leaves_nothing(house: House) -> None:
    """Beside the running house: counts, log and accounts are looked at; what came since the backup is told."""
    made = house.backup()
    house.act(2)
    house.carry()
    before = {service: house.rows("SELECT count(*) FROM outbox", service) for service in house.names}
    found = drill(house.settings, house.file(made), OPERATOR, Steps())
    assert found.ok, found.problems
    # The two acts, and that the backup was put on record.
    assert (found.lost_events, found.sent_again, found.events, found.log_size) == (3, 1, 6, 5)
    assert 0 <= found.rpo_seconds <= found.age_seconds + 1
    noted = backups.note_of(house.home).drill
    assert noted is not None
    assert (noted.ok, noted.rto_seconds) == (True, found.rto_seconds)
    assert house.rows("SELECT body->'data'->'ok' FROM outbox WHERE type = 'audit.backup.drilled'", "audit") == [(True,)]
    assert house.rows("SELECT count(*) FROM outbox") == before["portal"]


def test_a_drill_finds_what_is_wrong_with_the_log(house: House) -> None:
    """An entry that was altered before the backup is named by the drill, and refused by the restore unless told."""
    with create_engine(at(house.stand.admin_url, database=house.names["audit"]), poolclass=NullPool).begin() as all_:
        all_.execute(text("SET session_replication_role = replica"))
        all_.execute(
            text("UPDATE event SET actor_id = 'somebody-else' WHERE event_id = (SELECT event_id FROM event LIMIT 1)")
        )
    made = house.backup()
    found = drill(house.settings, house.file(made), OPERATOR, Steps())
    assert not found.ok
    noted = backups.note_of(house.home).drill
    assert noted is not None
    assert not noted.ok
    with pytest.raises(SafekeepingError, match=r"not sound.*--despite-findings"):
        brought_back(house, house.file(made))
    assert brought_back(house, house.file(made), despite_findings=True).findings == found.problems


def test_data_that_are_there_are_not_replaced_unasked(kept: tuple[House, Created]) -> None:
    """A restore over a house with data is refused, naming the databases and the option."""
    house, made = kept
    acts = outbox(house)
    with pytest.raises(SafekeepingError, match="--replace"):
        brought_back(house, house.file(made), replacing=False)
    assert outbox(house) == acts


def test_a_running_house_is_not_touched(kept: tuple[House, Created], monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is connected, or gave a sign of life a moment ago, is named; nothing is changed."""
    house, made = kept
    acts = outbox(house)
    options = {"application_name": "grants-worker"}
    worker = create_engine(house.settings.database_urls["grants"], connect_args=options, poolclass=NullPool)
    with worker.connect(), pytest.raises(SafekeepingError, match=r"Tamga is running \(grants-worker\): stop it first"):
        brought_back(house, house.file(made))
    monkeypatch.setattr(restoring, "STALE_SECONDS", 0)
    (house.home / "heartbeats").mkdir()
    (house.home / "heartbeats" / "relay.loans").touch()
    with pytest.raises(SafekeepingError, match=r"running \(relay.loans\)"):
        brought_back(house, house.file(made))
    (house.home / "heartbeats" / "relay.loans").unlink()
    assert outbox(house) == acts


def test_a_restore_that_fails_half_way_leaves_all_as_it_was(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a database can't be filled the data stay, and nothing half-filled is left."""
    made = house.backup()
    house.act()
    acts, memory = outbox(house), (house.home / "keys" / "audit.checkpoint").read_text()
    broken = house.home / "pg_restore"
    broken.write_text(
        "#!/bin/sh\nhead -c 1000 >/dev/null\necho 'pg_restore: error: No space left on device' >&2\nexit 1\n"
    )
    broken.chmod(0o755)
    real = programs.program
    monkeypatch.setattr(programs, "program", lambda name, major: broken if name == "pg_restore" else real(name, major))
    with pytest.raises(SafekeepingError, match=r"portal can't be filled: .*No space left"):
        brought_back(house, house.file(made))
    assert (outbox(house), (house.home / "keys" / "audit.checkpoint").read_text()) == (acts, memory)
    assert house.databases() == set(house.names.values())


def test_who_connects_at_the_last_moment_keeps_the_old_data(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names are given to all five databases or to none; what an earlier restore, which was killed, has left goes."""
    made = house.backup()
    house.act()
    acts, memory = outbox(house), (house.home / "keys" / "audit.checkpoint").read_text()
    with admin_engine(house.stand.admin_url).connect() as everything:
        run(everything, "CREATE DATABASE {name}", name=f"{house.names['audit']}_restoring")
    uninvited = []
    connect = create_engine(house.settings.database_urls["loans"], poolclass=NullPool).connect
    monkeypatch.setattr(restoring, "ensure_database", lambda *_: uninvited.append(connect()))
    with pytest.raises(SafekeepingError, match=r"can't take their names .*stop whoever uses them"):
        brought_back(house, house.file(made))
    for connection in uninvited:
        connection.close()
    assert (outbox(house), (house.home / "keys" / "audit.checkpoint").read_text()) == (acts, memory)
    assert house.databases() == set(house.names.values())


def test_a_newer_releases_backup_is_refused_with_both_named(kept: tuple[House, Created]) -> None:
    """Neither a newer release nor tables that this one has never heard of are taken."""
    house, _ = kept
    contents, key = place.contents_of(house.settings), place.key_of(house.settings)
    newer = making.make(house.home / "newer", key, replace(contents, version="99.1.0"))
    with pytest.raises(SafekeepingError, match=r"made by Tamga 99.1.0 and this is \d+\.\d+\.\d+"):
        brought_back(house, Backup(newer.file, key))
    owner = create_engine(house.settings.owner_database_urls["grants"], poolclass=NullPool)
    with owner.begin() as connection:
        known = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
        connection.execute(text("UPDATE alembic_version SET version_num = '0999'"))
    unknown = making.make(house.home / "unknown", key, contents)
    with owner.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :known"), {"known": known})
    with pytest.raises(SafekeepingError, match="which is older: install"):
        brought_back(house, Backup(unknown.file, key))


def test_servers_that_do_not_do_their_part_are_named(kept: tuple[House, Created]) -> None:
    """A database server that is down or may only be read, a broker that is down: each with the cure, data untouched."""
    house, made = kept
    backup, acts = house.file(made), outbox(house)

    def with_(**changes: object) -> House:
        other = House.__new__(House)
        other.__dict__ = house.__dict__ | {"settings": house.settings.model_copy(update=changes)}
        return other

    admin = re.sub(r":\d+/", ":1/", house.settings.database_admin_url)
    with pytest.raises(SafekeepingError, match=r"at 127.0.0.1:1 takes no connection .*start it"):
        brought_back(with_(database_admin_url=admin), backup)
    readonly = f"{house.settings.database_admin_url}?options=-c%20default_transaction_read_only%3Don"
    with pytest.raises(SafekeepingError, match=r"may only be read.*use the primary"):
        brought_back(with_(database_admin_url=readonly), backup)
    with pytest.raises(SafekeepingError, match=r"broker does not answer.*start it"):
        brought_back(with_(amqp_admin_url="amqp://guest:guest@127.0.0.1:1//"), backup)
    with pytest.raises(SafekeepingError, match="administrator is not known: set TAMGA_DATABASE_ADMIN_URL"):
        brought_back(with_(database_admin_url=""), backup)
    down = {name: re.sub(r":\d+/", ":1/", url) for name, url in house.settings.owner_database_urls.items()}
    with pytest.raises(SafekeepingError, match=r"does not do its part .*start it"):
        with_(owner_database_urls=down).backup()
    assert outbox(house) == acts
    noted = backups.note_of(house.home)
    assert noted.last is not None
    assert (noted.last.ok, noted.good is not None) == (False, True)


def test_a_record_that_may_only_be_read_is_said(kept: tuple[House, Created]) -> None:
    """Where an act can't be put on record that is said, and no more than that is wrong."""
    house, _ = kept
    with create_engine(house.stand.admin_url, poolclass=NullPool).begin() as everything:
        everything.execute(text(f'ALTER DATABASE "{house.names["audit"]}" SET default_transaction_read_only = on'))
    try:
        said = creating.record(house.settings.database_urls["audit"], RecordViewed(record="a", what="b"), OPERATOR)
    finally:
        with create_engine(house.stand.admin_url, poolclass=NullPool).begin() as everything:
            everything.execute(text(f'ALTER DATABASE "{house.names["audit"]}" RESET default_transaction_read_only'))
    assert "read-only transaction" in said


def test_old_backups_go_once_a_new_one_is_good(kept: tuple[House, Created]) -> None:
    """What is past its time is removed and named in the record."""
    house, _ = kept
    known = house.settings.model_copy(update={"backups": house.home / "others"})
    known.backups_folder.mkdir()
    old = known.backups_folder / "tamga-0.0.1-20200101T020000Z.backup"
    old.write_bytes(b"old")
    made = creating.create(known, OPERATOR, Steps())
    assert (made.removed, old.exists()) == ([old.name], False)
    record = "SELECT body->'data'->'removed' FROM outbox WHERE type = 'audit.backup.created' ORDER BY row DESC LIMIT 1"
    assert house.rows(record, "audit") == [([old.name],)]
    assert json.loads((house.home / "backups.json").read_text())["kept"] == 1


def test_the_commands_answer_with_sentences_and_codes(
    kept: tuple[House, Created], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is good ends with 0, a damaged backup with 1, what can't be done with 2; JSON is alone on its stream."""
    house, made = kept
    monkeypatch.setattr(cli, "settings", lambda: house.settings)
    listed = CliRunner().invoke(cli.commands, ["list", "--json"])
    assert [Path(one["file"]).name for one in json.loads(listed.stdout)] == [made.file]
    read = CliRunner().invoke(cli.commands, ["verify", "--json"])
    assert (read.exit_code, json.loads(read.stdout)["documents"]) == (0, 1)
    good = house.settings.backups_folder / made.file
    damaged = house.home / "damaged"
    damaged.write_bytes(good.read_bytes()[:-1])
    found = CliRunner().invoke(cli.commands, ["verify", str(damaged)])
    assert (found.exit_code, found.stdout) == (1, "")
    assert "damaged is damaged: it was cut short" in found.stderr
    missing = CliRunner().invoke(cli.commands, ["verify", str(house.home / "nothing")])
    assert (missing.exit_code, "is not there: `tamga backup list`" in missing.stderr) == (2, True)


def test_a_backup_that_is_stopped_leaves_nothing(kept: tuple[House, Created], monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C and SIGTERM while it is written: a sentence, no file, nothing half-written, and the next one works."""
    house, _ = kept
    known = house.settings.model_copy(update={"backups": house.home / "stopped"})
    monkeypatch.setattr(cli, "settings", lambda: known)
    before = making.programs.dumping

    def stopped(name: str, *arguments: Any) -> Any:
        if name == "loans":
            os.kill(os.getpid(), signal.SIGTERM)
        return before(name, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(making.programs, "dumping", stopped)
        found = CliRunner().invoke(cli.commands, ["create"])
    assert (found.exit_code, "Stopped before it was done: nothing was changed" in found.stderr) == (2, True)
    assert [file.name for file in known.backups_folder.iterdir()] == [".lock"]
    assert CliRunner().invoke(cli.commands, ["create"]).exit_code == 0
