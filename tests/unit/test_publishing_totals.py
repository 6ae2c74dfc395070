"""Totals of what is published: by currency, and together only at rates that somebody states."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from services.grants.domain.publishing import Entry, Rates, converted, totals
from shared.errors import InvalidError
from shared.money import Money

TODAY = date(2026, 6, 1)


def entry(amount: str, currency: str, paid: str = "0") -> Entry:
    """Return an agreement of that amount."""
    money = [Money(amount=value, currency=currency) for value in (amount, paid)]
    return Entry("BSO-1", "Title", "/", {}, (), money[0], money[1])


FOUND = totals([entry("100", "EUR", "40"), entry("6150", "MKD"), entry("50", "EUR")])


def test_row_12_currencies_are_never_summed() -> None:
    """Each currency has its own total; one total stands only at a rate whose day and source are stated."""
    assert {name: (str(item.agreed), str(item.paid)) for name, item in FOUND.items()} == {
        "EUR": ("150.00 EUR", "40.00 EUR"),
        "MKD": ("6,150.00 MKD", "0.00 MKD"),
    }
    stated = Rates("EUR", date(2026, 5, 29), "National Bank", {"MKD": Decimal("0.01626")})
    together = converted(FOUND, stated, TODAY)
    assert (str(together.agreed), together.records) == ("250.00 EUR", 3)


@pytest.mark.parametrize(
    ("stated", "field"),
    [
        (Rates("EUR", date(2026, 5, 29), "Bank", {}), "rate_MKD"),
        (Rates("EUR", date(2026, 5, 29), "Bank", {"MKD": Decimal(0)}), "rate_MKD"),
        (Rates("EUR", None, "Bank", {"MKD": Decimal(1)}), "on"),
        (Rates("EUR", date(2026, 6, 2), "Bank", {"MKD": Decimal(1)}), "on"),
        (Rates("EUR", date(2026, 5, 29), " ", {"MKD": Decimal(1)}), "rate_source"),
    ],
)
def test_row_12_nothing_is_converted_without_rate_day_and_source(stated: Rates, field: str) -> None:
    """What is not stated is named by its field, and no total is guessed."""
    with pytest.raises(InvalidError) as refused:
        converted(FOUND, stated, TODAY)
    assert list(refused.value.fields) == [field]
