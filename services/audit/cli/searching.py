"""`tamga audit search` and `tamga audit timeline`. Exit codes: 0 found, 1 nothing found, 2 could not look."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.markup import escape
from rich.table import Column, Table
from sqlalchemy.exc import SQLAlchemyError

from services.audit import labels
from services.audit.asking import parse
from services.audit.cli import common
from services.audit.cli.common import Json, commands, console, log
from services.audit.domain.cases import named
from services.audit.handlers import reading
from services.audit.query import filters_of
from services.audit.storage import search
from services.audit.storage.opening import Opener
from services.audit.storage.subjects import subjects_of
from shared.database import Context, UnitOfWork
from shared.errors import InvalidError, NotFoundError
from shared.infrastructure.refusals import worded
from shared.messaging.printing import BAD_NEWS, NO_ANSWER, operator
from shared.settings import Settings, SettingsError

# Somebody at a terminal waits longer than somebody before a page.
BUDGET = 10.0
Limit = Annotated[int, typer.Option(min=1, max=1000, help="How many of the newest matches.")]


@commands.command("search")
def search_log(
    query: Annotated[str, typer.Argument(help='As on the page: person:"Dana K" kind:grants.award.* changed:amount')],
    *,
    limit: Limit = 50,
    purpose: Annotated[str, typer.Option(help="What for, where the house asks.")] = "",
    as_json: Json = False,
) -> None:
    """Search the log, the newest first; the search itself is recorded. Exit code 1: nothing matches."""
    with _reading() as (uow, known):
        if known.log_asks_purpose and not purpose.strip():
            raise InvalidError({"purpose": "say with --purpose what the search is for"})
        filters = filters_of(parse(query), known, datetime.now(UTC))
        found = reading.find(
            uow, filters, before=None, through="cli", limit=limit, budget=BUDGET, purpose=purpose.strip() or None
        )
        rows = _told(found.page.items, known)
    if as_json:
        told = {"items": rows, "more": found.page.next is not None, "looked_back_to_leaf": found.reached}
        typer.echo(json.dumps(told, ensure_ascii=False, indent=2, default=str))
    else:
        _print(rows, known)
        if found.reached is not None:
            console.print(f"looked back to leaf {found.reached:,}; there may be older matches")
        elif found.page.next:
            console.print(f"the newest {limit:,}; there are older ones")
        if found.punctual:
            console.print("looked through what was recorded up to a day after `until`")
    raise typer.Exit(0 if rows else BAD_NEWS)


@commands.command("timeline")
def timeline(
    case: Annotated[str, typer.Argument(help="BSO-2026-0001")], *, limit: Limit = 200, as_json: Json = False
) -> None:
    """Tell a case over all services, the oldest first; looking is recorded. Exit code 1: there is no such case."""
    with _reading() as (uow, known):
        rows = list(search.timeline(uow.connection, named(case), before=None, limit=limit))
        if not rows:
            raise NotFoundError(f"There is no case {named(case)} in the log")
        reading.viewed(uow, f"case:{named(case)}", "timeline", case=named(case))
        more = len(rows) > limit
        told = _told(reversed(rows[:limit]), known)
    if as_json:
        typer.echo(json.dumps({"case": named(case), "items": told, "more": more}, ensure_ascii=False, default=str))
        return
    _print(told, known, cases=False)
    if more:
        console.print(f"the newest {limit:,}; there are older ones")


@contextmanager
def _reading() -> Iterator[tuple[UnitOfWork, Settings]]:
    """Give a unit of work on the log; what goes wrong is said and ends the command."""
    known = common.known()
    try:
        with log() as (engine, _keys), UnitOfWork(engine, "audit", Context(actor=operator())) as uow:
            yield uow, known
    except InvalidError as error:
        typer.echo(f"This search is not understood: {'; '.join(map(str, error.fields.values()))}", err=True)
        raise typer.Exit(NO_ANSWER) from error
    except NotFoundError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(BAD_NEWS) from error
    except (SettingsError, SQLAlchemyError, OSError) as error:
        typer.echo(f"The log could not be read: {worded(error)}", err=True)
        raise typer.Exit(NO_ANSWER) from error


def _told(rows: Any, known: Settings) -> list[dict[str, Any]]:
    opener = Opener(subjects_of(known))
    return [_line(row, opener.body(row.body, row.event_id)) for row in rows]


def _line(row: Any, body: dict[str, Any]) -> dict[str, Any]:
    return {
        "leaf": row.leaf_index,
        "event_id": row.event_id,
        "at": row.occurred_at.isoformat(),
        "who": body["actor"]["name"] or row.actor_id,
        "person": row.actor_id,
        "role": row.role,
        "organisation": row.organisation,
        "what": labels.kind(row.type),
        "type": row.type,
        "entity": row.entity,
        "case": row.case,
        "programme": row.programme,
        "outcome": row.outcome,
        "changes": body["changes"],
    }


def _print(rows: list[dict[str, Any]], known: Settings, *, cases: bool = True) -> None:
    zone = ZoneInfo(known.time_zone)
    columns: list[Column | str] = [Column("when", no_wrap=True), "who", "did what"]
    columns += ["case"] if cases else []
    table = Table(*columns, Column("leaf", justify="right"))
    for row in rows:
        at = datetime.fromisoformat(row["at"]).astimezone(zone)
        what = escape(row["what"]) + (" [red]refused[/red]" if row["outcome"] == "refused" else "")
        case = [row["case"] or ""] if cases else []
        table.add_row(f"{at:%Y-%m-%d %H:%M:%S}", escape(row["who"]), what, *case, f"{row['leaf']:,}")
    console.print(table)
