"""How a grant ends, as a programme's pack states it (`closeout.yaml`): the checklist, termination.

The portal checks a pack with this before it publishes it, and grants reads what it got with the same model. A pack
without the file ends its grants as the workflow alone says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from shared.errors import Rule

Names = dict[str, str]
Proof = Literal["reports", "milestones", "money"]


class Part(BaseModel):
    """A part of the file; a word that it does not know is refused, because a rule must not be lost by a typo."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _named(names: Names) -> Names:
    if not names.get("en", "").strip():
        raise ValueError(Rule("must be named in English at least"))
    return names


class Item(Part):
    """A point of the checklist: proved by a fact (`proof`), or answered by a person with a note."""

    id: Annotated[str, Field(pattern="^[a-z][a-z0-9_-]{1,39}$")]
    name: Annotated[Names, AfterValidator(_named)]
    help: Names = {}
    proof: Proof | None = None


class Termination(Part):
    """The moves that end a grant before its time, and in how many days the recipient pays back what is due."""

    moves: tuple[str, ...] = ()
    refund_days: Annotated[int, Field(ge=1, le=365)] = 30


class Reason(Part):
    """Why an appeal is decided so: `name` is what staff choose, `says` what the applicant reads in their language."""

    id: Annotated[str, Field(pattern="^[a-z][a-z0-9_-]{1,39}$")]
    name: Annotated[Names, AfterValidator(_named)]
    says: Annotated[Names, AfterValidator(_named)]
    outcome: Literal["granted", "refused"]


class Appeals(Part):
    """Against a rejection an applicant may appeal once, within working days; `move` is made when it is granted."""

    move: str
    working_days: Annotated[int, Field(ge=1, le=250)]
    reasons: tuple[Reason, ...]

    @model_validator(mode="after")
    def _both(self) -> Self:
        for outcome in ("granted", "refused"):
            if not any(item.outcome == outcome for item in self.reasons):
                raise ValueError(Rule("has no reason for “%(name)s”", name=outcome))
        ids = [item.id for item in self.reasons]
        for name in ids:
            if ids.count(name) > 1:
                raise ValueError(Rule("has the reason “%(name)s” twice", name=name))
        return self


class CloseoutRules(Part):
    """The whole of `closeout.yaml`: `moves` close a grant, and wait until every item is done."""

    moves: tuple[str, ...] = ()
    items: tuple[Item, ...] = ()
    termination: Termination = Termination()
    appeals: Appeals | None = None

    @model_validator(mode="after")
    def _once(self) -> Self:
        ids = [item.id for item in self.items]
        for name in ids:
            if ids.count(name) > 1:
                raise ValueError(Rule("has the item “%(name)s” twice", name=name))
        if both := sorted(set(self.moves) & set(self.termination.moves)):
            raise ValueError(Rule("“%(name)s” can't both close and terminate", name=both[0]))
        return self

    def _named_moves(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        appeals = (self.appeals.move,) if self.appeals else ()
        return ("moves", self.moves), ("termination.moves", self.termination.moves), ("appeals.move", appeals)

    def unknown(self, known: set[str]) -> Iterator[tuple[str, Rule]]:
        """Yield (field, rule) of each move that no workflow has."""
        for field, moves in self._named_moves():
            for move in moves:
                if move not in known:
                    yield field, Rule("names “%(name)s”, which no workflow has as a move", name=move)


def closeout_problems(pack: Mapping[str, Any]) -> dict[str, str]:
    """Return {"closeout.yaml: <field>": rule} of what is wrong with how a pack's grants end."""
    if "closeout" not in pack:
        return {}
    try:
        rules = CloseoutRules.model_validate(pack["closeout"])
    except ValidationError as error:
        wrong = {".".join(map(str, one["loc"])) or "closeout": _rule(one) for one in error.errors(include_url=False)}
    else:
        wrong = dict(rules.unknown(_moves(pack)))
    return {f"closeout.yaml: {field}": rule for field, rule in wrong.items()}


def _moves(pack: Mapping[str, Any]) -> set[str]:
    """Return the ids of all moves of a pack's workflows, as far as they can be read."""
    flows = pack.get("workflows")
    found = [flow for flow in flows.values() if isinstance(flow, Mapping)] if isinstance(flows, Mapping) else []
    moves = [move for flow in found for move in flow.get("transitions", ()) or ()]
    return {str(move.get("id")) for move in moves if isinstance(move, Mapping)}


def _rule(error: Any) -> str:
    ours = error.get("ctx", {}).get("error")
    return next((word for word in ours.args if isinstance(word, Rule)), str(ours)) if ours else str(error["msg"])
