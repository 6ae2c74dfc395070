"""The `tamga lists` commands: exclusion and sanctions lists."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from sqlalchemy import Engine

from services.grants.handlers import exclusion
from services.grants.handlers.exclusion_file import Columns
from services.grants.storage import exclusion as stored
from shared.database import Context, UnitOfWork, engine_for, reading
from shared.errors import TamgaError
from shared.events import Actor
from shared.messaging.printing import NO_ANSWER, show
from shared.settings import SettingsError, settings
from shared.web.forms import invalid

commands = typer.Typer(name="lists", help="Exclusion and sanctions lists: import, list.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="For machines.")]
# Whoever may use the command line of this machine acts as its administrator, and the record says so.
ADMINISTRATOR = Actor(id="cli:administrator", kind="system", name="Administrator at the command line", role="operator")
BAD_NEWS = 1


@contextmanager
def _engine() -> Iterator[Engine]:
    try:
        engine = engine_for(settings().database_url("grants"), pool_size=1)
    except SettingsError as error:
        raise _stopped(error) from error
    try:
        yield engine
    finally:
        engine.dispose()


def _stopped(error: Exception) -> typer.Exit:
    typer.echo(str(error), err=True)
    for name, rule in getattr(error, "fields", {}).items():
        typer.echo(f"  {name} {rule}", err=True)
    return typer.Exit(NO_ANSWER)


@commands.command("import")
def import_list(  # noqa: PLR0917 - Typer makes options of them
    file: Path,
    list_id: Annotated[str, typer.Option("--list", help="Its short name, such as un-sc; an old one: a new version.")],
    source: Annotated[str, typer.Option(help="Who publishes it, and where it was taken from.")],
    dated: Annotated[str, typer.Option(help="The day of the list: year-month-day.")],
    name: Annotated[str, typer.Option(help="What people call it.")] = "",
    column: Annotated[str, typer.Option(help="The column of names.")] = "name",
    number: Annotated[str, typer.Option(help="The column of registration or tax numbers.")] = "",
    aliases: Annotated[str, typer.Option(help="The column of other names, with semicolons between them.")] = "",
    note: Annotated[str, typer.Option(help="The column of notes.")] = "",
    *,
    as_json: AsJson = False,
) -> None:
    """Import a CSV file as the version in force, and look for everybody on live cases: exit 1 when there are hits."""
    try:
        content = file.read_bytes()
        columns = Columns(name=column, number=number, aliases=aliases, note=note)
        command = exclusion.ImportList(
            list=list_id, name=name or list_id, source=source, dated=date.fromisoformat(dated), columns=columns
        )
    except ValidationError as error:
        raise _stopped(invalid(error)) from error
    except (OSError, ValueError) as error:
        raise _stopped(error) from error
    with _engine() as engine:
        try:
            with UnitOfWork(engine, "grants", Context(actor=ADMINISTRATOR)) as uow:
                made = exclusion.import_list(uow, None, command, content, file.name)
        except TamgaError as error:
            raise _stopped(error) from error
    _told(made, as_json=as_json)
    raise typer.Exit(BAD_NEWS if made.new_hits else 0)


def _told(made: exclusion.Imported, *, as_json: bool) -> None:
    version = made.list.versions[-1]
    if as_json:
        typer.echo(made.model_dump_json(indent=2))
        return
    typer.echo(f"{made.list.id} version {version.number}: {version.taken} of {version.rows} rows taken,")
    typer.echo(f"{version.added} entries new, {version.dropped} gone.")
    for refused in version.refused:
        typer.echo(f"  row {refused.row} {refused.rule}")
    for case, count in made.new_hits.items():
        typer.echo(f"{case}: {count} new hits to be decided")


@commands.command("list")
def list_lists(*, as_json: AsJson = False) -> None:
    """Show the lists and the versions in force."""
    with _engine() as engine, reading(engine) as connection:
        found = stored.all_lists(connection)
    rows = [
        [item.id, item.name, str(last.number), f"{last.dated}", f"{last.taken} of {last.rows}", last.source]
        for item in found
        for last in item.versions[-1:]
    ]
    data = [item.model_dump(mode="json") for item in found]
    show(data, ["List", "Name", "Version", "Dated", "Taken", "Source"], rows, as_json)
