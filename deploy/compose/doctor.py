"""`make doctor`: what is wrong on this machine, why it matters, and the command that mends it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from deploy.compose import checks, facts, files
from deploy.compose.checks import BAD, GOOD, LOOK, UNKNOWN, Finding
from deploy.compose.terminal import painted, say, wrapped

MARKS = {GOOD: ("ok", "green"), LOOK: ("look", "yellow"), BAD: ("BAD", "red"), UNKNOWN: ("-", "bold")}
_MARK, _NAME = 6, 20


def table(found: Sequence[Finding]) -> list[str]:
    """Return the findings as lines: check and result; below what is not good, why it matters and what mends it."""
    lines = ["".join(("".ljust(_MARK), "check".ljust(_NAME), "result"))]
    for one in found:
        mark, colour = MARKS[one.state]
        shown = wrapped(one.result, _MARK + _NAME, mark.ljust(_MARK) + one.check)
        lines.append(painted(mark, colour) + shown[0][len(mark) :])
        lines += shown[1:]
        if one.state in {LOOK, BAD}:
            lines += wrapped(one.why, _MARK + _NAME)
        if one.cure and one.state != GOOD:
            # A command is never broken: it shall be copied.
            lines.append(" " * (_MARK + _NAME) + painted(f"→ {one.cure}", "bold"))
    return lines


def verdict(found: Sequence[Finding]) -> str:
    """Return the one sentence under the table."""
    bad, look = (sum(one.state == state for one in found) for state in (BAD, LOOK))
    if bad:
        return f"{bad} of {len(found)} must be mended; the command stands below each."
    return f"Nothing stands in the way; {look} to look at." if look else "All is well."


def main(arguments: list[str], root: Path = files.ROOT) -> int:
    """Run `make doctor`; returns the exit code."""
    parser = argparse.ArgumentParser(prog="make doctor", description="Look whether Tamga can run here, and how it is.")
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    wanted = parser.parse_args(arguments)
    found = checks.findings(facts.gather(root))
    well = all(one.state != BAD for one in found)
    if wanted.json:
        say(json.dumps({"ok": well, "checks": [one.as_dict() for one in found]}, indent=2, ensure_ascii=False))
    else:
        for line in table(found):
            say(line)
        say(f"\n{verdict(found)}")
    return 0 if well else 1
