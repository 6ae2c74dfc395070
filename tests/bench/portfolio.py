# ruff: noqa: T201 - a benchmark says what it is doing
"""`python -m tests.bench.portfolio`: a tape of 100,000 loans, and the portfolio's page over 200,000.

Loans are copies of one that was told through the API; a twentieth of them has not paid. The tape goes through the
whole use case: read, check, COPY, sums; then apply, with an event for each loan that changes its state.
"""

from __future__ import annotations

import argparse
import io
import resource
import statistics
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from sqlalchemy import text

from services.loans.handlers import portfolio, tapes
from services.loans.handlers.tape_reading import TapeFile
from services.loans.storage.tables import loan, proposal, referral
from shared.database import Context, UnitOfWork
from shared.testing.web import Browser
from tests.bench.servers import servers
from tests.integration.loans_world import World, call, offered, submitted

# What they may take on the reference machine: seconds of a tape of 100,000, MB that it adds, milliseconds of the page.
TAPE, MEMORY, PAGE = 60.0, 250.0, 150.0
AS_OF, MONTHS, VIEWS = date(2026, 4, 30), 12, 60
HEAD = "loan,principal_paid,interest_paid,outstanding,days_past_due\n"


def copied(world: World, model: str, per_bank: int) -> None:
    """Multiply a loan with its referral and proposal for two banks; states of proposals and referrals are left out."""
    own = {"proposal": "'PRO-' || n", "referral": "'REF-' || n", "loan": "'LN-' || lpad(n::text, 7, '0')"}
    for table in (proposal, referral, loan):
        values = {"id": own[table.name], "proposal": own["proposal"], "referral": own["referral"], "open": "false"}
        values["bank"] = f"CASE WHEN n > {per_bank} THEN 'bank-two' ELSE 'bank-one' END"
        values["state"] = "jsonb_build_object('stage', a.state->'stage', 'submitted_at', a.state->'submitted_at')"
        if table is loan:
            values["state"] = (
                f"a.state || jsonb_build_object('id', {own['loan']}, 'proposal', {own['proposal']},"
                f" 'referral', {own['referral']}, 'bank', {values['bank']})"
            )
            values["profile"] = (
                "jsonb_build_object('product', 'term_loan', 'sector', (1000 + n % 60)::text, 'sex',"
                " (ARRAY['female', 'male', 'mixed'])[1 + n % 3], 'age', 'adult', 'place', 'Town ' || (n % 40))"
            )
        if table is proposal:
            del values["bank"], values["referral"], values["proposal"], values["open"]
        if table is referral:
            del values["referral"]
        names = [column.name for column in table.c]
        listed = ", ".join(values.get(name, f'a."{name}"') for name in names)
        quoted = ", ".join(f'"{name}"' for name in names)
        source = {"proposal": "(SELECT proposal FROM loan WHERE id = :m)", "loan": ":m"}
        source["referral"] = "(SELECT referral FROM loan WHERE id = :m)"
        statement = f"INSERT INTO {table.name} ({quoted}) SELECT {listed} FROM {table.name} a, generate_series(1, :n) n"  # noqa: S608
        with world.engine.begin() as connection:
            connection.execute(text(f"{statement} WHERE a.id = {source[table.name]}"), {"n": per_bank * 2, "m": model})
    with world.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE proposal, referral, loan"))


def file_of(first: int, count: int) -> TapeFile:
    """Return a tape in which one of twenty has paid nothing."""
    lines = io.StringIO()
    lines.write(HEAD)
    for number in range(first, first + count):
        paid = "0,0,40000.00,28" if number % 20 == 0 else "928.57,400.00,39071.43,0"
        lines.write(f"LN-{number:07d},{paid}\n")
    return TapeFile("tape.csv", "text/csv", lines.getvalue().encode())


