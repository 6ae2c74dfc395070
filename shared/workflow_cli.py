"""`tamga workflow`: check and draw workflow files."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from shared.workflow import Workflow, WorkflowError, mermaid, svg

commands = typer.Typer(name="workflow", help="Check and draw workflow files.", no_args_is_help=True)
FINDINGS, UNREADABLE = 1, 2
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
def lint(file: File, *, as_json: Annotated[bool, typer.Option("--json", help="Write JSON")] = False) -> None:
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
    workflow = _read(file)
    errors = [item for item in workflow.lint() if item.level == "error"]
    if errors:
        for item in errors:
            typer.echo(f"{item.where}: {item.message}", err=True)
        raise typer.Exit(FINDINGS)
    _check(workflow, locale, stage)
    text = mermaid(workflow, locale) if form is Format.MERMAID else svg(workflow, locale, stage)
    typer.echo(text, nl=False)


def _check(workflow: Workflow, locale: str, stage: str | None) -> None:
    """Refuse a language or a stage that the workflow has not: the picture would lack what was asked for."""
    languages = sorted({language for one in workflow.stages for language in one.name})
    if locale not in languages:
        raise typer.BadParameter(f"the names are in {', '.join(languages)} alone", param_hint="--locale")
    stages = [one.id for one in workflow.stages]
    if stage is not None and stage not in stages:
        raise typer.BadParameter(f"there is no such stage; there are {', '.join(stages)}", param_hint="--stage")
