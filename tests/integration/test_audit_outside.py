"""Live rows beside the record: what somebody changed with SQL is named field by field, and nothing else is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from completeness_world import House
from grants_world import Case, World
from sqlalchemy import text
from typer.testing import CliRunner

from services.audit import cli
from services.audit.application import create_app
from services.audit.cli import common
from services.audit.figures import figures
from services.audit.handlers.comparison import Comparing, Comparison
from services.audit.storage import comparing
from services.audit.storage.opening import Opener
from services.audit.storage.subjects import Subjects, subjects_of
from shared.database import system
from shared.settings import Settings, settings
from shared.testing.stand import Stand
from shared.testing.web import KEY, Browser, person, web_settings


class Busy:
    """A grants service in which something happened, and its record."""

    def __init__(self, stand: Stand, home: Path) -> None:
        self.world = World(stand.database("grants"), home)
        self.house = House(stand, self.world.engine)
        self.opener = Opener(subjects_of(settings()))

    def compare(self, **options: Any) -> Comparison:
        """Compare everything now."""
        run = Comparing(self.house.audit, {"grants": self.house.source}, self.opener, pause=0.0, **options)
        return run.run(system("audit"))


@pytest.fixture
def busy(stand: Stand, tmp_path: Path) -> Busy:
    """Give a service with a case that went all the way, every act of it on record."""
    busy = Busy(stand, tmp_path)
    Case(busy.world).concluded()
    busy.house.carry()
    return busy


BY_SQL = {"payee:chamber-of-crafts", "payee:lead-firm"}  # the world itself writes these rows past the programs


def new(run: Comparison) -> list[dict[str, Any]]:
    """Return what was found beside the rows that the world writes with SQL."""
    return [item for item in run.findings if item["entity"] not in BY_SQL]


def application(busy: Busy) -> Any:
    """Return the case's row."""
    with busy.house.source.connect() as connection:
        return connection.execute(text("SELECT id, version, state FROM application")).one()


def test_only_rows_that_were_written_with_sql_are_found(busy: Busy) -> None:
    """Every row of a case from draft to end has the hash of its last act; two rows that no act made appeared."""
    run = busy.compare()
    assert {(item["entity"], item["nature"]) for item in run.findings} == {(name, "appeared") for name in BY_SQL}
    assert run.waiting == 0
    assert run.rows >= len(BY_SQL) + 5


def test_t13_an_update_with_sql_is_named_field_by_field(busy: Busy) -> None:
    """T13: the report has the entity, the last act on record, each changed field as audited and as it is, no other."""
    row = application(busy)
    edit = 'UPDATE application SET state = state || \'{"title": "Another", "applicant": "org:mine"}\' WHERE id = :id'
    busy.house.destroy(edit, id=row.id)
    [found] = new(busy.compare())
    with busy.house.audit.connect() as connection:
        assert figures(connection)["outside"] == len(BY_SQL) + 1
    assert (found["entity"], found["nature"], found["version"]) == (f"application:{row.id}", "altered", row.version)
    assert found["fields"]["title"] == [row.state["title"], "Another"]
    assert set(found["fields"]) == {"title", "applicant"}
    assert found["case"] == row.id
    with busy.house.audit.connect() as connection:
        last = text("SELECT event_id::text, sequence FROM event WHERE entity = :entity ORDER BY sequence DESC LIMIT 1")
        event_id, sequence = connection.execute(last, {"entity": found["entity"]}).one()
    assert (found["event_id"], found["sequence"]) == (event_id, sequence)
    [said] = [item for item in busy.house.recorded("change.found") if item["about"] == found["entity"]]
    assert (said["nature"], said["fields"]) == ("altered", ["applicant", "title"])
    assert busy.house.recorded("comparison.completed")[0]["ok"] is False


def test_a_version_and_a_name_that_fit_hide_nothing(busy: Busy) -> None:
    """Who also counts the version up and writes a person's name beside it is found by the state alone."""
    row = application(busy)
    edit = (
        "UPDATE application SET state = state || '{\"title\": \"x\"}', version = version + 1, updated_by_name = 'Goran'"
    )
    busy.house.destroy(edit)
    assert [item["entity"] for item in new(busy.compare())] == [f"application:{row.id}"]


