"""What every `tamga` command refuses, and how it says that a server is silent."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from amqp.exceptions import AccessRefused
from sqlalchemy.exc import OperationalError

from services.__main__ import COMMANDS, main
from shared.command_line import slip, unanswered
from shared.messaging.broker_api import BrokerAPIError

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["events", "trace", ""], "Argument 3 is empty"),
        (["letters", "list", "--case", " "], "What follows --case is empty"),
        (["letters", "list", "--case="], "--case is empty"),
        (["letters", "list", "--case", "\udcff"], "What follows --case is not text in UTF-8"),
        (["user", "add", "a@x.example", "--name=", "--role", "auditor"], "--name is empty"),
    ],
)
def test_what_no_command_can_mean_is_named(arguments: list[str], said: str) -> None:
    """An empty argument is most often a variable of a script that is not set: it never stands for everything."""
    assert (slip(arguments) or "").startswith(said)


def test_other_arguments_are_left_to_the_commands() -> None:
    """Options with and without values, letters of any language, and none at all."""
    assert slip([]) is None
    assert slip(["user", "list", "Ана", "--json", "--", "--case=a b"]) is None


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_takes_an_empty_argument(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever the command, it ends with 2 and one sentence before anything is done."""
    monkeypatch.setattr("sys.argv", ["tamga", name, ""])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr() == ("", "Argument 2 is empty: say what is meant, or leave it out.\n")


def test_who_does_not_answer_is_one_sentence() -> None:
    """The database, the broker, its HTTP API and a file, each in words; an error of ours stays a traceback."""
    silent = OperationalError("SELECT 1", {}, Exception("connection failed: Connection refused\nmore"))
    for error, said in (
        (silent, "The database does not answer: "),
        (AccessRefused("ACCESS_REFUSED - Login was refused"), "The broker does not answer: "),
        (ConnectionRefusedError(111, "Connection refused"), "The broker does not answer: "),
        (BrokerAPIError("The broker's HTTP API does not answer."), "The broker's HTTP API does not answer."),
        (PermissionError(13, "Permission denied", "kept"), "kept: Permission denied"),
    ):
        told = unanswered(error) or ""
        assert told.startswith(said), error
        assert len(told.splitlines()) == 1
    assert unanswered(ValueError("ours")) is None


def test_files_are_named_from_where_the_command_is_called(tmp_path: Path) -> None:
    """`bin/tamga` finds its own code and the caller's file, also beside folders named like ours."""
    (tmp_path / "services").mkdir()
    shutil.copy(ROOT / "programmes" / "business-ecosystem" / "workflows" / "bso-grant.yaml", tmp_path / "mine.yaml")
    command = [str(ROOT / "bin" / "tamga"), "workflow", "lint", "mine.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.endswith("no findings\n")) == (0, True), done.stderr
