"""Guarantees: the arithmetic of coverage, fees, claims and recoveries, and that no move is possible at a wrong time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.loans.domain.facility import Change, Facility, FacilityTerms
from services.loans.domain.finance import Finance
from services.loans.domain.guarantee import Guarantee
from services.loans.domain.guarantee_checks import Asked, checks
from services.loans.domain.guarantee_parts import MOVES, Evidence, GuaranteeTerms, Position
from services.loans.domain.guarantee_sums import Loss, Room, balance, covered, fee
from shared.errors import ConflictError, ForbiddenError, IllegalTransitionError, InvalidError
from shared.money import Money, total

NOW, DAY = datetime(2026, 3, 2, 9, tzinfo=UTC), date(2026, 3, 2)


def eur(amount: str | Decimal | int) -> Money:
    return Money.of(amount, "EUR")


def terms(**changed: Any) -> FacilityTerms:
    said = {
        "name": {"en": "Small"},
        "currency": "EUR",
        "ceiling": "100000",
        "coverage_percent": "60",
        "single_max": "30000",
        "fee_percent": "1",
        "annual_fee_percent": "0.8",
        "first_claim_percent": "75",
        "valid_from": "2026-01-01",
    }
    return FacilityTerms.model_validate(said | changed)


def finance() -> Finance:
    known: dict[str, Any] = {name: [] for name in ("readiness", "documents", "decline_reasons")}
    bank = {"bank": "bank-one", "name": "One", "country": "MK", "sla_days": 5, "history_years": 1}
    floors = {"dscr_floor": "1", "own_share_floor": "0"}
    words = {"version": "1", "always": [], "max_days": 1, "purposes": [], "text": {}}
    purposes = [{"code": "equipment", "name": {"en": "Equipment"}}]
    return Finance.model_validate(
        known
        | {
            "discount_percent": "1",
            "purposes": purposes,
            "consent": words,
            "partners": [bank | floors, bank | floors | {"bank": "bank-two"}],
        }
    )


def facility(**changed: Any) -> Facility:
    """Return a facility that Rade proposed and Sonja approved."""
    item = Facility(
        id="GFC-1", programme="p", guarantor="fund", guarantor_name="Fund", stage="proposed", terms=terms(**changed)
    )
    item.propose(Change(terms=terms(**changed), by="rade", by_name="Rade", at=NOW), finance(), "EUR", eur(0))
    item.approve("sonja", "Sonja", NOW, eur(0))
    return item


def guarantee(principal: str = "40000", coverage: str = "60", **changed: Any) -> Guarantee:
    names = ("facility", "facility_name", "programme", "loan", "proposal", "permission", "organisation")
    more = ("organisation_name", "bank", "bank_name", "guarantor", "guarantor_name", "requested_by")
    return Guarantee(
        id="GUA-1",
        **dict.fromkeys((*names, *more), "x"),
        terms=GuaranteeTerms.of(terms(**changed), 1, Decimal(coverage)),
        principal=eur(principal),
        sum=covered(eur(principal), Decimal(coverage)),
        loan_ends=date(2028, 9, 2),
        requested_at=NOW,
    )


def active(**changed: Any) -> Guarantee:
    """Return an issued guarantee whose fees are paid."""
    item = guarantee(**changed)
    item.issue([], DAY, "rade", "Rade")
    for number, due in enumerate(item.dues, 1):
        item.receive(due.number, DAY, f"F-{number}", DAY, "Rade")
    return item


def stands(days: int = 95, outstanding: str = "30000", stage: str = "overdue", on: date = DAY) -> Position:
    return Position(tape="TAP-1", as_of=on, days=days, outstanding=eur(outstanding), stage=stage)


def with_paper(item: Guarantee) -> Guarantee:
    paper = {"name": "demand.pdf", "media_type": "application/pdf", "size": 1, "sha256": "a"}
    item.add_document(Evidence(**paper, added_at=NOW, added_by="Lazar"))
    return item


def paid(item: Guarantee, amount: str, payment: str, on: date = DAY) -> Guarantee:
    """Return the guarantee after a claim that two people paid."""
    if not item.documents:
        with_paper(item)
    item.claim(eur(amount), "The debtor does not pay.", stands(on=on), NOW, "Lazar")
    item.approve_claim(NOW, "rade", "Rade")
    item.pay_claim(on, payment, on, eur(10**6), who="sonja", name="Sonja")
    return item


def test_fees_are_charged_at_the_issue_and_for_each_year_begun() -> None:
    """One per cent of the sum once, 0.8 a year of the balance on the year's first day, the last year by its days."""
    item = guarantee()
    item.issue([], DAY, "rade", "Rade")
    assert [(due.kind, due.amount) for due in item.dues] == [("one_off", eur("240")), ("yearly", eur("192"))]
    assert item.stage == "issued"
    assert item.next_fee_on() == date(2027, 3, 2)
    assert not item.charge(eur("18000"), date(2027, 3, 1))
    assert item.charge(eur("18000"), date(2027, 3, 2))
    assert item.charge(eur("9000"), date(2028, 3, 2))
    assert [due.amount for due in item.dues[2:]] == [eur("144"), fee(eur("9000"), Decimal("0.8"), 184)]
    assert item.dues[3].amount == eur("36.30")  # 9000 × 0.8 % × 184 / 365 = 36.296…
    assert item.next_fee_on() is None


