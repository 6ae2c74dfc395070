"""A lead firm's co-financing on a real database: from concept to matched releases, and what is refused on the way."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from cofinancing_world import (
    CHAMBER,
    FINANCE,
    FINANCE_TWO,
    FIRM,
    MANAGER,
    NOW,
    OFFICER,
    OFFICER_TWO,
    OTHER_FIRM,
    Desk,
    desk,
    eur,
)

from services.grants.domain.ledger import Ledger
from services.grants.domain.match import MatchTooSmallError
from services.grants.handlers import cofinancing as act
from services.grants.handlers.conflicts import ConflictOfInterestError
from services.grants.handlers.ledger_views import of_cofinancing
from shared.database import reading
from shared.errors import (
    ConflictError,
    ForbiddenError,
    IllegalTransitionError,
    InvalidError,
    NotFoundError,
    StaleVersionError,
    TamgaError,
)
from shared.money import Money
from shared.testing.web import person
from shared.web.identity import Identity

__all__ = ["desk"]


def refused(desk: Desk, error: type[TamgaError], who: Identity, *how: Any, **more: Any) -> TamgaError:
    """Check that an act is refused and that nothing of it stays."""
    reference = how[1]
    before = desk.look(reference)
    with pytest.raises(error) as refusal:
        desk.do(who, *how, **more)
    assert desk.look(reference) == before
    return refusal.value


def test_from_concept_to_a_matched_release(desk: Desk) -> None:
    """A firm's concept becomes an agreement 60:40, cash is verified, and 1.5 times of it can be released."""
    reference = desk.agreed()
    assert reference == "COF-2026-0001"
    desk.matched(reference, "20000.00")
    desk.released(reference, "30000.00")
    case = desk.look(reference)
    assert case.stage == "active"
    assert (case.position().match, case.position().allowed, case.position().released) == (20000, 30000, 30000)
    assert desk.told(reference) == [
        "started", "moved", "terms_drawn", "moved", "moved", "moved", "agreed", "contribution_entered",
        "evidence_added", "contribution_verified", "release_requested", "released",
    ]  # fmt: skip


def test_a_release_above_the_match_is_refused_until_more_is_verified(desk: Desk) -> None:
    """40,000 are out on 30,000 of match; 10,000 more is refused with the sums, and goes through at 40,000 of match."""
    reference = desk.agreed()
    desk.matched(reference, "30000.00")
    desk.released(reference, "40000.00")
    error = refused(desk, MatchTooSmallError, FINANCE, act.request_release, reference, eur("10000.00"))
    assert "30,000.00 EUR allows a release of 45,000.00 EUR in all; 40,000.00 released" in str(error)
    assert error.extras()["too_much"] == "5000.00"
    desk.matched(reference, "10000.00")
    desk.released(reference, "10000.00")
    assert desk.look(reference).position().released == 50000


def test_in_kind_counts_only_up_to_its_cap(desk: Desk) -> None:
    """With 3,000 of cash, 951.60 of 1,200.00 claimed staff time is its value, and 25 % of the match is its cap."""
    reference = desk.agreed()
    valuation = {"hours": "120", "rate": "6.50", "fringe_percent": "22"}
    more = {"form": "in_kind", "basis": "staff_time", "valuation": valuation}
    desk.do(OFFICER, act.decide, reference, desk.enter(reference, "1200.00", **more), good=True, note="")
    position = desk.look(reference).position()
    assert (str(position.in_kind), position.creditable) == ("951.60", 0)
    desk.matched(reference, "3000.00")
    assert str(desk.look(reference).position().creditable) == "951.60"


