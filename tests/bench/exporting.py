# ruff: noqa: T201 - a benchmark says what it is doing
"""`python -m tests.bench.exporting`: rows a second and the memory of exports of 100,000 entries, format by format."""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

from services.audit.domain.export import FORMATS
from services.audit.handlers import append, exporting
from shared.database import Context, UnitOfWork
from shared.events import Actor
from shared.messaging.batch import handle_batch
from shared.testing.web import web_settings
from tests.bench.log import fill
from tests.bench.servers import servers

GROWTH = 64.0  # megabytes by which an export may grow the process, however long it is
AUDITOR = Actor(id="user:mila", name="Mila Stojan", role="auditor")


def peak() -> float:
    """Return the most memory that this process ever had, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    """Make each export once; 1 when one of them grows the process by more than GROWTH."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    rows, most = parser.parse_args().rows, 0.0
    with servers() as stand, tempfile.TemporaryDirectory() as folder:
        engine, known, context = stand.database("audit"), web_settings(home=Path(folder)), Context(actor=AUDITOR)
        fill(engine, rows, lambda batch: handle_batch(engine, "audit", append, batch))
        for format_ in (name for name in FORMATS if name != "pdf"):
            with UnitOfWork(engine, "audit", context) as uow:
                about = {"search": "", "format_": format_, "purpose": "Measured", "locale": "en"}
                asked = exporting.ask(uow, known, **about)
            before, begun = peak(), time.perf_counter()
            item = exporting.make(engine, known, asked.id, context)
            spent, grown = time.perf_counter() - begun, peak() - before
            most = max(most, grown)
            told = (
                f"{item.rows / spent:,.0f} rows/s, {item.bytes / 2**20:.1f} MB of file, memory grew by {grown:.1f} MB"
            )
            print(f"{format_}: {item.rows:,} rows in {spent:.1f} s, {told}", flush=True)
    return 1 if most > GROWTH else 0


if __name__ == "__main__":
    sys.exit(main())
