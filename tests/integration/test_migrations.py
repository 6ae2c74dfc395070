"""Migrations written by the driver say exactly what the tables say."""

from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, String, Table, inspect, text
from sqlalchemy.exc import ProgrammingError

from shared import migrations
from shared.database import service_metadata
from shared.infrastructure.databases import at
from shared.infrastructure.names import app_role
from shared.settings import SERVICES
from shared.testing.stand import Stand


def test_a_written_version_leaves_no_difference_and_the_next_one_adds_only_the_new_column(
    stand: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A version made by autogenerate builds the declared tables; a second one has only what was added since."""
    metadata = service_metadata()
    table = Table("ledger", metadata, Column("id", Integer, primary_key=True), Column("label", String(20), index=True))
    monkeypatch.setattr(migrations, "versions", lambda _service: tmp_path)
    monkeypatch.setattr(migrations, "metadata_of", lambda _service: metadata)
    engine = stand.owner(stand.bare_database("grants"), "grants")
    with engine.begin() as connection:
        first = migrations.revision("grants", "the first tables", connection)
    with engine.begin() as connection:
        assert first is not None
        assert first.name == "0001_the_first_tables.py"
        assert migrations.upgrade("grants", connection) == ["0001"]
    with engine.begin() as connection:
        assert migrations.differences("grants", connection) == []
        assert migrations.revision("grants", "nothing", connection) is None
    table.append_column(Column("amount", Integer, nullable=False, server_default="0"))
    with engine.begin() as connection:
        second = migrations.revision("grants", "amounts", connection)
    assert second is not None
    assert "add_column" in second.read_text()
    assert "create_table" not in second.read_text()
    with engine.begin() as connection:
        assert migrations.upgrade("grants", connection) == ["0002"]
        assert migrations.upgrade("grants", connection) == []
    with engine.connect() as connection:
        assert "amount" in {column["name"] for column in inspect(connection).get_columns("ledger")}


def test_the_app_role_may_do_only_what_the_table_says(
    stand: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table that is append-only for the app refuses its UPDATE, and the app may create nothing."""
    metadata = service_metadata(publishes=False, consumes=False)
    Table("log", metadata, Column("id", Integer, primary_key=True), info={"app_may": "SELECT, INSERT"})
    monkeypatch.setattr(migrations, "versions", lambda _service: tmp_path)
    monkeypatch.setattr(migrations, "metadata_of", lambda _service: metadata)
    name = stand.bare_database("audit")
    with stand.owner(name, "audit").begin() as connection:
        migrations.create("audit", connection)
    app = stand.engine(at(stand.admin_url, database=name, user=app_role("audit")))
    with app.begin() as connection:
        connection.execute(text("INSERT INTO log VALUES (1)"))
    for forbidden in ("UPDATE log SET id = 2", "DELETE FROM log", "TRUNCATE log", "CREATE TABLE mine (id int)"):
        with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"), app.begin() as connection:
            connection.execute(text(forbidden))


@pytest.mark.parametrize("service", SERVICES)
def test_after_upgrade_nothing_differs(stand: Stand, service: str) -> None:
    """A service's versions build exactly the tables that its storage declares."""
    assert migrations.has_versions(service), f"{service} has no versions: make them with shared.migrations revision"
    with stand.owner(stand.database_name(service), service).connect() as connection:
        assert migrations.differences(service, connection) == []
