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
from shared.settings import Settings, settings

commands = typer.Typer(name="audit", help="The record: verify it, prove one event, search it.", no_args_is_help=True)
console = Console()
Json = Annotated[bool, typer.Option("--json", help="For machines.")]


def known() -> Settings:
    """Return the settings of this installation."""
    return settings()


@contextmanager
def log() -> Iterator[tuple[Engine, Keys]]:
    """Give the log's database and the keys of this installation."""
    own = settings()
    engine = engine_for(own.database_url("audit"), pool_size=2, application_name="tamga audit")
    try:
        yield engine, Keys.of(own)
    finally:
        engine.dispose()
