"""Money: exact, in one currency, and never a float."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.money import CurrencyMismatchError, Money, total


@pytest.mark.parametrize("amount", [1.5, "abc", "1.005", "NaN", "Infinity", "1" * 21, None, "", "1e400"])
def test_bad_amounts_are_refused(amount: object) -> None:
    """Floats, words, too many decimals, and over twenty digits are no amounts of euros."""
    with pytest.raises(ValidationError):
        Money.model_validate({"amount": amount, "currency": "EUR"})


@pytest.mark.parametrize(("written", "meant"), [("48,200.00", "48200.00"), (" 12 000 ", "12000.00"), ("0.5", "0.50")])
def test_amounts_as_people_write_them(written: str, meant: str) -> None:
    """Thousands separators and spaces are read, and the result has the currency's decimals."""
    assert Money(amount=written, currency="eur").model_dump() == {"amount": meant, "currency": "EUR"}


def test_currencies_never_add_up() -> None:
    """Adding or comparing two currencies is an error, not a sum."""
    with pytest.raises(CurrencyMismatchError):
        total([Money.of(1, "EUR"), Money.of(1, "KGS")], "EUR")
    with pytest.raises(CurrencyMismatchError):
        assert Money.of(1, "EUR") < Money.of(2, "KGS")


def test_decimals_are_the_currencys_own() -> None:
    """A dong has no minor unit, a dinar of Kuwait three decimals."""
    assert str(Money.of("1000.4", "VND")) == "1,000 VND"
    assert Money.of("1.2345", "KWD").amount == Decimal("1.234")


@given(st.lists(st.decimals(min_value=-(10**9), max_value=10**9, places=2), max_size=30))
def test_sums_are_exact(amounts: list[Decimal]) -> None:
    """The sum of amounts is the decimal sum, to the cent."""
    assert total([Money.of(amount, "EUR") for amount in amounts], "EUR").amount == sum(amounts, Decimal("0.00"))
