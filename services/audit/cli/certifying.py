"""`tamga audit certificate`. Exit codes: 0 complete or valid, 1 incomplete or not valid, 2 could not tell."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table
from sqlalchemy.exc import SQLAlchemyError

from services.audit.certificate_pdf import as_pdf
from services.audit.cli.common import Json, commands, console, known, log
from services.audit.domain.certificate import Certificate, CertificateError
from services.audit.domain.note import NoteError, Verifier
from services.audit.handlers import certificates
from services.audit.handlers.certificates import Asked
from shared.errors import TamgaError
from shared.infrastructure.refusals import worded
from shared.messaging.printing import BAD_NEWS, NO_ANSWER, operator
from shared.settings import SettingsError


def _day(value: str) -> date:
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise typer.BadParameter(f"{value!r} is no day, such as 2026-03-31") from error


Day = Annotated[date | None, typer.Option(parser=_day, metavar="DAY")]


@commands.command("certificate")
def certificate(
    *,
    programme: Annotated[str, typer.Option(help="The programme whose events are counted apart.")] = "",
    since: Annotated[date | None, typer.Option("--from", parser=_day, metavar="DAY", help="The first day.")] = None,
    until: Annotated[date | None, typer.Option("--to", parser=_day, metavar="DAY", help="The last day.")] = None,
    as_json: Json = False,
    pdf: Annotated[Path | None, typer.Option(help="Write it as PDF into this file.")] = None,
    check: Annotated[Path | None, typer.Option(help="Check a certificate: JSON or note.")] = None,
    key: Annotated[str, typer.Option(help="With --check: the certificates' key as you kept it.")] = "",
) -> None:
    """Certify that nothing is missing from a period, or check such a certificate against the log."""
    try:
        if check:
            _check(check, key, as_json=as_json)
            return
        if since is None or until is None:
            raise typer.BadParameter("give --from and --to, or --check")
        made, note = _made(Asked(programme, since, until, known().time_zone))
        if pdf:
            pdf.write_bytes(as_pdf(made, note))
    except TamgaError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(NO_ANSWER) from error
    except (SettingsError, SQLAlchemyError, OSError, UnicodeDecodeError, NoteError) as error:
        typer.echo(f"There is no certificate: {worded(error)}", err=True)
        raise typer.Exit(NO_ANSWER) from error
    if as_json:
        typer.echo(json.dumps(made.facts() | {"note": note}, ensure_ascii=False, indent=2))
    else:
        _print(made, note)
    raise typer.Exit(0 if made.complete else BAD_NEWS)


def _made(asked: Asked) -> tuple[Certificate, str]:
    with log() as (engine, keys), engine.begin() as connection:
        return certificates.certify(connection, keys, asked, operator())


def _check(file: Path, key: str, *, as_json: bool) -> None:
    content = file.read_text(encoding="utf-8")
    pinned = Verifier.parse(key) if key else None
    try:
        with log() as (engine, keys), engine.connect() as connection:
            found = certificates.check(connection, keys, content, pinned)
    except CertificateError as error:
        typer.echo(json.dumps({"valid": False, "reason": str(error)}) if as_json else f"not valid: {error}")
        raise typer.Exit(BAD_NEWS) from error
    if as_json:
        typer.echo(json.dumps({"valid": True} | found.facts(), ensure_ascii=False, indent=2))
    else:
        said = "complete" if found.complete else "not complete"
        typer.echo(f"valid: {found.programme or 'all programmes'}, {found.since} to {found.until}: {said}")


def _print(made: Certificate, note: str) -> None:
    numbers = [Column(name, justify="right") for name in ("events", "programme", "first", "last", "missing", "late")]
    table = Table("source", *numbers, Column("manifests", justify="right"), "")
    for line in made.sources:
        figures = (line.events, line.of_programme, line.first or 0, line.last or 0, line.missing, line.late)
        verdict = "[green]complete[/green]" if line.complete else "[red]not complete[/red]"
        table.add_row(line.source, *(f"{item:,}" for item in figures), f"{line.sound}/{line.manifests}", verdict)
    console.print(table)
    typer.echo(note)
    console.print("[green]COMPLETE[/green]" if made.complete else "[red]NOT COMPLETE[/red]")
