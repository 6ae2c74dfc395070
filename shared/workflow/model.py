"""A workflow as data, and what follows from it for one case: which moves there are and what blocks them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.errors import IllegalTransitionError, InvalidError
from shared.workflow.guards import GuardError, UnknownFactError, evaluate
from shared.workflow.guards import names as read_by
from shared.workflow.lint import Finding, findings
from shared.workflow.requirements import ASKED, Facts, Sentence, missing

Names = dict[str, str]


class WorkflowError(ValueError):
    """A document that is no workflow, or has what the linter calls an error; `problems` name the places."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Sla(_Part):
    """How many working days a stage should take, and in which stages the clock stands still."""

    working_days: int = Field(gt=0, le=1000)
    pauses_in: tuple[str, ...] = ()


class Stage(_Part):
    """Where a case stands. `holder` is the role whose turn it is; terminal stages may have none."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,59}$")
    name: Names
    public_name: Names | None = None
    holder: str | None = None
    sla: Sla | None = None
    terminal: bool = False
    reopens: bool = False
    final: bool = False


class Transition(_Part):
    """A move from one stage to another: who may, what it requires, whom it tells."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,59}$")
    name: Names
    sources: tuple[str, ...] = Field(alias="from", min_length=1)
    to: str
    roles: tuple[str, ...] = Field(min_length=1)
    requires: tuple[str, ...] = ()
    guard: str | None = None
    says: Names | None = None  # what a person reads when the guard does not hold
    question: Names | None = None  # what the form asks for, in place of the general "Reason" or "Comment"
    notify: tuple[str, ...] = ()

    @property
    def asks(self) -> list[str]:
        """Return what the form of this move asks for: reason, comment."""
        return [name for name in self.requires if name in ASKED]


@dataclass(frozen=True)
class Move:
    """A transition as one person sees it now. `asks` are fields of its form, `blocked_by` sentences."""

    transition: Transition
    allowed: bool
    blocked_by: list[Sentence]

    @property
    def id(self) -> str:
        """Return the transition's id."""
        return self.transition.id

    @property
    def asks(self) -> list[str]:
        """Return what the form of this move asks for."""
        return self.transition.asks


