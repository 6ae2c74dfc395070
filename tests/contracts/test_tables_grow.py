"""Released tables only grow: every version after the last release's works with that release's code too."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from sqlalchemy import Connection, Engine, text

from shared import expansion, migrations
from shared.settings import SERVICES
from shared.testing import released
from shared.testing.stand import Stand
from shared.version import newer

BEFORE = """
CREATE TABLE grantee (id integer PRIMARY KEY, name varchar(20) NOT NULL, note text, amount numeric(20,4),
                      state text NOT NULL DEFAULT 'new', code text, CONSTRAINT positive CHECK (amount > 0));
CREATE UNIQUE INDEX grantee_code ON grantee (code);
CREATE INDEX grantee_name ON grantee (name);
CREATE TABLE spare (id integer);
CREATE FUNCTION twice(n integer) RETURNS integer LANGUAGE sql AS 'SELECT 2 * n';
GRANT SELECT, INSERT ON grantee TO pg_monitor;
"""
ADDITIONS = {
    "a table": "CREATE TABLE more (id integer PRIMARY KEY, grantee integer UNIQUE REFERENCES grantee)",
    "a column that may be empty": "ALTER TABLE grantee ADD COLUMN place text",
    "a required column with a default": "ALTER TABLE grantee ADD COLUMN copies integer NOT NULL DEFAULT 0",
    "a computed column": "ALTER TABLE grantee ADD COLUMN wide text NOT NULL GENERATED ALWAYS AS (name || '.') STORED",
    "a rule about a new column": "ALTER TABLE grantee ADD COLUMN age integer CHECK (age > 0)",
    "an index": "CREATE INDEX grantee_note ON grantee (note)",
    "an index less": "DROP INDEX grantee_name",
    "longer words": "ALTER TABLE grantee ALTER COLUMN name TYPE varchar(40)",
    "words without end": "ALTER TABLE grantee ALTER COLUMN name TYPE text",
    "longer numbers": "ALTER TABLE grantee ALTER COLUMN amount TYPE numeric(30,4)",
    "another default": "ALTER TABLE grantee ALTER COLUMN state SET DEFAULT 'fresh'",
    "further rights": "GRANT UPDATE ON grantee TO pg_monitor",
    "a function, and another body of one": (
        "CREATE OR REPLACE FUNCTION twice(n integer) RETURNS integer LANGUAGE sql AS 'SELECT n + n';"
        "CREATE FUNCTION thrice(n integer) RETURNS integer LANGUAGE sql AS 'SELECT 3 * n'"
    ),
}
BREAKS = {
    "DROP TABLE spare": "takes away the table spare",
    "ALTER TABLE spare RENAME TO reserve": "takes away the table spare",
    "ALTER TABLE grantee DROP COLUMN note": "takes away grantee.note",
    "ALTER TABLE grantee RENAME COLUMN note TO remark": "takes away grantee.note",
    "ALTER TABLE grantee ADD COLUMN place text NOT NULL": "grantee.place is required and has no default",
    "ALTER TABLE grantee ALTER COLUMN note SET NOT NULL": "grantee.note becomes required",
    "ALTER TABLE grantee ALTER COLUMN name DROP NOT NULL": "grantee.name may now be empty",
    "ALTER TABLE grantee ALTER COLUMN state DROP DEFAULT": "grantee.state loses its default",
    "ALTER TABLE grantee ALTER COLUMN name TYPE varchar(10)": "grantee.name becomes character varying(10)",
    "ALTER TABLE grantee ALTER COLUMN note TYPE varchar(100)": "grantee.note becomes character varying(100)",
    "ALTER TABLE grantee ALTER COLUMN amount TYPE numeric(20,2)": "grantee.amount becomes numeric(20,2)",
    "ALTER TABLE spare ALTER COLUMN id TYPE smallint": "spare.id becomes smallint",
    "ALTER TABLE grantee ADD UNIQUE (note)": "grantee gets a rule that the former release does not know: UNIQUE (note)",
    "CREATE UNIQUE INDEX one_name ON grantee (lower(name))": "grantee gets a rule that the former release does",
    "ALTER TABLE grantee ADD CHECK (name <> '')": "grantee gets a rule",
    "ALTER TABLE spare ADD FOREIGN KEY (id) REFERENCES grantee": "spare gets a rule",
    "ALTER TABLE spare ADD COLUMN one integer DEFAULT 1 UNIQUE": "spare gets a rule",
    "DROP INDEX grantee_code": "grantee loses a rule that the former release counts on: UNIQUE",
    "ALTER TABLE grantee DROP CONSTRAINT positive": "grantee loses a rule that the former release counts on: CHECK",
    "ALTER TABLE spare ALTER COLUMN id SET NOT NULL, ALTER id ADD GENERATED ALWAYS AS IDENTITY": "spare.id",
    "REVOKE INSERT ON grantee FROM pg_monitor": "pg_monitor may no longer INSERT grantee",
    "DROP FUNCTION twice": "takes away the function twice(integer)",
    "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
    "CREATE TRIGGER stop BEFORE INSERT ON grantee FOR EACH ROW EXECUTE FUNCTION no()": "a trigger on grantee",
}


@pytest.fixture(scope="module")
def empty(stand: Stand) -> Iterator[Engine]:
    """Give a database without tables."""
    with stand.empty_database() as engine:
        yield engine


@pytest.fixture
def tables(empty: Engine) -> Iterator[Connection]:
    """Give a few tables that are gone afterwards."""
    with empty.connect() as connection:
        connection.execute(text(BEFORE))
        yield connection
        connection.rollback()


def changed(connection: Connection, statement: str) -> list[str]:
    """Return what there is to complain of when tables are changed in this way."""
    before = expansion.shape_of(connection)
    connection.execute(text(statement))
    return expansion.complaints(before, expansion.shape_of(connection))


@pytest.mark.parametrize("statement", ADDITIONS.values(), ids=ADDITIONS)
def test_what_only_adds_is_let_through(tables: Connection, statement: str) -> None:
    """The former release writes and reads as before."""
    assert changed(tables, statement) == []


@pytest.mark.parametrize(("statement", "words"), BREAKS.items(), ids=[words[:40] for words in BREAKS.values()])
def test_what_the_former_release_would_stumble_over_is_named(tables: Connection, statement: str, words: str) -> None:
    """Each break is found, however it is written, and named with table and column."""
    assert any(words in complaint for complaint in changed(tables, statement))


def complaints_since(stand: Stand, service: str, last: str, release: str) -> list[str]:
    """Return what is wrong with a service's versions after `last`, which `release` had."""
    modules, found = migrations.known(service), []
    newer_ones = [*modules][[*modules].index(last) + 1 :]
    if not newer_ones:
        return []
    with stand.owner(stand.bare_database(service), service).connect() as connection:
        migrations.upgrade(service, connection, months_ahead=1, to=last)
        for revision in newer_ones:
            before = expansion.shape_of(connection)
            migrations.upgrade(service, connection, months_ahead=1, to=revision)
            breaks = expansion.complaints(before, expansion.shape_of(connection))
            verdict = judged(breaks, migrations.contract_of(modules[revision]), release)
            found += [f"{service} {revision}: {verdict}"] if verdict else []
    return found


