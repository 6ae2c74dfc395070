# ruff: noqa: T201 - a benchmark says what it is doing
"""`python -m tests.bench.decisions`: a move with all its effects by officers at once, and one act on 500 cases.

Cases are copies of one that was told through the API. A move is the whole use case: policy, lock, workflow, state,
events into the outbox, commit. Statements are counted beside the time, because a loaded machine changes the latter.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqlalchemy import text

from services.grants.handlers import bulk, moving
from services.grants.handlers.bulk import Runner
from services.grants.storage.tables import application
from shared.database import Context, UnitOfWork
from shared.testing.stand import Stand
from tests.integration.grants_world import PROGRAMME, Case, World, counted

OFFICERS = 8
COPIES = (
    "INSERT INTO application ({names}) SELECT {values} FROM application a, generate_series(1, :n) n WHERE a.id = :m"
)
# What they may take on the reference machine: milliseconds of a move, moves a second, seconds of an act on 500 cases.
P95, RATE, BULK = 40.0, 200.0, 3.0


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
        tried = Runner(world.engine, clock=world.clock).run(seconds=600)
    took = time.perf_counter() - began
    if tried != len(references):
        raise SystemExit(f"NOT AS IT SHOULD BE: {tried} rows of {len(references)} were tried")
    return dry, took, time.process_time() - cpu, len(seen) / len(references)


def main() -> None:
    """Fill a database of its own and measure."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.decisions", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a fifth of the moves")
    options = parser.parse_args()
    number = 400 if options.quick else 2_000
    with Stand() as stand, tempfile.TemporaryDirectory() as home:
        world = World(stand.database("grants"), Path(home))
        case = Case(world).submitted()
        version = int(case.seen()["version"])
        moves(world, copied(world, case.reference, "WARM", 2 * OFFICERS), version)
        took, seconds = moves(world, copied(world, case.reference, "MOVE", number), version)
        p95 = statistics.quantiles(took, n=20)[-1]
        rate = number / seconds
        median = statistics.median(took)
        print(f"a move, {OFFICERS} officers at once: median {median:.1f} ms, p95 {p95:.1f} ms (at most {P95:.0f})")
        print(f"  {rate:.0f} a second (at least {RATE:.0f})")
        dry, done, cpu, statements = act_on_many(world, copied(world, case.reference, "BULK", 500))
        print(f"an act on 500 cases: dry run {dry:.2f} s, done in {done:.2f} s (at most {BULK:.0f})")
        print(f"  {statements:.1f} statements a case, {cpu:.2f} s of CPU in this process")


if __name__ == "__main__":
    main()