def test_it_is_active_when_the_fees_of_the_issue_are_paid_and_lapses_when_they_are_not() -> None:
    """A guarantee can't be claimed on before its fees; thirty-one days later it holds no more."""
    assert active().stage == "active"
    item = guarantee()
    item.issue([], DAY, "rade", "Rade")
    with pytest.raises(IllegalTransitionError) as refused:
        item.add_document(Evidence(name="d", media_type="x", size=1, sha256="a", added_at=NOW, added_by="b"))
    assert refused.value.legal == ["activate", "release", "lapse"]
    assert not item.lapse(DAY + timedelta(days=30))
    assert item.lapse(DAY + timedelta(days=31))
    assert (item.stage, item.ended_why, item.committed()) == ("lapsed", "fee_unpaid", eur(0))
    assert active(tail_days=10).lapses_on() == date(2028, 9, 13)


def test_two_people_issue_and_pay() -> None:
    """Who agreed first does not issue, who approved a claim does not pay it, who proposed terms does not approve."""
    item = guarantee()
    item.approve("rade", "Rade", NOW)
    with pytest.raises(ForbiddenError):
        item.issue([], DAY, "rade", "Rade")
    item.issue([], DAY, "sonja", "Sonja")
    claimed = with_paper(active())
    claimed.claim(eur("13500"), "Late.", stands(), NOW, "Lazar")
    claimed.approve_claim(NOW, "rade", "Rade")
    with pytest.raises(ForbiddenError):
        claimed.pay_claim(DAY, "P-1", DAY, eur(10**6), who="rade", name="Rade")
    changed = facility()
    changed.propose(
        Change(terms=terms(ceiling="90000"), by="rade", by_name="Rade", at=NOW), finance(), "EUR", eur("80000")
    )
    with pytest.raises(ForbiddenError):
        changed.approve("rade", "Rade", NOW, eur("80000"))
    changed_again = Change(terms=terms(), by="sonja", by_name="Sonja", at=NOW)
    with pytest.raises(IllegalTransitionError) as waits:
        changed.propose(changed_again, finance(), "EUR", eur(0))
    assert waits.value.legal == ["approve", "refuse", "close"]
    dropped = Facility(id="GFC-2", programme="p", guarantor="fund", guarantor_name="Fund", terms=terms())
    dropped.propose(changed_again, finance(), "EUR", eur(0))
    dropped.refuse("Not this year.")
    with pytest.raises(IllegalTransitionError):
        dropped.propose(changed_again, finance(), "EUR", eur(0))
    with pytest.raises(ConflictError, match=r"95,000\.00"):
        changed.approve("sonja", "Sonja", NOW, eur("95000"))


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"single_max": "0"}, "single_max"),
        ({"ceiling": "70000"}, "ceiling"),
        ({"single_max": "100001"}, "single_max"),
        ({"banks": ["bank-nine"]}, "banks"),
        ({"purposes": ["yachts"]}, "purposes"),
        ({"valid_until": "2025-12-31"}, "valid_until"),
        ({"name": {"ru": "Малые"}}, "name.en"),
        ({"rules": [{"rule": "size", "any_of": ["huge"]}]}, "rules.0.any_of"),
        ({"rules": [{"rule": "age", "at_least": "1"}] * 2}, "rules.1.rule"),
    ],
)
def test_terms_that_break_a_rule_are_refused_at_the_field(changed: dict[str, Any], field: str) -> None:
    """Each wrong term is named; with 80,000 committed the ceiling can't be 70,000."""
    assert list(terms(**changed).problems(finance(), "EUR", eur("80000"))) == [field]


