"""What a workflow tells about its stages: the main line of a case, and where reviews are written."""

from __future__ import annotations

from services.grants.domain.application import Application
from shared.workflow import STAFF, Workflow


def main_line(workflow: Workflow) -> list[str]:
    """Return the stages from the first to an end: from each the first way forward, past rooms that only lead back."""
    order = {stage.id: index for index, stage in enumerate(workflow.stages)}
    line = [workflow.initial]
    while ahead := [move.to for move in workflow.leaving(line[-1]) if order[move.to] > order[line[-1]]]:
        through = [stage for stage in ahead if not workflow.stage(stage).terminal and _leads_on(workflow, stage, order)]
        line.append((through or [stage for stage in ahead if workflow.stage(stage).terminal] or ahead)[0])
    return line


def _leads_on(workflow: Workflow, stage: str, order: dict[str, int]) -> bool:
    onward = [move.to for move in workflow.leaving(stage) if order[move.to] > order[stage]]
    closing = any(workflow.stage(target).terminal for target in onward)
    back = any(order[move.to] < order[stage] for move in workflow.leaving(stage))
    return any(not workflow.stage(target).terminal for target in onward) or (closing and not back)


def reviewed_at(workflow: Workflow) -> frozenset[str]:
    """Return the stages at which reviews are asked for and written.

    They are those that reviewers hold, those that a number of reviews lets go, and the staff's right before the first.
    """
    theirs = {stage.id for stage in workflow.stages if stage.holder == "reviewer"}
    found = set(theirs)
    for move in workflow.transitions:
        if any(need.startswith("reviews:") for need in move.requires):
            found.update(move.sources)
        if move.to in theirs:
            found.update(stage for stage in move.sources if workflow.stage(stage).holder in STAFF)
    return frozenset(found)


def position(application: Application, line: list[str]) -> int:
    """Return where on the main line the case is, or was before it left it."""
    visited = [visit.stage for visit in application.visits() if visit.stage in line]
    return line.index(visited[-1]) if visited else 0
