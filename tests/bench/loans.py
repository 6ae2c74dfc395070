# ruff: noqa: T201 - a benchmark says what it is doing
"""`python -m tests.bench.loans`: schedules and the ratios of a proposal, beside a naive loop with binary floats.

Times are of this process's processor, so that others on the machine do not count. The float loop does one kind of
schedule and one ratio: it is there to show what exactness costs, and by how much it is wrong.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from datetime import date
from decimal import Decimal

from services.loans.cli import PROPOSAL
from services.loans.domain.blocks import Plan
from services.loans.domain.cashflow import years
from services.loans.domain.ratios import dscr, ratios
from services.loans.domain.report import report
from services.loans.domain.schedule import Terms, effective_rate, schedule
from services.loans.domain.schedule.terms import DayCount

ROUNDS = 7  # the best of so many counts
# What they may take on the reference machine: schedules of 36 rows a second, milliseconds of a proposal's ratios.
SCHEDULES, RATIOS = 3_000, 20.0


def best(work: Callable[[], object], times: int) -> float:
    """Return the seconds of processor that `work` takes, the best of several rounds."""
    taken = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(times):
            work()
        taken.append((time.process_time() - began) / times)
    return min(taken)


def terms(day_count: DayCount = "per_period") -> Terms:
    return Terms(
        principal=Decimal(40_000), annual_rate=Decimal("0.14"), periods=36, start=date(2027, 1, 1), day_count=day_count
    )


def naive(principal: float, rate: float, periods: int) -> list[tuple[float, float]]:
    """Return (principal, interest) as a few lines of binary floats have them: no dates, no rule for the last row."""
    monthly = rate / 12
    level = round(principal * monthly / (1 - (1 + monthly) ** -periods), 2)
    rows, balance = [], principal
    for _ in range(periods):
        interest = round(balance * monthly, 2)
        rows.append((level - interest, interest))
        balance -= level - interest
    return rows


def naive_ratios() -> list[float]:
    """Return debt service cover by year as floats have it."""
    rows = naive(40_000, 0.14, 36)
    found, operating = [], 18_000.0
    for year, sales in enumerate((120_000, 132_000, 145_200)):
        due = rows[year * 12 : year * 12 + 12]
        interest = sum(interest for _, interest in due)
        ebitda = sales * 0.35 - operating
        tax = (ebitda - 6_000 - interest) * 0.1
        found.append((ebitda - tax - 1_000) / sum(part + interest for part, interest in due))
        operating *= 1.05
    return found


def main() -> int:
    """Measure, print, and end with 1 when it is slower than it may be."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.loans", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a fifth of it")
    times = 60 if parser.parse_args().quick else 300
    plan = Plan.model_validate(PROPOSAL["plan"])
    exact, by_days = best(lambda: schedule(terms()), times), best(lambda: schedule(terms("ACT/365F")), times)
    floats = best(lambda: naive(40_000, 0.14, 36), times)
    cost = best(lambda: effective_rate(terms()), times // 10)
    print(f"schedules of 36 rows: {1 / exact:,.0f} a second on one core (at least {SCHEDULES:,})")
    print(f"  by days {1 / by_days:,.0f}; with the true cost {1 / cost:,.0f}; binary floats {1 / floats:,.0f}")
    figures, whole = best(lambda: ratios(plan), times // 10), best(lambda: report(plan), times // 10)
    loop = best(naive_ratios, times)
    print(
        f"ratios of a proposal: {figures * 1000:.1f} ms (at most {RATIOS:.0f}), with every formula {whole * 1000:.1f}"
    )
    print(f"  debt service cover alone with binary floats: {loop * 1000:.2f} ms")
    left = 40_000 - sum(part for part, _ in naive(40_000, 0.14, 36))
    print(f"  the float loop leaves {left!r} unpaid in the end; its cover is", end=" ")
    print(", ".join(f"{value:.6f}" for value in naive_ratios()), "beside", [str(dscr(year)) for year in years(plan)])
    return 0 if 1 / exact >= SCHEDULES and figures * 1000 <= RATIOS else 1


if __name__ == "__main__":
    raise SystemExit(main())
