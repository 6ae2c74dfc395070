"""A table of steps that grows while they are done: how each ended, its name, its seconds, what came of it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from deploy.compose.terminal import painted, say

_MARK, _NAME = 6, 12


class Notes:
    """What a step leaves to be read in its line."""

    def __init__(self) -> None:
        self.text = ""


@contextmanager
def step(name: str) -> Iterator[Notes]:
    """Show one step: its name at once where that can be written over, its line when it has ended."""
    notes, began = Notes(), time.monotonic()
    attended = sys.stdout.isatty()
    if attended:
        sys.stdout.write(f"{'…'.ljust(_MARK)}{name}\r")
        sys.stdout.flush()
    mark, colour = "NO", "red"
    try:
        yield notes
        mark, colour = "ok", "green"
    finally:
        line = f"{name.ljust(_NAME)}{time.monotonic() - began:7.1f} s  {notes.text}".rstrip()
        say(("\033[K" if attended else "") + painted(mark, colour) + " " * (_MARK - len(mark)) + line)
