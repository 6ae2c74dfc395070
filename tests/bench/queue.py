# ruff: noqa: T201 - a benchmark says what it is doing
"""`python -m tests.bench.queue`: how fast the officers' queue is over 100,000 applications.

Some cases are told through the API, one for each stage; SQL multiplies them with the skew of a programme that has run
for years: most are at an end, few are large, a few organisations apply again and again. Pages are asked for through
the whole web application, template and compression included; the plan of each is looked at for its index.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import Any

from sqlalchemy import Connection, event, text

from services.grants.storage import tables as t
from shared.process import settle
from tests.bench.document import GOALS, Part, Section, goal, machine, show, write
from tests.bench.servers import servers
from tests.integration.grants_world import PROGRAMME, Case, World

DAYS = 400  # between the told cases and the day on which the queue is looked at
PAGES = {
    "the queue": "/",
    "filtered": "/?q=stage:review,screening amount:>20000EUR overdue:no",
    "filtered, mine": "/?q=holder:me updated:<30d",
    "free words, rare": "/?q=beekeepers",
    "free words, common": "/?q=training",
    "words, closed too": '/?q=state:all "machine operators" org:valley',
    "sorted by change": "/?sort=-updated",
    "by change, all": "/?q=state:all&sort=-updated",
    "by amount": "/?sort=-amount",
    "by score": "/?q=score:>=60",
    "board": "/board",
}
OTHERS = {"the day": "/day", "a case": "/applications/{case}", "its timeline": "/applications/{case}/timeline"}
MOST = 80  # milliseconds that a page may take on the reference machine; twice that over more than 100,000
# Which stage a row has, by the hundredth into which its number falls.
SHARES = {"draft": 5, "screening": 8, "review": 12, "approved": 5, "rejected": 70}
CHANGED = {
    "id": "'BSO-2025-' || lpad(n::text, 7, '0')",
    "title": "made.title",
    "organisation": "'org-' || part",
    "organisation_name": "made.organisation_name",
    "amount": "made.amount",
    "since": "made.since",
    "created_at": "made.since - interval '20 days'",
    "updated_at": "made.since + (least(random(), random()) * (made.moment - made.since))",
    "due": "CASE WHEN m.due IS NOT NULL THEN (made.since + interval '14 days')::date END",
    "due_order": "CASE WHEN m.due IS NOT NULL THEN (made.since + interval '14 days')::date ELSE m.due_order END",
    "officer": "CASE WHEN n % 3 = 0 THEN NULL WHEN n % 3 = 1 THEN :officer ELSE 'other' END",
    "officer_name": "CASE WHEN n % 3 = 0 THEN NULL WHEN n % 3 = 1 THEN 'Dana Kuzmina' ELSE 'Goran Ristov' END",
    "state": "replace(m.state::text, '2026-03-02T09:00:00Z', to_char(made.since AT TIME ZONE 'UTC',"
    " 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'))::jsonb || jsonb_build_object('id', 'BSO-2025-' || lpad(n::text, 7, '0'),"
    " 'title', made.title, 'organisation_name', made.organisation_name)",
    "words": "to_tsvector('simple', 'BSO-2025-' || lpad(n::text, 7, '0') || ' ' "
    " || made.title || ' ' || made.organisation_name)",
}
ROWS = """
INSERT INTO application ({names})
SELECT {values} FROM (
  SELECT n, part, moment,
         moment - CASE WHEN n % 100 < 30 THEN power(random(), 2) * interval '90 days'
                       ELSE random() * interval '1100 days' END AS since,
         round((1000 + power(random(), 4) * 900000)::numeric, 2) AS amount,
         (ARRAY['Training of machine operators', 'Advice for dairy farms', 'Export club', 'Quality labels',
                'Training for young welders'])[1 + (n % 5)]
           || CASE WHEN n % 997 = 0 THEN ' and beekeepers' ELSE '' END AS title,
         (ARRAY['Chamber of ', 'Union of ', 'Valley association '])[1 + (part % 3)] || part AS organisation_name
  FROM (SELECT n, (power(random(), 3) * 4000)::int AS part, cast(:moment AS timestamptz) AS moment
        FROM generate_series(1, :rows) n) drawn
) made JOIN application m ON m.id = (cast(:models AS text[]))[1 + (n % 100)]
"""
REVIEWS = """
INSERT INTO review ({names})
SELECT {values} FROM application a JOIN review m ON m.application = :model
WHERE a.stage IN ('review', 'approved') AND a.id LIKE 'BSO-2025-%'
"""


def models(world: World) -> dict[str, str]:
    """Tell one case for each stage; returns their references."""
    found = {"draft": Case(world).draft(), "screening": Case(world).submitted(), "rejected": Case(world).submitted()}
    found["rejected"].move(world.officer, "reject", reason="Not eligible")
    found["review"] = Case(world).in_review("reviewer_one", "reviewer_two")
    found["approved"] = Case(world).approved()
    return {stage: case.reference for stage, case in found.items()}


def fill(world: World, rows: int) -> None:
    """Multiply the told cases."""
    told = models(world)
    drawn = [
        told[stage] for stage in ("draft", "screening", "review", "approved", "rejected") for _ in range(SHARES[stage])
    ]
    world.clock.forward(days=DAYS)
    names = [column.name for column in t.application.c]
    chosen = ", ".join(CHANGED.get(name, f'm."{name}"') for name in names)
    values = {"rows": rows, "moment": world.clock(), "models": drawn, "officer": world.officer.identity.user}
    with world.engine.connect() as connection:
        quoted = ", ".join(f'"{name}"' for name in names)
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text(ROWS.format(names=quoted, values=chosen)), values)
        names = [column.name for column in t.review.c]
        own = {"id": "a.id || right(m.id, 9)", "application": "a.id"}
        chosen = ", ".join(own.get(name, f'm."{name}"') for name in names)
        quoted = ", ".join(f'"{name}"' for name in names)
        connection.execute(text(REVIEWS.format(names=quoted, values=chosen)), {"model": told["approved"]})
        connection.commit()


@dataclass(frozen=True)
class Figure:
    """What a page took, in milliseconds, and the indexes by which its rows were found."""

    name: str
    median: float
    p95: float
    cpu: float
    found: str

    @property
    def line(self) -> tuple[str, ...]:
        """Return the line of the table."""
        return self.name, f"{self.median:.1f} ms", f"{self.p95:.1f} ms", f"{self.cpu:.1f} ms", self.found


def a_case(connection: Connection) -> str:
    """Return a case in review, whose page has more on it than most."""
    query = "SELECT id FROM application WHERE stage = 'review' ORDER BY id LIMIT 1"
    return str(connection.execute(text(query)).scalar_one())


@contextmanager
def heard(world: World) -> Iterator[list[tuple[str, Any]]]:
    """Collect the statements that run inside."""
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        seen.append((statement, parameters))

    event.listen(world.engine, "before_cursor_execute", note)
    yield seen
    event.remove(world.engine, "before_cursor_execute", note)


def plan(connection: Connection, world: World, path: str) -> str:
    """Return the indexes by which the rows of a page are found."""
    with heard(world) as seen:
        world.officer.page(path)
    listed = (pair for pair in seen if "FROM application" in pair[0] and "LIMIT" in pair[0])
    statement, parameters = next(listed, ("", None))
    if not statement:
        return ""
    lines = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).scalars().all()
    found = [line.split(" using ")[-1].split(" on ")[0] for line in lines if " using " in line]
    found += [line.split(" on ")[-1].split(" ")[0] for line in lines if "Bitmap Index Scan" in line]
    return ", ".join(dict.fromkeys(found)) + (
        " SEQ SCAN" if any("Seq Scan on application" in line for line in lines) else ""
    )


def timed(world: World, path: str, times: int) -> tuple[float, float, float]:
    """Return the median and the 95th percentile of a page's milliseconds, and the median of this process's CPU."""
    world.officer.page(path)
    took, worked = [], []
    for _ in range(times):
        began, cpu = time.perf_counter(), time.process_time()
        world.officer.page(path)
        took.append((time.perf_counter() - began) * 1000)
        worked.append((time.process_time() - cpu) * 1000)
    return statistics.median(took), sorted(took)[int(times * 0.95)], statistics.median(worked)


def measured(world: World, paths: dict[str, str], times: int, connection: Connection) -> list[Figure]:
    """Measure pages; says each as soon as it is known, because all of them take minutes."""
    found = []
    for name, path in paths.items():
        figure = Figure(name, *timed(world, path, times), plan(connection, world, path))
        print(" ".join(figure.line), flush=True)
        found.append(figure)
    return found


def page_20(world: World, path: str) -> str:
    """Follow the list to its twentieth page and return that page's address."""
    for _ in range(19):
        html = world.officer.page(path)
        path = html.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0].removeprefix("/grants")
        path = path.replace("&amp;", "&")
    return path


