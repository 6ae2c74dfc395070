"""`make demo` in containers: whom it asks before it writes into a record that only grows, and how one signs in then."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy.compose import demo

DOCKER = """#!/bin/sh
echo "$*" >> {folder}/heard
case "$*" in
  *"user list --json") cat {folder}/people ;;
esac
"""
STORY = ["compose run -T --rm --no-deps --quiet-pull prepare python3 -m services.prepare people"]
STORY += ["compose exec -T --env TAMGA_INSIDE_URL=https://proxy:8443 watch tamga demo --json"]


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder of a Docker that writes down what it is asked, with a programme whose story has one person."""
    (tmp_path / "docker").write_text(DOCKER.format(folder=tmp_path))
    (tmp_path / "docker").chmod(0o755)
    (tmp_path / "programmes/one").mkdir(parents=True)
    (tmp_path / "programmes/one/people.yaml").write_text(
        "people:\n  - {key: applicant, email: ana@chamber.example, roles: [applicant]}\n"
    )
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    return tmp_path


def here(docker: Path, *addresses: str) -> None:
    """Let these people be there."""
    (docker / "people").write_text(json.dumps([{"email": address} for address in addresses]))


def played(docker: Path) -> list[str]:
    """Return what was done, without the question who is there."""
    return [line for line in (docker / "heard").read_text().splitlines() if "user list" not in line]


def test_with_its_own_people_alone_it_plays_and_says_how_to_sign_in(
    docker: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody is asked; the sentence is no part of the story's JSON."""
    here(docker, "ana@chamber.example")
    assert demo.main(["--json"], docker) == 0
    assert played(docker) == STORY
    said = capsys.readouterr()
    assert "make tamga c='user link ADDRESS'\nADDRESS is one of: ana@chamber.example" in said.err
    assert said.out == ""


def test_where_others_work_it_is_refused_without_a_terminal_unless_it_is_meant(
    docker: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is added to the record until --yes."""
    here(docker, "ana@chamber.example", "oleg@example.org")
    assert demo.main(["--json"], docker) == 1
    said = capsys.readouterr().err
    assert said.startswith("Others are here already (oleg@example.org).")
    assert "make demo A=--yes" in said
    assert played(docker) == []
    assert demo.main(["--yes", "--json"], docker) == 0
    assert played(docker) == STORY


@pytest.mark.parametrize(("answer", "code"), [("", 1), ("no", 1), ("Yes", 0)])
def test_on_a_terminal_it_asks_and_no_is_the_answer_of_who_says_nothing(
    docker: Path, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    """Only a yes goes on."""
    here(docker, *(f"officer{number}@example.org" for number in range(5)))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _words: answer)
    assert demo.main([], docker) == code
    assert bool(played(docker)) is (code == 0)
