"""How the operator's commands speak: tables for people, JSON for machines, one sentence for a refusal."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from shared.errors import TamgaError
from shared.events import Actor

console = Console()
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def operator() -> Actor:
    """Return who sits at this machine."""
    name = getpass.getuser()
    return Actor(id=f"operator:{name}", kind="person", name=name, role="operator")


@contextmanager
def refusals() -> Iterator[None]:
    """Print a refusal as one sentence and end with exit code 1."""
    try:
        yield
    except TamgaError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error


def show(data: Any, columns: list[str], rows: list[list[str]], as_json: bool) -> None:
    """Print `data` as JSON, or `rows` as a table."""
    if as_json:
        print_json(data)
        return
    table = Table(*columns, box=None, header_style="bold")
    for row in rows:
        table.add_row(*row)
    console.print(table if rows else "Nothing.")


def print_json(data: Any) -> None:
    """Print JSON that a person can read as well."""
    typer.echo(json.dumps(data, default=str, ensure_ascii=False, indent=2))
