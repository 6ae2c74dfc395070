"""`python -m tests.bench.decisions`: a move with all its effects by officers at once, and one act on 500 cases.

Cases are copies of one that was told through the API. A move is the whole use case: policy, lock, workflow, state,
events into the outbox, commit. It is measured by itself, and as it is served: by HTTP with the statement of who it is,
JSON in, and the case with the moves that there are then out, from one server process and from two. Statements and
processor time are counted beside the time, because a loaded machine changes the latter.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from services.grants.handlers import bulk, moving
from services.grants.handlers.bulk import Runner
from services.grants.storage.tables import application
from shared.database import Context, UnitOfWork
from tests.bench.document import GOALS, Part, Section, goal, machine, show, write
from tests.bench.officers import cpu_of_database, office
from tests.bench.servers import servers
from tests.integration.grants_world import PROGRAMME, Case, World, counted

OFFICERS = 8
COPIES = (
    "INSERT INTO application ({names}) SELECT {values} FROM application a, generate_series(1, :n) n WHERE a.id = :m"
)
# What they may take on the reference machine: milliseconds of a move, moves a second, seconds of an act on 500 cases.
P95, RATE, BULK = 40.0, 200.0, 3.0


@dataclass(frozen=True)
class Row:
    """What moves took in one way: milliseconds of each, how many a second, processor seconds of each."""

    name: str
    took: list[float]
    rate: float
    servers: float
    database: float

    @property
    def p95(self) -> float:
        """Return what 19 of 20 moves took at most, in milliseconds."""
        return statistics.quantiles(self.took, n=20)[-1]

    @property
    def line(self) -> tuple[str, ...]:
        """Return the line of the table."""
        median, own, other = statistics.median(self.took), self.servers * 1000, self.database * 1000
        return (
            self.name,
            f"{median:.1f} ms",
            f"{self.p95:.1f} ms",
            f"{self.rate:.0f}",
            f"{own:.1f} ms",
            f"{other:.1f} ms",
        )


def copied(world: World, model: str, mark: str, copies: int) -> list[str]:
    """Multiply a case; returns the copies' references."""
    own = {"id": f"'{mark}-' || lpad(n::text, 5, '0')"}
    own["state"] = f"a.state || jsonb_build_object('id', {own['id']})"
    names = [column.name for column in application.c]
    values = ", ".join(own.get(name, f'a."{name}"') for name in names)
    statement = COPIES.format(names=", ".join(f'"{name}"' for name in names), values=values)
    with world.engine.begin() as connection:
        connection.execute(text(statement), {"n": copies, "m": model})
    return [f"{mark}-{n:05d}" for n in range(1, copies + 1)]


def moves(world: World, references: list[str], version: int) -> tuple[list[float], float]:
    """Let officers at once make one move of each case; returns the milliseconds of each, and the seconds of all."""
    who = world.officer.identity
    command = moving.MoveApplication(transition="reject", version=version, reason_code="not-eligible")

    def one(reference: str) -> float:
        began = time.perf_counter()
        with UnitOfWork(world.engine, "grants", Context(actor=who.actor("officer")), clock=world.clock) as uow:
            moving.move(uow, who, reference, command)
        return (time.perf_counter() - began) * 1000

    began = time.perf_counter()
    with ThreadPoolExecutor(OFFICERS) as pool:
        took = list(pool.map(one, references))
    return took, time.perf_counter() - began


