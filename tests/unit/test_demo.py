"""What `tamga demo` says: the table of the acts on any terminal, and one sentence when Tamga goes away."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from services.demo import cli, report
from services.demo.story import text
from shared.events.base import event_types
from shared.settings import Settings

TYPES = sorted({kind for kind, _ in event_types()}, key=len)[-3:]
ROW = {
    "number": 105,
    "chapter": "A grant",
    "who": "Vera Stojanova",
    "what": "accepts what was declined: refused",
    "events": TYPES,
    "handled_ms": 1234.5,
    "leaves": [1000, 1002],
}


@pytest.mark.parametrize("width", [80, report.WIDE, 200])
def test_the_table_breaks_no_name(width: int) -> None:
    """Whatever the terminal's width, the longest types, who and what, and the figures stand there whole."""
    shown = StringIO()
    report.show(Console(file=shown, width=width), [ROW, ROW | {"number": 106, "events": [], "leaves": []}])
    lines = shown.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    for name in (*TYPES, "Vera Stojanova", "accepts what was declined: refused", "1234.5", "1000–1002"):
        assert any(name in line for line in lines), name


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Give the command beside a Tamga that seems to run."""
    (tmp_path / "runtime.json").write_text("{}")
    monkeypatch.setattr(cli, "load", lambda: Settings(home=tmp_path))
    app = typer.Typer()
    app.command()(cli.demo)
    return lambda *words: CliRunner(env={"COLUMNS": "80"}).invoke(app, list(words))


def test_a_server_that_dies_midway_is_one_sentence(demo: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 1, what happened and what to do, in words and in the form for machines."""

    def away(*_: object, **__: object) -> None:
        raise httpx.ConnectError("[Errno 111] Connection refused")

    monkeypatch.setattr(cli, "_play", away)
    for words in ([], ["--json"]):
        told = demo(*words)
        assert (told.exit_code, len(told.output.splitlines())) == (1, 1)
        assert told.output.startswith("Tamga does not answer any more (nobody answers there")


def test_nobody_takes_less_than_no_time(demo: Callable[..., Any]) -> None:
    """A pause that can't be is refused by the name of its option."""
    told = demo("--pause", "-1")
    assert (told.exit_code, "--pause" in told.output) == (2, True)


def test_a_grants_days_are_its_programmes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half an hour before midnight in a house of UTC, it is tomorrow already where the story's grants are."""
    monkeypatch.setattr(text, "utc_now", lambda: datetime(2026, 11, 22, 23, 30, tzinfo=UTC))
    monkeypatch.setattr(text, "settings", lambda: Settings(time_zone="UTC"))
    assert (text.day(), text.day(1, text.BAI_ALAI), text.house_day()) == ("2026-11-23", "2026-11-24", "2026-11-22")
