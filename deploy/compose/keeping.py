"""`make backup`, `make restore` and `make drill`: the commands of the container that makes the nightly backup.

Backups are in its volume. A copy comes out with `make backup TO=FOLDER`, and `make restore FILE=…` takes one in.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.compose import checks, engine, environment, files, secret_files
from deploy.compose.checks import BAD
from deploy.compose.facts import SERVERS, Facts
from deploy.compose.terminal import refuse, say

CONTAINER = "backup"
KEPT = "/var/lib/tamga/backups"
LOOKING = 120  # seconds that a container may take to start and look
RUN = ("run", "--rm", "--no-deps")
# Written under another name first: half a file is never taken for a backup.
TAKE_IN = 'cat > "$0.part" && mv "$0.part" "$0"'


class KeepingError(RuntimeError):
    """It can't be done now; the message is one sentence with the cure."""


def see_the_engine() -> None:
    """Raise KeepingError, in the words of `make doctor`, when Docker can't be used."""
    found = checks.engine(Facts(engine.look()))
    if found.state == BAD:
        raise KeepingError(f"{found.check} {found.result}: {found.cure}")


def see_the_secrets(root: Path) -> None:
    """Raise KeepingError when a secret is missing, spoilt or closed to the containers; nothing has begun then."""
    chosen = environment.chosen_compose_files(root, environment.read(files.text_of(root / files.ENVIRONMENT)))
    folder, named = root / files.SECRETS, environment.needs(environment.compose_text(chosen)).secrets
    names = secret_files.wanted(named) if named else []
    wrong = secret_files.problems(folder, names)
    if secret_files.BACKUP in wrong:
        key = f"{files.SECRETS}/{secret_files.BACKUP}"
        raise KeepingError(
            f"{key} {wrong[secret_files.BACKUP]}: put your copy of the key there that sealed this backup,"
            f" then: chmod 444 {key}"
        )
    facts = Facts(
        engine.Engine("ready"), secret_problems=wrong, closed_secrets=tuple(secret_files.closed(folder, names))
    )
    for found in (checks.secrets(facts), checks.rights(facts)):
        if found.state == BAD:
            raise KeepingError(f"{found.check}: {found.result}: {found.cure}")


def compose(root: Path, *arguments: str, **pipes: object) -> int:
    """Run a command of Docker Compose on the operator's terminal; returns its exit code."""
    terminal = () if sys.stdin.isatty() and not pipes else ("-T",)
    verb, *rest = arguments
    command = ["docker", "compose", verb, *(terminal if verb in {"run", "exec"} else ()), *rest]
    return subprocess.run(command, cwd=root, check=False, **pipes).returncode  # type: ignore[call-overload,no-any-return]


def backup(root: Path, folder: str, more: Sequence[str]) -> int:
    """Make a backup now; with a folder, copy it out of the volume."""
    # Made here, it would be on this machine where the other disk is not mounted.
    if folder and not Path(folder).is_dir():
        raise KeepingError(f"There is no folder {folder}: mount its disk, or make it with mkdir. No backup was made.")
    code = compose(root, "exec", CONTAINER, "tamga", "backup", "create", *more)
    return code or (copy_out(root, Path(folder)) if folder else 0)


def copy_out(root: Path, folder: Path) -> int:
    """Copy the newest backup into a folder of this machine."""
    said = engine.run("docker", "compose", "exec", "-T", CONTAINER, "tamga", "backup", "list", "--json", folder=root)
    if said.code:
        raise KeepingError(f"The backups can't be listed ({said.problem or said.out}): make logs s={CONTAINER}")
    name = Path(json.loads(said.out)[0]["file"]).name
    draft = folder / f".{name}.part"
    try:
        with draft.open("wb") as target:
            code = compose(root, "exec", CONTAINER, "cat", f"{KEPT}/{name}", stdout=target)
        if code:
            raise KeepingError(f"{name} could not be copied out of the container: make logs s={CONTAINER}")
        draft.replace(folder / name)
    except OSError as error:
        raise KeepingError(f"Can't write to {folder}: {error.strerror}. The backup itself is good.") from error
    finally:
        if draft.exists():
            draft.unlink()
    say(f"Copied to {folder / name}")
    return 0


def restore(root: Path, file: str, more: Sequence[str]) -> int:
    """Bring a backup back: a file of this machine, or the name of one that is in the volume."""
    if not file:
        raise KeepingError("Say which backup: make restore FILE=tamga-….backup (make tamga c='backup list')")
    given = Path(file)
    see_the_secrets(root)
    if not given.exists():
        find_in_volume(root, file)
    # Before the servers start: what runs is refused inside, in words.
    if compose(root, "up", "--detach", "--wait", *SERVERS):
        raise KeepingError("The database and the broker do not come up: make logs s=database, make logs s=broker")
    if given.exists():
        take_in(root, given)
    code = compose(root, *RUN, CONTAINER, "tamga", "restore", f"{KEPT}/{given.name}", *more)
    if code == 0:
        say("Now: make up; then make backup, the first of what you have again.")
    return code


def find_in_volume(root: Path, file: str) -> None:
    """Raise KeepingError unless the volume of backups has one of this name."""
    question = (*RUN, "-T", CONTAINER, "test", "-f", f"{KEPT}/{Path(file).name}")
    said = engine.compose(root, *question, patience=LOOKING)
    if said.code and "rror" in said.problem:
        raise KeepingError(f"The volume of backups can't be looked into: {said.problem.splitlines()[-1]}")
    if said.code:
        raise KeepingError(f"{file} is no file here, nor in the volume of backups: make tamga c='backup list'")


def take_in(root: Path, file: Path) -> None:
    """Copy a backup of this machine into the volume, as the container's own user."""
    try:
        with file.open("rb") as source:
            target = f"{KEPT}/{file.name}"
            code = compose(root, *RUN, CONTAINER, "sh", "-c", TAKE_IN, target, stdin=source)
    except OSError as error:
        raise KeepingError(f"{file} can't be read ({error.strerror}).") from error
    if code:
        raise KeepingError(f"{file} could not be copied into the volume of backups; Docker says why above.")


def drill(root: Path, file: str, more: Sequence[str]) -> int:
    """Try out a backup beside what runs."""
    return compose(root, "exec", CONTAINER, "tamga", "drill", *([f"{KEPT}/{Path(file).name}"] if file else []), *more)


def main(arguments: Sequence[str], root: Path = files.ROOT) -> int:
    """Run one of the commands; returns the exit code."""
    parser = argparse.ArgumentParser(prog="make", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("command", choices=("backup", "restore", "drill"))
    parser.add_argument("--file", default="", help="the backup")
    parser.add_argument("--to", default="", metavar="FOLDER", help="copy the new backup there")
    wanted, more = parser.parse_known_args(arguments)
    try:
        see_the_engine()
        if wanted.command == "backup":
            return backup(root, wanted.to, more)
        return (restore if wanted.command == "restore" else drill)(root, wanted.file, more)
    except KeepingError as error:
        refuse(str(error))
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