def test_a_claim_is_at_most_what_is_guaranteed_of_the_principal_at_default() -> None:
    """First 75 % of 60 % of 30,000, later the rest; a cent more, too early, or without paper is refused."""
    item = active()
    with pytest.raises(InvalidError) as refused:
        item.claim(eur("13500.01"), "", stands(), NOW, "Lazar")
    assert set(refused.value.fields) == {"amount", "note", "documents"}
    with_paper(item)
    with pytest.raises(ConflictError, match="89 days late: a claim begins at 90"):
        item.claim(eur("1"), "Late.", stands(89), NOW, "Lazar")
    with pytest.raises(ConflictError, match="No repayment tape"):
        item.claim(eur("1"), "Late.", None, NOW, "Lazar")
    paid(item, "13500", "P-1")
    with pytest.raises(InvalidError):
        item.claim(eur("4500.01"), "The rest.", stands(outstanding="90000"), NOW, "Lazar")
    paid(item, "4500", "P-2")
    with pytest.raises(InvalidError):
        item.claim(eur("0.01"), "More.", stands(), NOW, "Lazar")
    assert (item.paid(), item.net()) == (eur("18000"), eur("18000"))


def test_a_claim_is_refused_with_a_reason_and_stops_at_the_cap() -> None:
    """A refused claim may be made again; what the facility's cap leaves is the most that is paid."""
    item = with_paper(active())
    item.claim(eur("1000"), "Late.", stands(), NOW, "Lazar")
    item.refuse_claim("The demand is not signed.", NOW, "Rade")
    assert item.stage == "refused"
    item.claim(eur("1000"), "Signed now.", stands(), NOW, "Lazar")
    item.approve_claim(NOW, "rade", "Rade")
    with pytest.raises(ConflictError, match=r"leaves 999\.99 EUR"):
        item.pay_claim(DAY, "P-1", DAY, eur("999.99"), who="sonja", name="Sonja")
    item.pay_claim(DAY, "P-1", DAY, eur("1000"), who="sonja", name="Sonja")
    item.claim(eur("500"), "More.", stands(), NOW, "Lazar")
    item.refuse_claim("Wait for the sale.", NOW, "Rade")
    assert item.stage == "recovering"


def test_recoveries_are_shared_by_coverage_and_the_rest_of_the_loss_can_be_claimed() -> None:
    """Of 1,000 recovered 600 are the guarantor's; then the net loss can't exceed 60 % of what is lost."""
    item = paid(active(), "13500", "P-1")
    found = item.recover(eur("1000"), DAY, "R-1", DAY, "Lazar")
    assert (found.guarantor, found.bank) == (eur("600"), eur("400"))
    assert item.dues[-1].amount == eur("600")
    paid(item, "4500", "P-2")
    assert item.net() == covered(eur("29000"), Decimal(60))
    with pytest.raises(InvalidError) as refused:
        item.recover(eur("29000.01"), DAY + timedelta(days=1), "R-1", DAY, "Lazar")
    assert set(refused.value.fields) == {"amount", "on", "reference"}
    item.close("Nothing more is to be had.", DAY)
    assert (item.stage, item.spent(), item.committed()) == ("closed", eur("17400"), eur(0))
    share = next(due for due in item.dues if due.kind == "recovery")
    item.receive(share.number, DAY, "S-1", DAY, "Rade")
    assert item.dues[share.number - 1].paid_on == DAY, "what is due is received after the end too"


def test_a_claim_is_taken_back_when_the_loan_cures_and_a_later_default_is_counted_anew() -> None:
    """Only a loan that is not late by the tape cures; what is due back is what was paid less what was recovered."""
    item = paid(active(), "13500", "P-1")
    item.recover(eur("1000"), DAY, "R-1", DAY, "Lazar")
    with pytest.raises(ConflictError, match="late by 12 days"):
        item.claw_back(stands(12), DAY)
    item.claw_back(stands(0, "20000", "performing"), DAY)
    back = item.dues[-1]
    assert (item.stage, back.kind, back.amount) == ("clawed_back", "claw_back", eur("12900"))
    item.receive(back.number, DAY, "B-1", DAY, "Rade")
    assert (item.stage, item.net(), item.cycle) == ("active", eur(0), 2)
    again = item.claim(eur("9000"), "Late again.", stands(outstanding="20000"), NOW, "Lazar")
    assert (again.principal, again.most) == (eur("20000"), eur("9000"))