def csv(world: World) -> tuple[str, ...]:
    """Take the file of all cases; returns how long it took and how much more memory this process needed."""
    began, lines, before = time.perf_counter(), 0, getrusage(RUSAGE_SELF).ru_maxrss
    with world.officer.client.stream("GET", "/grants/queue.csv?q=state:all", headers=world.officer.headers()) as answer:
        for piece in answer.iter_text():
            lines += piece.count("\n")
    more = (getrusage(RUSAGE_SELF).ru_maxrss - before) / 1024
    took = time.perf_counter() - began
    return ("the file of all cases", f"{lines - 1:,} rows in {took:.1f} s, {more:.0f} MB more at the peak")


def told(on: list[str], rows: int, figures: list[Figure], file: tuple[str, ...] | None) -> Part:
    """Return the figures as a part of the document."""
    most = MOST if rows <= 100_000 else 2 * MOST
    slowest = max(figures, key=lambda figure: figure.p95)
    goals = [
        goal(
            f"the slowest page ({slowest.name}), p95",
            f"≤ {most} ms",
            f"{slowest.p95:.1f} ms",
            reached=slowest.p95 <= most,
        )
    ]
    columns = ("page", "median", "p95", "processor, Python", "found by")
    tables = [Section("Goals", GOALS, goals), Section("Pages", columns, [figure.line for figure in figures])]
    tables += [Section("The file", ("what", "figure"), [file])] if file else []
    return Part(f"queue-{rows}", f"Officers' pages over {rows:,} applications", on, tables)