def act_on_many(world: World, references: list[str]) -> tuple[float, float, float, float]:
    """Plan and do one act; returns the seconds of the dry run, of doing it, of its CPU, and a row's statements."""
    who, words = world.officer.identity, {"act": "reject", "reason_code": "not-eligible"}
    command = bulk.PlanBulk(programme=PROGRAMME, references=references, **words)
    began = time.perf_counter()
    with UnitOfWork(world.engine, "grants", Context(actor=who.actor("officer")), clock=world.clock) as uow:
        plan = bulk.plan(uow, who, command)
        uow.flush()
        bulk.start(uow, who, plan.id, bulk.StartBulk(version=plan.version))
    dry, began, cpu = time.perf_counter() - began, time.perf_counter(), time.process_time()
    with counted(world) as seen:
        runner = Runner(world.engine, clock=world.clock)
        tried = 0
        while done := runner.run(seconds=600):
            tried += done
    took = time.perf_counter() - began
    if tried != len(references):
        raise SystemExit(f"NOT AS IT SHOULD BE: {tried} rows of {len(references)} were tried")
    return dry, took, time.process_time() - cpu, len(seen) / len(references)


def by_itself(world: World, references: list[str], version: int) -> Row:
    """Measure moves without a server around them."""
    cpu, database = time.process_time(), cpu_of_database(world.engine)
    took, seconds = moves(world, references, version)
    cpu, database = time.process_time() - cpu, cpu_of_database(world.engine) - database
    return Row("by itself, one process", took, len(took) / seconds, cpu / len(took), database / len(took))


def served(world: World, references: list[str], version: int, processes: int) -> Row:
    """Measure moves as officers' scripts send them."""
    body = {"transition": "reject", "version": version, "reason_code": "not-eligible"}
    with office(world, processes) as servers:
        taken = servers.measured(lambda name: servers.post(f"/applications/{name}/moves", body), references, OFFICERS)
    number, name = len(taken.each), f"by HTTP, {processes} server process{'es' if processes > 1 else ''}"
    return Row(name, taken.each, number / taken.seconds, taken.servers / number, taken.database / number)


def told(on: list[str], rows: list[Row], many: tuple[float, float, float, float]) -> Part:
    """Return the figures as a part of the document."""
    (first, *_), (dry, done, cpu, statements) = rows, many
    goals = [
        goal(
            f"a move, {OFFICERS} officers at once, p95",
            f"≤ {P95:.0f} ms",
            f"{first.p95:.1f} ms",
            reached=first.p95 <= P95,
        ),
        goal("moves a second", f"≥ {RATE:.0f}", f"{first.rate:.0f}", reached=first.rate >= RATE),
        goal("an act on 500 cases", f"≤ {BULK:.0f} s", f"{done:.2f} s", reached=done <= BULK),
    ]
    columns = ("a move", "median", "p95", "a second", "processor, servers", "processor, database")
    acts = [
        ("dry run", f"{dry:.2f} s"),
        ("done", f"{done:.2f} s"),
        ("statements a case", f"{statements:.1f}"),
        ("processor, Python", f"{cpu / 500 * 1000:.1f} ms a case"),
    ]
    tables = [
        Section("Goals", GOALS, goals),
        Section(f"{OFFICERS} officers at once", columns, [row.line for row in rows]),
    ]
    return Part("decisions", "Officers' acts", on, [*tables, Section("One act on 500 cases", ("what", "figure"), acts)])


def main() -> None:
    """Fill a database of its own and measure."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.decisions", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a fifth of the moves")
    parser.add_argument("--write", action="store_true", help="write this part of docs/performance.md")
    options = parser.parse_args()
    number = 400 if options.quick else 2_000
    with servers() as stand, tempfile.TemporaryDirectory() as home:
        world = World(stand.database("grants"), Path(home))
        on, case = machine(world.engine), Case(world).submitted()
        version = int(case.seen()["version"])
        moves(world, copied(world, case.reference, "WARM", 4 * OFFICERS), version)
        rows = [by_itself(world, copied(world, case.reference, "MOVE", number), version)]
        for processes in (1, 2):
            copies = copied(world, case.reference, f"WEB{processes}", number + 4 * OFFICERS)
            rows.append(served(world, copies, version, processes))
        many = act_on_many(world, copied(world, case.reference, "BULK", 500))
    part = told(on, rows, many)
    show(part)
    if options.write:
        write(part)


if __name__ == "__main__":
    main()
