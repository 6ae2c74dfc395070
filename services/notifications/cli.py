"""The `tamga letters` commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from sqlalchemy import Engine

from services.notifications import storage
from services.notifications.domain.delivery import Delivery, Status
from services.notifications.handlers.learning import examine
from shared.clock import in_utc
from shared.database import engine_for, reading
from shared.messaging.asked import known
from shared.messaging.printing import NO_ANSWER, refusals, show
from shared.settings import settings

commands = typer.Typer(
    name="letters", help="Letters: check a programme's rules, see what became of each letter.", no_args_is_help=True
)

Json = Annotated[bool, typer.Option("--json", help="For machines.")]


@commands.command("lint")
def lint(path: Path, *, as_json: Json = False) -> None:
    """Check a programme folder's notification rules and letters: exit 0 clean, 1 findings, 2 unreadable."""
    try:
        pack = read_folder(path)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        typer.echo(f"{path} can't be read as a programme's folder: {_why(error)}", err=True)
        raise typer.Exit(NO_ANSWER) from error
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


def _why(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}"
    return "it has a file that is not text in UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)


def read_folder(path: Path) -> dict[str, Any]:
    """Return the notification part of a programme folder as it stands in its pack."""
    letters = sorted((path / "letters").glob("*.yaml"))
    return {
        "notifications": _content(path / "notifications.yaml"),
        "letters": {file.stem: _content(file) for file in letters},
    }


def _content(file: Path) -> Any:
    with file.open(encoding="utf-8") as opened:  # what is wrong in it is said with its name
        return yaml.load(opened, yaml.CSafeLoader)


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
    if case and not found:
        _must_be_known(case)
    rows = [
        [
            in_utc(item.created_at).replace(" ", "\n", 1),
            f"{item.case_reference or ''}\n{item.recipient_name}\n{item.subject}",
            f"{item.status.value}\n{item.channel}\ntries: {item.attempts}",
        ]
        for item in found
    ]
    show([_row(item) for item in found], ["When", "Letter", "Status"], rows, as_json)


def _must_be_known(case: str) -> None:
    """Refuse a case that no service has heard of: that nobody was written to about it would sound like good news."""
    engines = {service: engine_for(url, pool_size=1) for service, url in settings().database_urls.items()}
    with refusals():
        known(engines, case=case)


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