def report(world: World, who: Browser, file: TapeFile) -> tuple[float, float, int]:
    """Check and apply a tape; returns the seconds of both, and how many loans changed."""
    identity = who.who
    if identity is None:
        raise SystemExit("nobody reports")

    def uow() -> UnitOfWork:
        return UnitOfWork(world.engine, "loans", Context(actor=identity.actor("finance_partner")), clock=world.clock)

    began = time.perf_counter()
    with uow() as work:
        tape, _ = tapes.check(work, identity, file, lambda _: file.sha256, as_of=AS_OF)
    checked = time.perf_counter() - began
    if tape.counts is None or tape.counts.wrong:
        raise SystemExit(f"NOT AS IT SHOULD BE: {tape.counts}")
    began = time.perf_counter()
    with uow() as work:
        done = tapes.apply(work, identity, tape.id, version=tape.version, without_missing=True)
    return checked, time.perf_counter() - began, done.changed_loans


def earlier(world: World) -> None:
    """Give each tape eleven earlier months with the same sums, so that the page draws a year."""
    names = "tape, audience, currency, dimension, value, loans, late_loans, written_off_loans, outstanding, over_0,"
    names += " over_30, over_60, over_90, restructured, over_30_or_restructured, written_off"
    with world.engine.begin() as connection:
        connection.execute(
            text("""
            INSERT INTO tape SELECT t.id || '-' || n, t.version, t.state, t.created_at, t.updated_at, t.updated_by,
              t.updated_by_name, t.last_changes, t.programme, t.bank, (t.as_of - make_interval(months => n))::date,
              to_char(t.as_of - make_interval(months => n), 'YYYY-MM'), t.stage, t.applied_at, t.superseded_at
            FROM tape t, generate_series(1, :n) n"""),
            {"n": MONTHS - 1},
        )
        connection.execute(
            text(
                f"INSERT INTO tape_sum ({names}) SELECT s.tape || '-' || n, {names.split(', ', 1)[1]}"  # noqa: S608
                " FROM tape_sum s, generate_series(1, :n) n"
            ),
            {"n": MONTHS - 1},
        )


def views(world: World) -> list[float]:
    """Return the milliseconds of each view of the page."""
    took = []
    for _ in range(VIEWS):
        began = time.perf_counter()
        answer = world.manager.get("/loans/portfolio")
        took.append((time.perf_counter() - began) * 1000)
        if answer.status_code != 200:
            raise SystemExit(f"NOT AS IT SHOULD BE: {answer.status_code}")
    return took


def main() -> int:
    """Measure, print, and end with 1 when it takes longer than it may."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.portfolio", description=__doc__)
    parser.add_argument("--loans", type=int, default=100_000, help="loans of each of two banks")
    count = parser.parse_args().loans
    with tempfile.TemporaryDirectory() as home, servers() as stand:
        world = World(stand.database("loans"), Path(home))
        offer = offered(world, submitted(world), "bank-one", world.bank_one)
        model = call(world.msme, "POST", f"/referrals/{offer}/acceptance", 201)["reference"]
        call(world.bank_one, "POST", f"/loans/{model}/disbursements", 201, amount="40000", on="2026-03-02")
        copied(world, model, count)
        world.clock.forward(days=61)
        first, second = file_of(1, count), file_of(count + 1, count)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        cpu = time.process_time()
        checked, applied, changed = report(world, world.bank_one, first)
        cpu = time.process_time() - cpu
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        report(world, world.bank_two, second)
        earlier(world)
        with world.uow() as work:
            began = time.perf_counter()
            portfolio.recount(work)
            counted = time.perf_counter() - began
        began = time.process_time()
        took = views(world)
        each = (time.process_time() - began) / VIEWS * 1000
    p95 = statistics.quantiles(took, n=20)[-1]
    print(f"a tape of {count:,}: checked in {checked:.1f} s, applied in {applied:.1f} s, {changed:,} loans changed,")
    print(f"  {cpu:.1f} s of CPU in this process;")
    print(f"  {grown:.0f} MB more at most; the funnel of {count * 2:,} proposals counted in {counted:.1f} s")
    print(f"the page over {count * 2:,} loans and {MONTHS} months:")
    print(f"  median {statistics.median(took):.0f} ms, p95 {p95:.0f} ms")
    print(f"  {each:.0f} ms of CPU in this process each")
    late = checked + applied > TAPE or grown > MEMORY or p95 > PAGE
    print("NOT AS IT SHOULD BE" if late else "as it should be")
    return int(late)


if __name__ == "__main__":
    sys.exit(main())
