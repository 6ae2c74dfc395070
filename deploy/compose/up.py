"""`make up`: look first, start everything and wait until it works, then say where it is and how it is."""

from __future__ import annotations

import argparse
import re
import subprocess
import time
from pathlib import Path
from typing import Any

from deploy.compose import checks, doctor, engine, environment, facts, files, releases
from deploy.compose.checks import BAD
from deploy.compose.environment import Values
from deploy.compose.questions import NOBODY
from deploy.compose.terminal import painted, refuse, say

PATIENCE = 300  # seconds until every container is healthy; a first start on a slow disk takes one of them
UNHEALTHY = "unhealthy"
ENDING = 10  # seconds
HOPELESS = "dependency failed to start"
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
LONGEST = 400
TAMGA = ("exec", "-T", facts.INSIDE, "tamga")


def start_command(patience: int) -> list[str]:
    """Return the command that starts the stack and ends when it is healthy."""
    limit = ["--wait", "--wait-timeout", str(patience)]
    return ["docker", "compose", "up", "--detach", "--remove-orphans", *limit]


def address(values: Values) -> str:
    """Return where people find the pages."""
    port = values.get("TAMGA_HTTPS_PORT", "443")
    return f"https://{values.get('TAMGA_DOMAIN', 'localhost')}{'' if port == '443' else f':{port}'}"


def cause(root: Path, states: dict[str, str]) -> str:
    """Return what the first of the ill containers said last: the one that others wait for is named."""
    ill = sorted(
        (name for name, state in states.items() if state not in facts.WELL), key=lambda name: rank(states[name])
    )
    if not ill:
        return "Docker Compose did not come to an end: see `docker compose ps`."
    name, state = ill[0], states[ill[0]]
    # What its check saw is not yet why: that is in its own last line.
    said = [complaint(root, name)] if state == UNHEALTHY else []
    words = "; ".join(dict.fromkeys(one for one in [*said, last_words(root, name)] if one))
    return f"{name} {state}: {words or 'it said nothing'} (all of it: make logs s={name})"


def rank(state: str) -> int:
    """Return a number that is low for what is ill itself and high for what only waits for others."""
    order = ("ended", UNHEALTHY, "restarting", facts.STOPPED, "starting")
    return next((place for place, beginning in enumerate(order) if state.startswith(beginning)), len(order))


def last_words(root: Path, name: str) -> str:
    """Return the last line of a container's log."""
    said = engine.compose(root, "logs", "--no-log-prefix", "--no-color", "--tail", "5", name)
    return last_line(said.out) if said.code == 0 else ""


def complaint(root: Path, name: str) -> str:
    """Return what a container's own check said last."""
    number = engine.compose(root, "ps", "--all", "--quiet", name).out
    said = engine.run("docker", "inspect", "--format", "{{range .State.Health.Log}}{{println .Output}}{{end}}", number)
    return last_line(said.out) if said.code == 0 else ""


def last_line(text: str) -> str:
    """Return the last line that says something, without what moves a cursor."""
    lines = [line.strip() for line in CONTROL.sub("", text).splitlines() if line.strip()]
    return lines[-1][:LONGEST] if lines else ""


def end(command: subprocess.Popen[str]) -> None:
    """End Docker's command, which some releases do not pass on to the part of it that waits."""
    command.terminate()
    try:
        command.wait(ENDING)
    except subprocess.TimeoutExpired:
        command.kill()


def attempt(root: Path, patience: int) -> tuple[int, str]:
    """Let Docker Compose start everything; returns its exit code and what it said last, which is kept quiet till then.

    Once a part has failed that others wait for, it would wait for those until the end: it is not waited for.
    """
    said = ""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(start_command(patience), cwd=root, **pipes) as starting:  # type: ignore[call-overload]
        for line in starting.stdout:
            said = last_line(line) or said
            if HOPELESS in line:
                end(starting)
                return 1, said
    return starting.returncode, said


def start(root: Path, patience: int) -> dict[str, str]:
    """Start the stack and wait; returns the containers' states."""
    say("Starting; until everything works it takes a minute or two, the first time on a busy machine three.")
    code, said = attempt(root, patience)
    states, _ = facts.running(root)
    # Some releases call it a failure that a container which only prepares something has ended.
    if code and states and all(state in facts.WELL for state in states.values()):
        return states
    if code or not states:
        ill = any(state not in facts.WELL for state in states.values())
        raise StartError(cause(root, states) if ill or not said else said)
    return states


class StartError(RuntimeError):
    """Not everything came up; the message is one sentence with what the ill part said."""


def first_link(root: Path, email: str) -> dict[str, Any]:
    """Return the one-time link of whoever signs in first; nothing when somebody has done so already."""
    if not email or email == NOBODY:
        return {}
    said = engine.compose(root, *TAMGA, "user", "first", email, "--json", patience=60)
    return engine.parsed(said.out) if said.code == 0 else {"problem": said.problem or said.out}


def remember(root: Path) -> None:
    """Keep what this release was started with, for the way back from the next one; it runs without that too."""
    try:
        releases.keep(releases.of(root), releases.RUNNING)
    except (releases.ReleaseError, OSError) as error:
        say(painted(f"How this release was started is not kept for `make rollback`: {error}", "yellow"))


def tell(root: Path, values: Values, seconds: float) -> None:
    """Say where it is, how everything is, and last, where it is seen, who signs in first."""
    say(painted(f"\nTamga is ready: {address(values)}", "bold") + f"   (after {seconds:.0f} s)\n")
    subprocess.run(["docker", "compose", *TAMGA, "status"], cwd=root, check=False)
    link = first_link(root, values.get("TAMGA_OPERATOR_EMAIL", ""))
    if link.get("url"):
        say(f"\nFirst sign-in of {link['email']}, good for one use until {link['until']}:\n  {link['url']}")
    elif link.get("problem"):
        say(f"\nNo first sign-in link: {link['problem']}\n  → make tamga c='user first EMAIL'")


def main(arguments: list[str], root: Path = files.ROOT) -> int:
    """Run `make up`; returns the exit code."""
    parser = argparse.ArgumentParser(prog="make up", description="Start Tamga and wait until it works.")
    parser.add_argument("--wait", type=int, default=PATIENCE, metavar="SECONDS", help="how long to wait at most")
    wanted = parser.parse_args(arguments)
    bad = [one for one in checks.findings(facts.gather(root), checks.BEFORE_START) if one.state == BAD]
    if bad:
        for line in doctor.table(bad):
            say(line)
        refuse("\nNothing was started.")
        return 1
    began = time.monotonic()
    try:
        start(root, wanted.wait)
    except StartError as error:
        refuse(str(error))
        return 1
    except KeyboardInterrupt:
        refuse("\nStopped waiting; containers go on starting. `make doctor` says how they are, `make down` ends them.")
        return 130
    remember(root)
    tell(root, environment.read(files.text_of(root / files.ENVIRONMENT)), time.monotonic() - began)
    return 0
