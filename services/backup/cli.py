"""The commands `tamga backup`, `tamga restore` and `tamga drill`."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import structlog
import typer
from rich.console import Console
from rich.table import Table

from services.backup import place
from services.backup.creating import Created, create
from services.backup.drilling import Drilled
from services.backup.drilling import drill as try_out
from services.backup.restoring import Restored
from services.backup.restoring import restore as bring_back
from services.backup.reviving import Backup
from services.backup.standing import standing
from shared.clock import in_utc
from shared.commands import here
from shared.messaging.printing import BAD_NEWS, NO_ANSWER, AsJson, console, operator, print_json, refusals, show
from shared.safekeeping import bundle, keeping
from shared.safekeeping.refusals import DamagedBackupError
from shared.safekeeping.showing import Steps, in_words
from shared.settings import Settings, settings

Key = Annotated[Path | None, typer.Option("--key", help="The key, when it is not in its usual place.")]
commands = typer.Typer(no_args_is_help=True, help="Backups: create, list, verify.")


@contextmanager
def _acting() -> Iterator[None]:
    """Say refusals in a sentence; when asked to stop, clean up and say so too."""

    def asked(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    logging_before = structlog.get_config()
    # What libraries log belongs to nobody who waits for an answer, and not between the lines of --json.
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    before = signal.signal(signal.SIGTERM, asked)
    try:
        with refusals():
            yield
    except KeyboardInterrupt as error:
        typer.echo("Stopped before it was done: nothing was changed, and nothing half-written is left.", err=True)
        raise typer.Exit(NO_ANSWER) from error
    finally:
        signal.signal(signal.SIGTERM, before)
        structlog.configure(**logging_before)


def _steps(as_json: bool) -> Steps:
    return Steps(None if as_json else Console(stderr=True))


def _newest(known: Settings, given: Path | None) -> Path:
    return given or keeping.newest(known.backups_folder).file


@commands.command("create")
def creating(
    *,
    keep_days: Annotated[int | None, typer.Option(min=1, help="Keep every backup of so many days.")] = None,
    keep_weeks: Annotated[int | None, typer.Option(min=0, help="And the last of each of so many weeks.")] = None,
    as_json: AsJson = False,
) -> None:
    """Keep everything as it is at this moment: databases, documents, keys, the broker's definitions."""
    with _acting():
        known = settings()
        kept = {"backup_keep_days": keep_days, "backup_keep_weeks": keep_weeks}
        known = known.model_copy(update={name: value for name, value in kept.items() if value is not None})
        made = create(known, operator(), _steps(as_json))
    if as_json:
        print_json(made.as_json())
    else:
        _say_created(known, made)


def _say_created(known: Settings, made: Created) -> None:
    table = _facts()
    table.add_row("file", str(known.backups_folder / made.file))
    table.add_row("size", in_words(made.bytes))
    table.add_row("events", f"{made.events:,}")
    table.add_row("documents", f"{made.documents:,}")
    table.add_row("writers waited", f"{made.waited_seconds * 1000:.0f} ms at most")
    table.add_row("took", f"{made.seconds:.1f} s, reading it again included")
    if made.removed:
        table.add_row("removed", ", ".join(made.removed))
    console.print(table)
    if made.first and known.backup_key_file is None:
        console.print(
            f"[bold]Copy {place.key_file(known)} to a safe place outside this machine now:"
            " without it no backup can be opened.[/]",
            soft_wrap=True,
        )
    if made.unrecorded:
        typer.echo(f"The backup is good, but could not be put on record: {made.unrecorded}.", err=True)


@commands.command("list")
def listing(*, as_json: AsJson = False) -> None:
    """List the backups that are there, newest first."""
    with refusals():
        known = settings()
        kept = keeping.there(known.backups_folder)
    found = [{"file": str(one.file), "version": one.version, "at": one.at, "bytes": one.bytes} for one in kept]
    rows = [[one.file.name, in_utc(one.at), one.version, in_words(one.bytes)] for one in kept]
    show(found, ["File", "As it was at", "Release", "Size"], rows, as_json)


