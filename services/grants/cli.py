"""`tamga export …`: a programme's agreements as open data, checked, kept and written to a file.

Exit codes: 0 published; 1 records break rules, and nothing was published; 2 could not tell.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.exc import SQLAlchemyError

from services.grants.domain.application import Person
from services.grants.domain.publishing import Draft, Format, Publication
from services.grants.domain.publishing.publication import Stored
from services.grants.handlers import publishing as act
from services.grants.storage.publishing import publications_of
from shared.database import Context, UnitOfWork, engine_for
from shared.documents import DocumentStore
from shared.errors import InvalidError, TamgaError
from shared.events import Actor
from shared.infrastructure.refusals import worded
from shared.messaging.printing import BAD_NEWS, NO_ANSWER
from shared.settings import SettingsError, settings

commands = typer.Typer(
    name="export", help="Open data: publish a programme's agreements as 360Giving or IATI.", no_args_is_help=True
)
# Whoever may use the command line of this machine acts as its administrator, and the record says so.
ADMINISTRATOR = Actor(id="cli:administrator", kind="system", name="Administrator at the command line", role="operator")
Programme = Annotated[str, typer.Option("--programme", help="The programme's id.")]
Out = Annotated[Path | None, typer.Option("--out", help="Where the file is written; without it nothing is published.")]
LeaveOut = Annotated[bool, typer.Option("--leave-out", help="Publish without the records that break a rule.")]
Json = Annotated[bool, typer.Option("--json", help="For machines.")]


@commands.command("360giving")
def giving(*, programme: Programme, out: Out = None, leave_out: LeaveOut = False, as_json: Json = False) -> None:
    """Publish as a 360Giving 1.4 package (JSON; its table for a FILE.csv); without --out only say what is wrong."""
    _export("360giving", programme, out, leave_out=leave_out, as_json=as_json)


@commands.command("iati")
def iati(*, programme: Programme, out: Out = None, leave_out: LeaveOut = False, as_json: Json = False) -> None:
    """Publish as IATI 2.03 activities (XML); without --out only say what is wrong with which record."""
    _export("iati", programme, out, leave_out=leave_out, as_json=as_json)


@contextmanager
def _acting() -> Iterator[UnitOfWork]:
    engine = engine_for(settings().database_url("grants"), pool_size=1, application_name="tamga export")
    try:
        with UnitOfWork(engine, "grants", Context(actor=ADMINISTRATOR)) as uow:
            yield uow
    finally:
        engine.dispose()


def _export(chosen: Format, programme: str, out: Path | None, *, leave_out: bool, as_json: bool) -> None:
    try:
        with _acting() as uow:
            made = act.draft(uow.connection, act.Programme(uow.connection, programme), chosen, uow.now())
            _print_problems(made, as_json=as_json)
            done = _publish(uow, made, out, leave_out=leave_out) if out else None
        if out and done:  # what is published is kept in any case; the file is a copy of it
            _write(out, DocumentStore(settings().documents_folder).get(_kind(chosen, out, done).sha256))
    except InvalidError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(BAD_NEWS) from error
    except (TamgaError, SettingsError, SQLAlchemyError, OSError) as error:
        typer.echo(f"Nothing was published: {worded(error)}", err=True)
        raise typer.Exit(NO_ANSWER) from error
    if out and done and not as_json:
        sha256 = _kind(chosen, out, done).sha256
        when = f"{done.published_at:%Y-%m-%d %H:%M} UTC"
        typer.echo(f"{out}: publication {done.number} by {done.published_by_name}, {when}")
        typer.echo(f"{len(done.records)} records, {len(done.left_out)} left out, SHA-256 {sha256}")
    raise typer.Exit(BAD_NEWS if made.bad and not (out and leave_out) else 0)


def _publish(uow: UnitOfWork, made: Draft, out: Path, *, leave_out: bool) -> Publication:
    if not out.resolve().parent.is_dir():
        raise InvalidError({"out": f"is in no folder that exists: {out}"}, f"There is no folder for {out}")
    _must_be_named(made.format, out)
    last = next(iter(publications_of(uow.connection, made.programme, made.format, 1)), None)
    if last and last.fingerprint == made.fingerprint():
        return last  # nothing has changed since: the file is a copy of what is public
    command = act.Publish(invalid="leave_out" if leave_out else "refuse", seen=made.fingerprint())
    store = DocumentStore(settings().documents_folder)
    by = Person(id=ADMINISTRATOR.id, name=ADMINISTRATOR.name, role=ADMINISTRATOR.role)
    return act.make_public_as(uow, by, made.programme, made.format, command, store=store)


def _must_be_named(chosen: Format, out: Path) -> None:
    """Refuse a name that says another kind of file than there is."""
    kinds = ("json", "csv") if chosen == "360giving" else ("xml",)
    kind = out.suffix.removeprefix(".").lower()
    if kind and kind not in kinds:
        said = f"{out}: a file of this format ends in {' or '.join(f'.{name}' for name in kinds)}"
        raise InvalidError({"out": said}, said)


def _kind(chosen: Format, out: Path, done: Publication) -> Stored:
    """Return the file that the name asks for: the table for .csv, else the standard's own."""
    table = done.file("csv") if chosen == "360giving" and out.suffix.lower() == ".csv" else None
    return table or done.files[0]


def _write(out: Path, content: bytes) -> None:
    """Write beside the name first, so that no half of a file stands there."""
    half = out.with_name(f"{out.name}.part")
    half.write_bytes(content)
    half.replace(out)


def _print_problems(made: Draft, *, as_json: bool) -> None:
    if as_json:
        said = {item.reference: [problem.plain() for problem in item.problems] for item in made.bad}
        good = [item.reference for item in made.good]
        typer.echo(json.dumps({"format": made.format, "good": good, "bad": said}, ensure_ascii=False, indent=2))
        return
    for item in made.bad:
        typer.echo(f"{item.reference} {item.title}")
        for problem in item.problems:
            value = f" ({problem.value})" if problem.value else ""
            typer.echo(f"  {problem.field}: {problem.rule}{value}")
    if not made.bad:
        typer.echo(f"{len(made.good)} records, none breaks a rule")
