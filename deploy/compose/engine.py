"""Talking to Docker through its command line, and telling its refusals apart."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATIENCE = 20
BY_NAME, NO_FILES = ("docker", "compose", "--project-name"), Path("/")  # there, Compose goes by the containers' labels
OLDEST_ENGINE, OLDEST_COMPOSE = (20, 10), (2, 1)  # `up --wait` came with Compose 2.1.1


@dataclass(frozen=True)
class Engine:
    """What is known of the engine; `state` is ready, absent, denied, stopped or silent."""

    state: str
    version: str = ""
    said: str = ""
    memory: int = 0
    data_root: str = ""
    compose: str = ""  # version of the plugin, nothing when there is none


@dataclass(frozen=True)
class Said:
    """How a command ended."""

    code: int
    out: str
    problem: str


def run(*command: str, folder: Path | None = None, patience: float = PATIENCE) -> Said:
    """Run a command that asks something; one that is not there or never ends is an answer too."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=patience)
    except FileNotFoundError:
        return Said(127, "", f"{command[0]} is not installed")
    except PermissionError:
        return Said(126, "", f"{command[0]} may not be run")
    except subprocess.TimeoutExpired:
        return Said(124, "", f"{command[0]} did not answer within {patience:.0f} s")
    return Said(done.returncode, done.stdout.strip(), done.stderr.strip())


def numbers(version: str) -> tuple[int, ...]:
    """Return a version's leading numbers, for comparing."""
    found = re.match(r"v?(\d+(?:\.\d+)*)", version)
    return tuple(map(int, found[1].split("."))) if found else ()


def state_of(said: Said) -> str:
    """Return what the engine's answer means."""
    words = said.problem.lower()
    if said.code == 0 and said.out:
        return "ready"
    if said.code == 127:
        return "absent"
    if said.code == 124:
        return "silent"
    return "denied" if "permission denied" in words else "stopped"


def look() -> Engine:
    """Ask the engine how it is."""
    if shutil.which("docker") is None:
        return Engine("absent")
    said = run("docker", "info", "--format", "{{json .}}")
    # `docker info` may succeed though the engine did not answer: then it says so in its answer.
    facts = parsed(said.out) if said.code == 0 else {}
    problems = "; ".join(facts.get("ServerErrors") or [])
    if problems:
        said = Said(1, "", problems)
    compose = run("docker", "compose", "version", "--short")
    return Engine(
        state=state_of(said),
        version=str(facts.get("ServerVersion", "")),
        said=said.problem.splitlines()[-1] if said.problem else "",
        memory=int(facts.get("MemTotal", 0)),
        data_root=str(facts.get("DockerRootDir", "")),
        compose=compose.out if compose.code == 0 and numbers(compose.out) else "",
    )


def parsed(text: str) -> dict[str, Any]:
    """Return a JSON object, an empty one when the text is none."""
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def rows(text: str) -> list[dict[str, Any]]:
    """Return what `--format json` printed: a list, or an object a line, as the release has it."""
    if text.startswith("["):
        found = json.loads(text)
        return [row for row in found if isinstance(row, dict)]
    return [row for row in map(parsed, text.splitlines()) if row]


def compose(root: Path, *arguments: str, patience: float = PATIENCE) -> Said:
    """Run a command of `docker compose` on this folder's stack."""
    return run("docker", "compose", *arguments, folder=root, patience=patience)


def by_name(project: str, *arguments: str, patience: float = PATIENCE) -> Said:
    """Run a command of `docker compose` on the containers that are there, whatever the files and `.env` say now."""
    return run(*BY_NAME, project, *arguments, folder=NO_FILES, patience=patience)


def in_group() -> bool:
    """Say whether this user may talk to the engine by the group `docker`."""
    import grp  # noqa: PLC0415 - not on every system

    try:
        return grp.getgrnam("docker").gr_gid in {os.getgid(), *os.getgroups()}
    except KeyError:
        return False