def test_another_currency_counts_at_the_stated_rate(desk: Desk) -> None:
    """615,000 denars at 0.016260 are 9,999.90 euro; without a rate, or at that of another day, they are refused."""
    reference = desk.agreed()
    claimed = Money(amount="615000.00", currency="MKD")
    entry = act.EnterContribution(form="cash", given_on=NOW.date(), description="Pay", claimed=claimed)
    error = refused(desk, InvalidError, FIRM, act.enter, reference, entry)
    assert set(error.fields) == {"exchange_rate", "rate_source", "rate_date"}  # type: ignore[attr-defined]  # an InvalidError
    rate = {"exchange_rate": "0.016260", "rate_source": "National bank", "rate_date": NOW.date()}
    late = entry.model_copy(update=rate | {"exchange_rate": Decimal("0.01626"), "rate_date": date(2026, 11, 30)})
    error = refused(desk, InvalidError, FIRM, act.enter, reference, late)
    assert set(error.fields) == {"rate_date"}  # type: ignore[attr-defined]  # an InvalidError
    number = desk.enter(reference, "1", claimed=claimed, **rate)
    assert str(desk.look(reference).contribution(number).value) == "9999.90"


def test_nobody_verifies_what_they_entered_or_without_evidence(desk: Desk) -> None:
    """A person with both roles is refused their own contribution; a bare contribution can't be verified by anybody."""
    reference = desk.agreed()
    both = person("officer", "firm", organisation="office", roles=("officer",))
    number = desk.enter(reference, "500.00")
    refused(desk, ForbiddenError, both, act.decide, reference, number, good=True, note="")
    insider = person("officer", "insider", organisation="cables")
    refused(desk, ForbiddenError, insider, act.decide, reference, number, good=True, note="")
    entry = act.EnterContribution(form="cash", given_on=NOW.date(), description="Pay", claimed=eur("10.00"))
    desk.do(FIRM, act.enter, reference, entry)
    refused(desk, ConflictError, OFFICER, act.decide, reference, number + 1, good=True, note="")


def test_who_asks_for_a_release_does_not_release_it(desk: Desk) -> None:
    """The requester is refused; another finance officer releases, once."""
    reference = desk.agreed()
    desk.matched(reference, "10000.00")
    desk.do(FINANCE, act.request_release, reference, eur("15000.00"))
    refused(desk, ForbiddenError, FINANCE, act.settle_release, reference, 1, good=True, note="")
    desk.do(FINANCE_TWO, act.settle_release, reference, 1, good=True, note="")
    refused(desk, ConflictError, FINANCE_TWO, act.settle_release, reference, 1, good=True, note="")


def test_the_agreement_takes_two_of_the_programme_within_authority(desk: Desk) -> None:
    """Who drew the terms up can't accept them for the programme; above the manager's limit nobody of theirs can."""
    reference = desk.start()
    desk.move(FIRM, reference, "propose")
    drawn = {"total": eur("100000"), "in_kind": eur("10000")}
    both = person("officer", "both", organisation="office", roles=("officer", "programme_manager"))
    desk.do(both, act.draw_terms, reference, **drawn)
    desk.move(both, reference, "offer-agreement")
    error = refused(desk, IllegalTransitionError, both, act.move, reference, "approve-agreement")
    assert "another person must do this one" in str(error)
    desk.move(MANAGER, reference, "approve-agreement")
    assert desk.look(reference).stage == "agreement"


def test_terms_that_break_the_rules_are_refused_by_field(desk: Desk) -> None:
    """Too much in kind and a share above the programme's cap are named with the figures."""
    reference = desk.start()
    desk.move(FIRM, reference, "propose")
    drawn = {"total": eur("200000"), "in_kind": eur("30000")}
    error = refused(desk, InvalidError, OFFICER, act.draw_terms, reference, **drawn)
    assert set(error.fields) == {"total", "in_kind"}  # type: ignore[attr-defined]  # an InvalidError
    refused(desk, IllegalTransitionError, OFFICER, act.move, reference, "offer-agreement")


