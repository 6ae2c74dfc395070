"""Each rule of IATI's own ruleset, the shape of an activity, and the words that must not be published."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from services.grants.domain.publishing import Node, Party, Record, Result, giving, iati, iati_rules
from services.grants.domain.publishing.node import narrated, node
from services.grants.domain.publishing.problems import unfit_words
from services.grants.domain.publishing.records import Flow, Measured
from shared.events.publishing_facts import PublishingFacts, publishing_problems
from shared.exports import giving as giving_check
from shared.exports import iati as iati_check
from shared.money import Money

TODAY = date(2027, 6, 1)
FACTS = PublishingFacts.model_validate(
    {
        "publisher": {"ref": "XM-DAC-1", "name": "Office", "type": "70"},
        "prefix": "360G-office",
        "donors": [{"ref": "US-GOV-1", "name": "USAID", "type": "10"}],
        "sectors": [{"code": "25010"}],
        "countries": [{"code": "MK"}],
        "licence": "https://example.org/by",
        "source": "https://example.org",
        "starts": "2026-01-05",
        "incoming": [{"kind": "commitment", "day": "2026-01-05", "amount": {"amount": "900000", "currency": "USD"}}],
    }
)


def flow(day: str, amount: str, note: str = "") -> Flow:
    """Return so much euro on a day."""
    return Flow(day=date.fromisoformat(day), amount=Money(amount=amount, currency="EUR"), note=note)


RECORD = Record(
    id="COF-2026-0001",
    kind="cofinancing",
    title="Cable assembly school",
    description="Ninety people learn to assemble cables.",
    recipient=Party(id="cables", name="Cables", country="MK", firm=True),
    amount=Money(amount="60000", currency="EUR"),
    agreed_on=date(2026, 3, 2),
    starts=date(2026, 3, 2),
    ends=date(2027, 9, 1),
    closed=False,
    open_call=False,
    planned=(flow("2026-09-01", "24000"), flow("2027-09-01", "36000")),
    paid=(flow("2026-10-01", "24000"),),
    returned=(flow("2027-02-01", "1000"),),
    matched=(flow("2026-09-15", "16000", "Cash contribution"),),
    lent=(("First Bank", flow("2026-09-20", "40000")),),
    results=(
        Result(
            title="New jobs",
            periods=(
                Measured(dimensions={"sex": "women"}, actual="42", starts=date(2026, 3, 2), ends=date(2026, 12, 31)),
            ),
        ),
    ),
    changed_at=datetime(2027, 5, 1, tzinfo=UTC),
)
GOOD = iati.activity(RECORD, FACTS, "bep", today=TODAY)


def changed(name: str, *instead: Node) -> Node:
    """Return the good activity with other elements of that name."""
    at = next(index for index, item in enumerate(GOOD.inside) if item.name == name)
    rest = [item for item in GOOD.inside if item.name != name]
    return replace(GOOD, inside=(*rest[:at], *instead, *rest[at:]))


def told(activity: Node) -> list[str]:
    """Return what the ruleset says, as field and rule."""
    return [f"{problem.field}: {problem.rule}" for problem in iati_rules.problems(activity, TODAY)]


def test_an_activity_has_its_roles_money_and_results() -> None:
    """Schema and ruleset accept it; the firm funds and implements; commitment, match, loan, payment, refund stand."""
    assert told(GOOD) == []
    assert iati_check.schema_problems(GOOD) == []
    roles = [(org.says("narrative"), org.of("role")) for org in GOOD.all("participating-org")]
    assert roles == [("USAID", "1"), ("Office", "3"), ("Cables", "1"), ("Cables", "4")]
    moved = [(t.of("code", "transaction-type"), t.says("value")) for t in GOOD.all("transaction")]
    assert moved == [("2", "60000.00"), ("1", "16000.00"), ("1", "40000.00"), ("3", "24000.00"), ("3", "-1000.00")]
    assert [t.says("provider-org", "narrative") for t in GOOD.all("transaction")][1:3] == ["Cables", "First Bank"]
    assert next(GOOD.all("result", "indicator", "period", "actual", "dimension")).attributes == {
        "name": "sex",
        "value": "women",
    }


def test_budgets_are_years_and_make_the_agreed_amount() -> None:
    """No budget is longer than a year, and all of them make what was agreed."""
    budgets = [(b.of("iso-date", "period-start"), b.says("value")) for b in GOOD.all("budget")]
    assert budgets == [("2026-03-02", "24000.00"), ("2027-03-02", "36000.00")]


def test_the_programme_stands_above_its_agreements() -> None:
    """It is of hierarchy 1, tells what donors promised, names each activity below it, and fits the schema."""
    top = iati.programme(FACTS, "bep", {"en": "Programme"}, "Jobs", [RECORD], today=TODAY, at=RECORD.changed_at)
    assert (top.of("hierarchy"), GOOD.of("hierarchy")) == ("1", "2")
    assert top.of("ref", "related-activity") == GOOD.says("iati-identifier")
    assert GOOD.of("ref", "related-activity") == top.says("iati-identifier")
    assert next(top.all("transaction", "transaction-type")).of("code") == "11"
    assert told(top) == []
    assert iati_check.schema_problems(top) == []


SECTOR = {"vocabulary": "1", "code": "25010"}
LATER = (TODAY + timedelta(days=1)).isoformat()
PAID = node(
    "transaction",
    node("transaction-type", code="3"),
    node("transaction-date", iso_date="2026-10-01"),
    node("value", text="1", currency="EUR", value_date="2026-10-01"),
)


@pytest.mark.parametrize(
    ("activity", "rule"),
    [
        (
            changed("iati-identifier", node("iati-identifier", text="US-1-X")),
            "iati-identifier: must start with XM-DAC-1",
        ),
        (changed("participating-org", narrated("participating-org", "A", ref="A/B", role="1")), "holds one of / & | ?"),
        (changed("sector", node("sector", percentage="60", **SECTOR)), "sector: add up to 60 %, not 100 %"),
        (changed("sector", node("sector", **SECTOR), node("sector", **SECTOR)), "sector: each needs its share"),
        (
            changed("recipient-country", node("recipient-country", code="MK", percentage="-5")),
            "recipient-country: a share is below nothing",
        ),
        (changed("transaction", replace(PAID, inside=(*PAID.inside, node("sector", **SECTOR)))), "one level only"),
        (changed("sector"), "sector: is required at the activity or at every transaction"),
        (
            changed(
                "activity-date",
                node("activity-date", type="1", iso_date="2027-01-02"),
                node("activity-date", type="3", iso_date="2027-01-01"),
            ),
            "activity-date: starts on 2027-01-02, after its end",
        ),
        (changed("activity-date", node("activity-date", type="3", iso_date="2027-01-01")), "a start is required"),
        (
            changed("activity-date", node("activity-date", type="2", iso_date=LATER)),
            "activity-date: lies ahead of today",
        ),
        (
            changed("transaction", replace(PAID, inside=(node("transaction-date", iso_date=LATER),))),
            "transaction/transaction-date: lies ahead of today, 2027-06-01",
        ),
        (
            changed(
                "budget",
                node("budget", node("period-start", iso_date="2026-01-01"), node("period-end", iso_date="2027-01-03")),
            ),
            "budget: is longer than a year",
        ),
        (changed("participating-org", node("participating-org", role="1")), "needs an identifier or a name"),
        (changed("transaction", node("transaction", node("value", text="1"))), "needs the day of its value"),
        (changed("sector", node("sector", vocabulary="99", code="X")), "of one's own list needs a name"),
    ],
)
def test_each_rule_of_the_ruleset_is_kept(activity: Node, rule: str) -> None:
    """What no schema checks is found and named by its place."""
    assert [said for said in told(activity) if rule in said]


def test_what_the_schema_refuses_is_said_by_its_place() -> None:
    """An element that the standard does not know is named by the schema's own check."""
    (field, rule, _), *_ = iati_check.schema_problems(changed("activity-status", node("activity-state", code="2")))
    assert "activity-state" in field + rule


