"""docs/performance.md: each benchmark writes its own part of it, with the machine, the day and the load it had."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, text

from tests.bench.processes import ROOT

FILE = ROOT / "docs/performance.md"
HEAD = """# Performance, as measured

Made by `make bench WRITE=1`: each part below by a benchmark of its own, on the machine, day and load that it names.
"""
Rows = Sequence[tuple[str, ...]]
GOALS = ("what", "goal", "measured", "")


@dataclass(frozen=True)
class Section:
    """One table: what it is called, its columns, its rows."""

    title: str
    columns: tuple[str, ...]
    rows: Rows

    def markdown(self) -> str:
        """Return the table with its heading."""
        lines = [self.columns, ("---",) * len(self.columns), *self.rows]
        return f"### {self.title}\n\n" + "\n".join("| " + " | ".join(line) + " |" for line in lines)


@dataclass(frozen=True)
class Part:
    """What one benchmark has to say: on which machine, in which tables, and words after them."""

    name: str
    title: str
    machine: list[str]
    sections: list[Section]
    words: str = ""

    def markdown(self) -> str:
        """Return the part between its marks, by which the next run finds it."""
        lines = "\n".join(f"- {line}" for line in self.machine)
        pieces = [f"## {self.title}", lines, *(section.markdown() for section in self.sections), self.words.strip()]
        body = "\n\n".join(piece for piece in pieces if piece)
        return f"<!-- {self.name}: begin -->\n{body}\n<!-- {self.name}: end -->"


def goal(what: str, wanted: str, measured: str, *, reached: bool) -> tuple[str, str, str, str]:
    """Return a line of the table of goals."""
    return what, wanted, measured, "reached" if reached else "missed"


def machine(engine: Engine) -> list[str]:
    """Return what the figures were measured on."""
    with engine.connect() as connection:
        postgres = connection.execute(text("SHOW server_version")).scalar_one()
        fsync = connection.execute(text("SHOW fsync")).scalar_one()
    model = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if "model name" in line
    ]
    memory = int(Path("/proc/meminfo").read_text().split()[1]) // 2**20
    broker = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Version}", "rabbitmq-server"], capture_output=True, text=True, check=False
    ).stdout
    return [
        f"{os.cpu_count()} cores ({model[0] if model else platform.machine()}), {memory} GB",
        f"load {os.getloadavg()[0]:.1f} at the start: so many processes wanted to run beside us",
        f"Python {platform.python_version()}, PostgreSQL {postgres} (fsync {fsync}), RabbitMQ {broker or 'as given'}",
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    ]


def show(part: Part) -> None:
    """Print everything, the goals last: they are what one looks for."""
    console = Console(width=150)
    for line in part.machine:
        console.print(line)
    for section in [*part.sections[1:], part.sections[0]]:
        table = Table(*section.columns, title=section.title)
        for row in section.rows:
            table.add_row(*row)
        console.print(table)


def together(document: str, part: Part) -> str:
    """Return the document with this part anew, in its old place or at the end; the others stay as they are."""
    document = document if document.startswith(HEAD) else HEAD
    marked = re.compile(rf"<!-- {part.name}: begin -->.*?<!-- {part.name}: end -->", re.DOTALL)
    if marked.search(document):
        return marked.sub(lambda _: part.markdown(), document)
    return f"{document.rstrip()}\n\n{part.markdown()}\n"


def write(part: Part) -> None:
    """Write this part of the document."""
    FILE.write_text(together(FILE.read_text() if FILE.exists() else "", part))
