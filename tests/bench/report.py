"""The figures as tables: on the terminal, and in docs/performance.md."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.bench.document import GOALS, Part, Rows, Section, goal
from tests.bench.growth import Size
from tests.bench.log import Figures
from tests.bench.measure import Measured, Rate, percentile
from tests.bench.processes import ROOT

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
    return [
        goal("commit to audited, × best peer", "≥ 10", f"{times:.1f}", reached=times >= 10),
        goal("commit to audited, share of the floor", "≥ 0.5", f"{share:.2f}", reached=share >= 0.5),
        goal("commit to handled at 200 acts/s, p50", "≤ 15 ms", f"{p50:.1f} ms", reached=p50 <= 15),
        goal("commit to handled at 200 acts/s, p99", "≤ 60 ms", f"{p99:.1f} ms", reached=p99 <= 60),
    ]


def part(found: Findings) -> Part:
    """Return everything as a part of the document."""
    words = f"### What is compared\n\n{COMPARED.read_text().strip()}"
    tables = [Section("Goals", GOALS, goals(found)), *sections(found)]
    return Part(
        "messages", "Acts, events and the log; each system in two turns, read ratios", found.machine, tables, words
    )