def judged(breaks: list[str], since: str, release: str) -> str:
    """Return what is wrong with a version that breaks so much and says since when that is not used."""
    if breaks and not since:
        return f'{"; ".join(breaks)}. If no release uses that any more: contract = "since RELEASE"'
    if since and not breaks:
        return "it says that it takes something away, and does not"
    return f"{release} still uses what it takes away: {since} is not released" if newer(since or "0", release) else ""


@pytest.mark.parametrize("service", SERVICES)
def test_versions_since_the_last_release_only_add(stand: Stand, service: str) -> None:
    """Each newer version, applied to the last release's tables, only adds, or says since when nobody uses it."""
    last = released.facts()["tables"][service]["head"]
    assert complaints_since(stand, service, last, released.facts()["release"]) == []


def test_a_version_that_does_more_than_add_is_found(stand: Stand) -> None:
    """Of our own history: partitions of the outbox took unique rules away, the version after it only added."""
    [found] = complaints_since(stand, "loans", "0002", "0.1.0")
    assert found.startswith("loans 0003: ")
    assert "outbox loses a rule that the former release counts on: UNIQUE (entity, sequence)" in found


@pytest.mark.parametrize(
    ("breaks", "since", "words"),
    [
        ([], "", ""),
        (["takes away a.b"], "", 'takes away a.b. If no release uses that any more: contract = "since RELEASE"'),
        (["takes away a.b"], "0.1.0", ""),
        (["takes away a.b"], "0.2.0", "0.1.0 still uses what it takes away: 0.2.0 is not released"),
        ([], "0.1.0", "it says that it takes something away, and does not"),
    ],
)
def test_what_is_taken_away_must_be_unused_since_a_release(breaks: list[str], since: str, words: str) -> None:
    """Only what the last release no longer uses may go, and only when the version says so."""
    assert judged(breaks, since, "0.1.0") == words


@pytest.mark.parametrize("service", SERVICES)
def test_released_versions_are_as_they_were_released(service: str) -> None:
    """Where they were applied nobody applies them again: a change belongs into a version of its own."""
    recorded = released.facts()["tables"][service]["files"]
    assert {name: content for name, content in released.files_of(service).items() if name in recorded} == recorded


def test_the_record_is_of_the_newest_release() -> None:
    """Where the history with its tags is at hand, the newest tag is the release that was recorded."""
    command = ["git", "-C", str(released.ROOT), "tag", "--list", "v*", "--sort=-version:refname"]
    tags = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
    recorded = released.facts()["release"]
    assert tags[:1] in ([], [f"v{recorded}"]), f"{recorded} is recorded: python -m shared.testing.released"


def test_a_contract_is_read_or_refused() -> None:
    """`since` and a release; anything else is an error, not an addition."""
    assert migrations.contract_of(SimpleNamespace(__name__="v", contract="since 1.4.0")) == "1.4.0"
    assert migrations.contract_of(SimpleNamespace(__name__="v")) == ""
    with pytest.raises(ValueError, match="since RELEASE"):
        migrations.contract_of(SimpleNamespace(__name__="v", contract="from 1.4 on"))


def test_a_database_that_is_further_than_this_release_is_left_as_it_is(stand: Stand) -> None:
    """After a rollback the former release finds a version it does not know: it applies nothing and goes on."""
    with stand.owner(stand.database_name("loans"), "loans").connect() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        connection.execute(text("ALTER TABLE proposal ADD COLUMN of_the_next_release text"))
        before = expansion.shape_of(connection)
        assert migrations.upgrade("loans", connection) == []
        assert expansion.shape_of(connection) == before
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "9999"
