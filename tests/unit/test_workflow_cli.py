"""`tamga workflow`: exit codes and output of its commands."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from shared.workflow_cli import commands

ROOT = Path(__file__).parents[2]
GOOD = ROOT / "programmes" / "business-ecosystem" / "workflows" / "bso-grant.yaml"
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


CASE = {
    "facts": {"score": 72.5, "threshold": 60},
    "reviews": 2,
    "actor": "goran",
    "done_by": {"recommend": "irena"},
    "amount": {"amount": "45000.00", "currency": "EUR"},
    "approvals_missing": 0,
    "step_up": True,
}


def asked(tmp_path: Path, *words: str, **changes: object) -> Result:
    """Ask `check` about the shipped workflow with CASE and changes to it."""
    file = tmp_path / "facts.json"
    file.write_text(json.dumps(CASE | changes))
    return run(commands, ["check", str(GOOD), "--facts", str(file), *words])


def test_check_says_what_is_allowed_and_what_blocks_the_rest(tmp_path: Path) -> None:
    """A programme manager may approve 45,000; an officer is told by how much it is too much and who decides."""
    manager = asked(tmp_path, "--as", "programme_manager", "--at", "recommended", "--json")
    assert (manager.exit_code, json.loads(manager.stdout)["allowed"]) == (0, ["approve"])
    officer = asked(tmp_path, "--as", "officer", "--at", "recommended", "--json")
    told = {move["id"]: move for move in json.loads(officer.stdout)["moves"]}
    assert officer.exit_code == 1
    assert told["approve"]["blocked_by"][0]["code"] == "authority-exceeded"
    assert told["approve"]["blocked_by"][0]["figures"] == {
        "amount": {"amount": "45000.00", "currency": "EUR"},
        "limit": {"amount": "10000.00", "currency": "EUR"},
        "next_role": "programme_manager",
        "next_limit": {"amount": "60000.00", "currency": "EUR"},
    }
    assert told["withdraw"]["blocked_by"][0]["code"] == "role"
    assert (told["lapse"]["at_this_stage"], told["lapse"]["blocked_by"][0]["code"]) == (False, "stage")


def test_check_judges_the_act_with_its_reason_and_both_roles(tmp_path: Path) -> None:
    """Without a reason a move that asks for one is blocked; who holds two roles has the moves of both."""
    words = ["--as", "officer", "--as", "programme_manager", "--at", "panel", "--json"]
    without = json.loads(asked(tmp_path, *words).stdout)
    assert without["allowed"] == []
    with_both = json.loads(asked(tmp_path, *words, reason="r", comment="c").stdout)
    assert with_both["allowed"] == ["more-review", "recommend", "reject-at-panel"]


def test_check_gives_the_figures_of_a_guard(tmp_path: Path) -> None:
    """A guard that does not hold is said in the document's words, with its expression and the facts it read."""
    words = ["--as", "officer", "--at", "panel", "--json"]
    told = json.loads(asked(tmp_path, *words, comment="c", facts={"score": 59.90, "threshold": 60}).stdout)
    blocked = next(move for move in told["moves"] if move["id"] == "recommend")["blocked_by"]
    figures = {"guard": "score >= threshold", "values": {"score": "59.9", "threshold": 60}}
    assert blocked == [{"code": "guard-false", "message": "The score is below the threshold", "figures": figures}]


def test_check_as_a_table_and_by_the_facts_own_authority(tmp_path: Path) -> None:
    """Without --json there is a table; delegated authority among the facts stands in for the programme's."""
    line = {"role": "officer", "act": "approve", "up_to": {"amount": "45000.00", "currency": "EUR"}}
    words = asked(tmp_path, "--as", "officer", "--at", "recommended", delegated_authority=[line])
    assert words.exit_code == 0
    row = next(line for line in words.stdout.splitlines() if " approve " in line)
    assert row.split() == ["approve", "approved", "yes"]


