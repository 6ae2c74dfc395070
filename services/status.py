"""`tamga status`: how everything is, from a terminal beside the running Tamga."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console, Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from services.backbone import queues
from services.launcher.health import states
from services.measures import OWN
from shared import i18n, operations
from shared.clock import utc_now
from shared.database import engine_for, reading
from shared.messaging.printing import NO_ANSWER
from shared.operations import Line, Look, Sources, told
from shared.operations.figures import figures
from shared.operations.processes import take_note
from shared.operations.telling import STATES, plainly
from shared.settings import Settings, load, runtime_file, settings

_COLOURS = {"good": "green", "look": "yellow", "bad": "red"}
_LANGUAGE = ("LC_ALL", "LC_MESSAGES", "LANG")


def status(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
    seen: Annotated[bool, typer.Option("--seen", help="Take note of the processes that ended.")] = False,
) -> None:
    """Say how each part is, and how the backbone is; the exit code is 0 when nothing of it is bad."""
    home = Path(os.environ.get("TAMGA_HOME", ".tamga"))
    if not runtime_file(home).exists() and not load().database_urls:
        found: dict[str, Any] = {"running": False, "url": None, "parts": {}, "lines": [], "ok": False}
        typer.echo(json.dumps(found, indent=2) if as_json else "Tamga is not running here: start it with `make run`.")
        raise typer.Exit(1)
    if seen:
        _take_note(home)
    known = settings()
    parts, look = states(home, known.own_url), look_from_here(known)
    well = look.worst != "bad" and all(state == "ok" for state in parts.values())
    if as_json:
        found = {"running": True, "url": known.base_url, "parts": parts} | look.as_json() | {"ok": well}
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        Console().print(_parts(known.base_url, parts), "", _lines(look))
    raise typer.Exit(0 if well else 1)


def _take_note(home: Path) -> None:
    try:
        take_note(home, utc_now())
    except OSError as error:
        typer.echo(f"Can't write to {home} ({error.strerror}): do it as who runs Tamga.", err=True)
        raise typer.Exit(NO_ANSWER) from error


def look_from_here(known: Settings) -> Look:
    """Return how everything is; on this machine every database can be asked directly."""
    return operations.look(Sources(known, queues(), partial(_figures, known)))


def _figures(known: Settings, service: str) -> dict[str, Any]:
    engine = engine_for(known.database_url(service), pool_size=1, application_name="tamga status")
    try:
        with reading(engine) as connection:
            own = OWN[service](connection) if service in OWN else {}
            return figures(connection, service) | own
    finally:
        engine.dispose()


def _parts(url: str, parts: dict[str, str]) -> Table:
    table = Table(title=url, title_justify="left", show_edge=False)
    table.add_column("part")
    table.add_column("health")
    for part, state in parts.items():
        table.add_row(part, f"[green]{state}[/]" if state == "ok" else f"[red]{escape(state)}[/]")
    return table


def _lines(look: Look) -> Table:
    locale = _locale()
    table = Table(show_edge=False, pad_edge=False)
    for heading in ("What", "State", "How it is (times in UTC)"):
        table.add_column(i18n.translate("portal", heading, locale=locale), overflow="fold")
    for line in look.lines:
        state = Text(i18n.translate("portal", STATES[line.state], locale=locale), _COLOURS[line.state])
        table.add_row(i18n.translate("portal", line.name, locale=locale), state, _said(line, locale))
    return table


def _said(line: Line, locale: str) -> Group:
    """Return a line's sentences, and the commands that help where there is something to do."""
    worded = partial(plainly, locale=locale)
    says = [Text(told(sentence, worded, locale=locale).unescape()) for sentence in line.says]
    commands = [] if line.state == "good" else [Text(f"→ {command}", "bold") for command in line.commands]
    return Group(*says, *commands)


def _locale() -> str:
    chosen = next((value for name in _LANGUAGE if (value := os.environ.get(name))), "")
    return i18n.choose_locale([chosen.split("_")[0].split(".")[0]])
