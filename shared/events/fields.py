"""Kinds of fields that people type and packs hold: lines, prose, sums in cents, percentages, days, codes."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from shared.money import Amount

_CENT = Decimal("0.01")
_LIMIT = Decimal(10) ** 13


def _no_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("holds a character that is no text")
    return text


def _cents(amount: Decimal) -> Decimal:
    if abs(amount) >= _LIMIT:
        raise ValueError("is too large an amount")
    if amount != amount.quantize(_CENT):
        raise ValueError("has more than two decimals")
    return amount.quantize(_CENT)


def _not_below_zero(amount: Decimal) -> Decimal:
    if amount < 0:
        raise ValueError("must not be below zero")
    return amount


def blank_is_none(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200), AfterValidator(_no_nul)]
Prose = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000), AfterValidator(_no_nul)]
Signed = Annotated[Amount, AfterValidator(_cents)]
Sum = Annotated[Signed, AfterValidator(_not_below_zero)]
Percent = Annotated[Signed, Field(ge=0, le=100)]
Day = Annotated[date | None, BeforeValidator(blank_is_none)]
ZERO = Decimal(0)
