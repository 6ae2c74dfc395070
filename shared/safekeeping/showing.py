"""How long work is shown to whoever waits for it: a bar on a terminal, a line a step elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

Advance = Callable[[int], None]


@dataclass
class Steps:
    """The steps of one act, with the seconds that each of them took."""

    console: Console | None = None  # None: nothing is shown
    took: dict[str, float] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return sum(self.took.values())

    @contextmanager
    def step(self, name: str, total: int = 0) -> Iterator[Advance]:
        """Do one step; its content tells by bytes how far it is, `total` is about how many there will be."""
        began = time.monotonic()
        bar = _bar() if total and self.console and self.console.is_terminal else None
        with bar or nullcontext():
            task = bar.add_task(name, total=total) if bar else None

            def advance(size: int) -> None:
                if bar and task is not None:
                    bar.advance(task, size)

            yield advance
        self.took[name] = self.took.get(name, 0.0) + time.monotonic() - began
        if self.console:
            self.console.print(f"{name}: {self.took[name]:.1f} s", highlight=False)


def _bar() -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeElapsedColumn(),
    )
    return Progress(*columns, transient=True)


def in_words(size: int) -> str:
    """Return a number of bytes as people read it."""
    number = float(size)
    for unit in ("bytes", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.2f} GB"
