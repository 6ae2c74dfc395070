"""What the operator sees: plain lines of at most 80 columns, colour on a terminal that wants it."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import TextIO

_CODES = {"bold": "1", "red": "31", "green": "32", "yellow": "33"}
WIDEST = 80


def is_colourful(stream: TextIO) -> bool:
    """Say whether this output takes colours (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def say(text: str = "", *, stream: TextIO | None = None) -> None:
    """Print a line now: what was said shall be there when something goes wrong after it."""
    out = stream or sys.stdout
    out.write(text + "\n")
    out.flush()


def refuse(sentence: str) -> None:
    """Say on the error output why it can't go on."""
    say(painted(sentence, "red", sys.stderr), stream=sys.stderr)


def painted(text: str, colour: str, stream: TextIO | None = None) -> str:
    """Return text in a colour, or as it is where no colours are wanted."""
    return f"\033[{_CODES[colour]}m{text}\033[0m" if is_colourful(stream or sys.stdout) else text


def width() -> int:
    """Return how wide lines may be."""
    return min(WIDEST, max(40, shutil.get_terminal_size((WIDEST, 24)).columns))


def wrapped(text: str, indent: int, first: str = "") -> list[str]:
    """Return text as lines that fit, `indent` columns in; `first` stands before the first of them."""
    start = first.ljust(indent) if first else " " * indent
    lines = textwrap.wrap(
        text,
        width() - indent,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [""]
    return [start + lines[0], *(" " * indent + line for line in lines[1:])]


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as aligned columns; the last one is as long as it is."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]) - 1)] if rows else []
    return ["  ".join([*(c.ljust(w) for c, w in zip(row, widths)), row[-1]]).rstrip() for row in rows]