@pytest.mark.parametrize(
    ("words", "facts", "said"),
    [
        (["--as", "king", "--at", "panel"], "{}", "--as: king is none of applicant, "),
        (["--as", "officer", "--at", "nowhere"], "{}", "--at: nowhere is none of draft, "),
        ([], "[", "facts.json: is not JSON"),
        ([], '{"reviews": NaN}', "facts.json: is not JSON: NaN is no number"),
        ([], '{"reviews": 1, "reviews": 2}', "“reviews” stands twice"),
        ([], "[]", "facts.json: is not a JSON object"),
        ([], '{"documets": []}', "facts.json: documets: is no field; there are facts, documents"),
        ([], '{"reviews": "two"}', "facts.json: reviews: "),
        ([], '{"facts": {"scor": 1}}', "facts.json: facts.scor: is none of the workflow's facts: requested, "),
        ([], '{"facts": {"score": [1]}}', "facts.json: facts.score: a fact is a number"),
        ([], '{"done_by": {"recommended": "a"}}', "facts.json: done_by.recommended: is none of the workflow's moves"),
        (
            [],
            '{"amount": {"amount": "1.234", "currency": "EUR"}}',
            "facts.json: amount.amount: can be read in two ways",
        ),
        ([], '{"delegated_authority": [{"role": "officer"}]}', "facts.json: delegated_authority[0].act: "),
        (["--programme", "none.yaml"], "{}", "none.yaml: can't be read"),
    ],
)
def test_wrong_use_of_check_is_one_sentence_with_its_field(
    tmp_path: Path, words: list[str], facts: str, said: str
) -> None:
    """What can't be answered ends with 2, nothing on standard output, and the field by its name."""
    file = tmp_path / "facts.json"
    file.write_text(facts)
    options = words if "--as" in words else ["--as", "officer", "--at", "panel", *words]
    refused = run(commands, ["check", str(GOOD), "--facts", str(file), *options])
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert said in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_a_workflow_with_errors_answers_nothing(tmp_path: Path) -> None:
    """Neither check nor migrate work with what the linter calls an error; the place is named."""
    file = tmp_path / "w.yaml"
    file.write_text(BAD)
    for words in (["check", str(file), "--as", "officer", "--at", "a"], ["migrate", str(file), str(GOOD)]):
        refused = run(commands, words)
        assert (refused.exit_code, refused.stdout) == (2, "")
        assert "stages.a: is not terminal" in refused.stderr


def test_migrate_plans_a_new_version(tmp_path: Path) -> None:
    """A renamed stage blocks with 1 until the new file maps it; a version that is not newer ends with 2."""
    text = GOOD.read_text()
    renamed = text.replace("version: 1", "version: 2").replace("recommended", "shortlisted")
    new = tmp_path / "new.yaml"
    new.write_text(renamed)
    blocked = run(commands, ["migrate", str(GOOD), str(new), "--json"])
    steps = {step["stage"]: step for step in json.loads(blocked.stdout)["steps"]}
    assert (blocked.exit_code, steps["recommended"]["code"]) == (1, "no-counterpart")
    new.write_text(renamed + "migrates: {recommended: shortlisted}\n")
    planned = run(commands, ["migrate", str(GOOD), str(new), "--json"])
    assert (planned.exit_code, json.loads(planned.stdout)["possible"]) == (0, True)
    assert "renamed" in run(commands, ["migrate", str(GOOD), str(new)]).stdout
    refused = run(commands, ["migrate", str(new), str(GOOD)])
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "is not newer" in refused.stderr


def test_the_page_about_workflows_runs(tmp_path: Path) -> None:
    """The workflow on the page is clean, its facts are read as the page says, and every code stands there."""
    page = (ROOT / "docs" / "workflows.md").read_text()
    file, facts = tmp_path / "w.yaml", tmp_path / "facts.json"
    file.write_text(page.split("```yaml\n")[1].split("```")[0])
    facts.write_text(page.split("```json\n")[1].split("```")[0])
    assert run(commands, ["lint", str(file)]).exit_code == 0
    words = ["check", str(file), "--at", "checking", "--facts", str(facts), "--json", "--as"]
    manager, officer = (json.loads(run(commands, [*words, role]).stdout) for role in ("programme_manager", "officer"))
    assert manager["allowed"] == ["grant"]
    assert officer["allowed"] == ["ask", "close"]
    why = next(move for move in officer["moves"] if move["id"] == "grant")["blocked_by"]
    assert [(item["code"], item["figures"]["next_role"]) for item in why] == [
        ("authority-exceeded", "programme_manager")
    ]
    code = "\n".join(path.read_text() for path in (ROOT / "shared" / "workflow").glob("*.py"))
    said = re.findall(r'(?:code=|code, \w+ = |_error\(\s*|Finding\("warning", |"blocked", )"([a-z-]+)"', code)
    assert len(said) > 30
    assert not [name for name in said if f"`{name}`" not in page]
