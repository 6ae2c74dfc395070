"""What holds a payment, with its arithmetic; who may do what to it; and rules of payment that contradict themselves."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from services.grants.domain.application import Person
from services.grants.domain.award import Award, Milestone, Tranche
from services.grants.domain.award.parts import Certificate, Hold
from services.grants.domain.award.terms import Terms
from shared.errors import ConflictError, ForbiddenError, InvalidError
from shared.events.payment_rules import PaymentRules, payment_problems
from shared.money import Money

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
TODAY = NOW.date()
ONE, TWO, THREE, FOUR = (Person(id=f"user:{n}", name=f"Person {n}", role="finance_officer") for n in range(1, 5))


def eur(amount: str | int) -> Money:
    """Return euros."""
    return Money.of(amount, "EUR")


def award() -> Award:
    """Return an award of 50,000 in 20,000, 20,000 and 10,000 whose milestones FOUR verified."""
    return Award(
        id="BSO-2026-0001",
        programme="p",
        title="T",
        organisation="o",
        organisation_name="O",
        amount=eur(50_000),
        concluded_at=NOW,
        milestones=[Milestone(number=n, title="M", status="verified", settled_by=FOUR.id) for n in (1, 2, 3)],
        tranches=[Tranche(number=n, amount=eur(a)) for n, a in enumerate((20_000, 20_000, 10_000), 1)],
    )


def paid(rules: PaymentRules, **costs: Any) -> Award:
    """Return the award with its first tranche paid, costs accepted, and its second requested."""
    found = award()
    found.request(1, ONE)
    found.release(1, TWO, PaymentRules())
    found.confirm(1, "TR-1", TODAY, TODAY, by=THREE, rules=rules)
    if costs:
        found.accept_costs(costs["costs"], "R1", costs.get("own"))
    found.request(2, ONE)
    return found


def certificate(amount: int, by: Person = TWO) -> Certificate:
    """Return a certificate over an amount."""
    period = {"period_from": date(2026, 1, 1), "period_to": date(2026, 3, 31)}
    return Certificate(amount=eur(amount), purpose="Courses", by=by.id, by_name=by.name, **period)


def test_row_08_a_release_that_runs_ahead_of_the_match_is_held_with_the_arithmetic() -> None:
    """Own share of 15,200 on 40,000 is 38 %, less than 50 %: 9,600 are held, 10,400 can go, the rest is a tranche."""
    rules = PaymentRules(match_percent=Decimal(50))
    found = paid(rules, costs=eur(20_000), own=eur(15_200))
    with pytest.raises(ConflictError, match=r"Evidenced match 38\.0 % < 50 %: 9,600\.00 EUR held"):
        found.release(2, TWO, rules)
    assert found.tranche(2).status == "requested"
    assert found.release(2, TWO, rules, amount=eur(10_400)) == eur(10_400)
    assert [(item.number, str(item.amount.amount), item.of) for item in found.tranches][1::2] == [
        (2, "10400.00", None),
        (4, "9600.00", 2),
    ]
    event: Any = found.collect()[-1].event
    assert (event.held, event.held_as) == (eur(9_600), 4)
    assert "38.0 %" in event.held_why


def test_row_09_who_did_one_act_does_not_do_the_next() -> None:
    """Requester, certifier and releaser are three people; the pack adds pairs, such as who verified the milestone."""
    rules = PaymentRules(certify_from=eur(20_000), apart=(("verify", "release"), ("release", "confirm")))
    found = award()
    found.request(1, ONE)
    with pytest.raises(ConflictError, match="must be certified first"):
        found.release(1, TWO, rules)
    with pytest.raises(ForbiddenError, match="requested"):
        found.certify(1, certificate(20_000, ONE), ONE, rules)
    found.certify(1, certificate(20_000), TWO, rules)
    for person, did in ((ONE, "requested"), (TWO, "certified"), (FOUR, "verified")):
        with pytest.raises(ForbiddenError, match=did):
            found.release(1, person, rules)
    found.release(1, THREE, rules)
    with pytest.raises(ForbiddenError, match="released"):
        found.confirm(1, "TR-1", TODAY, TODAY, by=THREE, rules=rules)
    found.confirm(1, "TR-1", TODAY, TODAY, by=ONE, rules=rules)
    with pytest.raises(ForbiddenError, match="confirmed"):
        found.reverse(1, "mistaken", "Wrong line", ONE, NOW)
    found.reverse(1, "mistaken", "Wrong line", TWO, NOW)
    assert (found.tranche(1).status, found.paid()) == ("released", eur(0))


def test_the_next_advance_waits_until_the_last_is_accounted_for() -> None:
    """With 70 % wanted, 13,999.99 of 20,000 hold the next tranche and 14,000 let it go; the figures are said."""
    rules = PaymentRules(liquidated_percent=Decimal(70))
    found = paid(rules, costs=eur("13999.99"))
    with pytest.raises(ConflictError, match=r"13,999\.99 EUR is accounted for: 69\.9 % < 70 %"):
        found.release(2, TWO, rules)
    found.accept_costs(eur("0.01"), "R2")
    assert found.release(2, TWO, rules) == eur(20_000)


def test_what_may_be_out_has_its_cap_and_a_certificate_its_amount() -> None:
    """The lesser of cap and certificate is what can go, and both are named."""
    rules = PaymentRules(advance_cap_percent=Decimal(60))
    found = paid(rules, costs=eur(5_000))
    found.certify(2, certificate(18_000), TWO, rules)
    assert found.releasable(2, rules) == eur(15_000)
    with pytest.raises(ConflictError, match=r"18,000\.00 EUR of 20,000\.00 EUR is certified") as refused:
        found.release(2, THREE, rules)
    assert "above 60 %" in str(refused.value)
    with pytest.raises(InvalidError):
        found.release(2, THREE, rules, amount=eur(20_001))


def test_a_hold_stops_everything_and_is_lifted_by_another_person() -> None:
    """On hold nothing is certified, released or confirmed; a returned payment is on hold by itself."""
    found = paid(PaymentRules())
    found.put_on_hold(2, Hold(code="inquiry", why="A letter came", by=TWO.id, by_name="Two", at=NOW))
    for act in (lambda: found.release(2, TWO), lambda: found.certify(2, certificate(1), TWO)):
        with pytest.raises(ConflictError, match="on hold since 2026-03-02: A letter came"):
            act()
    with pytest.raises(ForbiddenError):
        found.take_off_hold(2, "Fine", TWO)
    found.take_off_hold(2, "Fine", THREE)
    found.reverse(1, "returned", "Account closed", ONE, NOW)
    with pytest.raises(ConflictError, match="Account closed"):
        found.confirm(1, "TR-9", TODAY, TODAY)
    found.take_off_hold(1, "New account", TWO)
    with pytest.raises(InvalidError, match="attention"):
        found.confirm(1, "TR-1", TODAY, TODAY)
    found.confirm(1, "TR-2", TODAY, TODAY)


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ({"certify_from": {"amount": "1", "currency": "USD"}}, "certify_from"),
        ({"liquidated_percent": "0"}, "liquidated_percent"),
        ({"apart": [["release", "release"]]}, "payments"),
        ({"apart": [["release", "pay"]]}, "apart.0.1"),
        ({"step_up": ["sleep"]}, "step_up.0"),
        ({"debtor": {"name": "P", "iban": "MK07250120000058985"}}, "debtor.iban"),
        ({"reasons": []}, "reasons"),
        ({"liquidated": "70"}, "liquidated"),
    ],
)
def test_rules_of_payment_that_can_not_be_kept_are_refused(content: dict[str, Any], field: str) -> None:
    """A pack with such a file is not loaded: file, field and rule are named."""
    pack = {"programme": {"settings": {"currency": "EUR"}}, "payments": content}
    assert [*payment_problems(pack)] == [f"payments.yaml: {field}"]


def test_nothing_is_certified_for_a_time_after_the_grant() -> None:
    """A period may lie ahead, for an advance, but not beyond the agreement's last day, which the refusal names."""
    found = award()
    found.terms = Terms(ends_on=date(2026, 3, 30))
    found.request(1, ONE)
    with pytest.raises(InvalidError) as refused:
        found.certify(1, certificate(20_000), TWO)
    assert refused.value.fields == {"period_to": "is after the grant: it ends on 2026-03-30"}
    found.terms = Terms(ends_on=date(2026, 3, 31))
    found.certify(1, certificate(20_000), TWO)
    assert found.tranche(1).status == "certified"
