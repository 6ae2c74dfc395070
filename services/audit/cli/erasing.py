"""`tamga audit hold`, `due` and `erase`. Exit codes: 0 done, 1 has to be kept, 2 could not tell."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.table import Column, Table
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from services.audit.cli.common import Json, commands, console, log
from services.audit.domain.retention import Hold, RetainedError
from services.audit.handlers import erasure
from services.audit.handlers.erasure import House, Look
from services.audit.storage import retention
from services.audit.storage.subjects import Subject
from shared.commands import here
from shared.database import Context, UnitOfWork, reading
from shared.errors import InvalidError, TamgaError
from shared.infrastructure.refusals import worded
from shared.messaging.printing import BAD_NEWS, NO_ANSWER, operator
from shared.settings import SettingsError, settings

hold = typer.Typer(name="hold", help="Legal holds: place, release, list.", no_args_is_help=True)
commands.add_typer(hold)
Because = Annotated[str, typer.Option("--because", help="Why; it stays in the log, so without names of people.")]


@contextmanager
def _acting() -> Iterator[tuple[Engine, House]]:
    """Give the log's database and the keys; what goes wrong is said in a sentence."""
    try:
        with log() as (engine, _):
            yield engine, House.of(settings())
    except RetainedError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(BAD_NEWS) from error
    except TamgaError as error:
        rules = [f"{name} {rule}" for name, rule in error.fields.items()] if isinstance(error, InvalidError) else []
        typer.echo("\n  ".join([str(error), *rules]), err=True)
        raise typer.Exit(NO_ANSWER) from error
    except (SettingsError, SQLAlchemyError, OSError) as error:
        typer.echo(f"It could not be told: {worded(error)}", err=True)
        raise typer.Exit(NO_ANSWER) from error


@hold.command("place")
def place_hold(scope: str, which: Annotated[str, typer.Argument()] = "", *, because: Because) -> None:
    """Hold a person (id or e-mail address), a case, a programme, or the house: nothing of it is erased meanwhile."""
    with _acting() as (engine, house), UnitOfWork(engine, "audit", Context(actor=operator())) as uow:
        placed = erasure.place_hold(uow, house, scope, which, because)
    typer.echo(placed.id)


@hold.command("release")
def release_hold(hold_id: str, *, because: Because) -> None:
    """Release a hold; where the house wants two people, another one than who placed it."""
    with _acting() as (engine, house), UnitOfWork(engine, "audit", Context(actor=operator())) as uow:
        erasure.release_hold(uow, house, hold_id, because)
    typer.echo(f"{hold_id}: released")


@hold.command("list")
def list_holds(*, as_json: Json = False) -> None:
    """List the holds that stand."""
    with _acting() as (engine, _), reading(engine) as connection:
        found = retention.open_holds(connection)
    if as_json:
        typer.echo(json.dumps([item.state() for item in found], ensure_ascii=False, indent=2))
        return
    table = Table("id", "what", "why", "placed by", "at")
    for item in found:
        table.add_row(item.id, _what(item), item.why, item.placed_by_name, item.placed_at)
    console.print(table if found else "No hold stands.")


def _what(item: Hold) -> str:
    return f"{item.scope} {item.which}".strip()


@commands.command("due")
def list_due(*, as_json: Json = False) -> None:
    """List whose records may all be disposed of today, and why: a dry run over everybody, nothing is changed."""
    with _acting() as (engine, house), UnitOfWork(engine, "audit", Context(actor=operator())) as uow:
        found = list(erasure.due(uow.connection, house, house.day(uow.now())))
    rows = [(one, max((str(item.until) for item in one.judged if item.until), default="–")) for one in found]
    if as_json:
        facts = [{"subject": one.subject.id, "entries": one.entries, "kept_until": until} for one, until in rows]
        typer.echo(json.dumps(facts, indent=2))
        return
    table = Table("person", Column("entries", justify="right"), "was kept until", "records")
    for one, until in rows:
        named = ", ".join(sorted({item.record.case or item.record.record_class for item in one.judged}))
        table.add_row(one.subject.id, str(one.entries), until, named)
    console.print(table if rows else "Nobody's records are due.")


@commands.command("erase")
def erase(
    subject: Annotated[str, typer.Argument(help="Whom: user id, e-mail address, or the log's opaque id.")],
    *,
    because: Because = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would happen, record by record.")] = False,
    as_json: Json = False,
) -> None:
    """Ask that an applicant's person be erased or, when somebody else has asked, destroy their key for good."""
    with _acting() as (engine, house):
        person = erasure.find(house, subject)
        context = Context(actor=operator())
        if dry_run:
            with UnitOfWork(engine, "audit", context) as uow:
                seen = erasure.look(uow.connection, house, person, house.day(uow.now()))
            _print_look(seen, as_json=as_json)
            raise typer.Exit(BAD_NEWS if seen.refused else 0)
        try:
            with UnitOfWork(engine, "audit", context) as uow:
                said = _request_or_confirm(uow, house, person, because)
        except RetainedError as error:
            erasure.record_refusal(engine, context, "audit.erasure.request", person.id, error)
            raise
    if as_json:
        typer.echo(json.dumps(said, ensure_ascii=False, indent=2))
        return
    for line in filter(None, (said["receipt"], said["next"])):
        typer.echo(line)


def _request_or_confirm(uow: UnitOfWork, house: House, person: Subject, because: str) -> dict[str, Any]:
    """Return what came of it: the stage, the receipt of an erasure, and what is next."""
    waiting = retention.erasure(uow.connection, person.id)
    if waiting is None or waiting.stage == "withdrawn":
        erasure.request(uow, house, person, because)
        if house.two_people:
            again = here(f"tamga audit erase {person.id}")
            asked = {"subject": person.id, "stage": "requested", "receipt": None}
            return asked | {"next": f"Another person confirms it: {again}"}
        uow.flush()
    done = erasure.confirm(uow, house, person)
    account = here(f"tamga user erase {person.who.removeprefix('user:')}")
    erased = {"subject": person.id, "stage": "erased", "receipt": done.receipt}
    return erased | {"next": f"The account is erased by: {account}"}


def _print_look(seen: Look, *, as_json: bool) -> None:
    rows: list[dict[str, Any]] = [
        {
            "case": item.record.case,
            "programme": item.record.programme,
            "class": item.record.record_class,
            "entries": item.record.entries,
            "until": str(item.until) if item.until else None,
            "why": item.why,
            "basis": item.term.basis,
            "holds": [one.why for one in item.holds],
        }
        for item in seen.judged
    ]
    refused = str(seen.refused) if seen.refused else None
    if as_json:
        facts = {"subject": seen.subject.id, "entries": seen.entries, "records": rows, "refused": refused}
        typer.echo(json.dumps(facts, ensure_ascii=False, indent=2))
        return
    table = Table("record", "case", Column("entries", justify="right"), "kept until", "now", "basis")
    for row in rows:
        until = str(row["until"] or "not yet begun")
        table.add_row(str(row["class"]), str(row["case"] or "–"), str(row["entries"]), until, row["why"], row["basis"])
    console.print(table)
    console.print(refused or f"May be erased: {seen.entries} entries of {seen.subject.id}", markup=False)
