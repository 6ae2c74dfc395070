"""`tamga audit compare-state`. Exit codes: 0 all as recorded, 1 changed past the programs, 2 could not tell."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from sqlalchemy.exc import SQLAlchemyError

from services.audit.cli.common import Json, commands, console, known, log
from services.audit.handlers.comparison import Comparing, Comparison
from services.audit.storage.opening import Opener
from services.audit.storage.subjects import subjects_of
from shared.database import engine_for
from shared.errors import InvalidError, TamgaError
from shared.infrastructure.refusals import worded
from shared.messaging.asked import one_of
from shared.messaging.printing import BAD_NEWS, NO_ANSWER, operator
from shared.settings import SERVICES, SettingsError

_SAID = {
    "altered": "was altered past the programs",
    "appeared": "appeared: no act made it",
    "vanished": "vanished: no act ended it",
}


@commands.command("compare-state")
def compare_state(
    *,
    service: Annotated[list[str] | None, typer.Option(help="Only this service; may be given again.")] = None,
    as_json: Json = False,
) -> None:
    """Compare every live row with its last act on record: what somebody changed with SQL is named field by field."""
    try:
        for name in service or ():
            one_of(SERVICES, name, "service")
        run = _run(tuple(service or SERVICES), quiet=as_json)
    except (InvalidError, SettingsError, SQLAlchemyError, OSError, ValueError) as error:
        why = str(error) if isinstance(error, TamgaError) else worded(error)
        typer.echo(f"The live rows could not be compared: {why}", err=True)
        raise typer.Exit(NO_ANSWER) from error
    if as_json:
        typer.echo(json.dumps(run.as_json(), ensure_ascii=False, indent=2, default=str))
    else:
        _print(run)
    raise typer.Exit(0 if run.ok else BAD_NEWS)


def _run(services: tuple[str, ...], *, quiet: bool) -> Comparison:
    settings = known()
    engines = {
        name: engine_for(settings.database_url(name), pool_size=1, application_name="tamga compares")
        for name in services
    }
    status = Console(stderr=True, quiet=quiet).status("Comparing")

    def say(place: str, rows: int) -> None:
        status.update(f"{place}: {rows:,} rows so far")

    try:
        with log() as (engine, _keys), status:
            return Comparing(engine, engines, Opener(subjects_of(settings)), say=say).run(operator())
    finally:
        for engine in engines.values():
            engine.dispose()


def _print(run: Comparison) -> None:
    console.print(f"{run.rows:,} rows compared with their last acts; {run.waiting:,} whose newest act is on its way.")
    for item in run.findings:
        console.print(f"[red]✗[/red] {escape(item['source'])}/{escape(item['entity'])} {_SAID[item['nature']]}")
        if item["sequence"]:
            console.print(f"    last act on record: number {item['sequence']}, {item['at']}, {escape(item['by'])}")
        for name, pair in item["fields"].items():
            console.print(f"    {name}: {_pair(pair)}", highlight=False, markup=False)
    if run.found > len(run.findings):
        console.print(f"and {run.found - len(run.findings):,} more")
    console.print("[green]OK[/green]" if run.ok else f"[red]NOT OK[/red]: {run.found:,} rows")


def _pair(pair: list[Any]) -> str:
    return " → ".join(json.dumps(value, ensure_ascii=False, default=str) for value in pair)
