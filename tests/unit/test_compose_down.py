"""Commands for a stack that is down, or half there: `make tamga`, `make down`, and a key that is made anew."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy.compose import __main__ as commands
from deploy.compose import down, init, tamga

DOCKER = """#!/bin/sh
case "$*" in
  info*) echo '{{"ServerVersion": "27.3.1"}}'; exit 0 ;;
  "compose version"*) echo 2.29.7; exit 0 ;;
esac
echo "$(pwd) $*" >> {folder}/heard
case "$*" in
  *"ps --quiet "*) [ -e {folder}/up ] && echo 1f2e ;;
  *--no-interpolate*) cat {folder}/config 2>/dev/null ;;
  "compose config --quiet") [ ! -e {folder}/unset ] ;;
  "volume ls"*backups) echo house_backups ;;
esac
"""


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder of a Docker that writes down what it is asked, and where."""
    (tmp_path / "docker").write_text(DOCKER.format(folder=tmp_path))
    (tmp_path / "docker").chmod(0o755)
    (tmp_path / "config").write_text(json.dumps({"name": "house", "services": {}}))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def last(docker: Path) -> str:
    """Return what was asked last, with the folder in which it was."""
    return (docker / "heard").read_text().splitlines()[-1].replace(str(docker), "HERE")


def test_commands_run_in_the_container_that_can_do_them(docker: Path) -> None:
    """Backups' in theirs, all others in the one that sees everything."""
    (docker / "up").touch()
    assert tamga.main(["backup", "list"], docker) == 0
    assert last(docker) == "HERE compose exec -T backup tamga backup list"
    tamga.main(["user", "link", "oleg@example.org"], docker)
    assert last(docker) == "HERE compose exec -T watch tamga user link oleg@example.org"


def test_while_tamga_is_down_backups_are_listed_and_the_rest_says_how_to_start(
    docker: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A restore needs a name from the list; what needs the servers is refused with the cure."""
    assert tamga.main(["backup", "list"], docker) == 0
    assert last(docker) == "HERE compose run -T --rm --no-deps backup tamga backup list"
    assert tamga.main(["audit", "verify"], docker) == 1
    assert capsys.readouterr().err == ("Tamga is not running (watch is not up), so this can't be asked: make up\n")
    assert last(docker) == "HERE compose ps --quiet watch"


def test_everything_stops_also_when_a_setting_is_gone(docker: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With its files readable Compose goes by them, else by the stack's name; without a name nothing is claimed."""
    assert commands.main(["down"]) == down.main([], docker) == 0
    assert last(docker) == "HERE compose down --remove-orphans"
    (docker / "unset").touch()
    assert down.main([], docker) == 0
    assert last(docker) == "/ compose --project-name house down --remove-orphans"
    (docker / "config").unlink()
    assert down.main([], docker) == 1
    assert "nothing was stopped: make doctor" in capsys.readouterr().err


def test_a_key_made_anew_beside_older_backups_says_so(docker: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only when the key is made and a volume of backups is there."""
    (docker / "secrets").mkdir()
    for made in (["backup_key"], ["erlang_cookie"]):
        init.report(docker, made, [])
    assert capsys.readouterr().out.count("sealed with the key that was here") == 1
