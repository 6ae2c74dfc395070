"""What a contribution counts for, and what terms of an agreement are refused."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.grants.domain.application import Person
from services.grants.domain.contribution import Claim, Valuation, worth
from services.grants.domain.terms import Rules, Terms, draw
from shared.errors import InvalidError
from shared.money import Money

D = Decimal

FILE = Path(__file__).parents[2] / "programmes" / "business-ecosystem" / "cofinancing.yaml"
PACK: dict[str, Any] = yaml.safe_load(FILE.read_text())
RULES = Rules.of(PACK)
NO_LIFE = Valuation(cost="1", life_years="0", months="1", use_percent="1")
PAID = date(2026, 11, 20)
OFFICER = Person(id="user:1", name="Officer")


def value(basis: str = "", claimed: str = "10000", currency: str = "EUR", **more: Any) -> D:
    """Return what a contribution counts for in euro; with a basis it is in kind."""
    form: Any = "in_kind" if basis else "cash"
    about: dict[str, Any] = {"description": "Pay", "given_on": PAID, "claimed": Money.of(claimed, currency)}
    return worth(RULES, "EUR", Claim(form=form, basis=basis, **(about | more)))


def test_cash_counts_without_what_is_ineligible() -> None:
    """11,800 with 1,800 of recoverable VAT counts 10,000."""
    assert value(claimed="11800", ineligible=D(1800), ineligible_code="recoverable_vat") == D(10_000)


@pytest.mark.parametrize(
    ("basis", "valuation", "counts"),
    [
        ("staff_time", {"hours": "120", "rate": "6.50", "fringe_percent": "22"}, "951.60"),
        ("volunteer_time", {"hours": "10", "rate": "10", "similar_rate": "4"}, "40.00"),
        ("equipment", {"book_value": "7000", "market_value": "9500"}, "7000"),
        ("equipment_use", {"cost": "24000", "life_years": "8", "months": "10", "use_percent": "60"}, "1500.00"),
        ("space", {"market_value": "9000"}, "9000"),
        ("supplies", {"market_value": "12000"}, "10000"),
    ],
)
def test_in_kind_counts_at_most_at_its_valuation(basis: str, valuation: dict[str, str], counts: str) -> None:
    """Each basis is valued by its own rule, however much is claimed."""
    assert value(basis, valuation=Valuation(**valuation)) == D(counts)


def test_less_claimed_than_valued_counts_as_claimed() -> None:
    """Nobody is credited more than they ask for."""
    assert value("staff_time", "500", valuation=Valuation(hours="120", rate="6.50")) == D(500)


@pytest.mark.parametrize(
    ("field", "more"),
    [
        ("basis", {"basis": "gold"}),
        ("hours", {"basis": "staff_time"}),
        ("similar_rate", {"basis": "volunteer_time", "valuation": Valuation(hours="1", rate="1")}),
        ("life_years", {"basis": "equipment_use", "valuation": NO_LIFE}),
        ("market_value", {"basis": "space"}),
        ("use_percent", {"basis": "equipment_use", "valuation": NO_LIFE.model_copy(update={"use_percent": D(101)})}),
        ("ineligible_code", {"ineligible": D(1)}),
        ("ineligible_code", {"ineligible": D(1), "ineligible_code": "charm"}),
        ("ineligible", {"ineligible": D(10_001)}),
        ("ineligible", {"ineligible": D(-1)}),
        ("exchange_rate", {"currency": "MKD"}),
        ("rate_source", {"currency": "MKD", "exchange_rate": D("0.01626"), "rate_date": PAID}),
        ("rate_date", {"currency": "MKD", "exchange_rate": D("0.01626"), "rate_source": "National bank"}),
        ("amount", {"claimed": "0"}),
    ],
)  # fmt: skip
def test_what_cannot_be_valued_is_refused_by_field(field: str, more: dict[str, Any]) -> None:
    """A missing or senseless figure is named."""
    with pytest.raises(InvalidError) as refusal:
        value(**more)
    assert field in refusal.value.fields


def terms(total: str, in_kind: str, grant: str | None = None, **rules: Any) -> Terms:
    """Return the terms drawn for a project."""
    changed = Rules.of(PACK | rules)
    moment = datetime(2026, 11, 23, tzinfo=UTC)
    asked = None if grant is None else Money.of(grant, "EUR")
    both = (Money.of(total, "EUR"), Money.of(in_kind, "EUR"))
    return draw(changed, *both, version=1, by=OFFICER, now=moment, grant=asked)


def test_shares_add_up_to_the_total_to_the_cent() -> None:
    """The programme's share is rounded down, and the firm carries the rest."""
    drawn = terms("99999.99", "10000.00")
    assert drawn.programme_share == D("59999.99")
    assert drawn.programme_share + drawn.firm_cash + drawn.firm_in_kind == D("99999.99")


def test_exactly_the_allowed_in_kind_is_accepted() -> None:
    """A quarter of the firm's share may be in kind, a cent more may not."""
    assert terms("100000", "10000").firm_cash == D(30_000)
    with pytest.raises(InvalidError) as refusal:
        terms("100000", "10000.01")
    assert set(refusal.value.fields) == {"in_kind"}


def test_of_several_rules_the_one_that_asks_most_binds() -> None:
    """With 50 % asked from 100,000 on beside shares of 60:40, the firm brings 40 % below and 50 % from there."""
    tiers = [{"at_least": "0", "percent": "20"}, {"at_least": "100000", "percent": "50"}]
    assert terms("99999", "0", tiers=tiers).firm_share == D("39999.60")
    assert terms("100000", "0", tiers=tiers).firm_share == D(50_000)
    assert terms("100000", "0", grant_rate="30").programme_share == D(30_000)
    assert terms("100000", "0", match_ratio="3").programme_share == D(25_000)


def test_less_than_the_most_can_be_agreed_and_never_more() -> None:
    """A grant below what the rules give leaves the rest to the firm; above it, or above the cap, it is refused."""
    drawn = terms("100000", "0", "45000")
    assert (drawn.programme_share, drawn.firm_share, drawn.percents) == (D(45_000), D(55_000), ("45", "55"))
    assert terms("200000", "0", "100000").firm_share == D(100_000)
    for total, grant, field in (("100000", "60000.01", "grant"), ("200000", None, "total"), ("100000", "0", "grant")):
        with pytest.raises(InvalidError) as refusal:
            terms(total, "0", grant)
        assert set(refusal.value.fields) == {field}
