"""`tamga demo`."""

from __future__ import annotations

import contextlib
import importlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy.exc import OperationalError

from services.demo import report
from services.demo.measure import Measurer, NotHandledError
from services.demo.people import DemoError, People
from services.demo.stage import Act, Stage
from services.demo.story import ACTS, tell
from shared.commands import here
from shared.database import engine_for
from shared.infrastructure.refusals import worded
from shared.messaging.printing import BAD_NEWS
from shared.settings import SERVICES, load, runtime_file

START_SECONDS = 300


def demo(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the acts as JSON.")] = False,
    pause: Annotated[
        float, typer.Option(min=0, max=60, help="Seconds that people take between acts; 0 is as fast as it goes.")
    ] = 0.2,
) -> None:
    """Drive the story of the programme over HTTP, as the people in it would, and check every act."""
    console = Console(stderr=as_json)
    try:
        with _running(console):
            raise typer.Exit(_play(console, as_json=as_json, pause=pause))
    except (DemoError, NotHandledError, httpx.TransportError, OperationalError) as error:
        console.print(_stopped(error), style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(BAD_NEWS) from error


def _stopped(error: Exception) -> str:
    """Return in one sentence why the story could not be told to its end."""
    if isinstance(error, (httpx.TransportError, OperationalError)):
        why = worded(error).rstrip(".")
        return f"Tamga does not answer any more ({why}): see what `{here('tamga status')}` says, then begin again."
    return str(error)


@contextlib.contextmanager
def _running(console: Console) -> Iterator[None]:
    """Use the Tamga that runs; start one for the time of the demonstration when none does."""
    settings = load()
    if runtime_file(settings.home).exists() or settings.database_urls:
        yield
        return
    console.print("Tamga is not running: starting it for the demonstration.")
    command = [sys.executable, "-m", "services", "run"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            _wait_ready(process)
            yield
        finally:
            process.terminate()


def _wait_ready(process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _ready():
        if process.poll() is not None:
            raise DemoError("Tamga did not start: run `make run` to see why")
        if time.monotonic() > deadline:
            raise DemoError(f"Tamga was not ready within {START_SECONDS} seconds")
        time.sleep(0.5)


def _ready() -> bool:
    status = subprocess.run([sys.executable, "-m", "services", "status", "--json"], capture_output=True, check=False)
    return status.returncode == 0


def _play(console: Console, *, as_json: bool, pause: float) -> int:
    settings = load()
    people = People(settings)
    room = max(min(console.width - 40, 64), 20)  # beside the bar and the figures
    columns = (TextColumn(f"{{task.description:<{room}}}"), BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn())
    try:
        with Progress(*columns, console=console, transient=True) as progress:
            bar = progress.add_task("The people sign in", total=ACTS)

            def advance(act: Act) -> None:
                progress.update(bar, advance=1, description=f"{act.who}: {act.what}"[:room])

            stage = Stage(people, advance, pause=pause)
            tell(stage)
    finally:
        people.close()
    measurer = Measurer({name: engine_for(settings.database_url(name)) for name in SERVICES}, _consumers())
    handled = measurer.wait(stage.acts)
    rows, numbers = report.by_act(stage.acts, handled), report.figures(handled)
    unseen = [row for row in rows if not row["events"] and row["status"] not in (200, 404)]
    checks = {name: _tool(*command) for name, (command, _) in _CHECKS.items()}
    good = all(check["code"] == 0 for check in checks.values()) and not unseen
    if as_json:
        print(json.dumps({"acts": rows, "figures": numbers, "checks": checks, "ok": good}, indent=2))
        return 0 if good else 1
    report.show(console, rows)
    _conclude(console, numbers, checks)
    for row in unseen:
        console.print(f"[red]Act {row['number']} ({row['what']}) left no event[/red]")
    return 0 if good else 1


# Name: the command, and what of its answer is told.
_CHECKS = {
    "audit verify": (("audit", "verify"), ("events", "signed_size", "root")),
    "reconcile": (("reconcile",), ("unaccounted", "contradictory", "open")),
}


def _tool(*command: str) -> dict[str, Any]:
    """Run one of the tools as an auditor or operator would, in a process of its own."""
    arguments = [sys.executable, "-m", "services", *command, "--json"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    try:
        answer = json.loads(done.stdout)
    except json.JSONDecodeError:
        answer = {"error": (done.stderr or done.stdout).strip()[-400:]}
    return {"code": done.returncode, "answer": answer}


def _conclude(console: Console, numbers: dict[str, float], checks: dict[str, dict[str, Any]]) -> None:
    console.print(
        f"\n{numbers['events']:.0f} events. From commit to handled:\n"
        f"  by each consumer: median {numbers['p50_ms']} ms, p95 {numbers['p95_ms']} ms\n"
        f"  by the last one:  median {numbers['last_consumer_p50_ms']} ms, p95 {numbers['last_consumer_p95_ms']} ms",
        highlight=False,
    )
    for name, check in checks.items():
        word = "[green]OK[/green]" if check["code"] == 0 else "[red]FAILED[/red]"
        told = ("error", *_CHECKS[name][1])
        facts = [f"{key} {check['answer'][key]}" for key in told if key in check["answer"]]
        console.print(f"{name}: {word}")
        for fact in facts:
            console.print(f"  {fact}", highlight=False, markup=False, soft_wrap=True)


def _consumers() -> dict[str, tuple[str, ...]]:
    return {name: importlib.import_module(f"services.{name}").CONSUMES for name in SERVICES}
