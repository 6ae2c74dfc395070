"""The `tamga audit` commands: exit codes and JSON for machines."""

from __future__ import annotations

import base64
import getpass
import json
from pathlib import Path
from uuid import uuid4

import pytest
from audit_log import act, take_in
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from services.audit import cli
from services.audit.application import create_app
from services.audit.cli import common
from shared.settings import Settings
from shared.testing.stand import Stand
from shared.testing.web import KEY, Browser, person, web_settings

RUNNER = CliRunner()


@pytest.fixture
def engine(stand: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """Give a log of three entries that the commands find by their settings."""
    engine = stand.database("audit")
    take_in(engine, [act(n) for n in range(1, 4)])
    url = engine.url.render_as_string(hide_password=False)
    monkeypatch.setattr(common, "settings", lambda: Settings(home=tmp_path, database_urls={"audit": url}))
    return engine


def test_verify_says_sound_or_names_the_row(stand: Stand, engine: Engine) -> None:
    """Exit 0 with the root for a sound log; exit 1 and the column's name after one edit."""
    sound = RUNNER.invoke(cli.commands, ["verify", "--json"])
    report = json.loads(sound.stdout)
    assert (sound.exit_code, report["ok"], report["events"], len(report["root"])) == (0, True, 3, 64)
    assert "OK" in RUNNER.invoke(cli.commands, ["verify"]).stdout
    with stand.superuser(engine).begin() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        connection.execute(text("UPDATE event SET role = 'auditor' WHERE leaf_index = 1"))
    spoiled = RUNNER.invoke(cli.commands, ["verify", "--json"])
    [finding] = json.loads(spoiled.stdout)["findings"]
    assert (spoiled.exit_code, finding["leaf_index"], finding["column"]) == (1, 1, "role")
    assert "NOT OK" in RUNNER.invoke(cli.commands, ["verify"]).stdout


def test_a_kept_checkpoint_is_compared(engine: Engine, tmp_path: Path) -> None:
    """A checkpoint that this log's key did not sign is a finding."""
    kept = tmp_path / "kept"
    kept.write_text(f"elsewhere/audit\n3\n{base64.b64encode(bytes(32)).decode()}\n\n— elsewhere/audit AAAAAAAA\n")
    answer = RUNNER.invoke(cli.commands, ["verify", "--checkpoint", str(kept)])
    assert answer.exit_code == 1
    assert "no signature by a known key" in answer.stdout


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "can't be read (No such file or directory)"),
        (b"", "holds no checkpoint"),
        (b"nonsense", "holds no checkpoint"),
        (b"\xff\xfe", "is not text"),
    ],
)
def test_what_is_no_checkpoint_is_not_compared(tmp_path: Path, content: bytes | None, why: str) -> None:
    """A file that is missing, empty or something else gives no verdict, but one sentence with the cure."""
    kept = tmp_path / "kept"
    if content is not None:
        kept.write_bytes(content)
    answer = RUNNER.invoke(cli.commands, ["verify", "--checkpoint", str(kept)])
    assert (answer.exit_code, answer.stdout) == (2, "")
    cure = "give the file in which you kept a checkpoint of /audit/verification, whole."
    assert answer.stderr.startswith(f"{kept} {why}")
    assert answer.stderr.endswith(f": {cure}\n")
    folder = RUNNER.invoke(cli.commands, ["verify", "--checkpoint", str(tmp_path)])
    assert (folder.exit_code, "can't be read (Is a directory)" in folder.stderr) == (2, True)


def test_hashes_are_whole_on_a_narrow_terminal(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """80 columns fold the root and cut nothing of it."""
    monkeypatch.setattr(cli.console, "width", 80)
    root = json.loads(RUNNER.invoke(cli.commands, ["verify", "--json"]).stdout)["root"]
    shown = RUNNER.invoke(cli.commands, ["verify"]).stdout
    assert "…" not in shown
    assert root in "".join(shown.split())


@pytest.mark.english
def test_a_result_is_kept_with_who_asked_for_it(engine: Engine, tmp_path: Path) -> None:
    """The auditor's page shows what the command found and who ran it, and the log has it; --no-record keeps nothing."""
    nothing = RUNNER.invoke(cli.commands, ["verify", "--no-record"])
    assert RUNNER.invoke(cli.commands, ["verify", "--json"]).exit_code == nothing.exit_code == 0
    with engine.connect() as connection:
        said = text("SELECT type, body->'actor'->>'id' FROM outbox")
        assert connection.execute(said).all() == [("audit.verification.completed", f"operator:{getpass.getuser()}")]
    app = create_app(web_settings(home=tmp_path), engine=engine, key=KEY)
    page = Browser(app, person("auditor")).get("/verification").text
    assert page.count("the whole log") == 1
    assert f">{getpass.getuser()}</td>" in page


def test_a_verdict_does_not_need_to_be_kept(stand: Stand, engine: Engine) -> None:
    """Where nothing may be written the log is verified all the same, and that nothing was kept is said."""
    with stand.superuser(engine).begin() as connection:
        read_only = f'ALTER DATABASE "{engine.url.database}" SET default_transaction_read_only = on'
        connection.execute(text(read_only))
    answer = RUNNER.invoke(cli.commands, ["verify"])
    assert answer.exit_code == 0
    assert "could not be kept" in answer.output


def test_prove_gives_a_checked_proof(engine: Engine) -> None:
    """Exit 0 with the path to the signed root for an event of the log, exit 1 for one that is not there."""
    with engine.connect() as connection:
        event_id = connection.execute(text("SELECT event_id FROM event WHERE leaf_index = 2")).scalar()
    proof = json.loads(RUNNER.invoke(cli.commands, ["prove", str(event_id), "--json"]).stdout)
    assert (proof["leaf_index"], proof["tree_size"], len(proof["path"])) == (2, 3, 1)
    assert "OK" in RUNNER.invoke(cli.commands, ["prove", str(event_id)]).stdout
    assert RUNNER.invoke(cli.commands, ["prove", str(uuid4())]).exit_code == 1


def test_without_a_database_nothing_is_claimed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """When the log can't be reached the answer is neither sound nor unsound: exit 2."""
    monkeypatch.setattr(common, "settings", lambda: Settings(home=tmp_path))
    assert RUNNER.invoke(cli.commands, ["verify"]).exit_code == 2
    assert RUNNER.invoke(cli.commands, ["prove", str(uuid4())]).exit_code == 2
