"""The operator's commands for the backbone: events, quarantine, reconcile. Composed where services are known."""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine

from shared.errors import NotFoundError, TamgaError
from shared.events import Actor
from shared.messaging import quarantine as held_events
from shared.messaging import trace_cli, tracing
from shared.messaging.reconcile import Report
from shared.messaging.reconcile import reconcile as account
from shared.messaging.topology import Depth

console = Console()
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@dataclass(frozen=True)
class Backbone:
    """What the commands work on; each part is made only when a command asks for it."""

    engines: Callable[[], Mapping[str, Engine]]
    consumers: Callable[[], Mapping[str, tuple[str, ...]]]
    depths: Callable[[], Mapping[str, Depth]]

    def consuming(self) -> dict[str, Engine]:
        """Return the databases that have a quarantine."""
        wanted = {service for service, keys in self.consumers().items() if keys}
        return {service: engine for service, engine in self.engines().items() if service in wanted}

    def reconcile(self) -> Report:
        return account(self.engines(), self.consumers(), self.depths())

    def find(self, quarantine_id: UUID) -> tuple[str, dict[str, Any]]:
        """Return (service, row) of a quarantined event, wherever it is held; raises NotFoundError."""
        for service, engine in self.consuming().items():
            try:
                return service, held_events.show(engine, quarantine_id)
            except NotFoundError:
                continue
        raise NotFoundError("There is no such event in quarantine")


def build(backbone: Backbone) -> tuple[typer.Typer, typer.Typer, Callable[..., None]]:
    """Return the command groups `events` and `quarantine`, and the command `reconcile`."""
    return _events(backbone), _quarantine(backbone), _reconcile(backbone)


def _events(backbone: Backbone) -> typer.Typer:
    group = typer.Typer(no_args_is_help=True, help="Events of all services.")

    @group.command("list")
    def listing(  # noqa: PLR0917 - Typer's options
        source: Annotated[str | None, typer.Option(help="The publishing service.")] = None,
        kind: Annotated[str | None, typer.Option("--type", help="Beginning of the type.")] = None,
        entity: Annotated[str | None, typer.Option(help="kind:id")] = None,
        case: Annotated[str | None, typer.Option(help="The case's reference.")] = None,
        since: Annotated[datetime | None, typer.Option(help="UTC")] = None,
        limit: int = 50,
        as_json: AsJson = False,
    ) -> None:
        """List events, newest first."""
        filters = tracing.Filters(source, kind, entity, case, since, limit)
        found = tracing.list_events(backbone.engines(), filters)
        rows = [[f"{s.recorded_at:%H:%M:%S.%f}"[:-3], s.type, s.entity, s.case or "", str(s.id)] for s in found]
        _show([s.as_json() for s in found], ["Recorded", "Type", "Entity", "Case", "Id"], rows, as_json)

    @group.command("trace")
    def trace(
        asked: Annotated[str, typer.Argument(metavar="ID", help="Correlation, event or trace id, or a case.")],
        newest: Annotated[int, typer.Option(help="At most so many acts of a case; 0 means all.")] = 10,
        as_json: AsJson = False,
    ) -> None:
        """Show what an act set off: its events, their effects everywhere, with times, and what is not done yet."""
        trace_cli.trace(backbone.engines(), backbone.consumers(), asked, newest=newest, as_json=as_json)

    @group.command("lag")
    def lag(as_json: AsJson = False) -> None:
        """Show what is not published yet and what waits at each consumer."""
        found = tracing.lag(backbone.engines())
        columns = list(dict.fromkeys(name for row in found for name in row))
        rows = [[_cell(row.get(name)) for name in columns] for row in found]
        _show(found, [name.replace("_", " ").capitalize() for name in columns], rows, as_json)

    return group


