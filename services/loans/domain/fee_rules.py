"""The programme's rule for success fees to advisers: how much a loan earns, and what an early default takes back."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.loans.domain.schedule import add_months
from shared.money import Money

HUNDRED = Decimal(100)


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Band(_Strict):
    """A part of the loan up to an amount (the last one without an end), and its percentage."""

    up_to: Decimal | None = Field(default=None, gt=0)
    percent: Decimal = Field(ge=0, le=HUNDRED)


class Slice(_Strict):
    """What share of the fee is lost when the loan defaults within so many months of the first payment."""

    months: int = Field(ge=1)
    percent: Decimal = Field(gt=0, le=HUNDRED)


class SuccessFee(_Strict):
    """The rule: a percentage, a flat sum, or bands; never above the cap; in one currency.

    With `when: each` the fee is earned in proportion to what is confirmed of the agreed amount, with `when: whole` all
    of it at once when the whole amount is confirmed. An early default (see `monitoring`) takes back all of it, or the
    share of the first slice in which it falls.
    """

    currency: str = Field(pattern=r"^[A-Z]{3}$")
    kind: Literal["percent", "flat", "bands"]
    percent: Decimal = Field(default=Decimal(0), ge=0, le=HUNDRED)
    flat: Decimal = Field(default=Decimal(0), ge=0)
    bands: list[Band] = []
    cap: Decimal | None = Field(default=None, gt=0)
    when: Literal["each", "whole"] = "each"
    claw_back: list[Slice] = []
    step_up: list[Literal["approve", "pay"]] = []  # acts that ask for the password again

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.kind == "percent" and not self.percent:
            raise ValueError("success_fee.percent must be above zero for a fee of kind percent")
        if self.kind == "flat" and not self.flat:
            raise ValueError("success_fee.flat must be above zero for a fee of kind flat")
        ends = [band.up_to for band in self.bands]
        known = [end for end in ends[:-1] if end is not None]
        rising = len(known) == len(ends) - 1 and all(a < b for a, b in pairwise(known))
        last = ends[-1] if ends else None
        if self.kind == "bands" and not (ends and rising and (last is None or not known or last > known[-1])):
            raise ValueError("success_fee.bands must rise by up_to; only the last may have none")
        months = [item.months for item in self.claw_back]
        if months != sorted(set(months)):
            raise ValueError("success_fee.claw_back must rise by months")
        return self

    def whole(self, agreed: Money) -> Money:
        """Return the fee for a loan that is confirmed in full."""
        if self.kind == "flat":
            fee = self.flat
        elif self.kind == "percent":
            fee = agreed.amount * self.percent / HUNDRED
        else:
            fee = self._by_bands(agreed.amount)
        return Money.of(min(fee, self.cap) if self.cap is not None else fee, self.currency)

    def _by_bands(self, amount: Decimal) -> Decimal:
        fee = below = Decimal(0)
        for band in self.bands:
            end = amount if band.up_to is None else min(amount, band.up_to)
            fee += max(end - below, Decimal(0)) * band.percent / HUNDRED
            below = max(below, end)
        return fee

    def earned(self, agreed: Money, confirmed: Money) -> Money:
        """Return how much of the fee is earned when so much is confirmed by both sides."""
        whole = self.whole(agreed)
        if confirmed >= agreed:
            return whole
        share = Decimal(0) if self.when == "whole" else confirmed.amount / agreed.amount
        return Money.of(whole.amount * share, self.currency)

    def lost(self, first: date, as_of: date) -> Decimal:
        """Return what percentage of the fee an early default on that day takes back."""
        if not self.claw_back:
            return HUNDRED
        found = (item.percent for item in self.claw_back if as_of <= add_months(first, item.months))
        return next(found, Decimal(0))
