"""The figures as tables: on the terminal, and in docs/performance.md."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, text

from tests.bench.growth import Size
from tests.bench.log import Figures
from tests.bench.measure import Measured, Rate, percentile
from tests.bench.processes import ROOT

FILE = ROOT / "docs/performance.md"
Rows = Sequence[tuple[str, ...]]

COMPARED = ROOT / "tests/bench/peers/README.md"


@dataclass
class Findings:
    """Everything that one run measured."""

    acts: int
    machine: list[str]
    contest: list[Measured] = field(default_factory=list)
    processes: dict[int, float] = field(default_factory=dict)
    sizes: dict[str, Size] = field(default_factory=dict)
    log: Figures = field(default_factory=list)


@dataclass(frozen=True)
class Section:
    """One table: what it is called, its columns, its rows."""

    title: str
    columns: tuple[str, ...]
    rows: Rows


def machine(engine: Engine) -> list[str]:
    """Return what the figures were measured on."""
    with engine.connect() as connection:
        postgres = connection.execute(text("SHOW server_version")).scalar_one()
        fsync = connection.execute(text("SHOW fsync")).scalar_one()
    model = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if "model name" in line
    ]
    memory = int(Path("/proc/meminfo").read_text().split()[1]) // 2**20
    broker = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Version}", "rabbitmq-server"], capture_output=True, text=True, check=False
    ).stdout
    return [
        f"{os.cpu_count()} cores ({model[0] if model else platform.machine()}), {memory} GB",
        f"load {os.getloadavg()[0]:.1f} at the start: so many processes wanted to run beside us",
        f"Python {platform.python_version()}, PostgreSQL {postgres} (fsync {fsync}), RabbitMQ {broker or 'as given'}",
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    ]


def best_peer(contest: list[Measured], part: str) -> float:
    """Return the rate of the fastest peer in one part of the contest."""
    rates: list[float] = [getattr(one, part).per_second for one in contest[1:-1]]
    return max(rates)


def sections(found: Findings) -> list[Section]:
    """Return every table that was measured."""
    made = [_rates(found.contest, found.acts), _latencies(found.contest), _stages(found.contest[0])]
    if found.processes:
        made.append(_processes(found.processes))
    if found.sizes:
        made.append(_sizes(found.sizes))
    if found.log:
        made.append(Section("The log by itself", ("what", "figure"), [*found.log]))
    return made


def _processes(measured: dict[int, float]) -> Section:
    rows = [(str(number), f"{rate:,.0f}") for number, rate in measured.items()]
    return Section("An ordinary consumer, order checked", ("processes", "effects/s"), rows)


def _sizes(measured: dict[str, Size]) -> Section:
    rows = [(name, f"{size.rows:,}", _rate(size.committed), _rate(size.carried)) for name, size in measured.items()]
    columns = ("tables", "rows there already in outbox, inbox and log", "acts/s", "commit to audited, events/s")
    return Section("Larger tables", columns, rows)


def _rates(contest: list[Measured], acts: int) -> Section:
    whole, carried, floor = best_peer(contest, "whole"), best_peer(contest, "carried"), contest[-1].carried
    rows = []
    for one in contest:
        row = [one.name, _rate(one.whole), _times(one.whole, whole), _rate(one.carried), _times(one.carried, carried)]
        share = f"{one.carried.per_second / floor.per_second:.2f}" if one.carried and floor else "–"
        memory = max(rate.megabytes for rate in (one.whole, one.carried) if rate)
        rows.append((*row, share, f"{memory:.0f} MB"))
    both = ("acting and carrying, events/s", "× best peer", "from commit to audited, events/s", "× best peer")
    columns = ("system", *both, "share of the floor", "memory")
    return Section(f"{acts:,} acts", columns, rows)


def _latencies(contest: list[Measured]) -> Section:
    rows = []
    for one in contest[:-1]:
        rows.append((one.name, _rate(one.paced), "handled", *_percentiles(one.latencies)))
        if one.audited:
            rows.append((one.name, _rate(one.paced), "audited", *_percentiles(one.audited)))
    columns = ("system", "acts/s kept up", "until", "p50", "p99")
    return Section(
        "Milliseconds from commit on, at 200 acts a second, the first two seconds left out for everybody", columns, rows
    )


def _stages(tamga: Measured) -> Section:
    rows = [
        ("acts committed, nothing else running", _rate(tamga.committed)),
        ("relayed, queued and audited at once", _rate(tamga.carried)),
        ("all at once", _rate(tamga.whole)),
    ]
    return Section("Tamga by stage", ("stage", "events/s"), rows)


def _percentiles(values: list[float]) -> tuple[str, str]:
    return f"{percentile(values, 0.5):,.1f}", f"{percentile(values, 0.99):,.1f}"


def _rate(rate: Rate | None) -> str:
    return f"{rate.per_second:,.0f}" if rate else "–"


def _times(rate: Rate | None, other: float) -> str:
    return f"{rate.per_second / other:.1f}" if rate else "–"


def goals(found: Findings) -> Rows:
    """Return each goal with what was measured, and whether it was reached."""
    tamga, floor = found.contest[0], found.contest[-1]
    if not tamga.carried or not floor.carried:
        return []
    times = tamga.carried.per_second / best_peer(found.contest, "carried")
    share = tamga.carried.per_second / floor.carried.per_second
    p50, p99 = percentile(tamga.latencies, 0.5), percentile(tamga.latencies, 0.99)
    measured = (
        ("commit to audited, × best peer", "≥ 10", f"{times:.1f}", times >= 10),
        ("commit to audited, share of the floor", "≥ 0.5", f"{share:.2f}", share >= 0.5),
        ("commit to handled at 200 acts/s, p50", "≤ 15 ms", f"{p50:.1f} ms", p50 <= 15),
        ("commit to handled at 200 acts/s, p99", "≤ 60 ms", f"{p99:.1f} ms", p99 <= 60),
    )
    return [(what, goal, figure, "reached" if reached else "missed") for what, goal, figure, reached in measured]


def show(found: Findings) -> None:
    """Print everything."""
    console = Console(width=150)
    for line in found.machine:
        console.print(line)
    for section in [*sections(found), Section("Goals", ("what", "goal", "measured", ""), goals(found))]:
        table = Table(*section.columns, title=section.title)
        for row in section.rows:
            table.add_row(*row)
        console.print(table)


def write(found: Findings) -> None:
    """Write everything down."""
    parts = [
        "# Performance, as measured",
        "Made by `make bench WRITE=1`; all of it in one run, each system in two turns. Read ratios.",
    ]
    parts.append("\n".join(f"- {line}" for line in found.machine))
    for section in [Section("Goals", ("what", "goal", "measured", ""), goals(found)), *sections(found)]:
        parts.append(f"## {section.title}")
        lines = [section.columns, ("---",) * len(section.columns), *section.rows]
        parts.append("\n".join("| " + " | ".join(line) + " |" for line in lines))
    parts += ["## What is compared", COMPARED.read_text().strip()]
    FILE.write_text("\n\n".join(parts) + "\n")
