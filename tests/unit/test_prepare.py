"""The preparation talks to the launcher over pipes, a line a time."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import structlog

from services import prepare
from shared.settings import Settings


def test_only_answers_go_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a step logs or prints goes to the log: a line between the answers kept the house from starting."""

    def talkative(_: Settings) -> dict[str, Any]:
        structlog.get_logger().warning("a pack was not loaded")
        sys.stdout.write("by the way\n")
        return {"people": []}

    monkeypatch.setattr(prepare, "prepare_people", talkative)
    first = json.dumps({"settings": {"home": str(tmp_path)}, "database_admin_url": ""})
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{first}\npeople\n"))
    assert prepare.serve() == 0
    said = capsys.readouterr()
    assert json.loads(said.out) == {"done": "people", "people": []}
    assert "a pack was not loaded" in said.err
    assert "by the way" in said.err
