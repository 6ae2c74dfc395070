"""What grants needs of a programme's pack: calls with their forms, scoring sheets, checklists, limits.

An application is pinned to the version of the pack under which it was started, so nothing in here
changes under a live case.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from services.grants.domain.application import Calendar
from shared.errors import NotFoundError
from shared.events.award_rules import AwardRules
from shared.events.closeout_rules import CloseoutRules
from shared.events.decision_rules import DecisionRules
from shared.events.diligence_rules import CapacitySheet, SpecialCondition
from shared.events.payment_rules import PaymentRules
from shared.events.reporting_rules import Indicator, Reporting
from shared.forms import Criterion as EligibilityRule
from shared.forms import Form, Question, Section, Sum, read
from shared.money import Money, decimals_of
from shared.workflow import Workflow

Names = dict[str, str]
Answer = Literal["yes", "no", "not_applicable"]
BUDGET, DOCUMENTS = "budget", "documents"


class Model(BaseModel):
    """A part of a pack; members that grants does not need are let be."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Category(Model):
    """A kind of budget line; `max_percent` is of the amount requested."""

    id: str
    name: Names
    max_percent: Decimal | None = None


class DocumentType(Model):
    """A kind of document that the call takes."""

    type: str
    name: Names
    required: bool = False


class MilestoneTemplate(Model):
    """What an agreement starts from; `percent` is of the award."""

    id: str
    name: Names
    percent: Decimal


class Eligibility(Model):
    """Who may apply: kinds of organisation (none named means every kind), and rules that are judged from answers."""

    kinds: tuple[str, ...] = ()
    rules: tuple[EligibilityRule, ...] = ()


class Rows(Model):
    """How many lines a budget has."""

    min: int = 1
    max: int = Field(default=60, ge=1, le=60)


class Source(Model):
    """A question (or `question.column`) that names somebody to be looked for on exclusion lists."""

    field: str
    kind: Literal["partner", "person", "supplier"] = Field(default="partner", alias="as")


class Exclusion(Model):
    """Exclusion lists: from which likeness on a name is a hit, who is looked for, what a hit holds.

    `blocks` are transitions and `release` (of a tranche). Nothing is held by a call that says nothing.
    """

    threshold: int = Field(default=88, ge=70, le=100)
    subjects: tuple[Source, ...] = ()
    blocks: tuple[str, ...] = ()


class Call(Model):
    """A call for applications; dates are local and inclusive."""

    call: str
    name: Names
    summary: Names = {}
    reference_prefix: str = "BSO"
    opens_on: date
    closes_on: date | None = None
    closes_at: time | None = None  # from that minute of the last day on nothing is taken; nothing: at its end
    budget: Money | None = None
    ceiling: Money
    floor: Money | None = None
    workflow: str
    scoring: str
    checklists: dict[str, str] = {}
    reviewers_needed: int = 2
    expertise: tuple[str, ...] = ()  # what reviewers of this call should know
    eligibility: Eligibility = Eligibility()
    exclusion: Exclusion = Exclusion()
    documents: tuple[DocumentType, ...] = ()
    # The form as JSON Schema with our words on top (shared.forms.reading), from which `sections` and `sums` are read.
    # Calls of former releases have `sections` alone.
    form_schema: dict[str, Any] | None = Field(default=None, alias="form")
    sections: tuple[Section, ...] = ()
    sums: tuple[Sum, ...] = ()
    budget_lines: tuple[Category, ...] = ()
    budget_rows: Rows = Rows()
    milestones: tuple[MilestoneTemplate, ...] = ()
    reporting: Reporting | None = None
    indicators: tuple[Indicator, ...] = ()

    @property
    def currency(self) -> str:
        """Return the currency of every amount of this call."""
        return self.ceiling.currency

    @model_validator(mode="before")
    @classmethod
    def _read_form(cls, data: Any) -> Any:
        if not isinstance(data, dict) or "form" not in data:
            return data
        form = read(data["form"], decimals=decimals_of(data["ceiling"]["currency"]))
        return data | {"sections": form.sections, "sums": form.sums}

    @cached_property
    def form(self) -> Form:
        """Return what is asked."""
        return Form(sections=self.sections, sums=self.sums)

    @property
    def questions(self) -> dict[str, Question]:
        """Return the questions of all sections by id."""
        return self.form.questions

    @property
    def parts(self) -> list[str]:
        """Return what can be asked for again: the sections, the budget, the documents."""
        return [*(section.id for section in self.sections), BUDGET, DOCUMENTS]

    def state(self, now: datetime) -> Literal["soon", "open", "closed"]:
        """Return whether applications may be handed in at that local time of the programme."""
        today, last = now.date(), self.closes_on
        if today < self.opens_on:
            return "soon"
        late = last is not None and self.closes_at is not None and today == last and now.time() >= self.closes_at
        return "closed" if late or (last is not None and today > last) else "open"

    def is_open(self, now: datetime) -> bool:
        """Return whether applications may be handed in at that local time of the programme."""
        return self.state(now) == "open"


