"""The operator's commands for what consumers could not handle: look, replay, discard; all of it over all services."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import typer
from sqlalchemy import Engine

from shared.clock import in_utc
from shared.database import reading
from shared.errors import InvalidError, NotFoundError
from shared.messaging import quarantine
from shared.messaging.printing import AsJson, one_of, operator, refusals, show
from shared.messaging.quarantine import Filters

Engines = Callable[[], Mapping[str, Engine]]
Consumer = Annotated[str | None, typer.Option(help="The service that could not handle it.")]
Kind = Annotated[str | None, typer.Option("--type", help="Beginning of the type.")]
Entity = Annotated[str | None, typer.Option(help="kind:id")]
Fingerprint = Annotated[str | None, typer.Option(help="All that failed in the same way.")]
Since = Annotated[datetime | None, typer.Option(help="Seen at or after; UTC")]
One = Annotated[UUID | None, typer.Option("--id", help="One event, by its row.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say which, and change nothing.")]


def find(engines: Mapping[str, Engine], quarantine_id: UUID) -> tuple[str, dict[str, Any]]:
    """Return (service, row) of a quarantined event, wherever it is held; raises NotFoundError."""
    for service, engine in engines.items():
        try:
            return service, quarantine.show(engine, quarantine_id)
        except NotFoundError:
            continue
    raise NotFoundError("There is no such event in quarantine")


def build(consuming: Engines) -> typer.Typer:
    """Return the command group; `consuming` gives the databases that have a quarantine."""
    group = typer.Typer(no_args_is_help=True, help="Events that a consumer could not handle.")
    _add_looking(group, consuming)
    _add_deciding(group, consuming)
    return group


def _add_looking(group: typer.Typer, consuming: Engines) -> None:
    @group.command("list")
    def listing(  # noqa: PLR0917 - Typer's options
        consumer: Consumer = None,
        kind: Kind = None,
        entity: Entity = None,
        fingerprint: Fingerprint = None,
        since: Since = None,
        every: Annotated[bool, typer.Option("--all", help="Settled ones as well.")] = False,
        single: Annotated[bool, typer.Option("--single", help="Every event, not groups.")] = False,
        as_json: AsJson = False,
    ) -> None:
        """List what is held by what went wrong, the most frequent first; or event by event."""
        wanted = Filters(consumer, kind, entity, fingerprint, since, None if every else "held")
        with refusals():
            one_of(consuming(), consumer, "consumer")
        (_list_events if single else _list_groups)(consuming(), wanted, as_json)

    @group.command("show")
    def shown(quarantine_id: UUID, as_json: AsJson = False) -> None:
        """Show one event whole: headers, body, traceback, what a replay came to, what waits behind it."""
        with refusals():
            _, row = find(consuming(), quarantine_id)
        told = {name: value for name, value in row.items() if value is not None and not _again(row, name)}
        rows = [[name.replace("_", " ").capitalize(), _cell(value)] for name, value in told.items()]
        show(row, ["", ""], rows, as_json)


def _again(row: dict[str, Any], name: str) -> bool:
    """Say whether this is the first failure of an event whose last failure was the same."""
    return name.startswith("first_") and row[name] == row.get(name.removeprefix("first_"))


def _list_events(engines: Mapping[str, Engine], wanted: Filters, as_json: bool) -> None:
    found = [row for engine in engines.values() for row in quarantine.held(engine, wanted)]
    rows = [
        [f"{r.id}\n{r.type or '?'}\n{r.entity or ''}", f"{r.consumer}\n{r.state}\ntries: {r.attempts}", r.error]
        for r in found
    ]
    show([asdict(row) for row in found], ["Event", "Consumer", "Error"], rows, as_json)


def _list_groups(engines: Mapping[str, Engine], wanted: Filters, as_json: bool) -> None:
    found: list[quarantine.Group] = []
    for engine in engines.values():
        with reading(engine) as connection:
            found += quarantine.groups(connection, wanted)
    found.sort(key=lambda group: (-group.count, group.fingerprint))
    rows = [
        [
            str(group.count),
            "\n".join(group.consumers),
            f"{group.error.splitlines()[0][:100]}\n{', '.join(group.types)}\n{in_utc(group.last_seen)}\n{group.newest}",
        ]
        for group in found
    ]
    columns = ["Events", "Consumer", "What went wrong"]
    show([asdict(group) for group in found], columns, rows, as_json)


def _add_deciding(group: typer.Typer, consuming: Engines) -> None:
    @group.command("replay")
    def replay(  # noqa: PLR0917 - Typer's options
        one: Annotated[UUID | None, typer.Argument(metavar="[ID]", help="One event, by its row.")] = None,
        quarantine_id: One = None,
        consumer: Consumer = None,
        kind: Kind = None,
        entity: Entity = None,
        fingerprint: Fingerprint = None,
        since: Since = None,
        dry_run: DryRun = False,
        as_json: AsJson = False,
    ) -> None:
        """Hand events back to their consumer, under their own ids."""

        def act(service: str, engine: Engine, choice: dict[str, Any]) -> list[UUID]:
            return quarantine.replay(engine, service, operator(), dry_run=dry_run, **choice)

        wanted = Filters(consumer, kind, entity, fingerprint, since)
        with refusals():
            done = _each(consuming(), one or quarantine_id, wanted, act)
        heading = "Would be replayed" if dry_run else "Replayed"
        show({"replayed": done, "dry_run": dry_run}, [heading], [[row_id] for row_id in done], as_json)

    @group.command("discard")
    def discard(  # noqa: PLR0917 - Typer's options
        quarantine_id: Annotated[UUID | None, typer.Argument(help="One event, by its row.")] = None,
        reason: Annotated[str, typer.Option(prompt=True, help="Why they may be left out.")] = "",
        consumer: Consumer = None,
        kind: Kind = None,
        entity: Entity = None,
        fingerprint: Fingerprint = None,
        since: Since = None,
        dry_run: DryRun = False,
        as_json: AsJson = False,
    ) -> None:
        """Give events up for good; what waited behind them goes on."""

        def act(service: str, engine: Engine, choice: dict[str, Any]) -> list[UUID]:
            quarantine_id = choice.get("quarantine_id")
            wanted = choice.get("wanted")
            return quarantine.discard(
                engine, service, operator(), quarantine_id, reason, wanted=wanted, dry_run=dry_run
            )

        wanted = Filters(consumer, kind, entity, fingerprint, since)
        with refusals():
            done = _each(consuming(), quarantine_id, wanted, act)
        heading = "Would be discarded" if dry_run else "Discarded"
        show({"discarded": done, "dry_run": dry_run}, [heading], [[row_id] for row_id in done], as_json)


def _each(
    engines: Mapping[str, Engine],
    quarantine_id: UUID | None,
    wanted: Filters,
    act: Callable[[str, Engine, dict[str, Any]], list[UUID]],
) -> list[str]:
    """Act on one event, or at every consumer on those that fit; everything at once is nobody's wish."""
    if quarantine_id is not None:
        service, _ = find(engines, quarantine_id)
        return [str(row_id) for row_id in act(service, engines[service], {"quarantine_id": quarantine_id})]
    if not wanted.given():
        raise InvalidError({"id": "give an id, a fingerprint or filters"}, "Say which events are meant")
    one_of(engines, wanted.consumer, "consumer")
    chosen = {name: engine for name, engine in engines.items() if wanted.consumer in {None, name}}
    return [
        str(row_id)
        for service, engine in chosen.items()
        for row_id in act(service, engine, {"wanted": replace(wanted, consumer=service)})
    ]


def _cell(value: Any) -> str:
    if isinstance(value, datetime):
        return in_utc(value)
    return "" if value is None else str(value)