def test_a_row_deleted_with_sql_is_found(busy: Busy) -> None:
    """A review of which the record knows, and whose row is gone, has vanished."""
    with busy.house.source.connect() as connection:
        gone = connection.execute(text("SELECT id FROM review ORDER BY id LIMIT 1")).scalar_one()
    with busy.house.root.begin() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        connection.execute(text("DELETE FROM review WHERE id = :id"), {"id": gone})
    [found] = new(busy.compare())
    assert (found["entity"], found["nature"]) == (f"review:{gone}", "vanished")


def test_acts_on_their_way_are_no_alarm(busy: Busy) -> None:
    """A row whose newest act has not reached the log is waited for; once it is there, all is well."""
    Case(busy.world).submitted()
    run = busy.compare()
    assert new(run) == []
    assert run.waiting > 0
    busy.house.carry()
    again = busy.compare()
    assert (new(again), again.waiting) == ([], 0)


def test_acts_that_arrive_meanwhile_are_compared_after_all(busy: Busy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Busy traffic: the act arrives while the comparison waits for it, and its row is compared with it."""
    Case(busy.world).submitted()
    monkeypatch.setattr("services.audit.handlers.comparison.time.sleep", lambda _seconds: busy.house.carry())
    run = busy.compare()
    assert (new(run), run.waiting) == ([], 0)


def test_a_run_that_was_ended_goes_on_where_it_was(busy: Busy, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found before the end is kept, nothing is compared twice, and it is one run."""
    whole = busy.compare().rows
    edit = 'UPDATE application SET state = state || \'{"title": "x"}\''
    busy.house.destroy(edit)
    monkeypatch.setattr(comparing, "BATCH", 2)
    ended = 0

    def say(place: str, _rows: int) -> None:
        nonlocal ended
        ended += 1
        if place == "grants award":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        busy.compare(say=say)
    run = busy.compare()
    assert [item["nature"] for item in new(run)] == ["altered"]
    assert run.rows == whole
    with busy.house.audit.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM comparison")).scalar_one() == 2
    assert ended > 1


def test_the_auditor_reads_it_and_the_command_says_it(
    busy: Busy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page has the old and the new value and the last act; the command ends with 1; an operator sees no values."""
    row = application(busy)
    busy.house.destroy('UPDATE application SET state = state || \'{"title": "<b>Another</b>"}\'')
    urls = {
        name: engine.url.render_as_string(hide_password=False)
        for name, engine in (("grants", busy.house.source), ("audit", busy.house.audit))
    }
    monkeypatch.setattr(common, "settings", lambda: Settings(home=tmp_path, database_urls=urls))
    runner = CliRunner()
    answer = runner.invoke(cli.commands, ["compare-state", "--service", "grants", "--json"])
    report = json.loads(answer.stdout)
    assert (answer.exit_code, report["ok"]) == (1, False)
    assert "NOT OK" in runner.invoke(cli.commands, ["compare-state", "--service", "grants"]).stdout
    assert runner.invoke(cli.commands, ["compare-state", "--service", "nobody"]).exit_code == 2
    app = create_app(web_settings(home=tmp_path), engine=busy.house.audit, key=KEY)
    page = Browser(app, person("auditor")).get("/changes-outside").text
    assert row.state["title"] in page
    assert "&lt;b&gt;Another&lt;/b&gt;" in page
    assert f"application:{row.id}" in page
    assert Browser(app, person("operator")).get("/changes-outside").status_code == 403
    assert Browser(app, person("operator")).get("/completeness").status_code == 200


def test_a_house_without_the_keys_of_people_still_names_the_field(busy: Busy, tmp_path: Path) -> None:
    """Where names can't be read they are taken for no difference; the hash, which is in clear, tells all the same."""
    busy.opener = Opener(Subjects(tmp_path / "no keys here"))
    busy.house.destroy('UPDATE application SET state = state || \'{"title": "x"}\'')
    [found] = new(busy.compare())
    assert set(found["fields"]) == {"title"}
