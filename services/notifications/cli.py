"""The `tamga letters` commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine

from services.notifications import storage
from services.notifications.domain.delivery import Delivery, Status
from services.notifications.handlers.learning import examine
from shared.clock import in_utc
from shared.database import engine_for, reading
from shared.settings import settings

commands = typer.Typer(name="letters", help="Letters: check a programme's rules, see what became of each letter.")

Json = Annotated[bool, typer.Option("--json", help="For machines.")]


@commands.command("lint")
def lint(path: Path, *, as_json: Json = False) -> None:
    """Check a programme folder's notification rules and letters: exit 0 clean, 1 findings, 2 unreadable."""
    try:
        pack = read_folder(path)
    except (OSError, yaml.YAMLError) as error:
        typer.echo(f"{path} can't be read: {error}", err=True)
        raise typer.Exit(2) from error
    rules, problems, warnings = examine(pack)
    if as_json:
        typer.echo(json.dumps({"problems": problems, "warnings": warnings}, ensure_ascii=False))
    else:
        for problem in problems:
            typer.echo(f"error    {problem}")
        for warning in warnings:
            typer.echo(f"warning  {warning}")
        if rules is not None:
            typer.echo(f"{len(rules.rules)} rules, {len(rules.letters)} letters, {len(warnings)} warnings")
    raise typer.Exit(1 if problems or warnings else 0)


def read_folder(path: Path) -> dict[str, Any]:
    """Return the notification part of a programme folder as it stands in its pack."""
    letters = sorted((path / "letters").glob("*.yaml"))
    return {
        "notifications": yaml.load((path / "notifications.yaml").read_text(), yaml.CSafeLoader),
        "letters": {file.stem: yaml.load(file.read_text(), yaml.CSafeLoader) for file in letters},
    }


@commands.command("list")
def list_deliveries(
    case: Annotated[str, typer.Option(help="Only this case, such as BSO-2026-0001.")] = "",
    status: Annotated[Status | None, typer.Option(help="Only letters that stand there.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    *,
    as_json: Json = False,
) -> None:
    """Show deliveries, newest first."""
    engine: Engine = engine_for(settings().database_url("notifications"), pool_size=1)
    with reading(engine) as connection:
        found = storage.find_deliveries(
            connection, case=case or None, status=status.value if status else None, limit=limit
        )
    engine.dispose()
    if as_json:
        typer.echo(json.dumps([_row(item) for item in found], ensure_ascii=False))
        return
    table = Table("when", "case", "to", "channel", "letter", "status", "attempts")
    for item in found:
        shown = _row(item) | {"created_at": in_utc(item.created_at)}
        table.add_row(*(str(value or "") for name, value in shown.items() if name != "id"))
    Console().print(table)


def _row(item: Delivery) -> dict[str, Any]:
    return {
        "id": item.id,
        "created_at": item.created_at.isoformat(timespec="seconds"),
        "case": item.case_reference,
        "recipient": item.recipient_name,
        "channel": item.channel,
        "subject": item.subject,
        "status": item.status.value,
        "attempts": item.attempts,
    }
