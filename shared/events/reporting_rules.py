"""What a call says of reports and indicators (`reporting`, `indicators` in calls/*.yaml), and what is refused in it.

The portal checks a pack with this before it publishes it, and grants reads what it got with the same model.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator

from shared.errors import InvalidError, Rule
from shared.events.wording import broken
from shared.forms import Form, read
from shared.money import Amount

N = TypeVar("N", bound="Named")
Names = dict[str, str]
Slot = Literal["value", "numerator", "denominator"]


def _once(items: tuple[N, ...]) -> tuple[N, ...]:
    ids = [item.id for item in items]
    for name in ids:
        if ids.count(name) > 1:
            raise ValueError(Rule("has “%(name)s” twice", name=name))
    return items


def _not_below(value: Decimal) -> Decimal:
    if value < 0:
        raise ValueError(Rule("must not be less than nothing"))
    return value


class Part(BaseModel):
    """A part of the file; a word that it does not know is refused, because a rule must not be lost by a typo."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Named(Part):
    """Something with an id and names for people."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,59}$")
    name: Names


Nameds = Annotated[tuple[Named, ...], AfterValidator(_once)]
Days = Annotated[int, Field(ge=0, le=366)]


class Dimension(Named):
    """A way to break an indicator's figure down; its parts add up to the whole."""

    parts: Annotated[Nameds, Field(min_length=2)]


class Indicator(Named):
    """What is counted. `measure`: a number, a percentage kept as its two counts, or distinct registration numbers.

    `periods` says how the periods of one grant come together: what was added in each ("add"), what stands at its end
    and never falls ("cumulative"), or what stands at its end ("level"); the last two are never summed over periods.
    """

    unit: Names
    measure: Literal["number", "percent", "distinct"] = "number"
    periods: Literal["add", "cumulative", "level"] = "add"
    decimals: int = Field(default=0, ge=0, le=4)
    baseline: Amount | None = None
    target: Amount | None = None
    # The question of the application whose answer is the target of that grant.
    target_field: str = ""
    disaggregation: Annotated[tuple[Dimension, ...], AfterValidator(_once)] = ()

    @property
    def slots(self) -> tuple[Slot, ...]:
        """Return the counts that are asked of it, and of each of its parts."""
        return ("numerator", "denominator") if self.measure == "percent" else ("value",)


class Reporting(Part):
    """When reports are due, what they ask, and what follows when they are late."""

    every_months: int | None = Field(default=None, ge=1, le=24)
    within_days: Days = 30
    final_within_days: Days = 60
    financial: bool = True
    narrative: bool = True
    # By how much the spending of a budget line may differ before it must be explained.
    variance_percent: Annotated[Amount, AfterValidator(_not_below)] = Decimal(20)
    review_days: int = Field(default=10, ge=1, le=120)
    answer_days: int = Field(default=10, ge=1, le=120)
    # Days before (less than nothing) and after the due day on which the recipient is reminded.
    remind: tuple[int, ...] = (-14, -3, 1, 7, 14)
    overdue_blocks_payment: bool = True
    # Whether every cost needs a document.
    proof_required: bool = False
    # Whoever decided the costs may not accept the report.
    two_reviewers: bool = False
    documents: Nameds = ()
    ineligible: Nameds = ()
    form: dict[str, Any] | None = None

    @field_validator("remind")
    @classmethod
    def _in_order(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if any(not -180 <= day <= 180 for day in value):
            raise ValueError(Rule("must lie within 180 days of the due day"))
        return tuple(sorted(set(value)))

    @cached_property
    def questions(self) -> Form:
        """Return what the narrative part asks."""
        return read(self.form) if self.form else Form()


class Results(Part):
    """The parts of a call that this module knows."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    reporting: Reporting | None = None
    indicators: Annotated[tuple[Indicator, ...], AfterValidator(_once)] = ()


def reporting_problems(pack: Mapping[str, Any]) -> dict[str, str]:
    """Return {"calls/<file>.yaml: <field>": rule} of what is wrong with reports and indicators of a pack's calls."""
    calls = pack.get("calls", {})
    wrong: dict[str, str] = {}
    for stem, call in calls.items() if isinstance(calls, Mapping) else ():
        found = _problems(call) if isinstance(call, Mapping) else {}
        wrong |= {f"calls/{stem}.yaml: {field}": rule for field, rule in found.items()}
    return wrong


def _problems(call: Mapping[str, Any]) -> dict[str, str]:
    try:
        results = Results.model_validate(dict(call))
    except ValidationError as error:
        return {".".join(map(str, item["loc"])): broken(item) for item in error.errors()}
    found = _unsaid(results, frozenset(call.get("name") or {"en": ""}))
    form = call.get("form")
    asked = form.get("properties", {}) if isinstance(form, Mapping) else {}
    for index, item in enumerate(results.indicators):
        place = f"indicators.{index}"
        if item.target_field and asked.get(item.target_field, {}).get("type") not in {"number", "integer"}:
            found[f"{place}.target_field"] = Rule("names %(name)s, which asks for no number", name=item.target_field)
        if item.measure == "distinct" and item.periods != "add":
            found[f"{place}.periods"] = "must be add: who was counted before is known by the number"
    return found


def _unsaid(results: Results, languages: frozenset[str]) -> dict[str, str]:
    """Return what is not said in every language of the call, and the narrative form's own mistakes."""
    found: dict[str, str] = {}
    if results.reporting and results.reporting.form:
        try:
            read(results.reporting.form, languages=languages)
        except InvalidError as error:
            found |= {f"reporting.{field}": rule for field, rule in error.fields.items()}
    for place, names in _named(results):
        if lacking := sorted(languages - set(names)):
            found[place] = Rule("is not said in: %(names)s", names=", ".join(lacking))
    return found


def _named(results: Results) -> list[tuple[str, Names]]:
    found: list[tuple[str, Names]] = []
    if results.reporting:
        for kind in ("documents", "ineligible"):
            items: tuple[Named, ...] = getattr(results.reporting, kind)
            found += [(f"reporting.{kind}.{index}.name", item.name) for index, item in enumerate(items)]
    for index, item in enumerate(results.indicators):
        place = f"indicators.{index}"
        found += [(f"{place}.name", item.name), (f"{place}.unit", item.unit)]
        for row, dimension in enumerate(item.disaggregation):
            found.append((f"{place}.disaggregation.{row}.name", dimension.name))
            parts = enumerate(dimension.parts)
            found += [(f"{place}.disaggregation.{row}.parts.{n}.name", part.name) for n, part in parts]
    return found
