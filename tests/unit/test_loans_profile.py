"""A firm's profile: accounts that add up, corrections that keep the former, the size class with its grounds."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from services.loans.domain.facts import Accounts, Owners, Register, Staff
from services.loans.domain.firm import Fact, Firm, prefill, read_content
from services.loans.domain.size import Figures, SizeRule, size_of
from shared.errors import InvalidError

NOW, TODAY = datetime(2026, 3, 2, 9, tzinfo=UTC), date(2026, 3, 2)
EU = SizeRule.model_validate(
    {
        "law": "2003/361/EC",
        "currency": "EUR",
        "all_of": ["employees"],
        "any_of": ["turnover", "balance_total"],
        "count": 1,
        "years": 2,
        "classes": [
            {
                "code": code,
                "limits": {
                    "employees": {"below": staff},
                    "turnover": {"at_most": amount},
                    "balance_total": {"at_most": balance},
                },
            }
            for code, staff, amount, balance in (
                ("micro", 10, 2_000_000, 2_000_000),
                ("small", 50, 10_000_000, 10_000_000),
                ("medium", 250, 50_000_000, 43_000_000),
            )
        ],
    }
)
YEAR: dict[str, Any] = {
    "year": 2025,
    "sales": "110000",
    "cost_of_sales": "60000",
    "operating_costs": "15000",
    "depreciation": "5000",
    "interest": "1000",
    "tax": "2900",
    "net_profit": "26100",
    "fixed_assets": "50000",
    "current_assets": "30000",
    "stock": "12000",
    "receivables": "9000",
    "cash": "9000",
    "total_assets": "80000",
    "equity": "40000",
    "long_term_liabilities": "22000",
    "current_liabilities": "18000",
    "payables": "11000",
    "debt": "25000",
    "total_claims": "80000",
}


def firm() -> Firm:
    return Firm(id="msme", name="Pelagonia Preserves", programme="p", currency="EUR")


def entered(item: Firm, topic: str, content: dict[str, Any], as_of: str = "2026-02-01", **more: Any) -> int:
    fact = Fact.model_validate({"topic": topic, "as_of": as_of, "source": "audited", "content": content} | more)
    read = read_content(topic, content)
    return item.enter(fact, read, side="firm", by=("u1", "Vera"), now=NOW, today=TODAY)


def figures(year: int, employees: str | None, turnover: str | None, balance: str | None) -> Figures:
    return Figures(year, *(None if item is None else Decimal(item) for item in (employees, turnover, balance)))


def test_accounts_that_add_up_are_taken() -> None:
    """A year whose sums are right breaks no rule."""
    assert Accounts.model_validate(YEAR).problems(TODAY) == {}


@pytest.mark.parametrize(
    ("changed", "line", "by"),
    [
        ({"net_profit": "26000"}, "net_profit", "100.00"),
        ({"total_assets": "81000"}, "total_assets", "1000.00"),
        ({"equity": "39000"}, "total_claims", "1000.00"),
        ({"fixed_assets": "55000", "total_assets": "85000"}, "total_claims", "5000.00"),
        ({"stock": "20000"}, "stock", "8000.00"),
        ({"payables": "18000.50"}, "payables", "0.50"),
    ],
)
def test_a_line_that_does_not_add_up_is_named_with_the_difference(changed: dict[str, str], line: str, by: str) -> None:
    """Sums, parts and the balance itself: the refusal says which line, and by how much."""
    wrong = Accounts.model_validate(YEAR | changed).problems(TODAY)
    assert list(wrong) == [line]
    assert by in wrong[line]


def test_a_year_that_has_not_ended_has_no_accounts() -> None:
    """Accounts as of a day in their own year are refused."""
    assert list(Accounts.model_validate(YEAR).problems(date(2025, 12, 30))) == ["year"]


def test_owners_and_register_are_held_against_the_day() -> None:
    """More than all of the firm, a birth after the day, an unnamed owner and an odd sector are named."""
    people = [{"name": "Vera", "share_percent": "60"}, {"share_percent": "50", "birth_year": 2030}]
    wrong = Owners.model_validate({"people": people}).problems(TODAY)
    assert set(wrong) == {"people.0.share_percent", "people.1.name", "people.1.birth_year"}
    assert "10.00 too many" in wrong["people.0.share_percent"]
    assert set(Register(sector="C10", founded=date(2027, 1, 1)).problems(TODAY)) == {"legal_name", "sector", "founded"}
    twice = [{"sex": "male", "age": "adult", "contract": "permanent", "fte": "1"}] * 2
    assert set(Staff.model_validate({"groups": twice}).problems(TODAY)) == {"groups.1.fte"}


def test_a_correction_takes_the_place_and_keeps_the_former() -> None:
    """It needs a reason and an entry of the same topic that stands; both entries stay."""
    item = firm()
    first = entered(item, "accounts", YEAR)
    for more, field in (({"corrects": first}, "why"), ({"corrects": 9, "why": "x"}, "corrects")):
        with pytest.raises(InvalidError) as refused:
            entered(item, "accounts", YEAR, **more)
        assert list(refused.value.fields) == [field]
    mended = YEAR | {"sales": "120000", "net_profit": "36100"}
    second = entered(item, "accounts", mended, corrects=first, why="An invoice was missing")
    assert [found.sales for _, found in item.accounts()] == [Decimal(120000)]
    assert [found.sales for _, found in item.accounts(upto=first)] == [Decimal(110000)]
    assert [entry.number for entry in item.entries] == [first, second]
    with pytest.raises(InvalidError):
        entered(item, "accounts", YEAR, corrects=first, why="Again")
    with pytest.raises(InvalidError) as refused:
        entered(item, "register", {"legal_name": "P"}, as_of="2026-03-03")
    assert list(refused.value.fields) == ["as_of"]


def test_accounts_of_a_year_are_stated_once_by_each_source() -> None:
    """Who states a year again corrects the entry; audited accounts may follow those of the tax return."""
    item = firm()
    entered(item, "accounts", YEAR)
    with pytest.raises(InvalidError) as refused:
        entered(item, "accounts", YEAR)
    assert refused.value.fields == {"year": "is stated by entry 1: correct that one"}
    entered(item, "accounts", YEAR | {"sales": "120000", "net_profit": "36100"}, source="tax_return")
    assert [found.sales for _, found in item.accounts()] == [Decimal(120000)]


def test_somebody_is_named_once() -> None:
    """A form that is sent again names nobody twice; an erased name may be named anew under another number."""
    item = firm()
    item.name_person(" Vera ", "owner")
    for name in ("Vera", " "):
        with pytest.raises(InvalidError):
            item.name_person(name, "owner")
    item.erase_person(1)
    assert item.name_person("Vera", "owner").number == 2


def test_a_fact_stands_as_of_its_day() -> None:
    """What was true last year is found by last year's day, whenever it was entered."""
    item = firm()
    entered(item, "owners", {"people": [{"name": "Vera", "share_percent": "60", "sex": "female"}]}, "2026-01-10")
    entered(item, "owners", {"people": [{"name": "Vera", "share_percent": "40", "sex": "female"}]}, "2024-05-01")
    assert item.women_share() == 60
    assert item.women_share(date(2025, 1, 1)) == 40
    assert item.women_share(date(2024, 1, 1)) is None