class Workflow(_Part):
    """A versioned document of stages and transitions; shape as in `programmes/*/workflows/*.yaml`.

    `facts` are the names that guards may read; `migrates` says {stage of an earlier version: stage of this one}
    for stages that were renamed or merged (see `migration`).
    """

    workflow: str
    version: int = Field(gt=0)
    initial: str
    name: Names | None = None
    facts: tuple[str, ...] = ()
    stages: tuple[Stage, ...] = Field(min_length=1)
    transitions: tuple[Transition, ...] = ()
    migrates: dict[str, str] = {}

    @classmethod
    def parse(cls, source: str | Mapping[str, Any]) -> Workflow:
        """Return the workflow that `source` (YAML text or its content) describes; raises WorkflowError."""
        try:
            return cls.model_validate(_read(source) if isinstance(source, str) else source)
        except ValidationError as error:
            raise WorkflowError([f"{path_of(item['loc'])}: {item['msg']}" for item in error.errors()]) from error

    @classmethod
    def checked(cls, source: str | Mapping[str, Any]) -> Workflow:
        """Return the workflow if the linter finds no error in it; raises WorkflowError."""
        workflow = cls.parse(source)
        errors = [f"{item.where}: {item.message}" for item in workflow.lint() if item.level == "error"]
        if errors:
            raise WorkflowError(errors)
        return workflow

    def lint(self) -> list[Finding]:
        """Return what is wrong with this workflow, errors first; empty when it is clean."""
        return findings(self)

    @cached_property
    def _stages(self) -> dict[str, Stage]:
        return {stage.id: stage for stage in self.stages}

    def stage(self, stage_id: str) -> Stage:
        """Return a stage; raises KeyError."""
        return self._stages[stage_id]

    def label(self, stage_id: str, locale: str = "en", *, public: bool = False) -> str:
        """Return a stage's name in `locale`, or else in English; the applicant's name of it when `public`."""
        stage = self.stage(stage_id)
        return say((public and stage.public_name) or stage.name, locale)

    def leaving(self, stage_id: str) -> list[Transition]:
        """Return the transitions that leave a stage, in the document's order."""
        return [transition for transition in self.transitions if stage_id in transition.sources]

    def moves(self, stage_id: str, roles: Collection[str], facts: Facts) -> list[Move]:
        """Return the moves that a person with `roles` has at a stage, the blocked ones with what blocks them.

        A reason or comment does not block: it is asked by the move's form (`Move.asks`).
        """
        mine = [transition for transition in self.leaving(stage_id) if set(transition.roles) & set(roles)]
        found = []
        for transition in mine:
            blocked = self._blocks(transition, facts)
            found.append(Move(transition, allowed=not blocked, blocked_by=blocked))
        return found

    def move(self, transition_id: str, stage_id: str, roles: Collection[str], facts: Facts) -> Transition:
        """Return the transition if this person may do it now.

        Raises IllegalTransitionError that names the legal moves and what blocks this one, or
        InvalidError for a reason or comment that is not given.
        """
        moves = self.moves(stage_id, roles, facts)
        chosen = next((move for move in moves if move.id == transition_id), None)
        if chosen is None or not chosen.allowed:
            legal = [move.id for move in moves if move.allowed]
            why = chosen.blocked_by if chosen else self._not_mine(transition_id, stage_id)
            raise IllegalTransitionError(transition_id, stage_id, legal, [*why], [one.as_dict() for one in why])
        absent = {name: missing(name, transition_id, facts) for name in chosen.asks}
        if any(absent.values()):
            raise InvalidError({name: str(sentence) for name, sentence in absent.items() if sentence})
        return chosen.transition

    def _not_mine(self, transition_id: str, stage_id: str) -> list[Sentence]:
        there = next((item for item in self.leaving(stage_id) if item.id == transition_id), None)
        return [not_for_you(there)] if there else []

    def _blocks(self, transition: Transition, facts: Facts) -> list[Sentence]:
        required = [name for name in transition.requires if name not in ASKED]
        checked = [missing(name, transition.id, facts) for name in required]
        guarded = _guard(transition.guard, transition.says, facts) if transition.guard else None
        return [sentence for sentence in [*facts.held.get(transition.id, ()), *checked, guarded] if sentence]


def _read(text: str) -> Any:
    """Return what YAML says; a key that stands twice is refused, because the first one would be lost in silence."""
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a safe loader, in C
    # A day that is on no calendar is a ValueError.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise WorkflowError([f"not YAML: {error}"]) from error


class _Loader(yaml.CSafeLoader):
    """Safe YAML without repeated keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        written = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        twice = next((key for key in written if written.count(key) > 1), None)
        if twice is not None:
            raise yaml.constructor.ConstructorError(None, None, f"“{twice}” stands twice", node.start_mark)
        return super().construct_mapping(node, deep)


def not_for_you(transition: Transition) -> Sentence:
    """Return the sentence for whoever has none of the roles of a move."""
    names = ", ".join(transition.roles)
    return Sentence("This move is for: %(roles)s", code="role", figures={"roles": [*transition.roles]}, roles=names)


def say(names: Mapping[str, str], locale: str) -> str:
    """Return the text in `locale`, or else in its language, in English, or whatever there is."""
    for wanted in (locale, locale.partition("-")[0].partition("_")[0], "en"):
        if wanted in names:
            return names[wanted]
    return next(iter(names.values()), "")


def _guard(guard: str, says: Names | None, facts: Facts) -> Sentence | None:
    try:
        if evaluate(guard, facts.values):
            return None
    except UnknownFactError as error:
        return Sentence("“%(fact)s” is not known yet", code="fact-unknown", fact=error.fact)
    except GuardError as error:
        return Sentence("“%(guard)s” can't be computed: %(why)s", code="guard-error", guard=guard, why=str(error))
    code, figures = (
        "guard-false",
        {"guard": guard, "values": {fact: facts.values.get(fact) for fact in sorted(read_by(guard))}},
    )
    if says:
        return Sentence.of(says, code=code, figures=figures)
    return Sentence("“%(guard)s” does not hold", code=code, figures=figures, guard=guard)


def path_of(location: tuple[int | str, ...]) -> str:
    """Return where in a document something is, such as `stages[0].id`."""
    parts = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return parts.lstrip(".") or "document"
