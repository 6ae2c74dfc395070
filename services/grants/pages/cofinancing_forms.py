"""Forms of co-financing: what people type, made into commands or refused by field."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from services.grants.domain.contribution import Valuation
from services.grants.domain.terms import Form
from services.grants.handlers.cofinancing import Concept, EnterContribution
from shared.errors import InvalidError
from shared.money import Amount, Money
from shared.web.forms import FormModel, invalid, rule_of

M = TypeVar("M", bound=BaseModel)
Perhaps = Annotated[Amount | None, BeforeValidator(lambda value: value or None)]
OrNothing = Annotated[Amount, BeforeValidator(lambda value: value or "0")]
VALUATION = tuple(name for name in Valuation.model_fields if name != "fringe_percent")


class Versioned(FormModel):
    """A form that says on which version of the case its page was made."""

    version: int = Field(ge=0)


class ConceptForm(FormModel):
    """A concept; `version` is empty for a new one."""

    version: int = 0
    kind: str
    title: str
    summary: str = ""
    planned: Amount


class TermsForm(Versioned):
    """The agreement's shares."""

    total: Amount
    in_kind: OrNothing = Decimal(0)
    grant: Perhaps = None


class MoveForm(Versioned):
    """A move of the workflow."""

    transition: str = Field(max_length=60)
    reason: str | None = Field(default=None, max_length=2000)
    comment: str | None = Field(default=None, max_length=2000)


class ContributionForm(Versioned):
    """What the firm paid or gave."""

    form: Form
    basis: str = ""
    given_on: date
    description: str
    amount: Amount
    currency: str = Field(max_length=3)
    ineligible: OrNothing = Decimal(0)
    ineligible_code: str = ""
    exchange_rate: Perhaps = None
    rate_date: Annotated[date | None, BeforeValidator(lambda value: value or None)] = None
    rate_source: str = ""
    invoice_number: str = ""
    supplier_tax_id: str = ""
    second_hand: bool = False
    related_party: bool = False
    hours: Perhaps = None
    rate: Perhaps = None
    fringe_percent: OrNothing = Decimal(0)
    similar_rate: Perhaps = None
    book_value: Perhaps = None
    market_value: Perhaps = None
    cost: Perhaps = None
    life_years: Perhaps = None
    months: Perhaps = None
    use_percent: Perhaps = None

    def command(self) -> EnterContribution:
        """Return the command; raises InvalidError."""
        values = self.model_dump(exclude={"csrf", "version", "amount", "currency", "fringe_percent", *VALUATION})
        valuation = Valuation(fringe_percent=self.fringe_percent, **{name: getattr(self, name) for name in VALUATION})
        claimed = money("amount", self.amount, self.currency)
        return parsed(EnterContribution, values | {"claimed": claimed, "valuation": valuation})


class DecisionForm(Versioned):
    """Yes or no, with a note."""

    verdict: str = Field(pattern="^(good|refuse)$")
    note: str = Field(default="", max_length=2000)


class ContributionDecisionForm(DecisionForm):
    """Yes or no; a refused cost may name the rule by which it is not eligible."""

    code: str = Field(default="", max_length=60)


class ReasonForm(Versioned):
    """An act that needs a reason and nothing else."""

    note: str = Field(default="", max_length=2000)


class RecusalForm(Versioned):
    """A conflict of interest, declared by staff."""

    nature: str = Field(default="", max_length=2000)


class RefundForm(Versioned):
    """What the firm paid back."""

    refund: Amount
    paid_on: date
    payment: str = Field(default="", max_length=120)


class LoanForm(Versioned):
    """A bank's loan beside the co-financing."""

    lender: str = Field(default="", max_length=200)
    lent: Amount
    lent_on: date


class ReleaseForm(Versioned):
    """How much is asked for."""

    amount: Amount


class FileForm(Versioned):
    """What kind of document comes with the file."""

    kind: str = Field(max_length=60)


async def _posted(request: Request) -> dict[str, str]:
    return {name: value for name, value in (await request.form()).multi_items() if isinstance(value, str)}


Posted = Annotated[dict[str, str], Depends(_posted)]


def parsed(model: type[M], values: dict[str, Any]) -> M:
    """Return the values as `model`; raises InvalidError naming the fields."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise invalid(error) from error


def money(field: str, amount: Any, currency: str) -> Money:
    """Return an amount typed in a form; raises InvalidError naming `field`."""
    try:
        return Money(amount=amount, currency=currency)
    except ValidationError as error:
        raise InvalidError({field: rule_of(error.errors()[0])}) from error


def concept(form: ConceptForm, currency: str) -> Concept:
    """Return the command of a concept form; raises InvalidError."""
    values = form.model_dump(include={"kind", "title", "summary"})
    return parsed(Concept, values | {"planned": money("planned", form.planned, currency)})