def test_one_invoice_counts_once_whatever_the_case(desk: Desk) -> None:
    """The same invoice of the same supplier is refused in another firm's case, until the first is refused."""
    first, invoice = desk.agreed(), {"invoice_number": "A 17", "supplier_tax_id": "MK4030"}
    number = desk.enter(first, "500.00", **invoice)
    with pytest.raises(ConflictError, match="counted already"):
        desk.enter(first, "500.00", invoice_number="a17", supplier_tax_id="mk 4030")
    desk.do(OFFICER, act.decide, first, number, good=False, note="No such supplier")
    assert desk.enter(first, "500.00", **invoice) == number + 1


def test_others_do_not_learn_that_a_case_exists(desk: Desk) -> None:
    """Another firm, and staff of another programme, get the answer of a case that does not exist."""
    reference = desk.start()
    stranger = person("officer", "stranger", programmes=("another",))
    for who in (OTHER_FIRM, stranger):
        with desk.work(who) as uow, pytest.raises(NotFoundError):
            act.look_at(uow.connection, who, reference)
    with desk.work(OTHER_FIRM) as uow, pytest.raises(NotFoundError):
        act.move(uow, OTHER_FIRM, reference, 999, "propose")


def test_only_lead_firms_start_a_co_financing(desk: Desk) -> None:
    """A chamber is told that co-financing is for lead firms."""
    with pytest.raises(ForbiddenError, match="lead firms"):
        desk.start(CHAMBER)


def test_an_old_page_changes_nothing(desk: Desk) -> None:
    """An act on a version that is no longer present names who changed what."""
    reference = desk.start()
    desk.move(FIRM, reference, "propose")
    with pytest.raises(StaleVersionError) as refusal, desk.work(OFFICER) as uow:
        act.move(uow, OFFICER, reference, 1, "reject", reason="No")
    assert refusal.value.extras()["changed_by"] == "Firm"


def test_two_at_once_cannot_release_more_than_the_match(desk: Desk) -> None:
    """Of two finance officers who ask for the whole at the same moment, one gets it and the other is refused."""
    reference = desk.agreed()
    desk.matched(reference, "10000.00")
    version = desk.look(reference).version

    def ask(who: Identity) -> str:
        try:
            with desk.work(who) as uow:
                act.request_release(uow, who, reference, version, eur("15000.00"))
        except StaleVersionError:
            return "refused"
        return "asked"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(ask, [FINANCE, FINANCE_TWO])) == ["asked", "refused"]
    assert len(desk.look(reference).releases) == 1


def test_reading_evidence_is_on_record(desk: Desk) -> None:
    """Opening a document gives its bytes and records who read it."""
    reference = desk.agreed()
    desk.enter(reference, "10.00")
    document = desk.look(reference).contributions[0].evidence[0]
    with desk.work(OFFICER) as uow:
        _, content = act.read_evidence(uow, OFFICER, reference, document.id, desk.store)
    assert content == b"%PDF-1.7 paid"
    assert desk.told(reference)[-1] == "viewed"


def test_closing_needs_another_person_than_who_started_it(desk: Desk) -> None:
    """After reconciliation started by the officer, finance closes; open contributions keep it from starting."""
    reference = desk.agreed()
    number = desk.enter(reference, "10.00")
    refused(desk, IllegalTransitionError, OFFICER, act.move, reference, "start-reconciliation")
    desk.do(OFFICER, act.decide, reference, number, good=False, note="Not of this project")
    desk.move(OFFICER, reference, "start-reconciliation")
    desk.move(FINANCE, reference, "close", comment="All accounted for")
    assert desk.look(reference).terminal


