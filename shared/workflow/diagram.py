"""A workflow as Mermaid text."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.workflow.model import Workflow


def mermaid(workflow: Workflow, locale: str = "en") -> str:
    """Return the workflow as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", f"    [*] --> {_id(workflow.initial)}"]
    lines += [f"    {_id(stage.id)}: {workflow.label(stage.id, locale)}" for stage in workflow.stages]
    for move in workflow.transitions:
        name = move.name.get(locale) or move.name.get("en", move.id)
        lines += [f"    {_id(source)} --> {_id(move.to)}: {name}" for source in move.sources]
    lines += [f"    {_id(stage.id)} --> [*]" for stage in workflow.stages if stage.terminal]
    return "\n".join(lines) + "\n"


def _id(stage: str) -> str:
    return stage.replace("-", "_")
