"""`tamga audit watch`. Exit codes: 0 nothing is open or found, 1 something is, 2 could not tell."""

from __future__ import annotations

import json
from datetime import datetime, time
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.table import Table
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from services.audit.cli.common import Json, commands, console, known, log
from services.audit.handlers import watching
from services.audit.storage import hits
from services.audit.watch_words import CALLED, sentence
from shared.database import Context, UnitOfWork, reading
from shared.infrastructure.refusals import worded
from shared.messaging.printing import BAD_NEWS, NO_ANSWER, operator
from shared.settings import SettingsError


def _moment(value: str) -> datetime:
    try:
        return datetime.fromisoformat(value)
    except ValueError as error:
        raise typer.BadParameter(f"{value!r} is no day or moment, such as 2026-03-31 or 2026-03-31T14:00") from error


@commands.command("watch")
def watch(
    *,
    since: Annotated[
        datetime | None, typer.Option(parser=_moment, metavar="DAY", help="What happened since then; nothing for all.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Ask the rules again; keep nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Read on in the log and say what is open; with --dry-run ask the rules again, who find the same again."""
    if since and not dry_run:
        raise typer.BadParameter("goes with --dry-run: the watch itself goes on where it stopped", param_hint="--since")
    try:
        zone = known().time_zone
        with log() as (engine, _):
            found = _again(engine, zone, since) if dry_run else _on(engine, zone)
    except (SettingsError, SQLAlchemyError, OSError) as error:
        typer.echo(f"The watch can't tell: {worded(error)}", err=True)
        raise typer.Exit(NO_ANSWER) from error
    if as_json:
        typer.echo(json.dumps({"dry_run": dry_run, "hits": found}, ensure_ascii=False, indent=2))
    else:
        _print(found)
    raise typer.Exit(BAD_NEWS if found else 0)


def _again(engine: Engine, zone: str, since: datetime | None) -> list[dict[str, Any]]:
    if since is not None and since.tzinfo is None:
        since = datetime.combine(since.date(), since.time() or time(), ZoneInfo(zone))
    with reading(engine) as connection:
        found = [item.as_json() for item in watching.again(connection, zone, since)]
        there = hits.known(connection, [item["id"] for item in found])
    return [item | {"kept": item["id"] in there} for item in found]


def _on(engine: Engine, zone: str) -> list[dict[str, Any]]:
    with UnitOfWork(engine, "audit", Context(actor=operator())) as uow:
        watching.advance(uow, zone)
    with reading(engine) as connection:
        rows = hits.page(connection, "open", "", None, limit=1000)
    return [
        {name: row.state[name] for name in ("rule", "person", "about", "facts", "evidence", "leaf", "happened_at")}
        | {"id": row.id, "programme": row.state["of"], "kept": True}
        for row in rows
    ]


def _print(found: list[dict[str, Any]]) -> None:
    if not found:
        console.print("[green]nothing[/green]")
        return
    table = Table("happened", "rule", "about", "says", "kept")
    for item in found:
        says = sentence(item["rule"], item["facts"])
        table.add_row(
            item["happened_at"][:16], CALLED[item["rule"]], item["about"], says, "yes" if item["kept"] else "no"
        )
    console.print(table)
