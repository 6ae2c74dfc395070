# ruff: noqa: T201 - a benchmark says what it is doing
"""`python -m tests.bench.millions`: the log at ten million events: searched, proved, verified, exported, added to.

The past is written by the product's own code, row by row, each with its leaf; only the indexes are made at the end.
It takes a quarter of an hour to make and 20 GB; `--folder` keeps it for another time.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from sqlalchemy import Engine, text

from services.audit.handlers import exporting
from services.audit.handlers.signing import sign_checkpoint
from services.audit.handlers.verification import verify
from services.audit.keys import Keys
from services.audit.storage import tree
from shared.database import Context, UnitOfWork
from shared.events import Actor
from shared.infrastructure.postgres import Postgres
from shared.testing.web import web_settings
from tests.bench.document import GOALS, Part, Section, goal, machine, show, write
from tests.bench.measure import MismatchError, percentile
from tests.bench.millions import asking, filling, lives
from tests.bench.millions.asking import Asked
from tests.bench.millions.carrying import Carried, carry

EVENTS = 10_000_000
EXPORTED, GROWTH = 100_000, 64.0  # rows; megabytes by which an export may grow the process
AUDITOR = Actor(id="user:mila", name="Mila Stojan", role="auditor")
MINUTE = 60 * 1_000  # events of a minute of heavy traffic
SEARCH, TIMELINE, PROOF = 100, 20, 5  # milliseconds
Row = tuple[str, str, str, str]
WORDS = """
Rows are written by the product's own code, each with its leaf; indexes are made when all are there, so an added event
takes more room at first, while their full pages are split. A page looks back for 60 ms at most: one that is not whole
says to which leaf it looked and goes on from there.
"""


def say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


class Measuring:
    """One run over one log, and the lines that it found."""

    def __init__(self, postgres: Postgres, home: Path, events: int) -> None:
        self.postgres, self.home = postgres, home
        self.engine, self.blocks = filling.app(postgres), lives.blocks_of(events)
        self.events = self.blocks * lives.BLOCK
        self.settings = web_settings(home=home)
        self.keys = Keys.of(self.settings)
        self.goals: list[Row] = []
        self.sections: list[Section] = []

    def size(self) -> None:
        """Weigh the log."""
        query = "SELECT pg_total_relation_size('event'), pg_table_size('event') FROM generate_series(1, 1)"
        with self.engine.connect() as connection:
            whole, rows = connection.execute(text(query)).one()
            count = tree.head(connection).size
        self.goals.append(
            goal("on disk, an event", "≤ 2,048 bytes", f"{whole / count:,.0f}", reached=whole / count <= 2048)
        )
        say(f"{count:,} events, {whole / count:,.0f} bytes each, {rows / count:,.0f} of them the row")

    def search(self) -> None:
        """Ask every kind of question, first with nothing of the log in the server's own memory."""
        pages: list[Asked] = []
        counts: list[Asked] = []
        with self.engine.connect() as connection:
            for page, count in asking.searches(connection, self.events):
                pages.append(page)
                counts.append(count)
                told = f"p50 {page.median:.1f}, p95 {page.late:.1f}, {page.whole} of {page.times} whole"
                say(f"{page.name}: {told}; counts and bars {count.late:.1f}")
            self._looked_up(list(asking.lookups(connection, self.events, self.keys)))
        for group in dict.fromkeys(page.group for page in pages):
            worst = max((page for page in pages if page.group == group), key=lambda page: page.late)
            told = f"{worst.late:.0f} ms ({worst.name})"
            self.goals.append(
                goal(
                    f"first page, {group}, the slowest kind's p95", f"≤ {SEARCH} ms", told, reached=worst.late <= SEARCH
                )
            )
        columns = ("search", "p50", "p95", "slowest", "pages that were whole", "counts and bars, p95")
        rows = [
            (f"{page.group}: {page.name}", *(f"{ms:.1f} ms" for ms in (page.median, page.late, page.worst)),
             f"{page.whole} of {page.times}", f"{count.late:.0f} ms")
            for page, count in zip(pages, counts, strict=True)
        ]  # fmt: skip
        self.sections.append(Section(f"Searches, {asking.EACH} values of each kind", columns, rows))

    def _looked_up(self, found: list[Asked]) -> None:
        for one, most in zip(found, (TIMELINE, PROOF), strict=True):
            say(f"{one.name}: p50 {one.median:.1f}, p95 {one.late:.1f}")
            self.goals.append(goal(f"{one.name}, p95", f"≤ {most} ms", f"{one.late:.1f} ms", reached=one.late <= most))

    def verify(self) -> None:
        """Read everything again; then what a minute of heavy traffic adds."""
        for name, newest, wanted in (("whole", None, "≥ 50,000 events/s"), ("a minute's", MINUTE, "< 2 s")):
            begun = time.perf_counter()
            report = verify(self.engine, self.keys, newest=newest)
            spent = time.perf_counter() - begun
            if not report.ok:
                raise MismatchError(f"the log does not verify: {report.findings[0].sentence()}")
            rate, told = report.events / spent, f"{report.events:,} events in {spent:.1f} s"
            reached = rate >= 50_000 if newest is None else spent < 2
            self.goals.append(goal(f"verification, {name}", wanted, f"{rate:,.0f} events/s: {told}", reached=reached))
            say(f"verify {name}: {told}, {rate:,.0f}/s")

    def export(self, format_: str) -> None:
        """Export the first hundred thousand entries that were recorded."""
        query, context = f"until:{lives.moment(EXPORTED):%Y-%m-%d}", Context(actor=AUDITOR)
        with UnitOfWork(self.engine, "audit", context) as uow:
            about = {"search": query, "format_": format_, "purpose": "Measured", "locale": "en"}
            asked = exporting.ask(uow, self.settings, **about)
        before, begun = _peak(), time.perf_counter()
        item = exporting.make(self.engine, self.settings, asked.id, context)
        spent, grown = time.perf_counter() - begun, _peak() - before
        told = f"{item.rows:,} rows, {item.rows / spent:,.0f} a second, memory +{grown:.1f} MB"
        say(f"export {format_}: {told}")
        reached = grown <= GROWTH and item.rows >= EXPORTED * 0.9
        self.goals.append(goal(f"export, {format_}", f"flat memory (+{GROWTH:.0f} MB)", told, reached=reached))

    def carry(self, events: int, seconds: float) -> None:
        """Add to the log."""
        found = carry(self.postgres, self.blocks, events, seconds, say)
        self.goals += _carried(found)
        with self.engine.begin() as connection:
            sign_checkpoint(connection, self.keys)