@pytest.mark.parametrize(
    "text",
    ["Write to ana@example.org", "Pay to MK07 2501 2000 0058 984", "Call +389 2 3244 000", "No. 250120000058984"],
)
def test_addresses_and_accounts_in_words_are_errors(text: str) -> None:
    """An e-mail address, an account or a telephone number in what people wrote keeps the record from going out."""
    assert [problem.field for problem in unfit_words(RECORD.model_copy(update={"description": text}))] == [
        "description"
    ]
    assert unfit_words(RECORD.model_copy(update={"description": "From 2026-03-02 for 1 000 000 EUR"})) == []


def test_a_plain_day_and_a_moment_are_both_dates_of_360giving() -> None:
    """With formats looked at, a day fits one branch of the schema's choice; what is no day fits none and is named."""
    grant = giving.grant(RECORD, FACTS, "bep", {"en": "Programme"})
    assert giving_check.grant_problems(grant) == []
    assert giving_check.grant_problems(grant | {"awardDate": "2026-03-02T10:00:00Z"}) == []
    wrong = grant | {"awardDate": "2 March", "email": "a@b.c"}
    del wrong["currency"]
    assert {field for field, _, _ in giving_check.grant_problems(wrong)} == {"awardDate", "", "currency"}


def test_an_amount_that_json_can_not_hold_is_an_error() -> None:
    """Twenty digits are kept by the ledger and not by a JSON number: said, never rounded."""
    huge = RECORD.model_copy(update={"amount": Money(amount="123456789012345678.91", currency="EUR")})
    assert [problem.field for problem in giving.lacking(huge, FACTS)] == ["amountAwarded"]
    assert giving.lacking(RECORD, FACTS) == []


def test_wrong_publishing_facts_of_a_pack_are_refused_by_field() -> None:
    """A programme is not loaded with shares that do not make 100, an end before its start, or an unknown donor."""
    wrong = {"publishing": {"sectors": [{"code": "25010", "percent": "60"}], "prefix": "bep"}}
    assert {field for field, _ in publishing_problems(wrong)} == {"publishing.sectors", "publishing.prefix"}
    days = {"starts": "2026-02-01", "ends": "2026-01-01"}
    given = {"incoming": [{"kind": "funds", "day": "2026-01-01", "amount": {"amount": "1", "currency": "USD"}}]}
    fields = {field for field, _ in publishing_problems({"publishing": days | given})}
    assert fields == {"publishing.ends", "publishing.incoming.0.donor"}
