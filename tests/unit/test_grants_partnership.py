"""Partners: nothing above a budget line, enough stays with the lead, and moving a share is moving the budget."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from services.grants.domain.award.classes import classify, moved_between
from services.grants.domain.award.terms import AgreedLine, AgreedPartner, Terms, differences
from services.grants.domain.conflict import Firm, derived
from services.grants.domain.partnership import (
    LEAD,
    Partner,
    Partnership,
    Share,
    cells,
    lead_share,
    rule_problems,
    scaled,
    share_problems,
)
from shared.errors import InvalidError
from shared.events.award_rules import Amendments
from shared.events.partner_rules import PartnerRules, partner_problems
from shared.money import Money
from shared.testing.clock import MONDAY


def eur(amount: str | int) -> Money:
    """Return an amount in euro."""
    return Money.of(amount, "EUR")


LINES = {"experts": eur(28000), "events": eur(12000)}
RULES = PartnerRules(max=2, minimum_lead_share_pct=Decimal(40))


def partner(number: int, **shares: int) -> Partner:
    """Return a partner with these shares."""
    rows = tuple(Share(line=line, grant=eur(grant)) for line, grant in shares.items())
    return Partner(number=number, name=f"Partner {number}", part="Holds courses", shares=rows)


def test_the_lead_has_what_no_partner_has() -> None:
    """Shares and the lead's rest are the budget again, line by line and in all."""
    partners = [partner(1, experts=10000, events=2000), partner(2, experts=3000)]
    found = cells(partners, LINES, "EUR")
    assert found[LEAD, "experts"] == eur(15000)
    assert found[LEAD, "events"] == eur(10000)
    assert lead_share(partners, LINES, "EUR") == eur(25000)
    assert share_problems(partners, LINES, "EUR") == {}


@pytest.mark.parametrize(
    ("partners", "field", "said"),
    [
        ([partner(1, experts=20000), partner(2, experts=8001)], "partners.experts", "28,001.00 EUR, but the budget"),
        ([partner(1, travel=1)], "partners.1.travel", "does not have"),
        ([partner(1, experts=-1)], "partners.1.experts", "less than nothing"),
    ],
)
def test_a_share_is_a_part_of_its_line(partners: list[Partner], field: str, said: str) -> None:
    """Nothing above a line, of a line that is not there, or below nothing; the refusal has the figures."""
    assert said in share_problems(partners, LINES, "EUR")[field]


def test_enough_stays_with_the_lead() -> None:
    """Exactly the least share is enough, a cent less is refused with its arithmetic; so is one partner too many."""
    assert rule_problems([partner(1, experts=24000)], LINES, "EUR", RULES) == {}
    short = rule_problems([partner(1, experts=24001)], LINES, "EUR", RULES)["partners"]
    assert "leave the lead 15,999.00 EUR of 40,000.00 EUR, that is 39.9 %; at least 40 %" in short
    many = rule_problems([partner(n) for n in (1, 2, 3)], LINES, "EUR", RULES)["partners"]
    assert many == "are 3, at most 2"
    assert rule_problems([partner(1)], LINES, "EUR", None)["partners"] == "are not taken by this call"


def test_partners_are_named_and_recorded_once() -> None:
    """A partner has a name and a part; twice the same list records nothing; people stand in no event."""
    item = Partnership(id="B-1", programme="p", title="T", organisation="o", organisation_name="O", currency="EUR")
    with pytest.raises(InvalidError) as refused:
        item.name([Partner(number=1, name=" ", part="")], LINES, RULES)
    assert set(refused.value.fields) == {"partners.1.name", "partners.1.part"}
    one = partner(1, experts=1000).model_copy(update={"people": ("Mara Ilieva",)})
    assert item.name([one], LINES, RULES)
    assert not item.name([one], LINES, RULES)
    (recorded,) = item.collect()
    assert "Mara" not in recorded.event.model_dump_json() + str(recorded.changes)
    with pytest.raises(InvalidError, match="attention"):
        item.name([one, one.model_copy(update={"number": 2})], LINES, RULES)


def test_shares_follow_the_amount_that_was_decided() -> None:
    """Where less is granted each share shrinks with its line, and never adds up to more than the line."""
    made = scaled([partner(1, experts=9333), partner(2, experts=18667)], LINES, {"experts": eur("10000.01")})
    assert [item.share("EUR") for item in made] == [eur("3333.21"), eur("6666.79")]
    assert share_problems(made, {"experts": eur("10000.01")}, "EUR") == {}


def terms(**shares: int) -> Terms:
    """Return terms of two lines with one partner who has these shares."""
    lines = tuple(AgreedLine(line=line, grant=grant, own=eur(0)) for line, grant in LINES.items())
    rows = tuple(Share(line=line, grant=eur(grant)) for line, grant in shares.items())
    return Terms(lines=lines, partners=(AgreedPartner(number=1, name="P", part="Courses", shares=rows),))


def test_a_moved_share_is_a_budget_move() -> None:
    """What a partner gains the lead loses: it counts as moved, and its class follows the limit to the cent."""
    before, rules = terms(experts=1000), Amendments()
    limit = int(40000 * rules.minor_percent / 100)
    assert moved_between(before, terms(experts=3000), "EUR") == eur(2000)

    def kinds(after: Terms) -> Any:
        verdict = classify(before, after, moved_before=eur(0), base=eur(40000), rules=rules)
        return verdict and verdict.kinds

    assert kinds(terms(experts=1000 + limit)) == ("budget_minor",)
    assert kinds(terms(experts=1001 + limit)) == ("budget_major",)
    assert kinds(before) is None
    (change,) = differences(before, terms(experts=3000), "EUR")
    assert (change.what, change.of, change.field, change.after) == ("partner", "1", "experts", "3,000.00 EUR")


def test_a_partner_makes_a_conflict_too() -> None:
    """One's own organisation as a partner, by id or number, or one's own name among its people, is a conflict."""
    firm = Firm(id="p", name="Partner", number="123", people=frozenset({"mara ilieva"}), partner=True)
    for own in (Firm(id="p"), Firm(id="x", number="123")):
        found = derived(own, [], [firm], MONDAY.date())
        assert found
        assert found.code == "conflict-own-partner"
    named = derived(Firm(id="x", people=frozenset({"mara ilieva"})), [], [firm], MONDAY.date())
    assert named
    assert named.code == "conflict-partner-person"
    assert derived(Firm(id="x", number="9"), [], [firm], MONDAY.date()) is None


def test_a_pack_says_what_it_takes() -> None:
    """Wrong rules of partners are named with file, field and rule when the programme is loaded."""
    call = {"partners": {"max": 0, "minimum_lead_share_pct": "140", "direct": True}, "budget_lines": [{}]}
    assert set(partner_problems({"calls": {"one": call}})) == {
        "calls/one.yaml: partners.max",
        "calls/one.yaml: partners.minimum_lead_share_pct",
        "calls/one.yaml: partners.direct",
    }
    assert "needs budget_lines" in str(partner_problems({"calls": {"one": {"partners": {"max": 1}}}}))
    assert partner_problems({"calls": {"one": {}}}) == {}