def main() -> None:
    """Fill a database of its own for each size and measure."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.queue", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=40)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows and a quarter of the times")
    parser.add_argument("--huge", action="store_true", help="over ten times the rows too")
    parser.add_argument("--write", action="store_true", help="write this part of docs/performance.md")
    options = parser.parse_args()
    if options.quick:
        options.rows, options.times = options.rows // 10, options.times // 4
    for rows in (options.rows, 10 * options.rows)[: 2 if options.huge else 1]:
        part = over(rows, options.times)
        show(part)
        if options.write:
            write(part)


def over(rows: int, times: int) -> Part:
    """Measure everything over so many applications, in a database of its own."""
    with servers() as stand, tempfile.TemporaryDirectory() as home:
        world = World(stand.database("grants"), Path(home))
        on, began = machine(world.engine), time.perf_counter()
        fill(world, rows)
        with stand.superuser(world.engine).connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("VACUUM ANALYZE"))
            print(f"{rows:,} applications of {PROGRAMME} in {time.perf_counter() - began:.0f} s")
            deep = {"the queue, page 20": page_20(world, "/"), "by change, page 20": page_20(world, "/?sort=-updated")}
            settle()  # as the servers do: a look at everything that stays would stand in the figures now and then
            other = {name: path.format(case=a_case(connection)) for name, path in OTHERS.items()}
            figures = measured(world, PAGES | deep | other, times, connection)
        return told(on, rows, figures, csv(world))


if __name__ == "__main__":
    main()
