"""`tamga status`: how each part is, from a terminal beside the running Tamga."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from services.launcher.health import states


def status(*, as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False) -> None:
    """Say how each part is; the exit code is 0 only when all of them are well."""
    found = look(Path(os.environ.get("TAMGA_HOME", ".tamga")))
    well = found["running"] and all(state == "ok" for state in found["parts"].values())
    if as_json:
        typer.echo(json.dumps(found | {"ok": well}, indent=2))
    elif not found["running"]:
        typer.echo("Tamga is not running here: start it with `make run`.")
    else:
        table = Table(title=found["url"], title_justify="left", show_edge=False)
        table.add_column("part")
        table.add_column("health")
        for part, state in found["parts"].items():
            table.add_row(part, f"[green]{state}[/]" if state == "ok" else f"[red]{state}[/]")
        Console().print(table)
    raise typer.Exit(0 if well else 1)


def look(home: Path) -> dict[str, Any]:
    """Return whether Tamga runs in `home`, where, and how its parts are."""
    runtime = home / "runtime.json"
    if not runtime.exists():
        return {"running": False, "url": None, "parts": {}}
    url = json.loads(runtime.read_text())["base_url"]
    return {"running": True, "url": url, "parts": states(home, url)}
