"""`make demo` in containers: adds the people that the programmes name, and plays the programme's story as them."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from deploy.compose import engine, facts, files, keeping
from deploy.compose.keeping import KeepingError
from deploy.compose.terminal import refuse, say

ADDRESS = re.compile(r"\bemail: *([^\s,}]+)")
PREPARE = ("--quiet-pull", facts.PREPARING, "python3", "-m", "services.prepare", "people")
# Through the proxy as a browser goes, certificate and all.
PLAY = ("exec", "--env", "TAMGA_INSIDE_URL=https://proxy:8443", facts.INSIDE, "tamga", "demo")
SHOWN = 3  # names of people in one sentence


def of_the_demonstration(root: Path) -> list[str]:
    """Return the addresses of the people in whose names the story is played."""
    packs = sorted((root / "programmes").glob("*/people.yaml"))
    return [address for pack in packs for address in ADDRESS.findall(files.text_of(pack))]


def others(root: Path) -> list[str]:
    """Return the addresses of the people who are there and not the demonstration's; raises KeepingError."""
    said = engine.compose(root, "exec", "-T", facts.INSIDE, "tamga", "user", "list", "--json", patience=60)
    if said.code:
        raise KeepingError(f"Who is here can't be asked ({said.problem or said.out}): make doctor")
    known = set(of_the_demonstration(root))
    return [row["email"] for row in json.loads(said.out) if row["email"] not in known]


def is_wanted(root: Path, *, sure: bool) -> bool:
    """Say whether to play: asked where real people are, whose record it would stay in; raises KeepingError."""
    real = [] if sure else others(root)
    if not real:
        return True
    shown = ", ".join(real[:SHOWN]) + (f" and {len(real) - SHOWN} more" if len(real) > SHOWN else "")
    sentence = f"Others are here already ({shown}). The demonstration adds people and a story that stays in the record."
    if not sys.stdin.isatty():
        raise KeepingError(f"{sentence} Nothing was done; if that is meant: make demo A=--yes")
    say(sentence)
    return input("Play it all the same? yes/no [no] ").strip().lower() in {"y", "yes"}


def play(root: Path, arguments: list[str]) -> int:
    """Add the people, play the story, say how to sign in as them; returns the exit code."""
    if not is_wanted(root, sure="--yes" in arguments):
        say("Nothing was done.")
        return 1
    code = keeping.compose(root, *keeping.RUN, *PREPARE)
    rest = [one for one in arguments if one != "--yes"]
    code = code or keeping.compose(root, *PLAY, *rest)
    if code == 0:
        addresses = of_the_demonstration(root)
        # Not where only the story's JSON belongs.
        say("\nTo sign in as one of its people, make a link: make tamga c='user link ADDRESS'", stream=sys.stderr)
        say(f"ADDRESS is one of: {', '.join(addresses)}", stream=sys.stderr)
    return code


def main(arguments: list[str], root: Path = files.ROOT) -> int:
    """Run `make demo` on the stack in containers; returns the exit code."""
    try:
        return play(root, arguments)
    except KeepingError as error:
        refuse(str(error))
        return 1
    except (KeyboardInterrupt, EOFError):
        refuse("\nStopped.")
        return 130
