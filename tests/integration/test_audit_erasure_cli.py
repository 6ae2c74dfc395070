"""The commands by which people are erased and holds are placed: exit codes, figures, and what is put on record."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from audit_log import ANA, act, body
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from services.audit import cli
from services.audit.cli import common, erasing
from services.audit.handlers import ingest
from services.audit.handlers.erasure import House
from shared.events import Actor
from shared.messaging.wire import Raw, encode
from shared.settings import Settings
from shared.testing.stand import Stand

RUNNER = CliRunner()


@pytest.fixture
def house(stand: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Engine, House]:
    """Give a log of one act of Ana's, in a case of 2012, that the commands find by their settings."""
    engine = stand.database("audit")
    url = engine.url.render_as_string(hide_password=False)
    known = Settings(home=tmp_path, database_urls={"audit": url})
    monkeypatch.setattr(common, "settings", lambda: known)
    monkeypatch.setattr(erasing, "settings", lambda: known)
    found = House.of(known)
    long_ago = act(1).time.replace(year=2012)
    raw = encode(act(1, time=long_ago, body=body(ANA, title="Crafts")))
    with engine.begin() as connection:
        batch = [Raw(raw.headers, raw.body, raw.routing_key, None, raw.message_id)]
        ingest(connection, batch, subjects=found.subjects)
    return engine, found


def test_erasing_takes_two_and_gives_a_receipt(house: tuple[Engine, House], monkeypatch: pytest.MonkeyPatch) -> None:
    """A dry run says what would go; one operator asks, the same can't confirm, another gets the signed receipt."""
    dry = RUNNER.invoke(cli.commands, ["erase", ANA.id, "--dry-run", "--json"])
    facts = json.loads(dry.stdout)
    assert (dry.exit_code, facts["entries"], facts["refused"]) == (0, 1, None)
    assert [(row["case"], row["class"], row["until"]) for row in facts["records"]] == [
        ("BSO-2026-0001", "application", "2015-11-02")
    ]
    [due] = json.loads(RUNNER.invoke(cli.commands, ["due", "--json"]).stdout)
    assert due == {"subject": facts["subject"], "entries": 1, "kept_until": "2015-11-02"}
    asked = RUNNER.invoke(cli.commands, ["erase", ANA.id, "--because", "She asked", "--json"])
    assert (asked.exit_code, json.loads(asked.stdout)["stage"]) == (0, "requested")
    alone = RUNNER.invoke(cli.commands, ["erase", ANA.id])
    assert (alone.exit_code, "Another person" in alone.stderr) == (2, True)
    monkeypatch.setattr(erasing, "operator", lambda: Actor(id="operator:second", name="Second", role="operator"))
    done = RUNNER.invoke(cli.commands, ["erase", ANA.id])
    assert (done.exit_code, "tamga-erasure/v1" in done.stdout) == (0, True)
    assert f"user erase {ANA.id.removeprefix('user:')}" in done.stdout
    assert house[1].subjects.names([ANA.id]) == {}
    assert RUNNER.invoke(cli.commands, ["erase", "nobody@nowhere.example"]).exit_code == 2


def test_a_hold_is_placed_listed_released_and_heeded(
    house: tuple[Engine, House], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under a hold `erase` ends with 1 and the refusal is on record; a wrong scope names its field."""
    placed = RUNNER.invoke(cli.commands, ["hold", "place", "case", "bso-2026-0001", "--because", "Case 12/26"])
    held = placed.stdout.strip()
    refused = RUNNER.invoke(cli.commands, ["erase", ANA.id, "--because", "She asked"])
    assert (refused.exit_code, "Case 12/26" in refused.stderr) == (1, True)
    with house[0].connect() as connection:
        rows = connection.execute(text("SELECT body->'data' FROM outbox WHERE type = 'audit.attempt.refused'"))
        [attempt] = rows.scalars()
    assert (attempt["action"], attempt["problem"]) == ("audit.erasure.request", "retained")
    assert RUNNER.invoke(cli.commands, ["erase", ANA.id, "--dry-run"]).exit_code == 1
    assert "Nobody's records are due" in RUNNER.invoke(cli.commands, ["due"]).stdout
    [listed] = json.loads(RUNNER.invoke(cli.commands, ["hold", "list", "--json"]).stdout)
    assert (listed["id"], listed["scope"], listed["which"]) == (held, "case", "BSO-2026-0001")
    wrong = RUNNER.invoke(cli.commands, ["hold", "place", "planet", "earth", "--because", "x"])
    assert (wrong.exit_code, "scope is none of" in wrong.stderr) == (2, True)
    assert RUNNER.invoke(cli.commands, ["hold", "release", held, "--because", "Over"]).exit_code == 2
    monkeypatch.setattr(erasing, "operator", lambda: Actor(id="operator:second", name="Second", role="operator"))
    assert RUNNER.invoke(cli.commands, ["hold", "release", held, "--because", "Over"]).exit_code == 0
    assert "No hold stands" in RUNNER.invoke(cli.commands, ["hold", "list"]).stdout
