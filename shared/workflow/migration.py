"""What a new version of a workflow would mean for the cases that live under an older one: a plan, not an act."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from shared.workflow.lint import Finding

if TYPE_CHECKING:
    from shared.workflow.model import Stage, Workflow


class NoPlanError(ValueError):
    """Two documents that are not an older and a newer version of one workflow."""


@dataclass(frozen=True)
class Step:
    """What becomes of the cases at a stage of the older version; `code` and `message` say what blocks them.

    `stays`: under the same id. `renamed`: to the stage that `migrates` names. `ended`: the case is over
    for good and stays under the version it ended with. `blocked`: it can't be moved to the new version.
    """

    stage: str
    to: str | None
    outcome: Literal["stays", "renamed", "ended", "blocked"]
    code: str | None = None
    message: str | None = None


@dataclass(frozen=True)
class Plan:
    """A step for each stage of the older version, in its order, and what else to know beforehand."""

    workflow: str
    old_version: int
    new_version: int
    steps: list[Step]
    findings: list[Finding]

    @property
    def possible(self) -> bool:
        """Return whether cases at every stage can be moved."""
        return all(step.outcome != "blocked" for step in self.steps)


def migration(old: Workflow, new: Workflow) -> Plan:
    """Return what moving the live cases of `old` to `new` comes to; raises NoPlanError. Nothing is changed."""
    if old.workflow != new.workflow:
        raise NoPlanError(f"{old.workflow} and {new.workflow} are different workflows")
    if new.version <= old.version:
        raise NoPlanError(f"version {new.version} is not newer than version {old.version}")
    steps = [_step(stage, new) for stage in old.stages]
    return Plan(old.workflow, old.version, new.version, steps, [*_unused(old, new), *_forgotten(old, new)])


def _step(stage: Stage, new: Workflow) -> Step:
    target = next((item for item in new.stages if item.id == new.migrates.get(stage.id, stage.id)), None)
    if target is None:
        if stage.final:
            return Step(stage.id, None, "ended")
        said = "has no counterpart: keep the stage, or name another under `migrates`"
        return Step(stage.id, None, "blocked", "no-counterpart", said)
    if target.terminal and not stage.terminal:
        return Step(stage.id, target.id, "blocked", "would-end", f"{target.id} is terminal: open cases would end there")
    if stage.terminal and not target.terminal:
        return Step(stage.id, target.id, "blocked", "would-reopen", f"{target.id} is open: ended cases would reopen")
    return Step(stage.id, target.id, "stays" if target.id == stage.id else "renamed")


def _unused(old: Workflow, new: Workflow) -> list[Finding]:
    """Find mappings of stages that the older version has not: a slip, or meant for another version."""
    stages = {stage.id for stage in old.stages}
    said = f"version {old.version} has no such stage"
    return [
        Finding("warning", "unknown-stage", f"migrates.{name}", said) for name in new.migrates if name not in stages
    ]


def _forgotten(old: Workflow, new: Workflow) -> list[Finding]:
    """Find moves that ask who made another move which cases of the older version can't have made."""
    made = {move.id for move in old.transitions}
    asked = [
        (move.id, name.partition(":")[2])
        for move in new.transitions
        for name in move.requires
        if name.startswith("four_eyes:")
    ]
    said = "asks who did {first}, a move that version {version} has not: cases past it stay blocked"
    return [
        Finding(
            "warning", "no-first-pair", f"transitions.{move}.requires", said.format(first=first, version=old.version)
        )
        for move, first in asked
        if first not in made
    ]
