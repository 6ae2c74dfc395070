"""What a programme says of due diligence (in its checklists): the capacity assessment and the special conditions.

The portal checks a pack with this before it publishes it, and grants reads what it got with the same models.
Everything is optional: a checklist that says nothing has no assessment and asks for no condition.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from shared.errors import Rule

Names = dict[str, str]
Said = Annotated[Names, Field(min_length=1)]
_MONTHS = 12
PROOFS = ("capacity",)  # what a point of a checklist can stand on


class Model(BaseModel):
    """A part of the file; what a later release added is let be by those who read a loaded programme."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class SpecialCondition(Model):
    """A condition that an agreement gets."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")
    text: Said


class Option(Model):
    """An answer that can be chosen, its points, and the condition that it brings."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")
    name: Said
    points: int = Field(ge=0, le=100)
    condition: Said | None = None


class CapacityQuestion(Model):
    """A question about the organisation; its best answer is its most points."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")
    text: Said
    options: tuple[Option, ...] = Field(min_length=2)

    @property
    def most(self) -> int:
        """Return the points of the best answer."""
        return max(item.points for item in self.options)

    @model_validator(mode="after")
    def _tells_apart(self) -> Self:
        ids = [item.id for item in self.options]
        if len(set(ids)) < len(ids):
            raise ValueError(Rule("has the answer “%(name)s” twice", name=next(i for i in ids if ids.count(i) > 1)))
        if self.most == 0:
            raise ValueError(Rule("gives no points for any answer"))
        return self


class CapacitySheet(Model):
    """The assessment: its questions, how long it stays valid, below which per cent it counts as low."""

    id: str
    name: Names = {}
    valid_months: int = Field(default=24, ge=1, le=120)
    low_below: Decimal | None = Field(default=None, ge=0, le=100)
    questions: tuple[CapacityQuestion, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _once(self) -> Self:
        ids = [item.id for item in self.questions]
        if len(set(ids)) < len(ids):
            raise ValueError(Rule("has the question “%(name)s” twice", name=next(i for i in ids if ids.count(i) > 1)))
        return self

    def valid_until(self, day: date) -> date:
        """Return the last day on which an assessment of that day is valid; of the 31st, a short month's last."""
        years, month = divmod(day.month - 1 + self.valid_months, _MONTHS)
        year = day.year + years
        return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


_BY_RISK: TypeAdapter[dict[str, tuple[SpecialCondition, ...]]] = TypeAdapter(dict[str, tuple[SpecialCondition, ...]])


def diligence_problems(pack: Mapping[str, Any]) -> dict[str, str]:
    """Return {"checklists/<file>.yaml: <field>": rule} of what is wrong with a pack's due diligence."""
    wrong: dict[str, str] = {}
    lists = pack.get("checklists", {})
    for stem, source in lists.items() if isinstance(lists, Mapping) else ():
        if isinstance(source, Mapping):
            wrong |= {f"checklists/{stem}.yaml: {field}": rule for field, rule in _problems(source).items()}
    return wrong


def _problems(source: Mapping[str, Any]) -> dict[str, str]:
    wrong: dict[str, str] = {}
    if "capacity" in source:
        wrong |= _misread("capacity", lambda: CapacitySheet.model_validate(source["capacity"], extra="forbid"))
    wrong |= _proofs(source)
    risk = source.get("risk")
    by_risk = risk.get("conditions", {}) if isinstance(risk, Mapping) else {}
    wrong |= _misread("risk.conditions", lambda: _BY_RISK.validate_python(by_risk, extra="forbid"))
    if isinstance(risk, Mapping) and isinstance(by_risk, Mapping):
        known = risk.get("ratings", ())
        strange = [name for name in by_risk if name not in known]
        wrong |= {
            f"risk.conditions.{name}": Rule("must be one of: %(names)s", names=", ".join(map(str, known)))
            for name in strange
        }
    return wrong


def _proofs(source: Mapping[str, Any]) -> dict[str, str]:
    """Return what is wrong with the points that stand on the assessment."""
    points = source.get("items")
    proved = {
        number: item["proof"]
        for number, item in enumerate(points if isinstance(points, list | tuple) else ())
        if isinstance(item, Mapping) and item.get("proof") is not None
    }
    wrong: dict[str, str] = {}
    for number, proof in proved.items():
        if proof not in PROOFS:
            wrong[f"items.{number}.proof"] = Rule("must be one of: %(names)s", names=", ".join(PROOFS))
        elif "capacity" not in source:
            wrong[f"items.{number}.proof"] = Rule("needs a capacity assessment in this checklist")
    return wrong


def _misread(field: str, read: Any) -> dict[str, str]:
    try:
        read()
    except ValidationError as error:
        return {
            ".".join([field, *map(str, one["loc"])]): str(one["msg"]).removeprefix("Value error, ")
            for one in error.errors(include_url=False, include_input=False)
        }
    return {}
