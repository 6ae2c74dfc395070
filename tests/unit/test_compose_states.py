"""How the containers are: what stopped, what is not there at all, and what a stack is called without its settings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy.compose import facts, secret_files
from deploy.compose.facts import ABSENT, DONE, STOPPED, Project

DOCKER = """#!/bin/sh
echo "$(pwd) $*" >> {folder}/heard
case "$*" in
  *--no-interpolate*) cat {folder}/config ;;
  "compose --project-name house "*) cat {folder}/ps ;;
  "compose ps"*) [ -e {folder}/unset ] && exit 1; cat {folder}/ps ;;
  "compose down"*) [ ! -e {folder}/unset ] ;;
esac
"""


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder of a Docker that refuses what needs a variable that is not set."""
    (tmp_path / "docker").write_text(DOCKER.format(folder=tmp_path))
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    services = {"database": {}, "prepare": {}, "grants-worker": {}, "watch": {}}
    (tmp_path / "config").write_text(json.dumps({"name": "house", "services": services}))
    rows = [("database", "running", 0), ("prepare", "exited", 0), ("grants-worker", "exited", 0)]
    (tmp_path / "ps").write_text(
        "\n".join(json.dumps({"Service": one, "State": state, "ExitCode": code}) for one, state, code in rows)
    )
    return tmp_path


def test_only_what_prepares_is_done_and_what_has_no_container_is_absent(docker: Path) -> None:
    """A worker that ended with 0 was stopped; a service that nobody started is named; of nothing started nothing is."""
    states, _ = facts.running(docker)
    assert states == {"database": "running", "prepare": DONE, "grants-worker": STOPPED}
    assert facts.with_absent(states, facts.project(docker).services) == {**states, "watch": ABSENT}
    assert facts.with_absent({}, ["watch"]) == {}


def test_containers_are_found_though_a_variable_is_gone(docker: Path) -> None:
    """Where Compose refuses its files, the containers are asked for by the stack's name, away from the files."""
    (docker / "unset").touch()
    assert facts.running(docker)[0]["database"] == "running"
    assert (docker / "heard").read_text().splitlines()[-1] == "/ compose --project-name house ps --all --format json"
    (docker / "config").write_text("")
    assert facts.project(docker) == Project("", ())
    assert facts.running(docker) == ({}, set())


def test_a_secret_that_only_its_owner_reads_is_closed_to_the_containers(tmp_path: Path) -> None:
    """Put in place with 0600 it is named; one that is not there is somebody else's matter."""
    for name, mode in (("backup_key", 0o600), ("smtp_password", 0o444)):
        (tmp_path / name).write_text("x")
        (tmp_path / name).chmod(mode)
    assert secret_files.closed(tmp_path, ["backup_key", "smtp_password", "erlang_cookie"]) == ["backup_key"]
