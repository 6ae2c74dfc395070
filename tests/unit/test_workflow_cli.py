"""`tamga workflow`: exit codes and output of the linter and of the diagrams."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from shared.workflow_cli import commands

GOOD = Path(__file__).parents[2] / "programmes" / "business-ecosystem" / "workflows" / "bso-grant.yaml"
BAD = "workflow: w\nversion: 1\ninitial: a\nstages: [{id: a, name: {en: A}, holder: officer}]\n"
run = CliRunner().invoke


def test_a_clean_file_ends_with_0() -> None:
    """A clean workflow is said to be clean, in words and as JSON."""
    words, data = run(commands, ["lint", str(GOOD)]), run(commands, ["lint", str(GOOD), "--json"])
    assert (words.exit_code, data.exit_code) == (0, 0)
    assert "no findings" in words.output
    assert json.loads(data.output)["findings"] == []


def test_findings_end_with_1(tmp_path: Path) -> None:
    """A dead end is reported with its place, in words and as JSON."""
    file = tmp_path / "w.yaml"
    file.write_text(BAD)
    words, data = run(commands, ["lint", str(file)]), run(commands, ["lint", str(file), "--json"])
    assert (words.exit_code, data.exit_code) == (1, 1)
    assert "dead-end" in words.output
    assert [item["where"] for item in json.loads(data.output)["findings"]] == ["stages.a"]


@pytest.mark.parametrize("content", [b"[", b"\xff\xfe", b"workflow: w", b"a: \x00"])
def test_what_is_no_workflow_ends_with_2(tmp_path: Path, content: bytes) -> None:
    """Broken YAML, other text, wrong shapes and control characters are said not to be a workflow."""
    file = tmp_path / "w.yaml"
    file.write_bytes(content)
    assert run(commands, ["lint", str(file)]).exit_code == 2
    assert json.loads(run(commands, ["lint", str(file), "--json"]).output)["readable"] is False


def test_a_missing_file_ends_with_2(tmp_path: Path) -> None:
    """A file that is not there is said in a sentence."""
    result = run(commands, ["lint", str(tmp_path / "none.yaml")])
    assert result.exit_code == 2
    assert "can't be read" in result.output


def test_diagrams_come_in_two_forms(tmp_path: Path) -> None:
    """Mermaid is the default, SVG by option; a workflow with errors is not drawn."""
    assert run(commands, ["diagram", str(GOOD)]).output.startswith("stateDiagram-v2")
    drawn = run(commands, ["diagram", str(GOOD), "--format", "svg", "--locale", "ru", "--stage", "panel"])
    assert drawn.output.startswith("<svg")
    assert "Комиссия" in drawn.output
    file = tmp_path / "w.yaml"
    file.write_text(BAD)
    assert run(commands, ["diagram", str(file)]).exit_code == 1


@pytest.mark.parametrize("words", [["--locale", "xx"], ["--stage", "nowhere"]])
def test_a_picture_without_what_was_asked_for_is_not_drawn(words: list[str]) -> None:
    """A language or a stage that the workflow has not is refused by the name of its option."""
    refused = run(commands, ["diagram", str(GOOD), "--format", "svg", *words])
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert words[0] in refused.stderr
