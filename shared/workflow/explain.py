"""What one person may do at a stage and what blocks the rest, for whoever asks without acting."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from shared.workflow.model import Move, not_for_you
from shared.workflow.requirements import Facts, Sentence, missing

if TYPE_CHECKING:
    from shared.workflow.model import Transition, Workflow


def explain(workflow: Workflow, stage_id: str, roles: Collection[str], facts: Facts) -> list[Move]:
    """Return every transition that leaves the stage or is for one of `roles`, as the act itself would answer now.

    Here a reason or comment that is not given blocks, as it does the act. A move of other roles, or
    one that leaves other stages, is blocked by that alone. First what leaves the stage, in the document's order.
    """
    here = {move.id: move for move in workflow.moves(stage_id, roles, facts)}
    found = []
    for transition in workflow.transitions:
        if transition.id in here:
            blocked = [*here[transition.id].blocked_by, *_asked(transition, facts)]
        elif stage_id in transition.sources:
            blocked = [not_for_you(transition)]
        elif set(transition.roles) & set(roles):
            blocked = [_elsewhere(transition)]
        else:
            continue
        found.append(Move(transition, allowed=not blocked, blocked_by=blocked))
    return sorted(found, key=lambda move: stage_id not in move.transition.sources)


def _asked(transition: Transition, facts: Facts) -> list[Sentence]:
    absent = [missing(name, transition.id, facts) for name in transition.asks]
    return [sentence for sentence in absent if sentence]


def _elsewhere(transition: Transition) -> Sentence:
    names, figures = ", ".join(transition.sources), {"stages": [*transition.sources]}
    return Sentence("This move leaves: %(stages)s", code="stage", figures=figures, stages=names)
