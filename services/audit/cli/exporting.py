"""`tamga audit export`. Exit codes: 0 written, 1 nothing matches, 2 could not export."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy.exc import SQLAlchemyError

from services.audit.cli import common
from services.audit.cli.common import Json, commands, console, log
from services.audit.handlers import exporting
from shared.database import Context, UnitOfWork
from shared.errors import ConflictError, InvalidError
from shared.i18n import DEFAULT
from shared.infrastructure.refusals import worded
from shared.messaging.printing import BAD_NEWS, NO_ANSWER, operator
from shared.settings import SettingsError


@commands.command("export")
def export(
    query: Annotated[str, typer.Argument(help="As on the page; nothing for the whole log.")] = "",
    *,
    out: Annotated[Path, typer.Option(help="The file that is written.")],
    purpose: Annotated[str, typer.Option(help="What it is for; it stays in the log.")],
    kind: Annotated[str, typer.Option("--format", help="bundle | csv | xlsx | jsonl | pdf")] = "bundle",
    as_json: Json = False,
) -> None:
    """Write everything that a search shows into a file; the export itself is recorded."""
    known, context = common.known(), Context(actor=operator())
    try:
        with log() as (engine, _keys):
            with UnitOfWork(engine, "audit", context) as uow:
                about = {"search": query, "format_": kind, "purpose": purpose, "locale": DEFAULT}
                item = exporting.ask(uow, known, **about)
            with _bar(quiet=as_json) as bar:
                task = bar.add_task("Entries", total=None)
                tell = lambda rows: bar.update(task, completed=rows)  # noqa: E731 - one line is enough
                item = exporting.make(engine, known, item.id, context, progress=tell)
            if item.stage == "ready":
                shutil.move(exporting.Files(known).path(item), out)
    except InvalidError as error:
        typer.echo("; ".join(f"{name}: {rule}" for name, rule in error.fields.items()), err=True)
        raise typer.Exit(NO_ANSWER) from error
    except (ConflictError, SettingsError, SQLAlchemyError, OSError) as error:
        typer.echo(f"The log could not be exported: {worded(error)}", err=True)
        raise typer.Exit(NO_ANSWER) from error
    if item.stage != "ready":
        typer.echo(item.problem, err=True)
        raise typer.Exit(BAD_NEWS)
    told = {"file": str(out), "entries": item.rows, "bytes": item.bytes, "sha256": item.sha256, "export": item.id}
    if as_json:
        typer.echo(json.dumps(told, ensure_ascii=False))
    else:
        console.print(f"{item.rows:,} entries, {item.bytes:,} bytes: {out}\nsha256 {item.sha256}", soft_wrap=True)


def _bar(*, quiet: bool) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,}"), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True, quiet=quiet), transient=True)
