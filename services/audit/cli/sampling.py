"""`tamga audit sample`. Exit codes: 0 drawn, 1 nothing to draw from, 2 could not draw."""

from __future__ import annotations

import csv
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
from services.audit.domain.sampling import HEADER, SamplingError
from services.audit.handlers import sampling
from services.audit.handlers.certificates import Asked
from services.audit.handlers.sampling import Sample, Wanted
from shared.database import Context, UnitOfWork
from shared.errors import InvalidError, TamgaError
from shared.infrastructure.refusals import worded
from shared.messaging.printing import BAD_NEWS, NO_ANSWER, operator
from shared.settings import SettingsError

COLUMNS = ("name", "programme", "leaf", "amount", "hits", "number")


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
    paper: Annotated[Path | None, typer.Option("--csv", help="Write the working paper into this file.")] = None,
    as_json: Json = False,
) -> None:
    """Draw a random sample that nobody can choose: the seed is the root of the first checkpoint after the period."""
    try:
        wanted = Wanted(Asked(programme, since, until, known().time_zone), size, kind, mus, checkpoint)
        with log() as (engine, keys), UnitOfWork(engine, "audit", Context(actor=operator())) as uow:
            drawn = sampling.draw(uow, keys, wanted)
        facts = _facts(wanted, drawn)
        if paper:
            _write(paper, facts["drawn"])
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


def _facts(wanted: Wanted, made: Sample) -> dict[str, Any]:
    return {
        "algorithm": HEADER,
        "method": "monetary units" if wanted.by_amount else "smallest numbers by programme",
        "programme": wanted.asked.programme,
        "from": wanted.asked.since.isoformat(),
        "to": wanted.asked.until.isoformat(),
        "zone": wanted.asked.zone,
        "kind": made.kind,
        "checkpoint": {
            "size": made.checkpoint.size,
            "root": made.checkpoint.root.hex(),
            "note": made.checkpoint.note,
            "named": made.chosen,
            "after_the_period": made.after_end,
        },
        "items": made.items,
        "late": made.late,
        "whole": None if made.whole is None else str(made.whole),
        "currency": made.currency,
        "size": wanted.size,
        "drawn": [
            {
                "name": one.item.name,
                "programme": one.item.stratum,
                "leaf": one.item.leaf,
                "amount": None if one.item.amount is None else str(one.item.amount),
                "hits": one.hits,
                "number": one.number,
            }
            for one in made.drawn
        ],
    }


def _write(paper: Path, rows: list[dict[str, Any]]) -> None:
    with paper.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerow((*COLUMNS, "looked at by", "on", "finding"))
        for row in rows:
            lines.writerow((*(_cell(row[name]) for name in COLUMNS), "", "", ""))


def _cell(value: Any) -> str:
    """Return a cell that no spreadsheet takes for a formula."""
    said = "" if value is None else str(value)
    return f"'{said}" if said.startswith(("=", "+", "-", "@", "\t", "\r")) else said


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
