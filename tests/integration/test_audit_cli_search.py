"""`tamga audit search` and `tamga audit timeline`: what they find, their exit codes, and the trace that they leave."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from audit_log import GORAN, act, body, take_in
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from services.audit import cli
from services.audit.cli import common
from shared.settings import Settings
from shared.testing.stand import Stand

RUNNER = CliRunner()


@pytest.fixture
def engine(stand: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """Give a log of three entries that the commands find by their settings."""
    engine = stand.database("audit")
    more = act(3, type="loans.referral.submitted", source="loans", case="BSO-2026-0001", position=1)
    take_in(engine, [act(1), act(2, body=body(GORAN, changes={"amount": ["45000.00", "50000.00"]})), more])
    url = engine.url.render_as_string(hide_password=False)
    monkeypatch.setattr(common, "settings", lambda: Settings(home=tmp_path, database_urls={"audit": url}))
    return engine


def test_a_search_prints_a_table_and_leaves_a_trace(engine: Engine) -> None:
    """The language of the page finds the same at the terminal; who searched for what stands in the log."""
    shown = RUNNER.invoke(cli.commands, ["search", "person:goran changed:amount from:45,000".replace(",", "")])
    assert shown.exit_code == 0, shown.output
    assert "Goran Ristov" in shown.stdout
    assert "Ana Petrova" not in shown.stdout
    with engine.connect() as connection:
        data = connection.execute(text("SELECT body -> 'data' FROM outbox")).scalar_one()
    assert data == {
        "filters": {"person": "goran", "changed": "amount", "old": "45000"},
        "found": 1,
        "through": "cli",
        "purpose": None,
    }


def test_a_search_gives_json(engine: Engine) -> None:
    """For machines each match has its leaf, its kind and what changed."""
    answer = RUNNER.invoke(cli.commands, ["search", "service:grants", "--limit", "1", "--json"])
    told = json.loads(answer.stdout)
    assert (answer.exit_code, told["more"], told["looked_back_to_leaf"]) == (0, True, None)
    assert [(item["leaf"], item["type"], item["changes"]) for item in told["items"]] == [
        (1, "grants.application.submitted", {"amount": ["45000.00", "50000.00"]})
    ]


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        (["search", "nowhere"], 1, ""),
        (["search", "rolle:officer"], 2, "This search is not understood: at 1, rolle:officer"),
        (["timeline", "BSO-1999-0001"], 1, "There is no case BSO-1999-0001 in the log"),
    ],
)
def test_nothing_found_and_nothing_understood_differ(engine: Engine, command: list[str], code: int, said: str) -> None:
    """Exit code 1 says that nothing is there, 2 that nothing was looked for; the sentence says why."""
    answer = RUNNER.invoke(cli.commands, command)
    assert answer.exit_code == code, engine
    assert answer.stderr.startswith(said)


def test_a_timeline_goes_through_all_services(engine: Engine) -> None:
    """A case is told from its first act over every service, and the look is recorded."""
    answer = RUNNER.invoke(cli.commands, ["timeline", "bso-2026-0001", "--json"])
    items = json.loads(answer.stdout)["items"]
    assert [item["type"] for item in items] == ["grants.application.submitted", "loans.referral.submitted"]
    assert "Submitted the application" in RUNNER.invoke(cli.commands, ["timeline", "BSO-2026-0001"]).stdout
    with engine.connect() as connection:
        assert set(connection.execute(text("SELECT type FROM outbox")).scalars()) == {"audit.record.viewed"}
