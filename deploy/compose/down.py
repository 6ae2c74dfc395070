"""`make down`: stop everything in order; the data stay. Also when `.env` lacks what starting needs."""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

from deploy.compose import engine, facts, files, keeping
from deploy.compose.keeping import KeepingError
from deploy.compose.terminal import refuse

VERB = ("down", "--remove-orphans")


def down(root: Path) -> int:
    """Stop and remove the containers; returns the exit code."""
    keeping.see_the_engine()
    if not engine.compose(root, "config", "--quiet").code:
        return subprocess.run(["docker", "compose", *VERB], cwd=root, check=False).returncode
    name = facts.project(root).name
    if not name:
        raise KeepingError("Docker Compose can't read its files, so nothing was stopped: make doctor")
    return subprocess.run([*engine.BY_NAME, name, *VERB], cwd=engine.NO_FILES, check=False).returncode


def main(arguments: list[str], root: Path = files.ROOT) -> int:
    """Run `make down`; returns the exit code."""
    argparse.ArgumentParser(prog="make down", description="Stop Tamga; the data stay.").parse_args(arguments)
    try:
        return down(root)
    except KeepingError as error:
        refuse(str(error))
        return 1
