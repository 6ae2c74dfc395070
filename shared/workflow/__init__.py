"""The workflow engine: stages and moves are a programme's data; here is what reads, checks, runs and draws them.

workflow = Workflow.checked(yaml_text_or_dict)      # refuses what the linter calls an error
workflow.moves("screening", ["officer"], facts)     # what this person may do now, and what blocks the rest
workflow.move("pass-screening", "screening", ["officer"], facts)   # the Transition, or a refusal
turn(workflow, visits, country="MK", zone="Europe/Skopje", now=now)  # whose turn, since when, due when
"""

from shared.workflow.authority import authority_limits
from shared.workflow.clock import Turn, Visit, due, turn, working_days
from shared.workflow.diagram import mermaid
from shared.workflow.drawing import main_line, svg
from shared.workflow.guards import GuardError, evaluate, names
from shared.workflow.lint import Finding
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
    "Sentence",
    "Sla",
    "Stage",
    "Transition",
    "Turn",
    "Visit",
    "Workflow",
    "WorkflowError",
    "authority_limits",
    "due",
    "evaluate",
    "main_line",
    "mermaid",
    "names",
    "svg",
    "turn",
    "working_days",
]
