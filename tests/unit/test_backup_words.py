"""What the commands of backups print: names that can be copied, times as people write them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from services.backup import cli
from services.backup.drilling import Drilled
from services.backup.restoring import Restored
from shared.messaging import printing
from shared.safekeeping import keeping
from shared.settings import Settings

AT = datetime(2026, 11, 22, 11, 46, 45, 316438, tzinfo=UTC)
DRILLED = Drilled("x.backup", AT.isoformat(), 1, 1, 0, 2.0, 5, 1, 5, "ab" * 32, 0, [])
WHAT: dict[str, Any] = {"findings": [], "signed_before": 5, "refuses": False, "keys_left": [], "seconds": 1.0}
RESTORED = Restored("x.backup", "0.1.0", AT.isoformat(), 5, 1, 5, 0, 0, 0, 0, 0, **WHAT)


@pytest.mark.parametrize("width", [20, 50, 80, 200])
def test_a_backup_s_name_is_one_line(
    width: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """However narrow the terminal is: the name is there to be copied into `make restore FILE=…`."""
    name = keeping.name_of("0.1.0", AT)
    (tmp_path / name).touch()
    monkeypatch.setattr(printing, "console", Console(width=width))
    monkeypatch.setattr(cli, "settings", lambda: Settings(backups=tmp_path))
    cli.listing()
    assert name in capsys.readouterr().out


def test_times_of_a_drill_and_a_restore_are_for_people(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The moment is in UTC to the second and says so; a restore ends with what to do next."""
    monkeypatch.setattr(cli, "console", Console(width=200))
    cli._say_drilled(DRILLED)
    drilled = capsys.readouterr().out
    cli._say_restored(RESTORED)
    restored = capsys.readouterr().out
    assert "2026-11-22 11:46:45 UTC" in drilled
    assert "2026-11-22 11:46:45 UTC" in restored
    assert "316438" not in drilled + restored
    assert "`tamga backup create`" in restored
