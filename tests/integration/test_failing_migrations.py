"""Migrations that fail: one sentence with the cure, and the databases as they were."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from shared import migrations
from shared.infrastructure.databases import admin_engine, at, drop_database, ensure_database, run
from shared.infrastructure.names import owner_role
from shared.settings import SERVICES, Settings
from shared.testing.disk import small_disk
from shared.testing.stand import Stand

pytestmark = pytest.mark.slow  # whole databases, made and brought forward

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


def test_a_full_disk_under_a_migration_is_named_and_nothing_is_changed(stand: Stand, versions: Path) -> None:
    """On a disk of 24 MB a version that needs more fails with the cure; the rows are those of before."""
    name = f"test_{stand.token}_small"
    with small_disk(24) as disk, admin_engine(stand.admin_url).connect() as admin:
        run(admin, "CREATE TABLESPACE {name} LOCATION {where_text}", name=name, where_text=str(disk.folder))
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