def test_what_resembles_another_invoice_is_shown_to_the_verifier(desk: Desk) -> None:
    """One invoice with two amounts, and one supplier's amount in two cases, are marked; a repeated rent is not."""
    first, second, supplier = desk.agreed(), desk.agreed(), {"supplier_tax_id": "MK4030"}
    desk.enter(first, "500.00", invoice_number="A 17", **supplier)
    assert desk.look(first).contributions[0].alike == ()
    desk.enter(second, "510.00", invoice_number="a17", **supplier)
    desk.enter(second, "500.00", invoice_number="B 1", **supplier)
    desk.enter(first, "500.00", invoice_number="A 18", **supplier)
    marks = [
        [(mark.what, mark.case, mark.contribution) for mark in item.alike] for item in desk.look(second).contributions
    ]
    assert marks == [[("invoice", first, 1)], [("amount", first, 1)]]
    assert desk.look(first).contributions[1].alike == ()


def test_related_and_second_hand_purchases_need_more_papers(desk: Desk) -> None:
    """A related party's second-hand machine is verified only with a price comparison and a valuation behind it."""
    reference = desk.agreed()
    about = {"description": "Press", "claimed": eur("900.00"), "second_hand": True, "related_party": True}
    desk.do(FIRM, act.enter, reference, act.EnterContribution(form="cash", given_on=NOW.date(), **about))
    desk.evidence(reference, 1)
    error = refused(desk, ConflictError, OFFICER, act.decide, reference, 1, good=True, note="")
    assert str(error) == "Contribution 1 lacks: valuation, price_comparison"
    for kind in ("valuation", "price_comparison"):
        desk.evidence(reference, 1, kind)
    desk.do(OFFICER, act.decide, reference, 1, good=True, note="")
    assert desk.look(reference).position().cash == 900


def test_market_value_above_book_value_takes_a_manager(desk: Desk) -> None:
    """A machine counts its book value of 700 until a programme manager, and nobody else, lets its 950 count."""
    reference = desk.agreed()
    worth = {"book_value": "700", "market_value": "950"}
    number = desk.enter(reference, "950.00", form="in_kind", basis="equipment", valuation=worth)
    assert desk.look(reference).contribution(number).value == 700
    refused(desk, ForbiddenError, OFFICER, act.approve_market_value, reference, number, note="Scarce")
    refused(desk, InvalidError, MANAGER, act.approve_market_value, reference, number, note=" ")
    desk.do(MANAGER, act.approve_market_value, reference, number, note="Scarce since the ban")
    item = desk.look(reference).contribution(number)
    assert (item.value, item.market_approved_by_name) == (950, "Manager")


def test_a_refusal_can_name_the_rule_alone(desk: Desk) -> None:
    """Land is refused by its code without further words; a code that the programme does not have is not taken."""
    reference = desk.agreed()
    number = desk.enter(reference, "500.00")
    refused(desk, InvalidError, OFFICER, act.decide, reference, number, good=False, note="", code="charm")
    desk.do(OFFICER, act.decide, reference, number, good=False, note="", code="land")
    assert desk.look(reference).contribution(number).refused_for == "land"


def test_what_was_found_later_is_paid_back_before_the_end(desk: Desk) -> None:
    """A reversed verification blocks closing until the refund is recorded; the end says earned and reduction."""
    reference = desk.agreed()
    desk.matched(reference, "20000.00")
    number = desk.enter(reference, "4000.00", invoice_number="A 1", supplier_tax_id="MK1")
    desk.do(OFFICER, act.decide, reference, number, good=True, note="")
    desk.released(reference, "36000.00")
    desk.move(OFFICER, reference, "start-reconciliation")
    desk.do(OFFICER, act.reverse, reference, number, note="The invoice was cancelled")
    assert desk.look(reference).position().overpaid == 6000
    refused(desk, IllegalTransitionError, FINANCE, act.move, reference, "close", comment="Done")
    paid = {"amount": eur("6000"), "day": NOW.date(), "payment": "RF-1"}
    refused(desk, ForbiddenError, OFFICER, act.record_refund, reference, **paid)
    refused(desk, InvalidError, FINANCE, act.record_refund, reference, **(paid | {"amount": eur("6000.01")}))
    desk.do(FINANCE, act.record_refund, reference, **paid)
    desk.move(FINANCE, reference, "close", comment="All accounted for")
    assert desk.told(reference)[-3:] == ["refund_recorded", "moved", "settled"]
    position = desk.look(reference).position()
    assert (position.earned, position.out, position.reduction) == (30000, 30000, 30000)
    assert desk.enter(desk.agreed(), "4000.00", invoice_number="A 1", supplier_tax_id="MK1") == 1


