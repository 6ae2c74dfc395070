"""A schedule as a machine asks for it, and the answer: amounts as text, days as ISO 8601."""

from __future__ import annotations

import re
from datetime import date
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, localcontext
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema

from services.loans.domain.schedule.engine import Instalment, Run
from services.loans.domain.schedule.terms import (
    CENT,
    PRECISION,
    ZERO,
    Amortisation,
    DayCount,
    Every,
    Holidays,
    Interest,
    Move,
    Prepayment,
    PrepaymentInterest,
    PrepaymentsAre,
    Terms,
    TermsError,
)
from services.loans.domain.schedule.truecost import By, cost_of
from shared.errors import Rule

_EVERY = re.compile(r"([1-9][0-9]{0,2}) (day|week|month|year)s?")
_FRACTION = re.compile(r"(\d{1,4})/([1-9]\d{0,3})")
_NUMBER = re.compile(r"-?\d{1,30}(\.\d{1,30})?")
_NAMES = {
    "annual_rate": "annual_rate_pct",
    "periods": "n",
    "multiple": "instalment_multiple_of",
    "down_payment": "down_payment_pct",
    "first_fraction": "first_period_fraction",
}


def _number(value: Any) -> Decimal:
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return Decimal(value)
    raise ValueError("must be a number written as text, such as 1250.50")


def _fraction(value: Any) -> Decimal:
    found = _FRACTION.fullmatch(value) if isinstance(value, str) else None
    return Decimal(found[1]) / Decimal(found[2]) if found else _number(value)


def _every(value: Any) -> Every:
    found = _EVERY.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise ValueError("must be such as 1 month, 3 months, 2 weeks or 15 days")
    return Every(int(found[1]), found[2])  # type: ignore[arg-type]


def _day(value: Any) -> date:
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        return date.fromisoformat(value)
    raise ValueError("must be a day written as 2026-11-22")


_TEXT = {"type": "string", "pattern": "^-?[0-9]{1,30}([.][0-9]{1,30})?$"}
Number = Annotated[Decimal, BeforeValidator(_number), WithJsonSchema(_TEXT)]
Part = Annotated[Decimal, BeforeValidator(_fraction), WithJsonSchema({"type": "string", "examples": ["17/31"]})]
Length = Annotated[Every, BeforeValidator(_every), WithJsonSchema({"type": "string", "pattern": f"^{_EVERY.pattern}$"})]
Day = Annotated[date, BeforeValidator(_day)]
Count = Annotated[int, Field(strict=True)]
Amounts = Annotated[list[tuple[Day, Number]], Field(max_length=120)]


class MovedOff(BaseModel):
    """Working days of a country, by ISO 3166 code."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    move: Move = "next"


class Asked(BaseModel):
    """The members of a request; all but the first four may be left out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    principal: Number
    annual_rate_pct: Number
    n: Count
    start: Day
    every: Length = Field("1 month", validate_default=True)
    interest: Interest = "declining"
    amortisation: Amortisation = "equal_instalment"
    day_count: DayCount = "per_period"
    grace_principal: Count = 0
    grace_interest_payment: Count = 0
    grace_interest_charged: Count = 0
    instalment_multiple_of: Number | None = None
    instalment: Number | None = None
    currency_decimals: Literal[0, 2, 3] = 2
    rounding: Literal["HALF_EVEN", "HALF_UP"] = "HALF_EVEN"
    tranches: Amounts = []
    prepayments: Amounts = []
    prepayment: Prepayment = "fewer_instalments"
    prepayments_are: PrepaymentsAre = "payments"
    prepayment_interest: PrepaymentInterest = "to_the_day"
    rate_changes: Amounts = []
    fees: Amounts = []
    down_payment_pct: Number = Decimal(0)
    first_period_fraction: Part | None = None
    holidays: MovedOff | None = None
    effective_rate_by: By | None = None

    @classmethod
    def read(cls, given: Any) -> Asked:
        """Return what was asked; raises TermsError that names each member, its rule and what was given."""
        if not isinstance(given, dict):
            raise TermsError({"": Rule("must be one JSON object")}, {"": type(given).__name__})
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            raise named(error) from error

    def terms(self) -> Terms:
        """Return these as terms; raises TermsError under the names of this request."""
        moved = Holidays(self.holidays.country, self.holidays.move) if self.holidays else None
        same = set(Asked.model_fields) & set(Terms.__dataclass_fields__) - {"holidays", "rounding"}
        same -= {"tranches", "prepayments", "rate_changes"}
        try:
            return Terms(
                annual_rate=self.annual_rate_pct / 100,
                periods=self.n,
                multiple=self.instalment_multiple_of,
                down_payment=self.down_payment_pct / 100,
                first_fraction=self.first_period_fraction,
                holidays=moved,
                cent=Decimal(1).scaleb(-self.currency_decimals),
                rounding=ROUND_HALF_EVEN if self.rounding == "HALF_EVEN" else ROUND_HALF_UP,
                tranches=tuple(self.tranches),
                prepayments=tuple(self.prepayments),
                rate_changes=tuple((on, rate / 100) for on, rate in self.rate_changes),
                **{name: getattr(self, name) for name in same},
            )
        except TermsError as error:
            raise renamed(error) from error


