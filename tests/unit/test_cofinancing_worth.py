"""What a contribution counts for, and what terms of an agreement are refused."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.grants.domain.application import Person
from services.grants.domain.contribution import Rules, Terms, Valuation, draw, worth
from shared.errors import InvalidError
from shared.money import Money

D = Decimal

FILE = Path(__file__).parents[2] / "programmes" / "business-ecosystem" / "cofinancing.yaml"
PACK: dict[str, Any] = yaml.safe_load(FILE.read_text())
RULES = Rules.of(PACK)
NO_LIFE = Valuation(cost="1", life_years="0", months="1", use_percent="1")
OFFICER = Person(id="user:1", name="Officer")


def value(basis: str = "", claimed: str = "10000", currency: str = "EUR", **more: Any) -> D:
    """Return what a contribution counts for in euro; with a basis it is in kind."""
    given: dict[str, Any] = {"ineligible": D(0), "exchange_rate": None, "valuation": None} | more
    form: Any = "in_kind" if basis else "cash"
    return worth(RULES, "EUR", form=form, basis=basis, claimed=Money.of(claimed, currency), **given)


def test_cash_counts_without_what_is_ineligible() -> None:
    """11,800 with 1,800 of recoverable VAT counts 10,000."""
    assert value(claimed="11800", ineligible=D(1800)) == D(10_000)


@pytest.mark.parametrize(
    ("basis", "valuation", "counts"),
    [
        ("staff_time", {"hours": "120", "rate": "6.50", "fringe_percent": "22"}, "951.60"),
        ("volunteer_time", {"hours": "10", "rate": "10", "similar_rate": "4"}, "40.00"),
        ("equipment", {"book_value": "7000", "market_value": "9500"}, "7000"),
        ("equipment_use", {"cost": "24000", "life_years": "8", "months": "10", "use_percent": "60"}, "1500.00"),
        ("space", {}, "10000"),
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
        ("ineligible", {"ineligible": D(10_001)}),
        ("ineligible", {"ineligible": D(-1)}),
        ("exchange_rate", {"currency": "MKD"}),
        ("amount", {"claimed": "0"}),
    ],
)  # fmt: skip
def test_what_cannot_be_valued_is_refused_by_field(field: str, more: dict[str, Any]) -> None:
    """A missing or senseless figure is named."""
    with pytest.raises(InvalidError) as refusal:
        value(**more)
    assert field in refusal.value.fields


def terms(total: str, in_kind: str, **rules: Any) -> Terms:
    """Return the terms drawn for a project."""
    changed = Rules.of(PACK | rules)
    moment = datetime(2026, 11, 23, tzinfo=UTC)
    return draw(changed, Money.of(total, "EUR"), Money.of(in_kind, "EUR"), version=1, by=OFFICER, now=moment)


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


def test_a_tiered_scale_asks_more_of_large_projects() -> None:
    """With 50 % asked from 100,000 on, a share of 40 % is refused there and accepted below."""
    tiers = [{"at_least": "0", "percent": "20"}, {"at_least": "100000", "percent": "50"}]
    assert terms("99999", "0", tiers=tiers).total == D(99_999)
    with pytest.raises(InvalidError, match="attention"):
        terms("100000", "0", tiers=tiers)