def _quarantine(backbone: Backbone) -> typer.Typer:
    group = typer.Typer(no_args_is_help=True, help="Events that a consumer could not handle.")

    @group.command("list")
    def listing(
        every: Annotated[bool, typer.Option("--all", help="Settled ones as well.")] = False, as_json: AsJson = False
    ) -> None:
        """List what is held, newest first."""
        state = None if every else "held"
        found = [row for engine in backbone.consuming().values() for row in held_events.held(engine, state=state)]
        rows = [[str(r.id), r.consumer, r.type or "?", r.state, str(r.attempts), r.fingerprint] for r in found]
        _show(
            [asdict(row) for row in found], ["Id", "Consumer", "Type", "State", "Tries", "Fingerprint"], rows, as_json
        )

    @group.command("show")
    def show(quarantine_id: UUID, as_json: AsJson = False) -> None:
        """Show one event whole: headers, body, traceback."""
        _, row = _or_exit(lambda: backbone.find(quarantine_id))
        _show(row, ["", ""], [[name, _cell(value)] for name, value in row.items()], as_json)

    @group.command("replay")
    def replay(
        quarantine_id: Annotated[UUID | None, typer.Option("--id")] = None,
        fingerprint: Annotated[str | None, typer.Option(help="All that failed in the same way.")] = None,
        dry_run: Annotated[bool, typer.Option(help="Say what would be replayed.")] = False,
        as_json: AsJson = False,
    ) -> None:
        """Hand events back to their consumer, under their own ids."""

        def act() -> list[UUID]:
            if (quarantine_id is None) == (fingerprint is None):
                raise NotFoundError("Say which events: --id or --fingerprint")
            engines = backbone.consuming()
            if quarantine_id:
                service, _ = backbone.find(quarantine_id)
                engines = {service: engines[service]}
            return [
                row_id
                for service, engine in engines.items()
                for row_id in held_events.replay(
                    engine, service, _operator(), quarantine_id=quarantine_id, same=fingerprint, dry_run=dry_run
                )
            ]

        replayed = [str(row_id) for row_id in _or_exit(act)]
        _show({"replayed": replayed, "dry_run": dry_run}, ["Replayed"], [[row_id] for row_id in replayed], as_json)

    @group.command("discard")
    def discard(quarantine_id: UUID, reason: Annotated[str, typer.Option(prompt=True)]) -> None:
        """Give one event up for good; what waited behind it goes on."""

        def act() -> None:
            service, _ = backbone.find(quarantine_id)
            held_events.discard(backbone.engines()[service], service, _operator(), quarantine_id, reason)

        _or_exit(act)
        console.print(f"Discarded {quarantine_id}.")

    return group


def _reconcile(backbone: Backbone) -> Callable[..., None]:
    def reconcile(as_json: AsJson = False) -> None:
        """Account for every event at every consumer; fails when one is unaccounted for, or in two states."""
        report = backbone.reconcile()
        names = ["consumer", "source", "events", "applied", "parked", "quarantined", "discarded", "in_flight"]
        names += ["unaccounted", "contradictory", "unrecorded"]
        rows = [[_cell(getattr(line, name)) for name in names] for line in report.accounts if line.events]
        _show(report.as_json(), [name.replace("_", " ").capitalize() for name in names], rows, as_json)
        if report.unaccounted or report.contradictory:
            raise typer.Exit(1)

    return reconcile


def _operator() -> Actor:
    name = getpass.getuser()
    return Actor(id=f"operator:{name}", kind="person", name=name, role="operator")


def _or_exit(act: Callable[[], Any]) -> Any:
    try:
        return act()
    except TamgaError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error


def _show(data: Any, columns: list[str], rows: list[list[str]], as_json: bool) -> None:
    if as_json:
        _print_json(data)
        return
    table = Table(box=None, header_style="bold")
    for name in columns:
        table.add_column(name, no_wrap=name == "Id", min_width=36 if name == "Id" and rows else None)
    for row in rows:
        table.add_row(*row)
    console.print(table if rows else "Nothing.")


def _print_json(data: Any) -> None:
    typer.echo(json.dumps(data, default=str, ensure_ascii=False, indent=2))


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.1f}"
    return "" if value is None else str(value)
