"""`python -m services.backup nightly`: a backup every night, until SIGTERM."""

from __future__ import annotations

import sys

from services.backup import nightly
from shared.process import begin, stop_when_asked
from shared.safekeeping.refusals import SafekeepingError


def main(arguments: list[str]) -> int:
    """Run the one program there is; returns the exit code."""
    if arguments != ["nightly"]:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    stop = stop_when_asked()
    try:
        nightly.run(begin(nightly.NAME), stop)
    except SafekeepingError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