@commands.command("verify")
def verifying(
    file: Annotated[Path | None, typer.Argument(help="By default the newest.")] = None,
    *,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Read a backup to its end and compare every part with what was written. Exit code 1: it is damaged."""
    with _acting():
        known, steps = settings(), _steps(as_json)
        wanted = _newest(known, file)
        try:
            with steps.step("Read") as bar:
                about, whole = bundle.read(wanted, place.key_of(known, key), progress=bar.advance)
        except DamagedBackupError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(BAD_NEWS) from error
    if as_json:
        print_json({"file": str(wanted), "ok": True} | about.model_dump(mode="json") | whole.model_dump(mode="json"))
        return
    table = _facts()
    table.add_row("file", str(wanted))
    table.add_row("as it was at", in_utc(about.at))
    table.add_row("release", about.version)
    table.add_row("events", f"{about.events:,}")
    table.add_row("documents", f"{whole.documents:,}")
    console.print(table)
    console.print("[green]OK[/green]: all of it is as it was written")


def restore(
    file: Annotated[Path, typer.Argument(help="The backup.")],
    *,
    key: Key = None,
    replace: Annotated[bool, typer.Option("--replace", help="Put it in the place of data that are there.")] = False,
    despite_findings: Annotated[
        bool, typer.Option("--despite-findings", help="Also when what is in it is not sound.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring a backup back while Tamga does not run; nothing changes until all of it has succeeded."""
    with _acting(), standing() as known:
        backup = Backup(file, place.key_of(known, key))
        done = bring_back(
            known, backup, operator(), _steps(as_json), replacing=replace, despite_findings=despite_findings
        )
    if as_json:
        print_json(done.as_json())
    else:
        _say_restored(done)
    raise typer.Exit(BAD_NEWS if done.findings else 0)


def _say_restored(done: Restored) -> None:
    table = _facts()
    table.add_row("restored", f"{done.file}, made by {done.version}")
    table.add_row("as it was at", in_utc(datetime.fromisoformat(done.at)))
    table.add_row("events", f"{done.events:,}")
    table.add_row("documents", f"{done.documents:,}")
    table.add_row("log", f"{done.log_size:,} entries" + (", verified" if not done.findings else ""))
    if done.lost_entries:
        table.add_row("lost", f"{done.lost_entries:,} entries of the log that had been signed after that moment")
    table.add_row("sent again", f"{done.sent_again:,} deliveries that were on their way; {done.waiting:,} not yet sent")
    table.add_row("queues", f"{done.purged:,} messages removed")
    table.add_row("took", f"{done.seconds:.1f} s")
    console.print(table)
    for finding in done.findings:
        console.print(f"[red]✗[/red] {finding}", soft_wrap=True)
    if done.keys_left:
        console.print(f"Not put in place: {', '.join(done.keys_left)}. Everybody signs in again.", soft_wrap=True)
    if place.PAYEE_SECRET in done.keys_left:
        console.print(
            f"[red]✗[/red] The bank numbers are sealed with a key that is not in secrets/{place.PAYEE_SECRET}:"
            " add the line of your copy below those that are there, before Tamga starts.",
            soft_wrap=True,
        )
    if done.refuses:
        _say_refuses(done)
    console.print(
        f"Start Tamga now (`{here('make run')}`); `{here('tamga reconcile')}` says when everything has arrived."
        f" Then make a backup: `{here('tamga backup create')}`.",
        soft_wrap=True,
    )


def _say_refuses(done: Restored) -> None:
    console.print(
        f"[yellow]![/yellow] The signer has signed {done.signed_before:,} entries and the restored log has"
        f" {done.log_size:,}: it will refuse to sign this log, and an alarm will say so. If a later backup or a standby"
        " has what is missing, restore that instead and nothing more is to be done. If not, have it begin again:"
        f" `{here('tamga signer begin-again REASON')}`; reason and place will stand in the log.",
        soft_wrap=True,
    )


def drill(
    file: Annotated[Path | None, typer.Argument(help="By default the newest.")] = None,
    *,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Try out a backup beside what runs: restore it, look through it, say what would be lost, throw it away."""
    with _acting():
        known = settings()
        backup = Backup(_newest(known, file), place.key_of(known, key))
        found = try_out(known, backup, operator(), _steps(as_json))
    if as_json:
        print_json(found.as_json())
    else:
        _say_drilled(found)
    raise typer.Exit(0 if found.ok else BAD_NEWS)


def _say_drilled(found: Drilled) -> None:
    table = _facts()
    table.add_row("backup", found.file)
    table.add_row("as it was at", in_utc(datetime.fromisoformat(found.at)))
    table.add_row("RPO", f"{found.rpo_seconds:,} s of work and {found.lost_events:,} events are not in it")
    table.add_row("RTO", f"{found.rto_seconds:.1f} s")
    table.add_row("events", f"{found.events:,}")
    table.add_row("documents", f"{found.documents:,}")
    table.add_row("log", f"{found.log_size:,} entries, root {found.log_root[:16]}…")
    table.add_row("to be sent again", f"{found.sent_again:,}")
    console.print(table)
    for problem in found.problems:
        console.print(f"[red]✗[/red] {problem}", soft_wrap=True)
    console.print("[green]OK[/green]: it can be restored" if found.ok else "[red]NOT OK[/red]")
    if found.unrecorded:
        typer.echo(f"The drill could not be put on record: {found.unrecorded}.", err=True)


def _facts() -> Table:
    return Table(show_header=False, box=None, pad_edge=False)


__all__ = ["commands", "drill", "restore"]
