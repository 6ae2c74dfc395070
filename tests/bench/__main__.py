# ruff: noqa: T201 - a benchmark says what it is doing
"""`make bench`: Tamga, its peers and the floor on one broker and one database, in one run.

Ends with 1 when a system did not store exactly what it was given, or stored it in the wrong order.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time

from tests.bench.contest import contest
from tests.bench.document import machine, show, write
from tests.bench.growth import processes, sizes
from tests.bench.log import log
from tests.bench.measure import MismatchError
from tests.bench.report import Findings, part
from tests.bench.servers import servers

BEGAN = time.monotonic()


def say(line: str) -> None:
    print(f"{time.monotonic() - BEGAN:6.0f} s  {line}", flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of it, in a few minutes")
    parser.add_argument("--huge", action="store_true", help="also with tables of two million rows")
    parser.add_argument("--write", action="store_true", help="write this part of docs/performance.md")
    parser.add_argument("--acts", type=int, help="acts of the contest")
    return parser.parse_args()


def main() -> int:
    """Measure everything; returns the exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # on the way out every server and process is ended
    options = arguments()
    acts = options.acts or (2_000 if options.quick else 20_000)
    larger = ["as they are", "10 times larger", *(["100 times larger"] if options.huge else [])]
    with servers() as stand:
        found = Findings(acts, machine(stand.database("audit")))
        try:
            found.contest = contest(stand, acts, 4 if options.quick else 12, 1 if options.quick else 2, say)
            found.processes = processes(stand, min(acts, 8_000), say)
            found.sizes = sizes(stand, min(acts, 5_000), larger[: 1 if options.quick else None], say)
            found.log = log(stand, 5_000 if options.quick else 50_000, say)
        except MismatchError as error:
            print(f"NOT AS IT SHOULD BE: {error}", file=sys.stderr)
            return 1
    show(part(found))
    if options.write:
        write(part(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
