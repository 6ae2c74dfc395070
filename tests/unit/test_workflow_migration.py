"""What a new version of a workflow would mean for live cases: stages that stay, are renamed, or block."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from shared.workflow import NoPlanError, Workflow, migration

OLD: dict[str, Any] = {
    "workflow": "small",
    "version": 1,
    "initial": "draft",
    "stages": [
        {"id": "draft", "name": {"en": "Draft"}, "holder": "officer"},
        {"id": "panel", "name": {"en": "Panel"}, "holder": "officer"},
        {"id": "done", "name": {"en": "Done"}, "terminal": True, "final": True},
        {"id": "shut", "name": {"en": "Shut"}, "terminal": True, "reopens": True},
    ],
    "transitions": [
        {"id": "send", "name": {"en": "Send"}, "from": ["draft"], "to": "panel", "roles": ["officer"]},
        {"id": "end", "name": {"en": "End"}, "from": ["panel"], "to": "done", "roles": ["officer"]},
        {"id": "shut", "name": {"en": "Shut"}, "from": ["panel"], "to": "shut", "roles": ["officer"]},
        {"id": "reopen", "name": {"en": "Reopen"}, "from": ["shut"], "to": "panel", "roles": ["officer"]},
    ],
}


def newer(renamed: dict[str, str], **changes: Any) -> Workflow:
    """Return version 2 with stages renamed, and members replaced."""
    document = copy.deepcopy(OLD) | {"version": 2}
    for stage in document["stages"]:
        stage["id"] = renamed.get(stage["id"], stage["id"])
    for move in document["transitions"]:
        move["from"] = [renamed.get(stage, stage) for stage in move["from"]]
        move["to"] = renamed.get(move["to"], move["to"])
    return Workflow.parse(document | changes)


def outcomes(new: Workflow) -> dict[str, tuple[str | None, str, str | None]]:
    """Return {stage: (new stage, outcome, code)} of the plan from OLD."""
    return {step.stage: (step.to, step.outcome, step.code) for step in migration(Workflow.checked(OLD), new).steps}


def test_stages_of_the_same_id_stay() -> None:
    """A version with the same stages keeps every case where it is."""
    plan = migration(Workflow.checked(OLD), newer({}))
    assert plan.possible
    assert [(step.stage, step.to, step.outcome) for step in plan.steps] == [
        (stage, stage, "stays") for stage in ("draft", "panel", "done", "shut")
    ]


def test_a_renamed_stage_needs_its_mapping() -> None:
    """Without a word about it a stage that is gone blocks; with `migrates` its cases go to the new name."""
    assert outcomes(newer({"panel": "board"}))["panel"] == (None, "blocked", "no-counterpart")
    assert outcomes(newer({"panel": "board"}, migrates={"panel": "board"}))["panel"] == ("board", "renamed", None)


def test_cases_that_are_over_for_good_need_no_counterpart() -> None:
    """A final stage may go: its cases never move again. One that can be reopened may not."""
    found = outcomes(newer({"done": "finished", "shut": "stopped"}))
    assert found["done"] == (None, "ended", None)
    assert found["shut"] == (None, "blocked", "no-counterpart")


def test_no_case_ends_or_reopens_by_a_new_version() -> None:
    """Open cases don't go to a terminal stage, ended ones not to an open one."""
    ending = newer({"panel": "board"}, migrates={"panel": "done", "shut": "board"})
    stages = tuple(stage for stage in ending.stages if stage.id != "shut")
    found = outcomes(ending.model_copy(update={"stages": stages}))
    assert found["panel"] == ("done", "blocked", "would-end")
    assert found["shut"] == ("board", "blocked", "would-reopen")


def test_a_mapping_of_nothing_and_a_forgotten_first_pair_are_said() -> None:
    """A mapping from no stage of the old version is a finding; so is four-eyes about a move nobody can have made."""
    moves = copy.deepcopy(OLD["transitions"])
    moves[0]["id"], moves[1]["requires"] = "propose", ["four_eyes:propose"]
    plan = migration(Workflow.checked(OLD), newer({}, migrates={"pannel": "panel"}, transitions=moves))
    assert [(item.code, item.where) for item in plan.findings] == [
        ("unknown-stage", "migrates.pannel"),
        ("no-first-pair", "transitions.end.requires"),
    ]
    assert plan.possible


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"version": 1}, "not newer"), ({"workflow": "other"}, "different workflows")],
)
def test_two_documents_of_something_else_have_no_plan(changes: dict[str, Any], said: str) -> None:
    """Another workflow, or a version that is not newer, gives no plan."""
    with pytest.raises(NoPlanError, match=said):
        migration(Workflow.checked(OLD), newer({}, **changes))


@pytest.mark.parametrize(
    ("version", "mapping", "code", "where"),
    [
        (2, {"old": "nowhere"}, "unknown-stage", "migrates.old"),
        (2, {"draft": "panel"}, "bad-mapping", "migrates.draft"),
        (1, {"old": "panel"}, "bad-mapping", "migrates"),
    ],
)
def test_the_linter_names_a_wrong_mapping(version: int, mapping: dict[str, str], code: str, where: str) -> None:
    """A mapping to no stage, of a stage that is still there, or before the first version is an error."""
    found = newer({}, version=version, migrates=mapping).lint()
    assert [(item.level, item.code, item.where) for item in found] == [("error", code, where)]
