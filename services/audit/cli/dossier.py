"""`tamga audit dossier`. Exit codes: 0 nothing is missing, 1 something is, 2 could not tell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.markup import escape
from rich.table import Table
from sqlalchemy.exc import SQLAlchemyError

from services.audit.cli.common import Json, commands, console, known, log
from services.audit.domain.cases import named
from services.audit.domain.dossier import MISSING, WAITING, Dossier
from services.audit.domain.export import DOSSIER
from services.audit.handlers import dossier, exporting
from services.audit.handlers.exporting import Files
from services.audit.storage import tree
from shared.asking import quoted
from shared.database import Context, UnitOfWork
from shared.errors import InvalidError, TamgaError
from shared.infrastructure.refusals import worded
from shared.messaging.printing import BAD_NEWS, NO_ANSWER, operator
from shared.settings import SettingsError

_COLOURS = {MISSING: "red", WAITING: "yellow", "there": "green"}


@commands.command("dossier")
def made(
    case: Annotated[str, typer.Argument(help="The case: BSO-2026-0041")],
    out: Annotated[Path | None, typer.Option(help="Write the archive with all acts and proofs here.")] = None,
    purpose: Annotated[str, typer.Option(help="What the archive is for; it stays in the log.")] = "",
    as_json: Json = False,
) -> None:
    """Say what a case must be able to show and what of it is missing; with --out, write its archive."""
    try:
        with log() as (engine, _), UnitOfWork(engine, "audit", Context(actor=operator())) as uow:
            zone = ZoneInfo(known().time_zone)
            found = dossier.gather(uow.connection, case, uow.now().astimezone(zone).date())
            facts = dossier.as_json(found, tree.latest_checkpoint(uow.connection))
        if out:
            _write(case, out, purpose)
    except InvalidError as error:
        typer.echo("; ".join(f"{field} {rule}" for field, rule in error.fields.items()), err=True)
        raise typer.Exit(NO_ANSWER) from error
    except TamgaError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(NO_ANSWER) from error
    except (SettingsError, SQLAlchemyError, OSError) as error:
        typer.echo(f"The dossier could not be made: {worded(error)}", err=True)
        raise typer.Exit(NO_ANSWER) from error
    if as_json:
        typer.echo(json.dumps(facts, ensure_ascii=False, indent=2))
    else:
        _print(found)
    raise typer.Exit(0 if found.complete else BAD_NEWS)


def _write(case: str, out: Path, purpose: str) -> None:
    with log() as (engine, _):
        context, settings = Context(actor=operator()), known()
        about = {"search": f"case:{quoted(named(case))}", "format_": DOSSIER, "purpose": purpose, "locale": "en"}
        with UnitOfWork(engine, "audit", context) as uow:
            asked = exporting.ask(uow, settings, **about)
        item = exporting.make(engine, settings, asked.id, context)
        if item.problem:
            raise TamgaError(item.problem)
        out.write_bytes(Files(settings).path(item).read_bytes())


def _print(found: Dossier) -> None:
    table = Table("evidence", "basis", "state", "entries, or what would satisfy it", title=found.case)
    for line in sorted(found.lines, key=lambda line: line.state != MISSING):
        shown = ", ".join(f"leaf {act.index}" for act in line.shown)
        lacking = ", ".join(f"leaf {act.index}" for act in line.missing if act)
        cure = line.rule.cure + (f": {lacking}" if lacking else "")
        told = cure if line.state in {MISSING, WAITING} else shown
        colour = _COLOURS.get(line.state, "dim")
        table.add_row(escape(line.rule.name), line.rule.basis, f"[{colour}]{line.state}[/]", escape(told))
    console.print(table)
    told = f"{len(found.rows)} acts, {len(found.documents)} documents, {found.count(MISSING)} missing"
    console.print(f"{told}, {found.count(WAITING)} not yet due")
