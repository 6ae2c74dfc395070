"""Money is a Decimal with its currency; two currencies never add up."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, model_validator

from shared.errors import Rule

# Minor units by ISO 4217; everything not named here has two.
_DECIMALS = {"JPY": 0, "KRW": 0, "VND": 0, "CLP": 0, "UGX": 0, "XAF": 0, "XOF": 0, "BHD": 3, "KWD": 3, "TND": 3}
_UNITS = {places: Decimal(1).scaleb(-places) for places in (0, 2, 3)}

MAX_DIGITS = 20


class CurrencyMismatchError(ValueError):
    """Two amounts of different currencies were put together."""

    def __init__(self, left: str, right: str) -> None:
        super().__init__(f"{left} and {right} are different currencies; convert at a stated rate first")


def decimals_of(currency: str) -> int:
    """Return the number of decimals of an ISO 4217 currency code."""
    return _DECIMALS.get(currency, 2)


# As people write amounts: 48200.5 · 48,200.50 · 48 200,50 · 48.200,50 · 1.000.000. A single group of three digits
# after a point (10.000) is ten to one reader and ten thousand to another: refused, never guessed.
# An exponent is read only as Decimal writes it: "1e3" from a person is a slip of the hand, not a thousand.
_PLAIN = re.compile(r"[+-]?\d+(\.\d*)?(E[+-](0|[1-9]\d*))?")
_GROUPED = re.compile(r"[+-]?\d{1,3}([, ])\d{3}(\1\d{3})*(\.\d+)?")
_COMMA = re.compile(r"[+-]?(\d+|\d{1,3}([ .])\d{3}(\2\d{3})*),\d{1,2}")
_POINTS = re.compile(r"[+-]?\d{1,3}(\.\d{3}){2,}")
_AMBIGUOUS = re.compile(r"[+-]?[1-9]\d{0,2}\.\d{3}")
_STORED = re.compile(r"-?\d+(\.\d{1,2})?")  # as we write them: can be read in one way alone
_SPACES = str.maketrans(dict.fromkeys("\u00a0\u202f\u2009", " "))


def _plain(written: str) -> str:
    """Return an amount as people write it with a point before its decimals and no groups; raises ValueError."""
    text = written.strip().translate(_SPACES)
    if _AMBIGUOUS.fullmatch(text):
        whole = text.replace(".", "")
        raise ValueError(Rule("can be read in two ways: write %(whole)s, or two decimals after the point", whole=whole))
    if _COMMA.fullmatch(text):
        return text.replace(" ", "").replace(".", "").replace(",", ".")
    if _GROUPED.fullmatch(text):
        return text.replace(" ", "").replace(",", "")
    if _POINTS.fullmatch(text):
        return text.replace(".", "")
    if _PLAIN.fullmatch(text):
        return text
    raise ValueError("is not an amount: write digits, with a point before the decimals")


def _to_decimal(value: Any) -> Decimal:
    if isinstance(value, float):
        raise ValueError(  # noqa: TRY004 - pydantic turns ValueError alone into a field error
            "write the amount as text or a whole number, never as a binary float"
        )
    try:
        amount = Decimal(_plain(value) if isinstance(value, str) and not _STORED.fullmatch(value) else value)
    except (InvalidOperation, TypeError) as error:
        raise ValueError("is not an amount: write digits, with a point before the decimals") from error
    if not amount.is_finite():
        raise ValueError("is not a finite amount")
    return amount


Amount = Annotated[Decimal, BeforeValidator(_to_decimal), PlainSerializer(str, return_type=str)]


class Money(BaseModel):
    """An amount in one currency, exact to that currency's minor unit.

    `Money(amount="48200.00", currency="EUR")`; travels as a decimal string.
    Raises a validation error for floats, more decimals than the currency has, or over 20 digits.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    amount: Amount
    currency: Annotated[str, BeforeValidator(lambda value: value.strip().upper() if isinstance(value, str) else value)]

    @model_validator(mode="before")
    @classmethod
    def _three_decimals(cls, values: Any) -> Any:
        """Where a currency has three decimals, 1.234 is what it says."""
        amount = values.get("amount") if isinstance(values, dict) else None
        if isinstance(amount, str) and _AMBIGUOUS.fullmatch(amount) and decimals_of(str(values.get("currency"))) == 3:
            return {**values, "amount": Decimal(amount)}
        return values

    @model_validator(mode="after")
    def _exact(self) -> Self:
        if len(self.currency) != 3 or not self.currency.isascii() or not self.currency.isalpha():
            raise ValueError("currency is not a three-letter ISO 4217 code")
        places = decimals_of(self.currency)
        exact = self.amount.quantize(_UNITS[places]) if self.amount.adjusted() < MAX_DIGITS else None
        if exact is None or exact.adjusted() + places >= MAX_DIGITS:
            raise ValueError(Rule("has more than %(digits)s digits", digits=MAX_DIGITS))
        if exact != self.amount:
            raise ValueError(
                Rule("has more than the %(places)s decimals of %(currency)s", places=places, currency=self.currency)
            )
        object.__setattr__(self, "amount", exact)
        return self

    @classmethod
    def of(cls, amount: Decimal | str | int, currency: str) -> Money:
        """Return `amount` rounded half-even to the currency's minor unit."""
        exact = Decimal(amount).quantize(_UNITS[decimals_of(currency)], rounding=ROUND_HALF_EVEN)
        return cls(amount=exact, currency=currency)

    @classmethod
    def zero(cls, currency: str) -> Money:
        """Return nothing, in that currency."""
        return cls.of(0, currency)

    def _same(self, other: Money) -> Decimal:
        if other.currency != self.currency:
            raise CurrencyMismatchError(self.currency, other.currency)
        return other.amount

    def __add__(self, other: Money) -> Money:
        return Money.of(self.amount + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money.of(self.amount - self._same(other), self.currency)

    def __mul__(self, factor: Decimal | int) -> Money:
        return Money.of(self.amount * factor, self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.amount < self._same(other)

    def __le__(self, other: Money) -> bool:
        return self.amount <= self._same(other)

    def __gt__(self, other: Money) -> bool:
        return self.amount > self._same(other)

    def __ge__(self, other: Money) -> bool:
        return self.amount >= self._same(other)

    def __bool__(self) -> bool:
        return self.amount != 0

    def __str__(self) -> str:
        return f"{self.amount:,} {self.currency}"


def total(amounts: Iterable[Money], currency: str) -> Money:
    """Return the sum of `amounts`, which all are in `currency`; raises CurrencyMismatchError otherwise."""
    result = Decimal(0)
    for amount in amounts:
        if amount.currency != currency:
            raise CurrencyMismatchError(currency, amount.currency)
        result += amount.amount
    return Money.of(result, currency)
