"""`tamga workflow`: check and draw workflow files, ask who may do what, plan a change of version."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from shared.messaging.printing import BAD_NEWS, NO_ANSWER, show
from shared.workflow import ROLES, Move, NoPlanError, Workflow, WorkflowError, explain, mermaid, migration, svg
from shared.workflow.casefile import CaseFile, CaseFileError, Delegation, delegations_of

commands = typer.Typer(
    name="workflow", help="Workflow files: lint, diagram, check who may do what, migrate.", no_args_is_help=True
)
FINDINGS, UNREADABLE = BAD_NEWS, NO_ANSWER
CHECK = """Say which moves a person has at a stage, and what blocks each other one of the stage and of the role.

The facts are a JSON object; whatever is left out is not there:

"facts": {"score": 72.5, "risk": "low"}: what guards read, by the names under `facts` of the workflow;

"documents": ["registration"], "checklists": ["eligibility"]: those present, those passed;

"reviews": 2, "open_conflicts": 0: how many are submitted, how many not settled;

"actor": "ana", "done_by": {"recommend": "irena"}, "earlier_actors": ["irena"]: who asks, who made which move last,
who made or decided the case before, for four_eyes;

"reason": "…", "comment": "…": what the form would be given; "step_up": true: identity was confirmed;

"amount": {"amount": "45000.00", "currency": "EUR"}: what `authority` is about;

"delegated_authority": [{"role": "officer", "act": "approve", "up_to": {"amount": "10000.00", "currency": "EUR"}}]:
in place of the programme's.

Exit codes: 0 at least one move is possible, 1 none is, 2 no answer (the sentence names the field).
"""
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON")]
File = Annotated[Path, typer.Argument(help="A workflow as YAML, such as programmes/*/workflows/*.yaml")]


class Format(StrEnum):
    """What a diagram is written as."""

    MERMAID = "mermaid"
    SVG = "svg"


def _read(file: Path, *, as_json: bool = False) -> Workflow:
    try:
        return Workflow.parse(file.read_text(encoding="utf-8"))
    except OSError as error:
        problems = [f"can't be read: {error.strerror}"]
    except UnicodeDecodeError:
        problems = ["is not text in UTF-8"]
    except WorkflowError as error:
        problems = error.problems
    if as_json:
        typer.echo(json.dumps({"file": str(file), "readable": False, "problems": problems}, ensure_ascii=False))
    else:
        for problem in problems:
            typer.echo(f"{file}: {problem}", err=True)
    raise typer.Exit(UNREADABLE)


@commands.command()
def lint(file: File, *, as_json: AsJson = False) -> None:
    """Report what is wrong with a workflow. Exit code 0: clean, 1: findings, 2: not readable as a workflow."""
    workflow = _read(file, as_json=as_json)
    findings = workflow.lint()
    if as_json:
        about = {"file": str(file), "readable": True, "workflow": workflow.workflow, "version": workflow.version}
        typer.echo(json.dumps(about | {"findings": [asdict(item) for item in findings]}, ensure_ascii=False))
    elif findings:
        table = Table("Level", "Code", "Where", "What", box=None)
        for item in findings:
            table.add_row(item.level, item.code, item.where, item.message)
        Console().print(table)
    else:
        counted = f"{len(workflow.stages)} stages, {len(workflow.transitions)} transitions"
        typer.echo(f"{workflow.workflow} version {workflow.version}: {counted}, no findings")
    if findings:
        raise typer.Exit(FINDINGS)


@commands.command()
def diagram(
    file: File,
    form: Annotated[Format, typer.Option("--format", help="What to write")] = Format.MERMAID,
    locale: Annotated[str, typer.Option(help="Language of the names")] = "en",
    stage: Annotated[str | None, typer.Option(help="Stage to mark as the present one (SVG)")] = None,
) -> None:
    """Write the picture of a workflow to standard output; refuses one that has errors."""
    workflow = _sound(file, FINDINGS)
    _check(workflow, locale, stage)
    text = mermaid(workflow, locale) if form is Format.MERMAID else svg(workflow, locale, stage)
    typer.echo(text, nl=False)


def _sound(file: Path, otherwise: int = NO_ANSWER) -> Workflow:
    """Return a workflow that the engine takes; else says what the linter calls an error and ends."""
    workflow = _read(file)
    errors = [item for item in workflow.lint() if item.level == "error"]
    for item in errors:
        typer.echo(f"{file}: {item.where}: {item.message}", err=True)
    if errors:
        raise typer.Exit(otherwise)
    return workflow


def _check(workflow: Workflow, locale: str, stage: str | None) -> None:
    """Refuse a language or a stage that the workflow has not: the picture would lack what was asked for."""
    languages = sorted({language for one in workflow.stages for language in one.name})
    if locale not in languages:
        raise typer.BadParameter(f"the names are in {', '.join(languages)} alone", param_hint="--locale")
    stages = [one.id for one in workflow.stages]
    if stage is not None and stage not in stages:
        raise typer.BadParameter(f"there is no such stage; there are {', '.join(stages)}", param_hint="--stage")


@commands.command(help=CHECK)
def check(
    file: File,
    roles: Annotated[list[str], typer.Option("--as", help="Role of the person who asks; again for each further one")],
    stage: Annotated[str, typer.Option("--at", help="Stage at which the case stands")],
    facts: Annotated[Path | None, typer.Option(help="JSON: what is known of the case; nothing when left out")] = None,
    programme: Annotated[
        Path | None, typer.Option(help="YAML with delegated_authority; by default the pack's own programme.yaml")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Say which moves a person has at a stage, and what blocks each other one of the stage and of the role."""
    workflow = _sound(file)
    _known("--at", stage, [item.id for item in workflow.stages])
    for role in roles:
        _known("--as", role, sorted(ROLES))
    try:
        case = CaseFile.read(facts, workflow) if facts else CaseFile()
        lines, source = _delegations(file, facts, case, programme)
    except CaseFileError as error:
        raise _refused(str(error)) from error
    moves = explain(workflow, stage, roles, case.for_roles(roles, workflow, lines))
    _show_moves(workflow, stage, roles, moves, source, as_json=as_json)
    if not any(move.allowed for move in moves):
        raise typer.Exit(BAD_NEWS)