def named(error: ValidationError, *, within: str = "") -> TermsError:
    """Return what a model refused, by member; `within` is left out of the names."""
    fields: dict[str, str] = {}
    figures: dict[str, str] = {}
    for item in error.errors():
        name = ".".join(str(part) for part in item["loc"] if not str(part).startswith("function"))
        name = name.removeprefix(within)
        given = item["input"]
        fields[name] = _rule(item["type"], item["msg"])
        figures[name] = "" if item["type"] == "missing" else str(given)[:80]
    return TermsError(fields, figures)


def _rule(kind: str, message: str) -> str:
    plain = {"missing": "is missing", "extra_forbidden": "is not known", "int_type": "must be a whole number"}
    return plain.get(kind) or message.removeprefix("Value error, ").replace("Input should be", "must be")


def renamed(error: TermsError) -> TermsError:
    """Return the same under the names of a request."""
    fields = {_NAMES.get(name, name): rule for name, rule in error.fields.items()}
    return TermsError(fields, {_NAMES.get(name, name): figure for name, figure in error.figures.items()})


def answered(given: Any) -> dict[str, Any]:
    """Return the schedule that was asked for as JSON; raises TermsError that names members, rules and figures.

    `effective_annual_rate_pct` is None where no rate fits, as when fees take all that is paid out.
    """
    return answer_to(Asked.read(given))


def answer_to(asked: Asked) -> dict[str, Any]:
    """Return the schedule of a request that was read; raises TermsError as `answered` does."""
    try:
        with localcontext() as context:
            context.prec = PRECISION
            run = Run(asked.terms())
            run.make()
            cost = cost_of(run, tuple(asked.fees), asked.effective_rate_by)
            return _written(asked, run.rows, cost)
    except TermsError as error:
        raise renamed(error) from error


def _written(asked: Asked, rows: list[Instalment], cost: Decimal | None) -> dict[str, Any]:
    cent = Decimal(1).scaleb(-asked.currency_decimals)
    said = [
        {
            "n": row.number,
            "due": row.on.isoformat(),
            "principal": str(row.principal),
            "interest": str(row.interest),
            "instalment": str(row.due),
            "balance": str(row.balance),
        }
        for row in rows
    ]
    sums = {
        "principal": sum((row.principal for row in rows), ZERO),
        "interest": sum((row.interest for row in rows), ZERO),
        "instalment": sum((row.due for row in rows), ZERO),
        "fees": sum((amount for _, amount in asked.fees), ZERO),
    }
    total = {name: str(amount.quantize(cent)) for name, amount in sums.items()}
    percent = None if cost is None else str((cost * 100).quantize(CENT, rounding=ROUND_HALF_UP))
    return {"rows": said, "total": total, "effective_annual_rate_pct": percent}
