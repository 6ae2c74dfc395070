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
from shared.messaging import asked, quarantine
from shared.messaging.asked import Entity, Kind, Since, as_id
from shared.messaging.printing import AsJson, operator, refusals, show
from shared.messaging.quarantine import Filters

Engines = Callable[[], Mapping[str, Engine]]
Consumer = Annotated[str | None, typer.Option(help="The service that could not handle it.")]
Fingerprint = Annotated[str | None, typer.Option(help="All that failed in the same way.")]
One = Annotated[UUID | None, typer.Option("--id", parser=as_id, metavar="ID", help="One event, by its row.")]
Row = Annotated[UUID | None, typer.Argument(parser=as_id, metavar="[ID]", help="One event, by its row.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say which, and change nothing.")]


def find(engines: Mapping[str, Engine], quarantine_id: UUID) -> tuple[str, dict[str, Any]]:
    """Return (service, row) of a quarantined event, wherever it is held; raises NotFoundError."""
    for service, engine in engines.items():
        try:
            return service, quarantine.show(engine, quarantine_id)
        except NotFoundError:
            continue
    raise NotFoundError("There is no such event in quarantine")


def build(consuming: Engines, everywhere: Engines) -> typer.Typer:
    """Return the command group; `consuming` gives the databases that have a quarantine, `everywhere` all there are."""
    group = typer.Typer(no_args_is_help=True, help="Events that a consumer could not handle.")
    _add_looking(group, consuming, everywhere)
    _add_replay(group, consuming, everywhere)
    _add_discard(group, consuming, everywhere)
    return group


def _known(everywhere: Engines, wanted: Filters) -> None:
    """Raise NotFoundError when nothing fits because somebody asks for what never was."""
    asked.known(everywhere(), entity=wanted.entity, type=wanted.type, fingerprint=wanted.fingerprint)


def _add_looking(group: typer.Typer, consuming: Engines, everywhere: Engines) -> None:
    @group.command("list")
    def listing(  # noqa: PLR0917 - Typer's options
        consumer: Consumer = None,
        kind: Kind = None,
        entity: Entity = None,
        fingerprint: Fingerprint = None,
        since: Since = None,
        every: Annotated[bool, typer.Option("--all", help="Settled ones as well.")] = False,
        single: Annotated[bool, typer.Option("--single", help="Every event, not groups.")] = False,
        limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 100,
        as_json: AsJson = False,
    ) -> None:
        """List what is held by what went wrong, the most frequent first; or event by event."""
        wanted = Filters(consumer, kind, entity, fingerprint, since, None if every else "held")
        with refusals():
            asked.one_of(consuming(), consumer, "consumer")
            found, columns, rows = (_events if single else _groups)(consuming(), wanted, limit)
            if not found:
                _known(everywhere, wanted)
        show(found, columns, rows, as_json)
        if len(found) == limit:
            typer.echo("There may be more: see --limit.", err=True)

    @group.command("show")
    def shown(quarantine_id: asked.Id, as_json: AsJson = False) -> None:
        """Show one event whole: headers, body, traceback, what a replay came to, what waits behind it."""
        with refusals():
            _, row = find(consuming(), quarantine_id)
        told = {name: value for name, value in row.items() if value is not None and not _again(row, name)}
        rows = [[name.replace("_", " ").capitalize(), _cell(value)] for name, value in told.items()]
        show(row, ["", ""], rows, as_json)


def _again(row: dict[str, Any], name: str) -> bool:
    """Say whether this is the first failure of an event whose last failure was the same."""
    return name.startswith("first_") and row[name] == row.get(name.removeprefix("first_"))


_Listed = tuple[list[dict[str, Any]], list[str], list[list[str]]]  # for machines; headings and cells for people


def _events(engines: Mapping[str, Engine], wanted: Filters, limit: int) -> _Listed:
    found = [row for engine in engines.values() for row in quarantine.held(engine, wanted, limit=limit)]
    found = sorted(found, key=lambda row: row.last_seen, reverse=True)[:limit]
    rows = [
        [f"{r.id}\n{r.type or '?'}\n{r.entity or ''}", f"{r.consumer}\n{r.state}\ntries: {r.attempts}", r.error]
        for r in found
    ]
    return [asdict(row) for row in found], ["Event", "Consumer", "Error"], rows