@commands.command()
def migrate(
    old: Annotated[Path, typer.Argument(help="The version under which the cases live")],
    new: Annotated[Path, typer.Argument(help="The version to come; its `migrates` names the stages that were renamed")],
    *,
    as_json: AsJson = False,
) -> None:
    """Plan the move of live cases to a new version of their workflow. Nothing is changed.

    Exit codes: 0 every stage has its counterpart, 1 cases at some stage are blocked, 2 these are not two
    versions of one workflow.
    """
    try:
        plan = migration(_sound(old), _sound(new))
    except NoPlanError as error:
        raise _refused(f"{new}: {error}") from error
    if not as_json:
        typer.echo(f"{plan.workflow}: version {plan.old_version} to version {plan.new_version}")
    rows = [(step.stage, step.to or "–", step.outcome, step.message or "") for step in plan.steps]
    show(asdict(plan) | {"possible": plan.possible}, ["Stage", "New stage", "Outcome", "Why"], rows, as_json)
    for item in plan.findings if not as_json else ():
        typer.echo(f"{item.level}: {item.where}: {item.message}")
    if not plan.possible:
        raise typer.Exit(BAD_NEWS)


def _refused(sentence: str) -> typer.Exit:
    typer.echo(sentence, err=True)
    return typer.Exit(NO_ANSWER)


def _known(option: str, value: str, names: list[str]) -> None:
    if value not in names:
        raise _refused(f"{option}: {value} is none of {', '.join(names)}")


def _delegations(
    file: Path, facts: Path | None, case: CaseFile, programme: Path | None
) -> tuple[list[Delegation], str | None]:
    """Return the lines of delegated authority that count, and the file that states them."""
    if case.delegated_authority is not None:
        return case.delegated_authority, str(facts)
    beside = file.resolve().parent.parent / "programme.yaml"
    source = programme or (beside if beside.is_file() else None)
    return (delegations_of(source), str(source)) if source else ([], None)


def _show_moves(
    workflow: Workflow, stage: str, roles: list[str], moves: list[Move], source: str | None, *, as_json: bool
) -> None:
    about = {"workflow": workflow.workflow, "version": workflow.version, "stage": stage, "roles": roles}
    allowed = [move.id for move in moves if move.allowed]
    answers = [_answer(move, here=stage in move.transition.sources) for move in moves]
    if not as_json:
        typer.echo(f"{workflow.workflow} version {workflow.version}, at {stage}, as {', '.join(roles)}")
    rows = [
        (move.id, move.transition.to, "yes" if move.allowed else "no", "\n".join(move.blocked_by)) for move in moves
    ]
    data = about | {"authority_from": source, "allowed": allowed, "moves": answers}
    show(data, ["Move", "To", "Now", "What blocks it"], rows, as_json)


def _answer(move: Move, *, here: bool) -> dict[str, Any]:
    why = [one.as_dict() for one in move.blocked_by]
    about = {"id": move.id, "name": move.transition.name, "to": move.transition.to, "at_this_stage": here}
    return about | {"allowed": move.allowed, "asks": move.asks, "blocked_by": why}
