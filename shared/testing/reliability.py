"""`make chaos`: runs every reliability scenario on servers of its own, unattended, and gives the verdict as one table.

MINUTES runs the random schedule (the last scenario) for that long, SEED repeats a run, SCALE multiplies the events
of each scenario, WRITE=1 puts the table into docs/reliability.md.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from shared.infrastructure import postgres
from shared.testing.scenarios import SCENARIOS, number_of

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
SCALE = "3"
COUNTED = ("events", "lost", "duplicated", "disordered")
ENDED = ("parked", "quarantined", "discarded", "held")


@dataclass(frozen=True)
class Run:
    """One run of the suite: what each scenario reported, how it was asked, and how it ended."""

    results: dict[int, dict[str, Any]]
    seed: str
    scale: str
    minutes: str
    seconds: float
    code: int

    @property
    def failed(self) -> list[str]:
        """Return the scenarios that failed or reported nothing."""
        return [
            name for name in SCENARIOS if not (found := self.results.get(number_of(name))) or not found.get("passed")
        ]

    def total(self, name: str) -> int:
        return sum(int(facts[name]) for facts in self.results.values())


def run(wanted: Mapping[str, str]) -> Run:
    """Run the suite as `wanted` says (SEED, SCALE, MINUTES) and return what came of it."""
    seed, scale, minutes = wanted.get("SEED") or "7", wanted.get("SCALE") or SCALE, wanted.get("MINUTES") or ""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tamga-chaos-") as folder:
        file = Path(folder) / "results.jsonl"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TAMGA_")}
        environment |= {"TAMGA_CHAOS_SEED": seed, "TAMGA_CHAOS_SCALE": scale, "TAMGA_CHAOS_RESULTS": str(file)}
        environment |= {"TAMGA_CHAOS_MINUTES": minutes, "TAMGA_CHAOS_LONG": "1"} if minutes else {}
        command = [sys.executable, "-m", "pytest", "tests/reliability", "-q", "--no-header", "--timeout=600"]
        code = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
        lines = file.read_text().splitlines() if file.exists() else []
    results: dict[int, dict[str, Any]] = {}
    for facts in map(json.loads, lines):
        if number := facts["number"]:
            results[number] = merged(results[number], facts) if number in results else facts
    return Run(results, seed, scale, minutes, time.monotonic() - began, code)


def merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of a scenario that ran in two forms: sums, the longest recovery, passed only if both did."""
    both = one | {kind: one[kind] + other[kind] for kind in (*COUNTED, *ENDED)}
    notes = dict(one["notes"])
    for label, value in other["notes"].items():
        notes[label] = value if notes.get(label, value) == value else f"{notes[label]} / {value}"
    recoveries = [facts["recovery"] for facts in (one, other) if facts["recovery"] is not None]
    recovery = max(recoveries, default=None)
    return both | {"notes": notes, "recovery": recovery, "passed": one["passed"] and other["passed"]}


def rows(done: Run) -> list[list[str]]:
    """Return the table: a row a scenario, also for those that reported nothing."""
    found = []
    for number, test in enumerate(SCENARIOS, 1):
        name = test.removeprefix("test_").replace("_", " ")
        facts = done.results.get(number)
        if facts is None:
            found.append([str(number), name, *["-"] * 5, "reported nothing"])
            continue
        recovery = "" if facts["recovery"] is None else f"{facts['recovery']:.2f}"
        also = [f"{facts[kind]:,} {kind}" for kind in ENDED if facts[kind]]
        also += [f"{label.replace('_', ' ')} {value}" for label, value in facts["notes"].items()]
        verdict = ", ".join(also) if facts["passed"] else "**FAILED**"
        found.append([str(number), name, *(f"{facts[kind]:,}" for kind in COUNTED), recovery, verdict])
    return found


def machine() -> str:
    """Return what the run was made on, in one sentence."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    brokers = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*"))
    broker = brokers[-1].name.partition("-")[2] if brokers else "?"
    programs = postgres.binaries()
    said = subprocess.run([str(programs / "postgres"), "--version"], capture_output=True, text=True, check=True)  # type: ignore[operator]
    cpu = f"{os.cpu_count()} cores ({models[0] if models else platform.machine()}), {memory:.0f} GiB"
    versions = f"Python {platform.python_version()}, PostgreSQL {said.stdout.split()[2]}, RabbitMQ {broker}"
    return f"{cpu}, Linux {platform.release()}; {versions}"


def summary(done: Run) -> str:
    """Return the verdict in one sentence."""
    counted = ", ".join(f"{done.total(kind):,} {kind}" for kind in COUNTED)
    schedule = f", the random schedule for {done.minutes} minutes" if done.minutes else ""
    return (
        f"{len(SCENARIOS) - len(done.failed)} of {len(SCENARIOS)} scenarios passed: {counted};"
        f" seed {done.seed}, scale {done.scale}{schedule}, {done.seconds:,.0f} s"
    )


def show(done: Run) -> None:
    """Print the table and the verdict."""
    table = Table("", "scenario", *COUNTED, "s to recover", "besides", title=None)
    for row in rows(done):
        table.add_row(*row)
    console = Console(width=None if sys.stdout.isatty() else 150)
    console.print(table)
    console.print(summary(done), style="bold")


def write(done: Run) -> None:
    """Put the table into the page, between its marks."""
    head = "| | scenario | events | lost | duplicated | disordered | s to recover | besides |"
    table = [head, "|--:|---|--:|--:|--:|--:|--:|---|", *(f"| {' | '.join(row)} |" for row in rows(done))]
    load = f"load average {os.getloadavg()[2]:.1f} at the end"
    stated = f"Measured on {datetime.now(UTC):%Y-%m-%d}, on {machine()}; {load}.\n\n{summary(done)}."
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{stated}\n\n" + "\n".join(table) + f"\n{END}{after}")


def main() -> int:
    """Run, show, write when asked; 0 only when every scenario passed and nothing was lost, doubled or disordered."""
    done = run(os.environ)
    show(done)
    if os.environ.get("WRITE"):
        write(done)
    broken = done.total("lost") + done.total("duplicated") + done.total("disordered")
    return 1 if done.failed or done.code or broken else 0


if __name__ == "__main__":
    sys.exit(main())
