"""The operator's commands for the backbone: events, quarantine, reconcile. Composed where services are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated, Any

import amqp
import typer
from sqlalchemy import Engine

from shared.clock import in_utc
from shared.commands import here
from shared.database import reading
from shared.errors import InvalidError
from shared.infrastructure.refusals import worded
from shared.messaging import asked, gaps, mending, quarantine_cli, trace_cli, tracing
from shared.messaging.printing import BAD_NEWS, AsJson, console, operator, refusals, show
from shared.messaging.reconcile import Report
from shared.messaging.reconcile import reconcile as account
from shared.messaging.topology import Depth


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


def build(backbone: Backbone) -> tuple[typer.Typer, typer.Typer, Callable[..., None]]:
    """Return the command groups `events` and `quarantine`, and the command `reconcile`."""
    return _events(backbone), quarantine_cli.build(backbone.consuming, backbone.engines), _reconcile(backbone)


def _events(backbone: Backbone) -> typer.Typer:
    group = typer.Typer(no_args_is_help=True, help="Events of all services.")

    @group.command("list")
    def listing(  # noqa: PLR0917 - Typer's options
        source: Annotated[str | None, typer.Option(help="The publishing service.")] = None,
        kind: asked.Kind = None,
        entity: asked.Entity = None,
        case: Annotated[str | None, typer.Option(help="The case's reference.")] = None,
        since: asked.Since = None,
        limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
        as_json: AsJson = False,
    ) -> None:
        """List events, newest first."""
        named, bare = asked.parted(entity)
        filters = tracing.Filters(source or named, kind, bare, case, since, limit)
        with refusals():
            asked.one_of(backbone.engines(), source, "source")
            if not (found := tracing.list_events(backbone.engines(), filters)):
                asked.known(backbone.engines(), case=case, entity=entity, type=kind)
        rows = [
            [f"{s.recorded_at:%Y-%m-%d\n%H:%M:%S}", f"{s.type}\n{s.id}", f"{s.entity}\n{s.case or ''}"] for s in found
        ]
        show([s.as_json() for s in found], ["UTC", "Event", "About"], rows, as_json)

    @group.command("trace")
    def trace(
        wanted: Annotated[str, typer.Argument(metavar="ID", help="Correlation, event or trace id, or a case.")],
        newest: Annotated[int, typer.Option(min=0, help="At most so many acts of a case; 0 means all.")] = 10,
        as_json: AsJson = False,
    ) -> None:
        """Show what an act set off: its events, their effects everywhere, with times, and what is not done yet."""
        trace_cli.trace(backbone.engines(), backbone.consumers(), wanted, newest=newest, as_json=as_json)

    @group.command("lag")
    def lag(as_json: AsJson = False) -> None:
        """Show what each service has not published, and what waits at it: in its queue, parked, in quarantine."""
        queued, silent = _queued(backbone)
        found = [row | {"queued": queued.get(row["service"])} for row in tracing.lag(backbone.engines())]
        held = any(row["held_back"] for row in found)
        columns = ["Service", "Unsent", "Oldest", "Queue", "Parked", "Retrying", "Quarantined"] + ["Held back"] * held
        bound = backbone.consuming()
        rows = [_behind(row, consumes=row["service"] in bound)[: len(columns)] for row in found]
        show(found, columns, rows, as_json)
        if silent:
            typer.echo(f"What waits in the queues is not known: {silent}", err=True)
            raise typer.Exit(BAD_NEWS)

    @group.command("gaps")
    def missing(as_json: AsJson = False) -> None:
        """Show events that never came, alarmed or not yet, and what their source says of them."""
        found = []
        for service, engine in backbone.consuming().items():
            with reading(engine) as connection:
                found += [{"consumer": service} | asdict(gap) for gap in gaps.all_open(connection, service)]
        names = ["consumer", "entity", "first", "last", "since", "alarmed_at", "asked", "sent", "absent"]
        rows = [[_cell(gap[name]) for name in names] for gap in found]
        show(found, [name.split("_")[0].capitalize() for name in names], rows, as_json)

    return group


def _reconcile(backbone: Backbone) -> Callable[..., None]:
    def reconcile(
        send_again: Annotated[bool, typer.Option("--send-again", help="Have sources send what is missing.")] = False,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what --send-again would send.")] = False,
        as_json: AsJson = False,
    ) -> None:
        """Account for every event at every consumer; fails when one is unaccounted for, or in two states."""
        with refusals():
            if dry_run and not send_again:
                raise InvalidError({"--dry-run": "says what --send-again would send: give both"})
        report = backbone.reconcile()
        lines = [line for line in report.accounts if line.events]
        # A narrow terminal has no room for columns of noughts.
        some = ("parked", "quarantined", "discarded", "in_flight", "contradictory", "unrecorded")
        names = ["consumer", "source", "events", "applied"]
        names += [*(name for name in some if any(getattr(line, name) for line in lines)), "unaccounted"]
        rows = [[_cell(getattr(line, name)) for name in names] for line in lines]
        facts = report.as_json()
        mended = None
        if send_again:
            mended = mending.send_again(backbone.engines(), report, operator(), dry_run=dry_run)
            facts |= {"sent_again": [asdict(pair) for pair in mended], "dry_run": dry_run}
        show(facts, [name.replace("_", " ").capitalize() for name in names], rows, as_json)
        if mended is not None and not as_json:
            _say_mended(mended, dry_run)
        elif not as_json:
            console.print(_verdict(report))
        if report.unaccounted or report.contradictory:
            raise typer.Exit(BAD_NEWS)

    return reconcile


def _verdict(report: Report) -> str:
    if not report.unaccounted and not report.contradictory:
        return "Every event is accounted for."
    found = (
        [f"{report.unaccounted} events are missing: {here('tamga reconcile --send-again')}"]
        if report.unaccounted
        else []
    )
    found += [f"{report.contradictory} events are in two states"] if report.contradictory else []
    return f"[red]{'; '.join(found)}."


def _say_mended(mended: list[mending.Mended], dry_run: bool) -> None:
    verb = "would go" if dry_run else "go"
    for pair in mended:
        console.print(f"{pair.sent} events of {pair.source} {verb} out again for {pair.consumer}.")
        if pair.absent:
            console.print(f"{pair.absent} are not at {pair.source} any more.")
        if pair.unnamed:
            console.print(
                f"{pair.unnamed} can't be named: too much waits in the queue of {pair.consumer} (ask again when it is"
                " short), or their month was dropped from the outbox."
            )
    if not mended:
        console.print("Nothing is missing.")
    elif not dry_run:
        console.print("Reconcile again in ten seconds.")


def _queued(backbone: Backbone) -> tuple[dict[str, int], str]:
    """Return what waits in each consumer's queue, and why that is not known."""
    try:
        return {queue: depth.messages for queue, depth in backbone.depths().items()}, ""
    except (amqp.AMQPError, OSError) as error:
        return {}, f"the broker does not answer ({worded(error)})."


def _behind(row: dict[str, Any], *, consumes: bool) -> list[str]:
    oldest = trace_cli.duration(row["oldest_seconds"] * 1000) if row["unpublished"] else ""
    queued = "?" if consumes and row["queued"] is None else _cell(row["queued"])
    waiting = [queued, *(_cell(row.get(name)) for name in ("waiting_for_predecessor", "retrying", "quarantined"))]
    held = f"{row['held_back']}: {row['held_reason']}" if row["held_back"] else ""
    return [row["service"], str(row["unpublished"]), oldest, *waiting, held]


def _cell(value: Any) -> str:
    if isinstance(value, datetime):
        return in_utc(value)
    return "" if value is None else str(value)
