"""`tamga support-bundle`: what whoever helps needs to know, in one file, without anything that is nobody's business."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from importlib.metadata import distributions
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import Connection

from services.backbone import broker, queues
from services.launcher.health import states
from services.status import look_from_here
from shared.clock import utc_now
from shared.database import engine_for, reading
from shared.direct import ask
from shared.messaging import drift
from shared.messaging.printing import NO_ANSWER, AsJson, print_json
from shared.observability import release
from shared.operations import bundle
from shared.operations.bundle import Section
from shared.operations.processes import note_of
from shared.settings import SERVICES, Settings, settings

_PATIENCE = 5.0  # seconds


def support_bundle(
    file: Annotated[Path | None, typer.Argument(help="Where to write it; by default here, named by the time.")] = None,
    *,
    also: Annotated[list[Path] | None, typer.Option("--with", help="A further text file, such as a log.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write versions, settings, state, logs and figures into one zip file, without secrets and personal data.

    "-" as FILE writes the parcel itself to the standard output.
    """
    known = settings()
    sections = [*_sections(known), *(_further(path) for path in also or [])]
    streams = file == Path("-")
    if not as_json:
        typer.echo("The parcel will have, passwords, keys and e-mail addresses cut out:", err=streams)
        for section in sections:
            typer.echo(f"  {section.name:28} {section.what}", err=streams)
    if streams:
        sys.stdout.buffer.write(bundle.parcel_of(sections)[0])
        return
    target = file or Path(f"tamga-support-{utc_now():%Y%m%d-%H%M%S}.zip")
    try:
        with bundle.created(target) as opened:
            content, sizes = bundle.parcel_of(sections)
            opened.write(content)
    except OSError as error:
        typer.echo(f"{target} can't be written: {error.strerror}.", err=True)
        raise typer.Exit(NO_ANSWER) from error
    if as_json:
        print_json({"file": str(target), "bytes": len(content), "sections": sizes})
    else:
        typer.echo(f"Written: {target}, {len(content)} bytes. Look into it before you send it.")


def _sections(known: Settings) -> Iterator[Section]:
    yield Section("versions.json", "which release, on what", _versions)
    yield Section("settings.json", "how this machine is configured", partial(known.model_dump, mode="json"))
    yield Section("environment.json", "the variables of Tamga", _environment)
    yield Section("status.json", "what `tamga status --json` says", partial(_status, known))
    yield Section("topology.json", "where the broker differs from what is declared", partial(_topology, known))
    for service in SERVICES if known.database_urls else ():
        of = partial(_in_database, known, service)
        yield Section(f"tables/{service}.json", "revision, tables, rows", partial(of, bundle.tables))
        yield Section(f"slow/{service}.json", "statements that take long, if known", partial(of, bundle.slow))
    for process, url in known.metrics_urls.items():
        yield Section(f"metrics/{process}.txt", "its figures at this moment", partial(_figures, url))
    for log in _logs(known.home):
        yield Section(f"log/{log.name}", f"its last {bundle.LINES} lines", partial(bundle.last_lines, log))


def _further(path: Path) -> Section:
    return Section(f"further/{path.name}", "given by you", partial(bundle.last_lines, path))


def _versions() -> dict[str, Any]:
    parts = {found.metadata["Name"]: found.version for found in distributions()}
    system = {"python": platform.python_version(), "system": platform.platform(), "processors": os.cpu_count()}
    return {"tamga": release(), **system, "packages": dict(sorted(parts.items(), key=lambda part: part[0].lower()))}


def _environment() -> dict[str, str]:
    return {name: value for name, value in sorted(os.environ.items()) if name.startswith("TAMGA_")}


def _status(known: Settings) -> dict[str, Any]:
    return {"parts": states(known.home, known.base_url)} | look_from_here(known).as_json()


def _topology(known: Settings) -> list[dict[str, Any]]:
    return [asdict(difference) for difference in drift.diff(broker(known), queues())]


def _in_database(known: Settings, service: str, question: Any) -> Any:
    engine = engine_for(known.database_url(service), pool_size=1, application_name="tamga support")
    try:
        return _asked(engine, question)
    finally:
        engine.dispose()


def _asked(engine: Any, question: Any) -> Any:
    connection: Connection
    with reading(engine) as connection:
        return question(connection)


def _figures(url: str) -> str:
    return ask(url, _PATIENCE).decode()


def _logs(home: Path) -> list[Path]:
    noted = note_of(home)
    broker_log = [Path(noted.broker_log)] if noted and noted.broker_log else []
    return [*sorted((home / "log").glob("*.log")), *broker_log]
