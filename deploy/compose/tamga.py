"""`make tamga c="…"`: an operator's command, in the container that can do it."""

from __future__ import annotations

from pathlib import Path

from deploy.compose import engine, facts, files, keeping
from deploy.compose.keeping import CONTAINER, KeepingError
from deploy.compose.terminal import refuse

SIGNER = "signer"  # the container that alone has the log's key
KEEPING = frozenset({"backup", "drill", "payees"})  # the words that begin commands of the container of backups
WITHOUT_SERVERS = (["backup", "list"], ["backup", "verify"])


def run(root: Path, words: list[str]) -> int:
    """Run the command and return its exit code; raises KeepingError while Tamga is down."""
    keeping.see_the_engine()
    if words[:1] == [SIGNER]:
        return to_signer(root, words[1:])
    where = CONTAINER if words[:1] and words[0] in KEEPING else facts.INSIDE
    if engine.compose(root, "ps", "--quiet", where).out:
        return keeping.compose(root, "exec", where, "tamga", *words)
    if words[:2] in WITHOUT_SERVERS:
        return keeping.compose(root, *keeping.RUN, where, "tamga", *words)
    raise KeepingError(f"Tamga is not running ({where} is not up), so this can't be asked: make up")


def to_signer(root: Path, words: list[str]) -> int:
    """Run a command where the signer's key is; it needs nothing else of Tamga, so it may be down."""
    verb = ("exec", SIGNER) if engine.compose(root, "ps", "--quiet", SIGNER).out else (*keeping.RUN, SIGNER)
    return keeping.compose(root, *verb, "python3", "-m", "services.signer", *(words or ["show"]))


def main(arguments: list[str], root: Path = files.ROOT) -> int:
    """Run `make tamga`; returns the exit code."""
    try:
        return run(root, arguments)
    except KeepingError as error:
        refuse(str(error))
        return 1
