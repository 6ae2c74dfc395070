"""The workflow engine: stages and moves are a programme's data; here is what reads, checks, runs and draws them.

workflow = Workflow.checked(yaml_text_or_dict)      # refuses what the linter calls an error
workflow.moves("screening", ["officer"], facts)     # what this person may do now, and what blocks the rest
workflow.move("pass-screening", "screening", ["officer"], facts)   # the Transition, or a refusal
explain(workflow, "screening", ["officer"], facts)  # the same for every move of the stage and of the role
migration(old, new)                                 # what a new version would mean for live cases
turn(workflow, visits, country="MK", zone="Europe/Skopje", now=now)  # whose turn, since when, due when
"""

from shared.workflow.authority import authority_levels, authority_limits
from shared.workflow.clock import Turn, Visit, due, turn, working_days
from shared.workflow.diagram import mermaid
from shared.workflow.drawing import main_line, svg
from shared.workflow.explain import explain
from shared.workflow.guards import GuardError, evaluate, names
from shared.workflow.lint import Finding
from shared.workflow.migration import NoPlanError, Plan, Step, migration
from shared.workflow.model import Move, Sla, Stage, Transition, Workflow, WorkflowError
from shared.workflow.requirements import Facts, Sentence
from shared.workflow.vocabulary import EXTERNAL, ROLES, STAFF, SYSTEM

__all__ = [
    "EXTERNAL",
    "ROLES",
    "STAFF",
    "SYSTEM",
    "Facts",
    "Finding",
    "GuardError",
    "Move",
    "NoPlanError",
    "Plan",
    "Sentence",
    "Sla",
    "Stage",
    "Step",
    "Transition",
    "Turn",
    "Visit",
    "Workflow",
    "WorkflowError",
    "authority_levels",
    "authority_limits",
    "due",
    "evaluate",
    "explain",
    "main_line",
    "mermaid",
    "migration",
    "names",
    "svg",
    "turn",
    "working_days",
]
