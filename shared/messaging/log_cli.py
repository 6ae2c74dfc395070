"""The operator's commands for the log of events: how long it is kept, and building local copies anew from it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text
from sqlalchemy import Engine, text

from shared.commands import here
from shared.database import reading
from shared.errors import InvalidError, NotFoundError
from shared.messaging.asked import one_of
from shared.messaging.printing import BAD_NEWS, AsJson, console, operator, print_json, refusals, show
from shared.messaging.projections import Archive, Projection, Rebuild, Rebuilt
from shared.messaging.projections import Progress as Say
from shared.messaging.retention import InLog, Month, retain


@dataclass(frozen=True)
class Log:
    """What the commands work on; each part is made only when a command asks for it."""

    engines: Callable[[], Mapping[str, Engine]]
    consumers: Callable[[], Mapping[str, tuple[str, ...]]]
    owner: Callable[[str], Engine]
    in_log: InLog
    kept_months: Callable[[], int]
    projections: Callable[[], Mapping[str, Mapping[str, Projection]]]
    archive: Archive

    def named(self, name: str, service: str | None) -> list[tuple[str, Projection]]:
        """Return (service, projection) of every projection of that name; raises NotFoundError."""
        one_of(self.projections(), service, "service")
        found = [
            (owner, declared[name])
            for owner, declared in self.projections().items()
            if name in declared and service in {None, owner}
        ]
        if not found:
            listing = here("tamga projections list")
            raise NotFoundError("There is no projection %(name)s: see %(listing)s", name=name, listing=listing)
        return found


def retention(log: Log) -> Callable[..., None]:
    """Return the command that shows the months of every outbox and drops those that are over."""

    def command(
        months: Annotated[int | None, typer.Option(min=0, help="Full months to keep (0: all).")] = None,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be dropped.")] = False,
        as_json: AsJson = False,
    ) -> None:
        """Show what each month of the outboxes holds, and drop the months that are over and that nobody needs."""
        keep = log.kept_months() if months is None else months
        with refusals():
            found = retain(
                log.engines(), log.consumers(), log.owner, log.in_log, operator(), keep=keep, dry_run=dry_run
            )
        show([month.as_json() for month in found], _MONTHS, [_month(month) for month in found], as_json)

    return command


_MONTHS = ["Service", "Month", "Events", "Unsent", "Size", "Months over", "What becomes of it"]


def _month(month: Month) -> list[str | Text]:
    size = f"{month.bytes / 1_048_576:.1f} MB"
    name = "no month" if month.first is None else f"{month.first:%Y-%m}"
    age = "" if month.first is None else str(month.age_months)
    return [month.service, name, str(month.rows), str(month.unpublished), size, age, _fate(month)]


def _fate(month: Month) -> Text:
    if month.dropped:
        return Text("dropped")
    if month.refused:
        return Text(f"stays: {'; '.join(month.refused)}", "red")
    return Text("would be dropped" if month.due else "stays")


def projections(log: Log) -> typer.Typer:
    """Return the command group `projections`."""
    group = typer.Typer(no_args_is_help=True, help="Local copies of others' facts.")

    @group.command("list")
    def listing(as_json: AsJson = False) -> None:
        """List every copy: its tables, how many rows they have, and the events that it comes from."""
        engines = log.engines()
        found: list[dict[str, Any]] = [
            {
                "service": service,
                "name": name,
                "rows": _rows(engines[service], projection),
                "tables": list(projection.tables),
                "events": sorted(projection.on),
            }
            for service, declared in log.projections().items()
            for name, projection in declared.items()
        ]
        rows = [[item["service"], item["name"], str(item["rows"]), ", ".join(item["tables"])] for item in found]
        show(found, ["Service", "Name", "Rows", "Tables"], rows, as_json)

    @group.command("rebuild")
    def rebuild(
        name: str,
        service: Annotated[str | None, typer.Option(help="In this service alone.")] = None,
        swap: Annotated[
            bool, typer.Option("--swap", help="Put the rebuilt rows in the place of the live ones.")
        ] = False,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would be built from.")] = False,
        as_json: AsJson = False,
    ) -> None:
        """Build a copy anew from its events beside live traffic, and show what differs; fails while it differs."""
        with refusals():
            if swap and dry_run:
                raise InvalidError({"swap": "not together with a dry run"})
            chosen = log.named(name, service)
            if dry_run:
                _planned(log, name, chosen, as_json=as_json)
                return
            found = [_rebuild(log, owner, name, projection, swap=swap) for owner, projection in chosen]
        if as_json:
            print_json([asdict(item) for item in found])
        else:
            for item in found:
                _tell(item)
        if not all(item.swapped or item.comparison.equal for item in found):
            raise typer.Exit(BAD_NEWS)

    return group


def _rows(engine: Engine, projection: Projection) -> int:
    counts = " + ".join(f'(SELECT count(*) FROM "{table}")' for table in projection.tables)  # noqa: S608 - ours
    with reading(engine) as connection:
        return int(connection.execute(text(f"SELECT {counts}")).scalar_one())


def _planned(log: Log, name: str, chosen: list[tuple[str, Projection]], *, as_json: bool) -> None:
    found: list[dict[str, Any]] = [
        {"service": service, "type": kind, "events": events}
        for service, projection in chosen
        for kind, events in Rebuild(service, name, projection, log.engines()).planned().items()
    ]
    rows = [[item["service"], item["type"], str(item["events"])] for item in found]
    show(found, ["Service", "Type", "Events"], rows, as_json)


def _rebuild(log: Log, service: str, name: str, projection: Projection, *, swap: bool) -> Rebuilt:
    with _bar(f"{service} {name}") as say:
        run = Rebuild(service, name, projection, log.engines(), archive=log.archive, progress=say)
        return run.run(operator(), swap=swap)


@contextmanager
def _bar(title: str) -> Iterator[Say]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _tell(found: Rebuilt) -> None:
    compared = found.comparison
    console.print(
        f"{found.service} {found.projection}: {compared.rows} rows from {found.events} events;"
        f" live tables locked for {found.locked_ms:.0f} ms, {found.caught_up} events came meanwhile."
    )
    if found.from_log:
        console.print(f"{found.from_log} of the events have left the outbox and were read from the audit log.")
    if found.lost:
        console.print(f"[red]{found.lost} of the events are nowhere any more, so this is not the whole copy.")
    for item in compared.shown:
        key = ", ".join(f"{name} {value}" for name, value in item.key.items())
        console.print(f"  [bold]{item.table} {escape(key)}[/bold]  {_KINDS[item.kind]}")
        for name, (live, rebuilt) in item.fields.items():
            console.print(f"    {name}: {_values(item.kind, live, rebuilt)}", highlight=False, markup=False)
    counts = f"{compared.only_live} only live, {compared.only_rebuilt} missing, {compared.different} different"
    verdict = (
        "The live copy is equal."
        if compared.equal
        else f"The live copy {'differed' if found.swapped else 'differs'}: {counts}."
    )
    console.print(verdict + (" The rebuilt rows are live now." if found.swapped else ""))


def _values(kind: str, live: Any, rebuilt: Any) -> str:
    one, other = (json.dumps(value, default=str, ensure_ascii=False) for value in (live, rebuilt))
    return {"only_live": one, "only_rebuilt": other, "different": f"{one} → {other}"}[kind]


_KINDS = {"only_live": "only live", "only_rebuilt": "missing in live", "different": "different (live → rebuilt)"}
