"""What is known about a case, written in a file: for asking the engine about cases that do not exist."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, TypeAdapter, ValidationError

from shared.money import Money
from shared.workflow.authority import authority_levels, authority_limits
from shared.workflow.model import path_of
from shared.workflow.requirements import Facts, Sentence

if TYPE_CHECKING:
    from shared.workflow.model import Workflow


def _fact(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | Decimal | str):
        return value
    raise ValueError("a fact is a number, a text, true, false or null")


Fact = Annotated[Any, AfterValidator(_fact)]
Count = Annotated[int, Field(ge=0, strict=True)]


class CaseFileError(ValueError):
    """A file that can't be read as what it should be; says the file and the field."""


class Delegation(BaseModel):
    """Up to what amount a role may do an act, as a programme's `delegated_authority` says."""

    model_config = ConfigDict(frozen=True)

    role: str
    act: str
    up_to: Money


class CaseFile(BaseModel):
    """The facts of a case and what requirements ask about; whatever is left out is not there.

    Numbers among `facts` are read exactly as they are written; null is a fact that is not known yet.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    facts: dict[str, Fact] = {}
    documents: list[str] = []
    checklists: list[str] = []
    reviews: Count = 0
    open_conflicts: Count = 0
    actor: str = ""
    earlier_actors: list[str] = []
    done_by: dict[str, str] = {}
    reason: str | None = None
    comment: str | None = None
    step_up: StrictBool = False
    approvals_missing: Count = 0
    amount: Money | None = None
    delegated_authority: list[Delegation] | None = None

    @classmethod
    def read(cls, path: Path, workflow: Workflow) -> CaseFile:
        """Return what the JSON file says of a case under `workflow`; raises CaseFileError."""
        found: CaseFile = _valid(path, cls, _json(path))
        for fact in found.facts:
            if fact not in workflow.facts:
                raise CaseFileError(f"{path}: facts.{fact}: is none of the workflow's facts: {_list(workflow.facts)}")
        moves = [move.id for move in workflow.transitions]
        for move in found.done_by:
            if move not in moves:
                raise CaseFileError(f"{path}: done_by.{move}: is none of the workflow's moves: {_list(moves)}")
        return found

    def for_roles(self, roles: Collection[str], workflow: Workflow, delegations: Iterable[Delegation]) -> Facts:
        """Return what the engine asks about when a person with `roles` acts."""
        currency = self.amount.currency if self.amount else ""
        lines = [line.model_dump() for line in delegations]
        return Facts(
            actor=self.actor,
            values=self.facts,
            documents=frozenset(self.documents),
            checklists=frozenset(self.checklists),
            reviews_done=self.reviews,
            open_conflicts=self.open_conflicts,
            earlier_actors=tuple(self.earlier_actors),
            done_by=self.done_by,
            reason=self.reason,
            comment=self.comment,
            amount=self.amount,
            limits=authority_limits(lines, roles, currency),
            levels=authority_levels(lines, workflow, currency),
            stepped_up=self.step_up,
            approvals_missing=_approvals(self.approvals_missing),
        )


def _approvals(missing: int) -> Sentence | None:
    return (
        Sentence("Approvals that are missing: %(count)s", code="approvals-missing", count=missing) if missing else None
    )


def delegations_of(programme: Path) -> list[Delegation]:
    """Return the delegated authority that a programme.yaml states; raises CaseFileError."""
    text = _text(programme)
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise CaseFileError(f"{programme}: is not YAML") from error
    stated = content.get("delegated_authority", []) if isinstance(content, dict) else content
    return list(_valid(programme, list[Delegation], stated, "delegated_authority"))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise CaseFileError(f"{path}: can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CaseFileError(f"{path}: is not text in UTF-8") from error


def _json(path: Path) -> Any:
    text = _text(path)
    try:
        content = json.loads(text, parse_float=Decimal, parse_constant=_no_number, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise CaseFileError(f"{path}: is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise CaseFileError(f"{path}: is not a JSON object")
    return content


def _no_number(written: str) -> Any:
    raise ValueError(f"{written} is no number")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"“{name}” stands twice")
    return dict(pairs)


def _valid(path: Path, kind: Any, content: Any, under: str = "") -> Any:
    """Return `content` as `kind`; raises CaseFileError for the first field that is wrong."""
    try:
        return TypeAdapter(kind).validate_python(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = path_of((under, *first["loc"]) if under else first["loc"])
        said = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden" and len(first["loc"]) == 1:
            said = f"is no field; there are {_list(CaseFile.model_fields)}"
        raise CaseFileError(f"{path}: {where}: {said}") from error


def _list(names: Collection[str]) -> str:
    return ", ".join(names) or "it has none"
