"""Which release runs and which one ran before, each with all that its containers were started with.

`.releases/running.json` and `.releases/former.json` are compose files, complete as Docker Compose itself works them
out: they start that release again, whatever the checkout has become meanwhile.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.compose import engine, environment, files
from deploy.compose.engine import Said
from deploy.compose.environment import Values

VERSION, IMAGES = "TAMGA_VERSION", "_IMAGE"
FOLDER, RUNNING, FORMER = ".releases", "running.json", "former.json"
_OURS = "x-tamga"
_MODE, _FOLDER_MODE = 0o600, 0o700


class ReleaseError(RuntimeError):
    """A release can't be told or kept; the message is one sentence with the cure."""


@dataclass(frozen=True)
class Release:
    """A release and how its containers are started: from a file of its own, or from those that `.env` chooses."""

    root: Path
    values: Values  # what `.env` says of it: its version and its images
    file: Path | None = None
    backup: str = ""  # made before the one after it was installed

    @property
    def version(self) -> str:
        return self.values.get(VERSION, "")

    def command(self, *arguments: str) -> list[str]:
        """Return a command of Docker Compose on this release's containers."""
        chosen = ["--file", str(self.file)] if self.file else []
        pairs = [f"{name}={value}" for name, value in sorted(self.values.items())]
        return ["env", *pairs, "docker", "compose", *chosen, *arguments]

    def run(self, *arguments: str, patience: float = engine.PATIENCE) -> Said:
        """Run such a command."""
        return engine.run(*self.command(*arguments), folder=self.root, patience=patience)


def of(root: Path) -> Release:
    """Return the release that `.env` names."""
    values = environment.read(files.text_of(root / files.ENVIRONMENT))
    return Release(root, {name: value for name, value in values.items() if name == VERSION or name.endswith(IMAGES)})


def next_after(here: Release, version: str) -> Release:
    """Return another release: its images bear its version where those of the one before bear theirs."""
    tag = f":{here.version}"
    app = here.values.get("TAMGA_APP_IMAGE", "")
    if not app.endswith(tag):
        raise ReleaseError(
            f"TAMGA_APP_IMAGE={app} in .env does not end with {tag}, so the image of {version} can't be told:"
            f" give it that name (`docker tag IMAGE NAME{tag}`) and write NAME{tag} into .env."
        )
    changed = {name: value[: -len(tag)] + f":{version}" for name, value in here.values.items() if value.endswith(tag)}
    return Release(here.root, {**here.values, **changed, VERSION: version})


def stored(root: Path, name: str) -> Release | None:
    """Return a release that was kept, None when there is none."""
    file = root / FOLDER / name
    about = engine.parsed(files.text_of(file)).get(_OURS)
    return Release(root, dict(about["values"]), file, about.get("backup", "")) if about else None


def keep(release: Release, name: str, *, backup: str = "") -> Release:
    """Write a release down with all that its containers are started with; raises ReleaseError."""
    said = release.run("config", "--format", "json")
    content = engine.parsed(said.out)
    if said.code or not content:
        raise ReleaseError(f"Docker Compose can't read its files ({said.problem or said.out}): make doctor")
    content[_OURS] = {"values": release.values, "backup": backup}
    folder = release.root / FOLDER
    folder.mkdir(mode=_FOLDER_MODE, exist_ok=True)
    files.put(folder / name, json.dumps(content, indent=1) + "\n", _MODE)
    return Release(release.root, release.values, folder / name, backup)


def promote(former: Release) -> None:
    """Make the former release the one that runs, on paper."""
    settle(former)
    (former.root / FOLDER / FORMER).replace(former.root / FOLDER / RUNNING)


def settle(release: Release) -> None:
    """Write a release's version and images into `.env`, all at once."""
    path = release.root / files.ENVIRONMENT
    files.put(path, replaced(files.text_of(path), release.values), path.stat().st_mode & 0o777)


def replaced(text: str, values: Mapping[str, str]) -> str:
    """Return an `.env` file in which these variables have these values, and everything else is as it was."""
    for name, value in values.items():
        line = f"{name}={environment.quoted(value)}"
        there = re.compile(rf"^[ \t]*(export[ \t]+)?{name}[ \t]*=.*$", re.MULTILINE)
        # As pieces: a backslash in a value would mean something to `sub`.
        text = line.join(there.split(text)[::2]) if there.search(text) else f"{text.rstrip()}\n{line}\n"
    return text


def missing_images(release: Release) -> tuple[str, ...]:
    """Return the images of a release that the engine does not have."""
    named = sorted(set(release.run("config", "--images").out.split()))
    return tuple(one for one in named if engine.run("docker", "image", "inspect", "--format", "{{.Id}}", one).code)
