# ruff: noqa: T201 - a benchmark says what it is doing
"""`python -m tests.bench.inbox`: a bank's inbox over 10,000 referrals, folder by folder, as its people ask for it.

Referrals are copies of one that was told through the API, over every stage, a third of the running ones late.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

from sqlalchemy import text

from services.loans.storage.tables import proposal, referral
from tests.bench.servers import servers
from tests.integration.loans_world import World, refer, submitted

PAGE, VIEWS = 80.0, 40  # milliseconds that a page may take on the reference machine
PAGES = {
    "all": "",
    "your turn": "?folder=turn",
    "late": "?folder=overdue",
    "new": "?folder=new",
    "declined": "?folder=declined",
    "searched": "?q=firm+77",
}
STAGES = ["submitted", "received", "in_credit", "info_requested", "offered", "disbursed", "declined", "declined"]


def copied(world: World, model: str, count: int) -> None:
    """Multiply a referral, with a proposal for each; their states are left out."""
    listed = ", ".join(f"'{stage}'" for stage in STAGES)
    values = {
        "proposal": {"id": "'PRO-' || n"},
        "referral": {
            "id": "'REF-' || n",
            "proposal": "'PRO-' || n",
            "stage": f"(ARRAY[{listed}])[1 + n % {len(STAGES)}]",
            "open": f"n % {len(STAGES)} < 5",
            "due": f"CASE WHEN n % {len(STAGES)} < 3 THEN a.due + ((n % 30) - 10) END",
            "organisation_name": "'Firm ' || (n % 900)",
            "updated_at": "a.updated_at - n * interval '7 minutes'",
        },
    }
    with world.engine.begin() as connection:
        for table, where in ((proposal, "(SELECT proposal FROM referral WHERE id = :m)"), (referral, ":m")):
            own = values[table.name] | {"state": "'{}'::jsonb"}
            names = [column.name for column in table.c]
            chosen = ", ".join(own.get(name, f'a."{name}"') for name in names)
            quoted = ", ".join(f'"{name}"' for name in names)
            statement = (
                f"INSERT INTO {table.name} ({quoted}) SELECT {chosen} FROM {table.name} a, generate_series(1, :n) n"  # noqa: S608
            )
            connection.execute(text(f"{statement} WHERE a.id = {where}"), {"n": count, "m": model})
    with world.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE proposal, referral"))


def views(world: World, path: str) -> list[float]:
    """Return the milliseconds of each view of a folder."""
    took = []
    for _ in range(VIEWS):
        began = time.perf_counter()
        answer = world.bank_one.get(f"/loans/referrals{path}")
        took.append((time.perf_counter() - began) * 1000)
        if answer.status_code != 200:
            raise SystemExit(f"NOT AS IT SHOULD BE: {answer.status_code}")
    return took


def main() -> int:
    """Measure, print, and end with 1 when a folder takes longer than it may."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.inbox", description=__doc__)
    parser.add_argument("--referrals", type=int, default=10_000)
    count = parser.parse_args().referrals
    slow = False
    print(f"a bank's inbox of {count:,} referrals, milliseconds (at most {PAGE:.0f}):")
    with tempfile.TemporaryDirectory() as home, servers() as stand:
        world = World(stand.database("loans"), Path(home))
        copied(world, refer(world, submitted(world), "bank-one")["reference"], count)
        for name, path in PAGES.items():
            views(world, path)  # so that nothing is counted that happens once
            took = views(world, path)
            p95 = statistics.quantiles(took, n=20)[-1]
            slow = slow or p95 > PAGE
            print(f"  {name:10}  median {statistics.median(took):6.1f}  p95 {p95:6.1f}")
    print("NOT AS IT SHOULD BE" if slow else "as it should be")
    return int(slow)


if __name__ == "__main__":
    sys.exit(main())
