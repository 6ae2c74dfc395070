"""What the `tamga audit` commands share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from sqlalchemy import Engine

from services.audit.keys import Keys
from shared.database import engine_for
from shared.settings import settings

commands = typer.Typer(name="audit", help="The record: verify it, prove one event.", no_args_is_help=True)
console = Console()
Json = Annotated[bool, typer.Option("--json", help="For machines.")]


@contextmanager
def log() -> Iterator[tuple[Engine, Keys]]:
    """Give the log's database and the keys of this installation."""
    known = settings()
    engine = engine_for(known.database_url("audit"), pool_size=2, application_name="tamga audit")
    try:
        yield engine, Keys.of(known)
    finally:
        engine.dispose()
