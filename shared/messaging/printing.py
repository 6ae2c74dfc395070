"""How the operator's commands speak: tables for people, JSON for machines, one sentence for a refusal."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from shared.errors import InvalidError, TamgaError
from shared.events import Actor

_IDS, _ID_WIDTH = ("Event", "What went wrong"), 36  # the columns that have ids, and an id
_WHOLE = ("File",)  # the columns whose words are copied as they are: whole even where the terminal is narrower
# 0: done, and all is well.
BAD_NEWS = 1
NO_ANSWER = 2  # wrong use, or what was asked for is not there; Typer ends so as well
console = Console()
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def operator() -> Actor:
    """Return who sits at this machine."""
    name = getpass.getuser()
    return Actor(id=f"operator:{name}", kind="person", name=name, role="operator")


@contextmanager
def refusals() -> Iterator[None]:
    """Print a refusal as one sentence and end with the exit code of what has no answer."""
    try:
        yield
    except TamgaError as error:
        rules = [f"{name}: {rule}" for name, rule in error.fields.items()] if isinstance(error, InvalidError) else []
        typer.echo("\n  ".join([str(error), *rules]), err=True)
        raise typer.Exit(NO_ANSWER) from error


def show(data: Any, columns: list[str], rows: Sequence[Sequence[str | Text]], as_json: bool) -> None:
    """Print `data` as JSON, or `rows` as a table; what is in brackets in a cell stays as it is."""
    if as_json:
        print_json(data)
        return
    table = Table(box=None, header_style="bold")
    for place, name in enumerate(columns):
        if name in _WHOLE:
            longest = max((len(row[place]) for row in rows), default=0)
            table.add_column(name, overflow="ignore", no_wrap=True, min_width=longest)
            continue
        # An id is there to be copied; whatever else has no room is folded and not cut.
        table.add_column(name, overflow="fold", min_width=_ID_WIDTH if name in _IDS and rows else None)
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
    console.print(table if rows else "Nothing.", crop=False)


def print_json(data: Any) -> None:
    """Print JSON that a person can read as well."""
    typer.echo(json.dumps(data, default=str, ensure_ascii=False, indent=2))