def _groups(engines: Mapping[str, Engine], wanted: Filters, limit: int) -> _Listed:
    found: list[quarantine.Group] = []
    for engine in engines.values():
        with reading(engine) as connection:
            found += quarantine.groups(connection, wanted, limit=limit)
    found = sorted(found, key=lambda group: (-group.count, group.fingerprint))[:limit]
    rows = [
        [
            str(group.count),
            "\n".join(group.consumers),
            f"{group.error.splitlines()[0][:100]}\n{', '.join(group.types)}\n{in_utc(group.last_seen)}\n{group.newest}",
        ]
        for group in found
    ]
    return [asdict(group) for group in found], ["Events", "Consumer", "What went wrong"], rows


def _add_replay(group: typer.Typer, consuming: Engines, everywhere: Engines) -> None:
    @group.command("replay")
    def replay(  # noqa: PLR0917 - Typer's options
        one: Row = None,
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
            if one and quarantine_id:
                raise InvalidError({"--id": "is the same as the id that stands alone: give one of them"})
            done = _each(consuming(), one or quarantine_id, wanted, act)
            if not done:
                _known(everywhere, wanted)
        heading = "Would be replayed" if dry_run else "Replayed"
        show({"replayed": done, "dry_run": dry_run}, [heading], [[row_id] for row_id in done], as_json)


def _add_discard(group: typer.Typer, consuming: Engines, everywhere: Engines) -> None:
    @group.command("discard")
    def discard(  # noqa: PLR0917 - Typer's options
        quarantine_id: Row = None,
        reason: Annotated[str | None, typer.Option(help="Why they may be left out; asked for if not given.")] = None,
        consumer: Consumer = None,
        kind: Kind = None,
        entity: Entity = None,
        fingerprint: Fingerprint = None,
        since: Since = None,
        dry_run: DryRun = False,
        as_json: AsJson = False,
    ) -> None:
        """Give events up for good; what waited behind them goes on."""

        def discarded(why: str, *, dry: bool) -> list[str]:
            def act(service: str, engine: Engine, choice: dict[str, Any]) -> list[UUID]:
                row_id, fit = choice.get("quarantine_id"), choice.get("wanted")
                return quarantine.discard(engine, service, operator(), row_id, why, wanted=fit, dry_run=dry)

            return _each(consuming(), quarantine_id, wanted, act)

        wanted = Filters(consumer, kind, entity, fingerprint, since)
        with refusals():
            if reason is not None and not reason.strip():
                raise InvalidError({"--reason": "say why this may be left out"})
            done = discarded(reason or "", dry=True)
            if not done:
                _known(everywhere, wanted)
            elif not dry_run:
                # Nobody thinks of a reason for what turns out not to be there.
                done = discarded(reason or _reason(len(done)), dry=False)
        heading = "Would be discarded" if dry_run else "Discarded"
        show({"discarded": done, "dry_run": dry_run}, [heading], [[row_id] for row_id in done], as_json)


def _reason(count: int) -> str:
    """Ask why until something is said; on the error stream, for the answer may be meant for a machine."""
    told = ""
    while not told.strip():
        told = typer.prompt(f"Reason to leave {count} out" if count > 1 else "Reason", err=True)
    return told


def _each(
    engines: Mapping[str, Engine],
    quarantine_id: UUID | None,
    wanted: Filters,
    act: Callable[[str, Engine, dict[str, Any]], list[UUID]],
) -> list[str]:
    """Act on one event, or at every consumer on those that fit; everything at once is nobody's wish."""
    if quarantine_id is not None:
        if given := wanted.given():
            raise InvalidError({f"--{name}": "not together with an id" for name in given})
        service, _ = find(engines, quarantine_id)
        return [str(row_id) for row_id in act(service, engines[service], {"quarantine_id": quarantine_id})]
    if not wanted.given():
        raise InvalidError({"id": "give an id, a fingerprint or filters"}, "Say which events are meant")
    asked.one_of(engines, wanted.consumer, "consumer")
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
