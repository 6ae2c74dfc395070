"""`make upgrade` and `make rollback`: to the release that is checked out, and back to the one before.

Nothing of the old release is stopped before a backup is made and the tables are ready for the new one. Tables only
grow from one release to the next, so both work with them: going back changes containers, not data.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from deploy.compose import checks, doctor, engine, environment, facts, files, init, keeping, releases, up
from deploy.compose.checks import BAD
from deploy.compose.engine import Said, numbers
from deploy.compose.facts import ABSENT, PREPARING, SERVERS, WELL, Facts
from deploy.compose.progress import Notes, step
from deploy.compose.releases import FORMER, RUNNING, Release, ReleaseError
from deploy.compose.terminal import painted, refuse, say

BACKUP_PATIENCE, MIGRATION_PATIENCE = 4 * 3600, 2 * 3600
BARE = ("docker", "run", "--rm", "--network", "none", "--read-only", "--tmpfs", "/tmp")  # noqa: S108 - inside the container
PROXY, SIGNER = "proxy", "signer"
UNTOUCHED = "Nothing was changed."
SERVER = re.compile(r"PostgreSQL\) (\d+)")


class UpgradeError(RuntimeError):
    """It can't be done, or was undone; the message is one sentence with the cure."""


def refusal(known: Facts, here: str, target: str) -> str:
    """Return why one release can't become the other now; nothing when it can."""
    if not here:
        return "Nothing is installed here yet: make init, then make up."
    if numbers(target) < numbers(here):
        return (
            f"{here} runs and {target} is older: `make rollback` goes back to the release before,"
            f" `git checkout v{here}` gives the files of the one that runs."
        )
    if not known.running:
        return f"Tamga does not run, so no backup can be made of it: `make up` starts {here}; then `make upgrade`."
    # What is absent may be new with the release to come.
    ill = [f"{name} {state}" for name, state in known.running.items() if state not in {*WELL, ABSENT}]
    if ill:
        return f"{', '.join(ill[:3])}: mend what runs first (make doctor), then make upgrade."
    return ""


def too_far(contracts: Sequence[dict[str, str]], here: str, target: str) -> str:
    """Return why the releases between can't be left out; nothing when they can.

    What a release takes out of the tables, releases before `since` still use.
    """
    needed = [one for one in contracts if numbers(here) < numbers(one["since"])]
    if not needed:
        return ""
    last = max(needed, key=lambda one: numbers(one["since"]))
    return (
        f"{target} takes out of the tables of {last['service']} (version {last['revision']}) what {here} still uses:"
        f" upgrade to {last['since']} first, then to {target}."
    )


def last_line(said: Said) -> str:
    """Return what a command complained of last."""
    return up.last_line(said.problem) or up.last_line(said.out) or f"it ended with {said.code} and said nothing"


def look(root: Path, here: Release, target: Release) -> None:
    """See that the machine, what runs and the new images allow it; raises UpgradeError."""
    known = facts.gather(root)
    if wrong := refusal(known, here.version, target.version):
        raise UpgradeError(f"{wrong} {UNTOUCHED}")
    known = dataclasses.replace(known, missing_images=releases.missing_images(target))
    bad = [one for one in checks.findings(known, checks.BEFORE_START) if one.state == BAD]
    if bad:
        for line in doctor.table(bad):
            say(line)
        raise UpgradeError(f"{target.version} can't be installed on this machine yet. {UNTOUCHED}")
    if wrong := too_far(contracts_of(target), here.version, target.version) or other_data(root, target):
        raise UpgradeError(f"{wrong} {UNTOUCHED}")


def contracts_of(target: Release) -> list[dict[str, str]]:
    """Ask the new image what it takes out of the tables; that it can be asked shows that it starts."""
    said = engine.run(*BARE, target.values["TAMGA_APP_IMAGE"], "python3", "-m", "shared.migrations", "contracts")
    try:
        return list(json.loads(said.out)) if said.code == 0 else _silent(target, said)
    except json.JSONDecodeError:
        return _silent(target, said)


def _silent(target: Release, said: Said) -> list[dict[str, str]]:
    raise UpgradeError(
        f"{target.values['TAMGA_APP_IMAGE']} does not start ({last_line(said)}): load it again. {UNTOUCHED}"
    )


def other_data(root: Path, target: Release) -> str:
    """Return why the new database image can't read the data that are there; nothing when it can."""
    image = target.values.get("TAMGA_DATABASE_IMAGE", "")
    there = engine.compose(root, "exec", "-T", "database", "sh", "-c", 'cat "$PGDATA/PG_VERSION"')
    program = engine.run(*BARE, "--entrypoint", "postgres", image, "--version") if image else there
    has = SERVER.search(program.out)
    if there.code or program.code or (has and has[1] == there.out):
        return ""
    return (
        f"The data are of PostgreSQL {there.out} and {image} has {has[1] if has else 'another'}:"
        f" docs/operations.md, Upgrade, says how they go over."
    )