def _carried(found: Carried) -> list[Row]:
    late = percentile(found.latencies, 0.99)
    return [
        goal("ingest through RabbitMQ", "≥ 5,000 events/s", f"{found.ingested:,.0f}", reached=found.ingested >= 5_000),
        goal(
            f"commit to searchable at {found.kept_up:,.0f} events/s, p99",
            "< 1,000 ms at 1,000",
            f"{late:,.0f} ms (p50 {percentile(found.latencies, 0.5):,.0f})",
            reached=late < 1_000 and found.kept_up >= 980,
        ),
        goal("an added event, on disk", "≤ 2,048 bytes", f"{found.grown:,.0f}", reached=found.grown <= 2048),
    ]


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _signed(engine: Engine, keys: Keys) -> None:
    with engine.begin() as connection:
        sign_checkpoint(connection, keys)


def main() -> int:
    """Fill, measure, show; 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--folder", type=Path, help="where the log is kept, or made")
    parser.add_argument("--only", default="search,export,carry,verify", help="parts, with commas between them")
    parser.add_argument("--carried", type=int, default=60_000)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="tamga-millions-", dir="/tmp"))
    try:
        with filling.server(folder) as postgres:
            filling.fill(postgres, given.events, say)
            run = Measuring(postgres, folder / "home", given.events)
            on, parts = machine(run.engine), _parts(run, given)
            _signed(run.engine, run.keys)
            run.size()
            for name in given.only.split(","):
                parts[name]()
    finally:
        if not given.folder:
            shutil.rmtree(folder, ignore_errors=True)
    sections = [Section("Goals", GOALS, run.goals), *run.sections]
    part = Part(f"log-{run.events}", f"The log of {run.events:,} events", on, sections, WORDS)
    show(part)
    if given.write:
        write(part)
    return 0 if all(line[3] == "reached" for line in run.goals) else 1


def _parts(run: Measuring, given: argparse.Namespace) -> dict[str, Callable[[], None]]:
    def export() -> None:
        for format_ in ("csv", "jsonl", "xlsx", "bundle"):
            run.export(format_)

    return {
        "search": run.search,
        "export": export,
        "verify": run.verify,
        "carry": partial(run.carry, given.carried, given.seconds),
    }


if __name__ == "__main__":
    sys.exit(main())