def test_the_size_class_changes_after_two_years_in_a_row() -> None:
    """One year above the ceilings is a warning, the second changes the class (Article 4)."""
    years = [figures(2022, "8", "900000", "1"), figures(2023, "12", "900000", "1")]
    one = size_of(EU, years)
    assert (one.code, one.pending) == ("micro", "small")
    two = size_of(EU, [*years, figures(2024, "14", "900000", "1")])
    assert (two.code, two.pending) == ("small", None)
    back = size_of(EU, [*years, figures(2024, "9", "900000", "1"), figures(2025, "11", "900000", "1")])
    assert (back.code, back.pending) == ("micro", "small")


def test_the_class_says_which_criteria_hold_and_which_nobody_has_stated() -> None:
    """One of the two amounts is enough; a missing figure that would decide leaves the class open."""
    found = size_of(EU, [figures(2025, "9", "3000000", "1500000")]).years[0]
    assert (found.by_figures, found.held) == ("micro", {"employees": True, "turnover": False, "balance_total": True})
    assert size_of(EU, [figures(2025, None, "1", "1")]).code is None
    assert size_of(EU, [figures(2025, "9", "1", None)]).code == "micro"
    assert size_of(EU, [figures(2025, "9", "3000000", None)]).code is None
    assert size_of(EU, [figures(2025, "300", "1", "1")]).code == "large"


def test_any_two_of_three_as_other_laws_have_it() -> None:
    """The same machine reads a law that asks for any two of the criteria, in the year itself."""
    law = EU.model_copy(
        update={"all_of": [], "any_of": ["employees", "turnover", "balance_total"], "count": 2, "years": 1}
    )
    assert size_of(law, [figures(2025, "60", "900000", "900000")]).code == "micro"
    years = [figures(2024, "5", "1", "1"), figures(2025, "60", "9000000", "900000")]
    assert size_of(law, years).code == "small"


def test_amounts_in_another_currency_are_not_held_against_the_limits() -> None:
    """Without a rate there is no figure: the class stays open instead of being wrong."""
    item = firm()
    entered(item, "accounts", YEAR)
    assert item.figures("MKD")[0].turnover is None
    assert item.size(EU.model_copy(update={"currency": "MKD"})).code is None


def test_a_proposal_is_filled_in_from_the_profile() -> None:
    """The firm, its owners (without what banks do not ask for) and the last three years, with their sources."""
    item = firm()
    for year in (2022, 2023, 2024, 2025):
        entered(item, "accounts", YEAR | {"year": year})
    entered(item, "staff", {"groups": [{"sex": "female", "age": "adult", "contract": "permanent", "fte": "13.5"}]})
    entered(item, "owners", {"people": [{"name": "Vera", "share_percent": "60", "sex": "female", "pep": "true"}]})
    entered(item, "register", {"legal_name": "Pelagonia", "sector": "1030"})
    blocks = prefill(item)
    assert blocks["applicant"] == {
        "legal_name": "Pelagonia",
        "sector": "1030",
        "employees": 14,
        "women_owned_percent": Decimal(60),
    }
    assert [year["year"] for year in blocks["history"]["years"]] == [2023, 2024, 2025]
    assert {year["source"] for year in blocks["history"]["years"]} == {"audited"}
    assert "pep" not in blocks["owners"]["people"][0]
    assert prefill(firm()) == {}