def back_up(former: Release, notes: Notes) -> str:
    """Make a backup with the release that runs; returns its name. Raises UpgradeError."""
    command = ("exec", "-T", keeping.CONTAINER, "tamga", "backup", "create", "--json")
    said = former.run(*command, patience=BACKUP_PATIENCE)
    made = engine.parsed(said.out)
    if said.code or "file" not in made:
        raise UpgradeError(f"No backup could be made: {last_line(said)} (make backup) {UNTOUCHED}")
    notes.text = Path(str(made["file"])).name
    return notes.text


def migrate(target: Release, here: str, notes: Notes) -> None:
    """Bring the tables to the new release while the old one works with them; raises UpgradeError."""
    said = target.run("run", "--rm", "--no-deps", "-T", PREPARING, patience=MIGRATION_PATIENCE)
    if said.code:
        sentence = last_line(said).removeprefix("databases: ")
        raise UpgradeError(f"{sentence} {here} goes on as before; after the cure: make upgrade.")
    notes.text = next((line for line in said.out.splitlines() if line.startswith("databases:")), "")


def waves(services: Sequence[str], *, back: bool = False) -> list[tuple[str, list[list[str]]]]:
    """Return in which order containers are replaced: steps with their names, each of groups that go together.

    Workers come before those who write what they read: a release reads what the one before writes. On the way back it
    is the other way round. Pages of one service after the other: the others' go on. The proxy brings all pages with it.
    """
    servers = [one for one in SERVERS if one in services]
    workers = [one for one in services if one.endswith("-worker")]
    relays = [one for one in services if one.endswith("-relay")]
    pages = [[one] for one in services if one.endswith("-api")]
    # First: new workers and pages ask it, and its key lies where the release before finds it too.
    signer = [one for one in services if one == SIGNER]
    named = {*servers, *signer, *workers, *relays, *(one for group in pages for one in group), PREPARING}
    rest = [one for one in services if one not in {*named, PROXY}]
    door = [one for one in services if one == PROXY]
    order = [("Workers", [workers]), ("Relays", [relays]), ("Pages", pages)]
    ordered = [
        ("Servers", [servers]),
        ("Signer", [signer]),
        *(reversed(order) if back else order),
        ("The rest", [rest, door]),
    ]
    return [(name, [group for group in groups if group]) for name, groups in ordered if any(groups)]


def replace(release: Release, patience: int, *, back: bool = False) -> None:
    """Put a release's containers in the place of those that run, some at a time; raises StartError."""
    services = release.run("config", "--services").out.split()
    for name, groups in waves(sorted(services), back=back):
        with step(name):
            for group in groups:
                # With what they need: left out, Docker Compose would remember another configuration.
                _start(release, patience, group)


def start(release: Release, patience: int) -> None:
    """Start what of a release does not run yet, end what is not of it, and wait; raises StartError."""
    _start(release, patience, ["--remove-orphans"])


def _start(release: Release, patience: int, what: Sequence[str]) -> None:
    limit = ("--wait", "--wait-timeout", str(patience))
    said = release.run("up", "--detach", *limit, *what, patience=patience + up.PATIENCE)
    if not said.code:
        return
    states, _ = facts.running(release.root)
    wanted = {name: state for name, state in states.items() if name in what} or states
    # Some releases of Compose call it a failure that a container which only prepares something has ended.
    if wanted and all(state in facts.WELL for state in wanted.values()):
        return
    ill = any(state not in facts.WELL for state in states.values())
    raise up.StartError(up.cause(release.root, states) if ill else last_line(said))


def healthy(release: Release, notes: Notes) -> None:
    """See that all containers are well and are this release's; raises StartError."""
    image = release.values["TAMGA_APP_IMAGE"]
    states, _ = facts.running(release.root)
    rows = engine.rows(engine.compose(release.root, "ps", "--format", "json").out)
    other = [str(row.get("Service")) for row in rows if _is_app(row) and row["Image"] != image]
    if other:
        raise up.StartError(f"{', '.join(other)} did not become {image}")
    ill = [f"{name} {state}" for name, state in states.items() if state not in facts.WELL]
    if ill:
        raise up.StartError(", ".join(ill))
    notes.text = f"{len(states)} well"


def _is_app(row: dict[str, object]) -> bool:
    return str(row.get("Service", "")).endswith(("-api", "-worker", "-relay"))


def go_back(former: Release, patience: int, *, at_once: bool = False) -> None:
    """Start the former release again and see that it is well; raises StartError."""
    if not at_once:
        with suppress(up.StartError):  # what does not come up alone may do so with all the others
            replace(former, patience, back=True)
    with step("Go back") as notes:
        notes.text = f"to {former.version}"
        start(former, patience)
    with step("Health") as notes:
        healthy(former, notes)


