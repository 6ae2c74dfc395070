"""How long work is shown to whoever waits for it: a bar on a terminal, a line a step elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn


class Bar:
    """How far one step is, in bytes; shows nothing where nobody watches."""

    def __init__(self, progress: Progress | None, name: str) -> None:
        self._progress = progress
        self._task = progress.add_task(name, total=None) if progress else None

    def expect(self, size: int) -> None:
        """Say about how many bytes there will be."""
        if self._progress and self._task is not None:
            self._progress.update(self._task, total=size)

    def advance(self, _name: str, size: int) -> None:
        """Say that so many bytes more are done."""
        if self._progress and self._task is not None:
            self._progress.advance(self._task, size)


@dataclass
class Steps:
    """The steps of one act, with the seconds that each of them took."""

    console: Console | None = None  # None: nothing is shown
    took: dict[str, float] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return sum(self.took.values())

    @contextmanager
    def step(self, name: str) -> Iterator[Bar]:
        """Do one step and note how long it took."""
        began = time.monotonic()
        progress = _bar(self.console) if self.console and self.console.is_terminal else None
        try:
            with progress or nullcontext():
                yield Bar(progress, name)
        finally:
            self.took[name] = self.took.get(name, 0.0) + time.monotonic() - began
        if self.console:
            self.console.print(f"{name}: {self.took[name]:.1f} s", highlight=False)


def _bar(console: Console) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=console, transient=True)


def in_words(size: int) -> str:
    """Return a number of bytes as people read it."""
    number = float(size)
    for unit in ("bytes", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.2f} GB"
