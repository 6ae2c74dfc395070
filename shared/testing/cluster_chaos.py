"""`make chaos-cluster`: takes members of a cluster away under load, and prints what that cost.

Three RabbitMQ nodes and a PostgreSQL primary with its standby, as processes of this machine, or with CONTAINERS=0.1.0
as containers of that version's images; WRITE=1 puts the table into docs/scaling.md.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from shared.infrastructure.databases import admin_engine
from shared.messaging.link import connect
from shared.testing.backbone import eventually
from shared.testing.cluster import BROKERS, DATABASES, Cluster, native_cluster
from shared.testing.cluster_containers import container_cluster
from shared.testing.cluster_world import Outcome, World, databases_on, world_on
from shared.testing.nursery import GREEN, PLAIN, nursery
from shared.testing.reliability import machine

PAGE = Path(__file__).resolve().parents[2] / "docs" / "scaling.md"
MARKS = "<!-- measured as {kind}: begin -->", "<!-- measured as {kind}: end -->"
HANGS = 30.0  # seconds for which a node hangs
SENT = 5.0  # seconds of load while a member is away
AFTER = 3.0  # seconds of load after all are back
_FOLLOWS = 60.0  # seconds until a standby follows again


def leader_killed(world: World) -> None:
    """Kill the node that leads the queues; the others choose a new leader, the node comes back later."""
    leader = world.cluster.leader(world.queues[0])
    world.fault()
    world.cluster.kill(leader)
    began = time.monotonic()
    chosen = world.cluster.leader(world.queues[0])
    world.note(f"new leader after {time.monotonic() - began:.1f} s ({leader} to {chosen})")
    time.sleep(SENT)
    world.cluster.start(leader)
    world.cluster.wait(leader)


def leader_hangs(world: World) -> None:
    """Freeze the node that leads the queues: its connections stay open, and nothing is answered."""
    leader = world.cluster.leader(world.queues[0])
    world.fault()
    world.cluster.freeze(leader)
    time.sleep(HANGS)
    world.cluster.thaw(leader)
    world.note(f"it hangs for {HANGS:.0f} s")


def majority_killed(world: World) -> None:
    """Kill two of three nodes: no queue takes anything, acts go on; the clock runs from when they are started."""
    leader = world.cluster.leader(world.queues[0])
    others = [leader, next(name for name in BROKERS if name != leader)]
    for member in others:
        world.cluster.kill(member)
    time.sleep(SENT)
    world.fault()
    for member in others:
        world.cluster.start(member)
    for member in others:
        world.cluster.wait(member)
    world.note("from the start of the two")


def primary_killed(world: World) -> None:
    """Kill the primary and promote the standby; the former primary is refused until it follows."""
    primary, standby = roles(world.cluster)
    world.fault()
    world.cluster.kill(primary)
    began = time.monotonic()
    world.cluster.ask(standby, "promote")
    world.note(f"promoted in {time.monotonic() - began:.1f} s")
    time.sleep(SENT)
    world.cluster.start(primary)
    eventually(lambda: world.cluster.ended(primary), seconds=20)
    world.note("the former primary was refused")
    follow(world.cluster, primary, standby)


def primary_hangs(world: World) -> None:
    """Freeze the primary, promote the standby, let the old one go on: it finds out by itself and ends."""
    primary, standby = roles(world.cluster)
    world.fault()
    world.cluster.freeze(primary)
    world.cluster.ask(standby, "promote")
    time.sleep(SENT)
    began = time.monotonic()
    world.cluster.thaw(primary)
    eventually(lambda: world.cluster.ended(primary), seconds=20)
    world.note(f"awake, it ended by itself after {time.monotonic() - began:.1f} s")
    follow(world.cluster, primary, standby)


def standby_killed(world: World) -> None:
    """Kill the standby: commits wait for it; the clock runs from when it is started."""
    _, standby = roles(world.cluster)
    world.cluster.kill(standby)
    time.sleep(SENT)
    world.fault()
    world.cluster.start(standby)
    world.cluster.wait(standby)
    world.note(f"away for {SENT:.0f} s, in which commits wait")


def standby_given_up(world: World) -> None:
    """Kill the standby, and let the primary commit alone; later the standby is back and commits wait for it again."""
    primary, standby = roles(world.cluster)
    world.cluster.kill(standby)
    time.sleep(1)
    world.fault()
    world.cluster.ask(primary, "alone")
    time.sleep(SENT)
    world.cluster.start(standby)
    followed(world.cluster, primary)
    world.note("from the word alone")


SCENARIOS: tuple[Callable[[World], None], ...] = (
    leader_killed,
    leader_hangs,
    majority_killed,
    primary_killed,
    primary_hangs,
    standby_killed,
    standby_given_up,
)


def roles(cluster: Cluster) -> tuple[str, str]:
    """Return the primary and the standby."""
    one, other = DATABASES
    is_primary = cluster.ask(one, "status").partition(": ")[2].startswith("primary")
    return (one, other) if is_primary else (other, one)


def followed(cluster: Cluster, primary: str) -> None:
    """Wait until commits of the primary wait for its standby."""
    eventually(lambda: cluster.ask(primary, "status").endswith("followed"), seconds=_FOLLOWS)


def follow(cluster: Cluster, former: str, primary: str) -> None:
    """Let a former primary follow its successor."""
    cluster.ask(former, "rejoin")
    cluster.start(former)
    cluster.wait(former)
    followed(cluster, primary)


def run(cluster: Cluster, scenarios: tuple[Callable[[World], None], ...] = SCENARIOS) -> list[Outcome]:
    """Run the scenarios on a cluster, one after the other."""
    outcomes = []
    with databases_on(cluster) as databases:
        followed(cluster, roles(cluster)[0])
        for scenario in scenarios:
            with world_on(cluster, databases) as world:
                scenario(world)
                time.sleep(AFTER)
                outcomes.append(world.end(scenario.__name__.replace("_", " ")))
            print(line_of(outcomes[-1]), flush=True)  # noqa: T201 - seen while it runs
    return outcomes


HEAD = (
    "scenario",
    "events",
    "lost",
    "duplicated",
    "disordered",
    "s to recover",
    "s without a commit",
    "s without an effect",
    "besides",
)


def row_of(outcome: Outcome) -> list[str]:
    """Return an outcome as a row of the table."""
    counts = (outcome.events, outcome.lost + outcome.forgotten, outcome.duplicated, outcome.disordered)
    seconds = (outcome.recovery, outcome.commits_paused, outcome.events_paused)
    unanswered = [f"{outcome.unanswered} commits ended with an error"] if outcome.unanswered else []
    besides = ", ".join([*outcome.notes, *unanswered]) if outcome.passed else f"**FAILED** {'; '.join(outcome.wrong)}"
    return [outcome.name, *(f"{count:,}" for count in counts), *(f"{value:.1f}" for value in seconds), besides]


def line_of(outcome: Outcome) -> str:
    """Return an outcome as one line."""
    return "  ".join(f"{head} {value}" for head, value in zip(HEAD, row_of(outcome), strict=True)).removeprefix(
        "scenario "
    )


def summary(outcomes: list[Outcome], seconds: float) -> str:
    """Return the verdict in one sentence."""
    passed = sum(outcome.passed for outcome in outcomes)
    events = sum(outcome.events for outcome in outcomes)
    lost = sum(outcome.lost + outcome.forgotten for outcome in outcomes)
    broken = f"{sum(o.duplicated for o in outcomes)} duplicated, {sum(o.disordered for o in outcomes)} disordered"
    return f"{passed} of {len(outcomes)} scenarios passed: {events:,} events, {lost} lost, {broken}; {seconds:.0f} s"


def show(outcomes: list[Outcome], verdict: str) -> None:
    """Print the table and the verdict."""
    table = Table(*HEAD)
    for outcome in outcomes:
        table.add_row(*row_of(outcome))
    console = Console(width=None if sys.stdout.isatty() else 170)
    console.print(table)
    console.print(verdict, style="bold")


def write(outcomes: list[Outcome], verdict: str, kind: str, versions: str) -> None:
    """Put the table into the page, between its marks."""
    head = [f"| {' | '.join(HEAD)} |", "|---|" + "--:|" * 7 + "---|"]
    table = "\n".join([*head, *(f"| {' | '.join(row_of(outcome))} |" for outcome in outcomes)])
    load = f"load average {os.getloadavg()[2]:.1f} at the end"
    on = machine().partition(";")[0]
    stated = f"Measured on {datetime.now(UTC):%Y-%m-%d}, on {on}, with {versions}, as {kind}; {load}.\n\n{verdict}."
    begin, end = (mark.format(kind=kind) for mark in MARKS)
    replaced = f"{begin}\n{stated}\n\n{table}\n{end}"
    PAGE.write_text(re.sub(f"{begin}.*{end}", lambda _: replaced, PAGE.read_text(), flags=re.DOTALL))


def versions_of(cluster: Cluster) -> str:
    """Return which servers the members are."""
    connection = connect(cluster.amqp_url)
    broker = connection.connection.server_properties["version"]
    connection.release()
    with admin_engine(cluster.admin_url).connect() as database:
        said = str(database.exec_driver_sql("SHOW server_version").scalar_one())
    return f"RabbitMQ {broker} and PostgreSQL {said.partition(' ')[0]}"


def quietly(log: Path) -> None:
    """Start the processes from which relays and workers are forked, so that what they say goes into a file."""
    ours = os.dup(2)
    with log.open("wb") as file:
        os.dup2(file.fileno(), 2)
        for kind in (GREEN, PLAIN):
            nursery(kind)
        os.dup2(ours, 2)
    os.close(ours)


def main(names: list[str]) -> int:
    """Run (the scenarios named, or all), show, write when asked; 0 only when every one passed."""
    began = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that everything is ended that was started
    log = Path(tempfile.gettempdir()) / "tamga-chaos-cluster.log"
    quietly(log)
    version = os.environ.get("CONTAINERS")
    with container_cluster(version) if version else native_cluster() as cluster:
        versions = versions_of(cluster)
        outcomes = run(cluster, tuple(one for one in SCENARIOS if not names or one.__name__ in names))
    verdict = summary(outcomes, time.monotonic() - began)
    show(outcomes, verdict)
    if os.environ.get("WRITE"):
        write(outcomes, verdict, "containers" if version else "processes", versions)
    passed = all(outcome.passed for outcome in outcomes)
    if not passed:
        print(f"What relays and workers said is in {log}.")  # noqa: T201 - a command
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