def upgrade(root: Path, version: str, patience: int) -> int:
    """Install a release in the place of the one that runs, or leave that one; returns the exit code."""
    here = releases.of(root)
    if here.version == version:
        say(f"{version} is what .env names already: after changes of settings, `make up`.")
        return 0
    target = releases.next_after(here, version)
    say(painted(f"{here.version} → {target.version}", "bold"))
    with step("Look"):
        look(root, here, target)
    running = releases.stored(root, RUNNING)
    former = running if running and running.version == here.version else here
    with step("Back up") as notes:
        backup = back_up(former, notes)
        former = _remember(former, backup)
    with step("Migrate") as notes:
        migrate(target, here.version, notes)
    try:
        replace(target, patience)
        with step("Start"):
            start(target, patience)
        with step("Health") as notes:
            healthy(target, notes)
    except up.StartError as error:
        raise undone(former, target, patience, error) from error
    releases.settle(target)
    releases.keep(target, RUNNING)
    say(painted(f"\n{target.version} runs: {up.address(environment.read(files.text_of(root / '.env')))}", "bold"))
    subprocess.run(["docker", "compose", *up.TAMGA, "status"], cwd=root, check=False)
    say(f"`make rollback` goes back to {here.version}; the backup before it is {former.backup}.")
    return 0


def _remember(former: Release, backup: str) -> Release:
    return releases.keep(former, FORMER, backup=backup)


def undone(former: Release, target: Release, patience: int, error: Exception) -> UpgradeError:
    """Go back after a failed start; returns what there is to say."""
    failed = f"{target.version} did not come up ({error})"
    try:
        go_back(former, patience)
    except up.StartError as worse:
        return UpgradeError(
            f"{failed}, and {former.version} did not come up again either ({worse}): mend that, then `make rollback`;"
            f" as a last resort `make rollback A=--restore` brings back {former.backup}."
        )
    releases.promote(former)
    return UpgradeError(
        f"{failed}: {former.version} runs again and nothing is lost; the tables stay as {target.version} needs them,"
        f" which {former.version} works with."
    )


def rollback(root: Path, patience: int, *, restoring: bool) -> int:
    """Go back to the release before, and to its backup when that is wanted; returns the exit code."""
    former = releases.stored(root, FORMER)
    if former is None:
        raise UpgradeError("No release ran here before this one: there is nothing to go back to.")
    if missing := releases.missing_images(former):
        cure = "docker load -i ARCHIVE, or build them from its checkout"
        raise UpgradeError(f"Images of {former.version} are gone ({', '.join(missing)}): {cure}. {UNTOUCHED}")
    say(painted(f"back to {former.version}", "bold"))
    try:
        if restoring:
            restore(former)
        go_back(former, patience, at_once=restoring)
    except up.StartError as error:
        raise UpgradeError(f"{former.version} did not come up: {error}") from error
    releases.promote(former)
    say(f"\n{former.version} runs. Its files: git checkout v{former.version}")
    return 0


def restore(former: Release) -> None:
    """Bring back the backup that was made before the upgrade; what was entered since is lost. Raises UpgradeError."""
    with step("Back up") as notes:
        try:
            back_up(former, notes)
        except UpgradeError as error:
            notes.text = str(error).replace(UNTOUCHED, "").strip()
    with step("Stop"):
        _must(former.run("down", "--remove-orphans", patience=up.PATIENCE), "Tamga can't be stopped")
        _must(former.run("up", "--detach", "--wait", *SERVERS, patience=up.PATIENCE), "The servers do not start")
    with step("Restore") as notes:
        notes.text = former.backup
        command = ("tamga", "restore", f"{keeping.KEPT}/{former.backup}", "--replace")
        said = former.run(*keeping.RUN, "-T", keeping.CONTAINER, *command, patience=BACKUP_PATIENCE)
        _must(said, f"{former.backup} was not restored")


def _must(said: Said, sentence: str) -> None:
    if said.code:
        raise UpgradeError(
            f"{sentence}: {last_line(said)} The data are as they were; `make up` starts what .env names."
        )


def ended(act: Callable[[], int]) -> int:
    """Do it; say in a sentence why it could not be done. Returns the exit code."""
    try:
        return act()
    except (UpgradeError, ReleaseError) as error:
        refuse(f"\n{error}")
        return 1
    except OSError as error:
        refuse(f"\n{error.filename}: {error.strerror}: run it as the owner of this folder, with room on its disk.")
        return 1
    except KeyboardInterrupt:
        refuse("\nStopped half-way: `make upgrade` goes on with it, `make rollback` goes back.")
        return 130


def main(arguments: list[str], root: Path = files.ROOT) -> int:
    """Run `make upgrade`; returns the exit code."""
    parser = argparse.ArgumentParser(prog="make upgrade", description="Install the release that is checked out.")
    parser.add_argument("--to", default="", metavar="VERSION", help="another than that of the checkout")
    parser.add_argument("--wait", type=int, default=up.PATIENCE, metavar="SECONDS", help="how long a start may take")
    wanted = parser.parse_args(arguments)
    return ended(lambda: upgrade(root, wanted.to.lstrip("v") or init.version_of(root), wanted.wait))
