"""`make tamga c="…"`: an operator's command, in the container that can do it."""

from __future__ import annotations

from pathlib import Path

from deploy.compose import engine, facts, files, keeping
from deploy.compose.keeping import CONTAINER, KeepingError
from deploy.compose.terminal import refuse

KEEPING = frozenset({"backup", "drill", "payees"})  # the words that begin commands of the container of backups
WITHOUT_SERVERS = (["backup", "list"], ["backup", "verify"])


def run(root: Path, words: list[str]) -> int:
    """Run the command and return its exit code; raises KeepingError while Tamga is down."""
    keeping.see_the_engine()
    where = CONTAINER if words[:1] and words[0] in KEEPING else facts.INSIDE
    if engine.compose(root, "ps", "--quiet", where).out:
        return keeping.compose(root, "exec", where, "tamga", *words)
    if words[:2] in WITHOUT_SERVERS:
        return keeping.compose(root, *keeping.RUN, where, "tamga", *words)
    raise KeepingError(f"Tamga is not running ({where} is not up), so this can't be asked: make up")


def main(arguments: list[str], root: Path = files.ROOT) -> int:
    """Run `make tamga`; returns the exit code."""
    try:
        return run(root, arguments)
    except KeepingError as error:
        refuse(str(error))
        return 1
