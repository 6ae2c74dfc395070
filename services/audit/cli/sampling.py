"""`tamga audit sample`. Exit codes: 0 drawn, 1 nothing to draw from, 2 could not draw."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Column, Table
from sqlalchemy.exc import SQLAlchemyError

from services.audit.cli.certifying import _day
from services.audit.cli.common import Json, commands, console, known, log
from services.audit.domain.sampling import SamplingError
from services.audit.handlers import sampling
from services.audit.handlers.certificates import Asked
from services.audit.handlers.sampling import Wanted
from services.audit.storage.sampling import STRATA
from services.audit.working_paper import facts as facts_of
from services.audit.working_paper import working_paper
from shared.database import Context, UnitOfWork
from shared.errors import InvalidError, TamgaError
from shared.infrastructure.refusals import worded
from shared.messaging.printing import BAD_NEWS, NO_ANSWER, operator
from shared.settings import SettingsError


@commands.command("sample")
def sample(
    *,
    since: Annotated[date, typer.Option("--from", parser=_day, metavar="DAY", help="The first day.")],
    until: Annotated[date, typer.Option("--to", parser=_day, metavar="DAY", help="The last day.")],
    size: Annotated[int, typer.Option(help="How many to draw.")],
    programme: Annotated[str, typer.Option(help="Of this programme alone.")] = "",
    kind: Annotated[str, typer.Option(help="Draw events of this kind, not cases: grants.award.offered")] = "",
    mus: Annotated[bool, typer.Option("--mus", help="By monetary units: confirmed payments unless --kind.")] = False,
    checkpoint: Annotated[int | None, typer.Option(help="Draw again under the checkpoint of this size.")] = None,
    strata: Annotated[str, typer.Option(help=f"Divide it first by: {', '.join(STRATA)}.")] = "programme",
    paper: Annotated[Path | None, typer.Option("--csv", help="Write the working paper into this file.")] = None,
    as_json: Json = False,
) -> None:
    """Draw a random sample that nobody can choose: the seed is the root of the first checkpoint after the period."""
    try:
        wanted = Wanted(Asked(programme, since, until, known().time_zone), size, kind, mus, checkpoint, strata)
        with log() as (engine, keys), UnitOfWork(engine, "audit", Context(actor=operator())) as uow:
            drawn = sampling.draw(uow, keys, wanted, through="cli")
        facts = facts_of(wanted, drawn)
        if paper:
            paper.write_text(working_paper(facts), encoding="utf-8", newline="")
    except InvalidError as error:
        typer.echo("; ".join(f"{field} {rule}" for field, rule in error.fields.items()), err=True)
        raise typer.Exit(NO_ANSWER) from error
    except (TamgaError, SamplingError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(NO_ANSWER) from error
    except (SettingsError, SQLAlchemyError, OSError) as error:
        typer.echo(f"No sample could be drawn: {worded(error)}", err=True)
        raise typer.Exit(NO_ANSWER) from error
    if as_json:
        typer.echo(json.dumps(facts, ensure_ascii=False, indent=2))
    else:
        _print(facts)
    raise typer.Exit(0 if drawn.drawn else BAD_NEWS)


def _print(facts: dict[str, Any]) -> None:
    table = Table(
        "case" if not facts["kind"] else "event",
        "programme",
        Column("leaf", justify="right"),
        Column("amount", justify="right"),
        Column("hits", justify="right"),
        "number",
    )
    for row in facts["drawn"]:
        amount = "" if row["amount"] is None else f"{row['amount']} {facts['currency'] or ''}".strip()
        cells = (escape(row["name"]), escape(row["programme"]), f"{row['leaf']:,}", amount, str(row["hits"]))
        table.add_row(*cells, row["number"][:16])
    console.print(table)
    seed = facts["checkpoint"]
    typer.echo(f"{len(facts['drawn'])} of {facts['items']:,}, under the checkpoint of size {seed['size']}")
    typer.echo(f"root {seed['root']}")
    if facts["late"]:
        typer.echo(f"{facts['late']:,} events of the period came after this checkpoint and could not be drawn")
    if seed["named"]:
        typer.echo("This checkpoint was named by whoever drew; the rule takes the first after the period.")
    elif not seed["after_the_period"]:
        typer.echo("No checkpoint was signed since the period's end: this sample is not final.")