class CheckItem(Model):
    """A point of a checklist; `must` means that `no` fails the checklist.

    With `proof` the answer yes stands on a finished capacity assessment.
    """

    id: str
    text: Names
    must: bool = True
    may_skip: bool = False
    proof: Literal["capacity"] | None = None


class Risk(Model):
    """The rating with which a checklist ends."""

    required: bool = False
    ratings: tuple[str, ...] = ()
    conditions: dict[str, tuple[SpecialCondition, ...]] = {}


class Checklist(Model):
    """Points that staff answer with yes, no or not applicable, each with a note."""

    checklist: str
    name: Names
    items: tuple[CheckItem, ...]
    risk: Risk | None = None
    capacity: CapacitySheet | None = None

    @property
    def assesses(self) -> bool:
        """Return whether it has a result to read: an assessment, or conditions that follow from the risk."""
        return self.capacity is not None or bool(self.risk and self.risk.conditions)

    def passed(self, answers: Mapping[str, str], risk: str | None) -> bool:
        """Return whether every point is answered, none that must be yes is no, and the risk is rated."""
        rated = not (self.risk and self.risk.required) or risk is not None
        return rated and all(
            answers.get(item.id) is not None and not (item.must and answers[item.id] == "no") for item in self.items
        )


class Criterion(Model):
    """A criterion of the scoring sheet with its weight in hundredths; `judges` are the questions it is scored from."""

    id: str
    name: Names
    weight: Decimal
    help: Names = {}
    judges: tuple[str, ...] = ()


class Sheet(Model):
    """The scoring sheet: each criterion is scored 0 to `max`; weights add up to 100."""

    scoring: str
    max: int = Field(gt=0, le=100)
    threshold: Decimal
    comment_required: bool = True
    criteria: tuple[Criterion, ...]
    # By how many points of 100 two reviews may differ before somebody has to moderate, and what waits for that.
    max_spread: Decimal | None = None
    spread_holds: tuple[str, ...] = ()

    def so_far(self, points: Mapping[str, int]) -> Decimal:
        """Return what the criteria scored so far make of 100; the others count as nothing yet."""
        return self.weighted({item.id: 0 for item in self.criteria} | dict(points))

    def weighted(self, points: Mapping[str, int]) -> Decimal:
        """Return sum(weight * points / max) over the criteria, 0 to 100, to two decimals."""
        score = sum((item.weight * points[item.id] / self.max for item in self.criteria), Decimal(0))
        return score.quantize(Decimal("0.01"), rounding=ROUND_HALF_EVEN)


class Pack(Model):
    """One version of a programme's pack as grants reads it."""

    programme: str
    name: Names
    calendar: Calendar
    delegations: tuple[dict[str, Any], ...]
    calls: dict[str, Call]
    workflows: dict[str, Workflow]
    scoring: dict[str, Sheet]
    checklists: dict[str, Checklist]
    rules: AwardRules = AwardRules()
    decisions: DecisionRules = DecisionRules()
    payments: PaymentRules = PaymentRules()
    closeout: CloseoutRules = CloseoutRules()

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> Pack:
        """Return the pack of a loaded programme; raises a validation error for what it can't use."""
        facts = content.get("programme", {})
        settings = facts.get("settings", {})
        calls = TypeAdapter(list[Call]).validate_python(list(content.get("calls", {}).values()))
        sheets = TypeAdapter(list[Sheet]).validate_python(list(content.get("scoring", {}).values()))
        lists = TypeAdapter(list[Checklist]).validate_python(list(content.get("checklists", {}).values()))
        workflows = [Workflow.checked(source) for source in content.get("workflows", {}).values()]
        return cls(
            programme=facts.get("programme", ""),
            name=facts.get("name", {}),
            calendar=Calendar(country=settings.get("country", "MK"), zone=settings.get("timezone", "UTC")),
            delegations=tuple(facts.get("delegated_authority", ())),
            calls={item.call: item for item in calls},
            workflows={item.workflow: item for item in workflows},
            scoring={item.scoring: item for item in sheets},
            checklists={item.checklist: item for item in lists},
            rules=AwardRules.model_validate(content.get("agreement", {})),
            decisions=DecisionRules.model_validate(content.get("decisions", {})),
            payments=PaymentRules.model_validate(content.get("payments", {})),
            closeout=CloseoutRules.model_validate(content.get("closeout", {})),
        )

    def call(self, call_id: str) -> Call:
        """Return a call; raises NotFoundError."""
        if call_id not in self.calls:
            raise NotFoundError("There is no such call")
        return self.calls[call_id]

    def sheet_of(self, call: Call) -> Sheet:
        """Return the scoring sheet of a call."""
        return self.scoring[call.scoring]

    def checklists_of(self, call: Call) -> list[Checklist]:
        """Return the checklists of a call, in the order in which the case meets them."""
        return [self.checklists[name] for name in call.checklists.values() if name in self.checklists]


def mean(scores: Iterable[Decimal]) -> Decimal | None:
    """Return the panel's score: the mean of the reviews' scores to two decimals; None without a review."""
    given = list(scores)
    if not given:
        return None
    return (sum(given, Decimal(0)) / len(given)).quantize(Decimal("0.01"), rounding=ROUND_HALF_EVEN)