def test_a_guarantee_is_released_when_the_loan_is_repaid() -> None:
    """A tape that says repaid lets the guarantee go, and its room comes back; nothing else does."""
    item = active()
    assert not item.follow("performing", DAY)
    assert item.follow("closed_repaid", DAY)
    assert (item.stage, item.committed(), item.ended_on) == ("released", eur(0), DAY)
    assert not item.follow("closed_repaid", DAY)


def test_every_move_at_a_wrong_stage_names_the_legal_ones() -> None:
    """A guarantee that has ended has no moves; one that is asked for has the five of its beginning."""
    item = guarantee()
    assert item.legal() == ["approve", "issue", "decline", "withdraw", "revoke"]
    item.decline("Too new.", DAY)
    for name in MOVES:
        with pytest.raises(IllegalTransitionError) as refused:
            item.must(name)
        assert refused.value.legal == []


def test_each_rule_of_a_facility_is_told_with_its_figure_and_its_limit() -> None:
    """What the guarantor was not given can't be told; a rule that is not met stops the issue by its name."""
    held = facility(purposes=["equipment"], banks=["bank-two"], rules=[{"rule": "size", "any_of": ["micro"]}])
    asked = Asked(eur("24000"), Decimal(60), "bank-one", "One")
    room = Room(held.terms.limit(), eur("80000"), eur("1000"))
    found = {item.rule: item for item in checks(held, asked, room, {"applicant": {"employees": 14}}, DAY)}
    assert {name: item.met for name, item in found.items()} == {
        "open": True,
        "coverage": True,
        "single": True,
        "room": False,
        "bank": False,
        "purpose": None,
        "size": False,
    }
    assert found["room"].said[0] % found["room"].said[1] == "24000.00, free: 19000.00"
    with pytest.raises(ConflictError, match="room, bank, purpose, size"):
        guarantee().issue(list(found.values()), DAY, "rade", "Rade")


CENTS = st.integers(min_value=1, max_value=5_000_000).map(lambda cents: Decimal(cents) / 100)
SHARES = st.integers(min_value=1, max_value=10_000).map(lambda share: Decimal(share) / 100)


@settings(max_examples=200)
@given(principal=CENTS, percent=SHARES, first=SHARES, parts=st.lists(CENTS, max_size=12))
def test_recoveries_add_up_to_the_cent(
    principal: Decimal, percent: Decimal, first: Decimal, parts: list[Decimal]
) -> None:
    """Both parts of each recovery make it up, the guarantor never gets back more than it paid, nor loses too much."""
    limit = covered(eur(principal), percent)
    entitled = Loss(eur(principal), limit, percent, eur(0), eur(0), eur(0))
    paid_out = entitled.most(first)
    shares: list[tuple[Money, Money]] = []
    recovered = eur(0)
    for part in parts:
        amount = min(eur(part), eur(principal) - recovered)
        if not amount:
            break
        shared = total((theirs for theirs, _ in shares), "EUR")
        loss = Loss(eur(principal), limit, percent, paid_out, recovered, shared)
        shares.append(loss.share(amount))
        assert shares[-1][0] + shares[-1][1] == amount
        assert min(shares[-1]) >= eur(0)
        recovered += amount
    shared = total((theirs for theirs, _ in shares), "EUR")
    assert shared <= paid_out
    rest = Loss(eur(principal), limit, percent, paid_out, recovered, shared).most(first) if paid_out else eur(0)
    assert rest >= eur(0)
    lost = balance(limit, eur(principal) - recovered, percent)
    assert paid_out - shared + rest <= lost + eur("0.01") or not paid_out


@settings(max_examples=60)
@given(wanted=st.lists(CENTS, max_size=20))
def test_what_is_guaranteed_never_passes_the_ceiling(wanted: list[Decimal]) -> None:
    """Whatever is asked for in whatever order, the sum of what is issued is at most the ceiling."""
    held, issued = facility(single_max="100000"), []
    for amount in wanted:
        committed = total((item.committed() for item in issued), "EUR")
        room = Room(held.terms.limit(), committed, eur(0))
        item = guarantee(str(amount))
        asked = Asked(item.sum, Decimal(60), "bank-one", "One")
        fits = all(check.met for check in checks(held, asked, room, {}, DAY))
        assert fits == (committed + item.sum <= held.terms.limit())
        if fits:
            item.issue(checks(held, asked, room, {}, DAY), DAY, "rade", "Rade")
            issued.append(item)
    assert total((item.committed() for item in issued), "EUR") <= held.terms.limit()
