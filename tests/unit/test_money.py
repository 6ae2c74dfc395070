"""Money: exact, in one currency, and never a float."""

from decimal import Decimal

import pytest
from babel.numbers import format_decimal
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.money import CurrencyMismatchError, Money, total

BAD = [1.5, "abc", "1.005", "NaN", "Infinity", "1" * 21, None, "", "1e400", "10.000", "1,00,0", "1,2345", "1 00", "--1"]


@pytest.mark.parametrize("amount", BAD)
def test_bad_amounts_are_refused(amount: object) -> None:
    """Floats, words, too many decimals, and over twenty digits are no amounts of euros."""
    with pytest.raises(ValidationError):
        Money.model_validate({"amount": amount, "currency": "EUR"})


WRITTEN = [
    ("48,200.00", "48200.00"),
    (" 12 000 ", "12000.00"),
    ("0.5", "0.50"),
    ("10 000,50", "10000.50"),
    ("10\u202f000,5", "10000.50"),
    ("10.000,50", "10000.50"),
    ("1.000.000", "1000000.00"),
    ("1,000", "1000.00"),
    ("5,50", "5.50"),
    ("10000.000", "10000.00"),
    ("-3.25", "-3.25"),
]


@pytest.mark.parametrize(("written", "meant"), WRITTEN)
def test_amounts_as_people_write_them(written: str, meant: str) -> None:
    """Points, commas and spaces are read as people of each language write them, exact to the currency's decimals."""
    assert Money(amount=written, currency="eur").model_dump() == {"amount": meant, "currency": "EUR"}


@pytest.mark.parametrize("written", ["1e3", "1E3", "2e-1", "1E+03"])
def test_an_exponent_from_a_person_is_refused(written: str) -> None:
    """A letter in an amount is a slip: 1e3 is no thousand; what Decimal itself writes is still read."""
    with pytest.raises(ValueError, match="is not an amount"):
        Money(amount=written, currency="EUR")
    assert Money(amount="1E+3", currency="EUR").amount == Decimal(1000)


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


def test_ten_point_three_zeros_is_refused_and_not_guessed() -> None:
    """10.000 is ten to one reader and ten thousand to another; the refusal says how to write either."""
    with pytest.raises(ValidationError, match="write 10000, or two decimals"):
        Money(amount="10.000", currency="EUR")
    assert Money(amount="10.000", currency="KWD").amount == Decimal("10.000")


@given(st.decimals(min_value=0, max_value=10**12, places=2), st.sampled_from(["en", "ru"]))
def test_what_a_page_prints_is_read_as_the_same_amount(amount: Decimal, locale: str) -> None:
    """An amount copied from an English or a Russian page is the same amount."""
    printed = format_decimal(amount, format="#,##0.00", locale=locale)
    assert Money(amount=printed, currency="EUR").amount == amount
