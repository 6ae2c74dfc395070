"""What is wrong with a workflow, said with the place and a stable code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from shared.workflow.guards import GuardError, names
from shared.workflow.requirements import known
from shared.workflow.vocabulary import EXTERNAL, PARTIES, ROLES, STAFF

if TYPE_CHECKING:
    from shared.workflow.model import Names, Stage, Transition, Workflow


@dataclass(frozen=True)
class Finding:
    """One thing the linter found: an `error` keeps the engine from using the workflow, a `warning` does not."""

    level: Literal["error", "warning"]
    code: str
    where: str
    message: str


def findings(workflow: Workflow) -> list[Finding]:
    """Return everything the linter finds, errors first, in the document's order."""
    asked = (_ids, _ends, _endless, _reach, _moves, _migrates, _translations)
    found = [finding for ask in asked for finding in ask(workflow)]
    return sorted(found, key=lambda item: item.level)


def _error(code: str, where: str, message: str) -> Finding:
    return Finding("error", code, where, message)


def _ids(workflow: Workflow) -> Iterator[Finding]:
    for kind, items in (("stages", workflow.stages), ("transitions", workflow.transitions)):
        for name, count in Counter(item.id for item in items).items():
            if count > 1:
                yield _error("duplicate-id", f"{kind}.{name}", f"is there {count} times")
    stages = {stage.id for stage in workflow.stages}
    if workflow.initial not in stages:
        yield _error("unknown-stage", "initial", f"{workflow.initial} is no stage")
    for stage in workflow.stages:
        for paused in stage.sla.pauses_in if stage.sla else ():
            if paused not in stages:
                yield _error("unknown-stage", f"stages.{stage.id}.sla.pauses_in", f"{paused} is no stage")
    for move in workflow.transitions:
        for target in sorted({*move.sources, move.to} - stages):
            yield _error("unknown-stage", f"transitions.{move.id}", f"{target} is no stage")


def _ends(workflow: Workflow) -> Iterator[Finding]:
    for stage in workflow.stages:
        where, leaving = f"stages.{stage.id}", workflow.leaving(stage.id)
        yield from _terminal(stage, where, leaving) if stage.terminal else _open(workflow, stage, where, leaving)
        if stage.holder is not None and stage.holder not in ROLES:
            yield _error("unknown-role", f"{where}.holder", f"{stage.holder} is no role")


def _terminal(stage: Stage, where: str, leaving: list[Transition]) -> Iterator[Finding]:
    if not stage.reopens and not stage.final:
        yield _error("open-terminal", where, "a terminal stage says `reopens: true` or `final: true`")
    if stage.reopens and not leaving:
        yield _error("no-reopen", where, "says that it reopens, and no transition leaves it")
    if leaving and not stage.reopens:
        yield _error("not-terminal", where, f"is terminal, and {leaving[0].id} leaves it")


def _open(workflow: Workflow, stage: Stage, where: str, leaving: list[Transition]) -> Iterator[Finding]:
    if not leaving:
        yield _error("dead-end", where, "is not terminal, and no transition leaves it")
    if stage.holder is None:
        yield _error("no-holder", where, "somebody's turn it must be: give `holder`")
    if stage.reopens or stage.final:
        yield _error("not-terminal", where, "`reopens` and `final` are for terminal stages")
    terminal = {item.id for item in workflow.stages if item.terminal}
    closing = [move for move in leaving if move.to in terminal and STAFF & set(move.roles)]
    if stage.holder in EXTERNAL and not closing:
        yield _error("no-way-to-close", where, f"waits for the {stage.holder}, and staff can't close it")


def _endless(workflow: Workflow) -> Iterator[Finding]:
    """Find rounds without a way out. A stage without any transition is a dead end of its own and said so there."""
    ends = {stage.id for stage in workflow.stages if stage.terminal or not workflow.leaving(stage.id)}
    ending, before = set[str](), list(ends)
    while before:
        stage_id = before.pop()
        if stage_id not in ending:
            ending.add(stage_id)
            before += [source for move in workflow.transitions if move.to == stage_id for source in move.sources]
    for stage in workflow.stages:
        if stage.id not in ending:
            yield _error("dead-end", f"stages.{stage.id}", "no way leads from here to a terminal stage")


def _migrates(workflow: Workflow) -> Iterator[Finding]:
    stages = {stage.id for stage in workflow.stages}
    for old, new in workflow.migrates.items():
        where = f"migrates.{old}"
        if new not in stages:
            yield _error("unknown-stage", where, f"{new} is no stage")
        if old in stages:
            yield _error("bad-mapping", where, f"{old} is a stage of this version too: its cases stay there")
    if workflow.migrates and workflow.version == 1:
        yield _error("bad-mapping", "migrates", "there is no version before the first")


def _reach(workflow: Workflow) -> Iterator[Finding]:
    reached, frontier = set[str](), [workflow.initial]
    while frontier:
        stage = frontier.pop()
        if stage not in reached:
            reached.add(stage)
            frontier += [move.to for move in workflow.leaving(stage)]
    for stage_id in (stage.id for stage in workflow.stages):
        if stage_id not in reached:
            yield _error("unreachable", f"stages.{stage_id}", "no way leads here from the initial stage")


def _moves(workflow: Workflow) -> Iterator[Finding]:
    ids = {move.id for move in workflow.transitions}
    for move in workflow.transitions:
        where = f"transitions.{move.id}"
        for role in move.roles:
            if role not in ROLES:
                yield _error("unknown-role", f"{where}.roles", f"{role} is no role")
        for party in sorted(set(move.notify) - PARTIES):
            yield _error("unknown-party", f"{where}.notify", f"{party} is nobody in a case")
        for requirement in move.requires:
            if not known(requirement):
                yield _error(
                    "unknown-requirement", f"{where}.requires", f"{requirement} is nothing that can be checked"
                )
            elif requirement.startswith("four_eyes:") and requirement.partition(":")[2] not in ids:
                yield _error("unknown-transition", f"{where}.requires", f"{requirement} names no transition")
        yield from _guard(workflow, move, where)


def _guard(workflow: Workflow, move: Transition, where: str) -> Iterator[Finding]:
    if move.guard is None:
        return
    try:
        unknown = names(move.guard) - set(workflow.facts)
    except GuardError as error:
        yield _error("bad-guard", f"{where}.guard", str(error))
        return
    for fact in sorted(unknown):
        yield _error("unknown-fact", f"{where}.guard", f"{fact} is not in the workflow's `facts`")


def _translations(workflow: Workflow) -> Iterator[Finding]:
    texts: list[tuple[str, Names]] = []
    for stage in workflow.stages:
        texts.append((f"stages.{stage.id}.name", stage.name))
        if stage.public_name is not None:
            texts.append((f"stages.{stage.id}.public_name", stage.public_name))
    texts += [(f"transitions.{move.id}.name", move.name) for move in workflow.transitions]
    texts += [(f"transitions.{move.id}.says", move.says) for move in workflow.transitions if move.says is not None]
    texts += [(f"transitions.{move.id}.question", move.question) for move in workflow.transitions if move.question]
    # Every language that is used at all must be used everywhere; English is what others fall back to.
    languages = {"en"}.union(*(text for _, text in texts))
    for where, text in texts:
        for language in sorted(languages):
            if not text.get(language, "").strip():
                yield Finding("warning", "missing-translation", where, f"has no name in {language}")
