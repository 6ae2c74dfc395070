"""`tamga audit verify`. Exit codes: 0 sound, 1 not sound, 2 could not tell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from services.audit.cli.common import Json, commands, console, log
from services.audit.domain.kept import claim_in
from services.audit.domain.note import NoteError, Verifier
from services.audit.domain.policy import Policy, PolicyError
from services.audit.handlers import verification
from services.audit.handlers.verification import Report
from services.audit.handlers.witnessing import policy_of
from services.audit.keys import Keys
from services.audit.signer.client import SignerSilentError
from shared.database import Context, UnitOfWork
from shared.infrastructure.refusals import worded
from shared.messaging.printing import BAD_NEWS, NO_ANSWER, operator
from shared.settings import SettingsError


@commands.command("verify")
def verify(
    *,
    as_json: Json = False,
    newest: Annotated[int | None, typer.Option(min=1, help="Read only what follows a signed state.")] = None,
    checkpoint: Annotated[Path | None, typer.Option(help="A checkpoint that you kept: compare with it too.")] = None,
    vkey: Annotated[
        list[str] | None,
        typer.Option(help="The log's key as you got it in another way; this house's is then not asked."),
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(help="Whose keys count, and who has to have witnessed; by default keys/policy.txt.")
    ] = None,
    record: Annotated[
        bool, typer.Option("--record/--no-record", help="Keep the result for the page, and put it into the log.")
    ] = True,
) -> None:
    """Read the log again, from every stored byte up to the signatures, and look for what never arrived."""
    given = _given(checkpoint, vkey or [], policy)
    try:
        with log() as (engine, keys):
            report = _verified(engine, keys, newest, given, quiet=as_json)
            if record:
                _record(engine, report)
    except (SettingsError, SignerSilentError, SQLAlchemyError, OSError, ValueError) as error:
        typer.echo(f"The log could not be verified: {worded(error)}", err=True)
        raise typer.Exit(NO_ANSWER) from error
    if as_json:
        typer.echo(json.dumps(report.as_json(), ensure_ascii=False, indent=2, default=str))
    else:
        _print(report)
    raise typer.Exit(0 if report.ok else BAD_NEWS)


def _kept(file: Path) -> str:
    """Return the checkpoint that somebody kept; one that is none must not pass for one that was compared."""
    try:
        note = claim_in(file.read_text(encoding="utf-8")).note
    except OSError as error:
        why = f"can't be read ({error.strerror})"
    except UnicodeDecodeError:
        why = "is not text"
    except NoteError as error:
        why = f"holds no checkpoint ({error})"
    else:
        if note is not None:
            return note
        why = "has a checkpoint's figures without its signature (/audit/checkpoint compares those)"
    typer.echo(f"{file} {why}: give the file in which you kept a checkpoint of /audit/verification, whole.", err=True)
    raise typer.Exit(NO_ANSWER)


def _given(checkpoint: Path | None, vkeys: list[str], policy: Path | None) -> dict[str, Any]:
    """Return what who verifies has brought along."""
    told = _policy(policy) if policy else None
    brought = _brought(vkeys) or (told.logs if told else [])
    return {"pinned": _kept(checkpoint) if checkpoint else None, "brought": brought, "policy": told}


def _brought(given: list[str]) -> list[Verifier]:
    try:
        return [Verifier.parse(key) for key in given]
    except NoteError as error:
        typer.echo(f"--vkey: {error}: give it as /audit/verification shows it.", err=True)
        raise typer.Exit(NO_ANSWER) from error


def _policy(file: Path) -> Policy:
    try:
        return Policy.parse(file.read_text(encoding="utf-8"))
    except OSError as error:
        why = f"can't be read ({error.strerror})"
    except UnicodeDecodeError:
        why = "is not text"
    except PolicyError as error:
        why = f"can't be followed: {error}"
    typer.echo(f"{file} {why}.", err=True)
    raise typer.Exit(NO_ANSWER)


def _record(engine: Engine, report: Report) -> None:
    """Keep the result; where that is refused (a copy that may only be read) the verdict stands all the same."""
    try:
        with UnitOfWork(engine, "audit", Context(actor=operator())) as uow:
            verification.record(uow, report)
    except SQLAlchemyError as error:
        typer.echo(f"The result could not be kept: {str(error).splitlines()[0]}", err=True)


def _verified(engine: Engine, keys: Keys, newest: int | None, given: dict[str, Any], *, quiet: bool) -> Report:
    with _progress(quiet=quiet) as bar:
        task = bar.add_task("Reading", total=None)

        def progress(done: int, of: int) -> None:
            bar.update(task, completed=done, total=of)

        known = given | {"policy": given["policy"] or policy_of(keys)}
        return verification.verify(engine, keys, newest=newest, progress=progress, **known)


def _progress(*, quiet: bool) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True, quiet=quiet), transient=True)


def _print(report: Report) -> None:
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column()
    table.add_column(overflow="fold")  # a hash is there to be compared: whole
    read = f"{report.events:,}" if report.whole else f"{report.events:,} of {report.size:,}, after a signed state"
    table.add_row("events", read)
    table.add_row("root hash", report.root)
    table.add_row("signed", f"up to {report.signed_size:,} by {report.verifier_key}")
    table.add_row("rests on", report.trust.sentence())
    for compared in report.trust.anchors:
        table.add_row("compared with", compared.sentence())
    for witness in report.trust.witnesses:
        table.add_row("witness", escape(witness))
    if report.trust.witnesses:
        far = f"up to {report.trust.witnessed:,} entries" if report.trust.witnessed else "not yet"
        table.add_row("witnessed by as many as the policy asks", far)
    anchor = "yes" if report.outside else "no: the newest entries could have been cut off unseen"
    table.add_row("compared with a checkpoint kept outside the database", anchor)
    for item in report.coverage:
        table.add_row(item["source"], f"{item['events']:,} events, last position {item['last_position'] or 0:,}")
    took = (report.finished_at - report.started_at).total_seconds()
    table.add_row("finished", f"{report.finished_at:%Y-%m-%d %H:%M:%S} UTC")
    table.add_row("took", f"{took:.1f} s")
    console.print(table)
    for finding in report.findings:
        console.print(f"[red]✗[/red] {escape(finding.sentence())}", soft_wrap=True)
    console.print("[green]OK[/green]" if report.ok else f"[red]NOT OK[/red]: {len(report.findings)} findings")