def test_match_and_money_stand_in_the_ledger(desk: Desk) -> None:
    """Every act enters a balanced pair; refund and unspent share come back; a book begun late is equal."""
    reference = desk.agreed()
    desk.matched(reference, "20000.00")
    number = desk.enter(reference, "4000.00", invoice_number="B 1", supplier_tax_id="MK1")
    desk.do(OFFICER, act.decide, reference, number, good=True, note="")
    desk.released(reference, "36000.00")
    desk.move(OFFICER, reference, "start-reconciliation")
    desk.do(OFFICER, act.reverse, reference, number, note="The invoice was cancelled")
    with reading(desk.engine) as connection:
        book = of_cofinancing(connection, FINANCE, reference)
    assert [row["kind"] for row in book.lines if row["line"] == 1] == [
        *("committed", "match_verified", "match_verified", "match_released", "match_reversed", "match_unearned")
    ]
    assert (book.accounts.balance("match"), book.accounts.balance("refund_due")) == (eur("20000"), eur("6000"))
    late = Ledger("EUR")
    for kind, amount, _ in desk.look(reference).opening():
        late.enter(kind, amount)
    assert late.balances == book.accounts.balances
    desk.do(FINANCE, act.record_refund, reference, amount=eur("6000"), day=NOW.date(), payment="RF-2")
    with reading(desk.engine) as connection:
        figures = of_cofinancing(connection, FINANCE, reference).accounts.figures()
    assert (figures["committed"], figures["left"]) == (eur("60000"), eur("30000"))
    desk.move(FINANCE, reference, "close", comment="All accounted for")
    with reading(desk.engine) as connection:
        figures = of_cofinancing(connection, FINANCE, reference).accounts.figures()
    assert (figures["paid"], figures["left"], figures["refund_due"]) == (eur("30000"), eur("0"), eur("0"))


def test_whoever_has_a_conflict_of_interest_decides_nothing(desk: Desk) -> None:
    """Staff who step back are refused every act with the reason; the firm's own acts are not touched by it."""
    reference = desk.agreed()
    number = desk.enter(reference, "1000.00")
    version = desk.look(reference).version
    with desk.work(OFFICER) as uow:
        act.step_back(uow, OFFICER, reference, version, "My brother runs it")
    found = refused(desk, ConflictOfInterestError, OFFICER, act.decide, reference, number, good=True, note="")
    assert "My brother runs it" in str(found)
    stopped = refused(desk, IllegalTransitionError, OFFICER, act.move, reference, "start-reconciliation")
    assert "My brother" in str(stopped)
    with reading(desk.engine) as connection:
        moves = act.moves_for(connection, OFFICER, desk.look(reference))
    assert not any(move.allowed for move in moves)
    desk.do(OFFICER_TWO, act.decide, reference, number, good=True, note="")


def test_a_bank_loan_is_reported_apart(desk: Desk) -> None:
    """A loan of 40,000 beside the case is finance mobilised: match, releases and leverage stay what they were."""
    reference = desk.agreed()
    desk.matched(reference, "20000.00")
    desk.released(reference, "20000.00")
    before = desk.look(reference).position()
    desk.do(OFFICER, act.record_loan, reference, lender="Bank", amount=eur("40000"), day=NOW.date())
    case = desk.look(reference)
    assert (case.position(), case.mobilised()) == (before, 40000)
    refused(desk, InvalidError, OFFICER, act.record_loan, reference, lender=" ", amount=eur("1"), day=NOW.date())
