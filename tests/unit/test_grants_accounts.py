"""The ledger and the award's own figures: any sequence of acts keeps both right, and a refused act changes nothing."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.grants.domain.application import Person
from services.grants.domain.award import Award, Milestone, Tranche
from services.grants.domain.award.account import Receipt
from services.grants.domain.ledger import SIDES, Entry, Ledger
from shared.errors import ConflictError, InvalidError, TamgaError
from shared.money import Money

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
TODAY = NOW.date()
ONE, TWO = Person(id="user:1", name="One", role="finance_officer"), Person(id="user:2", name="Two", role="officer")


def eur(amount: str | Decimal | int) -> Money:
    """Return euros."""
    return Money.of(amount, "EUR")


class Books:
    """An award of 100 EUR in three tranches with its ledger, as a handler keeps them together."""

    def __init__(self) -> None:
        self.award = Award(
            id="BSO-2026-0001",
            programme="p",
            title="T",
            organisation="o",
            organisation_name="O",
            amount=eur(100),
            concluded_at=NOW,
            agreement_version=1,
            milestones=[Milestone(number=n, title="M", status="verified") for n in (1, 2, 3)],
            tranches=[Tranche(number=n, amount=eur(a)) for n, a in enumerate(("40", "40", "20"), 1)],
        )
        self.ledger, self.entries, self.references = Ledger("EUR"), list[Entry](), 0
        self.enter("committed", eur(100))

    def enter(self, kind: Any, amount: Money) -> None:
        """Enter an act."""
        self.entries.append(self.ledger.enter(kind, amount))

    def reference(self) -> str:
        """Return a bank's reference that was not used before."""
        self.references += 1
        return f"TR-{self.references}"

    def act(self, what: str, number: int, amount: Money) -> None:
        """Do one act to the award, and enter it."""
        getattr(self, f"_{what}")(number, amount)

    def _request(self, number: int, _: Money) -> None:
        self.award.request(number, ONE)

    def _release(self, number: int, _: Money) -> None:
        self.enter("released", self.award.release(number, TWO))

    def _part(self, number: int, amount: Money) -> None:
        self.enter("released", self.award.release(number, TWO, amount=amount, why="part"))

    def _refuse(self, number: int, _: Money) -> None:
        before = self.award.tranche(number)
        self.award.refuse(number, "no", TWO)
        if before.status == "released":
            self.enter("release_withdrawn", before.amount)

    def _pay(self, number: int, _: Money) -> None:
        self.award.confirm(number, self.reference(), TODAY, TODAY, by=ONE)
        self.enter("paid", self.award.tranche(number).amount)

    def _reverse(self, number: int, _: Money) -> None:
        self.enter("payment_reversed", self.award.reverse(number, "mistaken", "no", TWO, NOW))

    def _accept(self, _: int, amount: Money) -> None:
        self.award.accept_costs(amount, "R1")
        if amount:
            self.enter("costs_accepted", amount)

    def _disallow(self, _: int, amount: Money) -> None:
        self.award.disallow_costs(amount, "R1", "twice")
        self.enter("costs_disallowed", amount)

    def _demand(self, _: int, amount: Money) -> None:
        self.award.demand_refund(amount, "unspent", None, ONE, NOW)
        self.enter("refund_due", amount)

    def _drop(self, number: int, _: Money) -> None:
        self.enter("refund_dropped", self.award.drop_refund(number, "small", TWO))

    def _receive(self, number: int, amount: Money) -> None:
        got = Receipt(amount=amount, reference=self.reference(), received_on=TODAY, by=TWO.id, by_name=TWO.name)
        self.award.receive_refund(number, got, TWO, TODAY)
        self.enter("refund_received", amount)


ACTS = ("request", "release", "part", "refuse", "pay", "reverse", "accept", "disallow", "demand", "drop", "receive")
steps = st.tuples(
    st.sampled_from(ACTS), st.integers(1, 3), st.integers(-1, 12_000).map(lambda n: eur(Decimal(n) / 100))
)


@settings(max_examples=60, deadline=None)
@given(st.lists(steps, max_size=24))
def test_any_sequence_of_acts_keeps_ledger_and_award_equal(story: list[tuple[str, int, Money]]) -> None:
    """Every entry balances, no account turns over, the sums are the award's own; what is refused changes nothing."""
    books = Books()
    # A story that gets somewhere, then whatever hypothesis thinks of.
    for what, number, amount in [("request", 1, eur(1)), ("release", 1, eur(1)), ("pay", 1, eur(1)), *story]:
        before = (books.award.state(), dict(books.ledger.balances))
        try:
            books.act(what, number, amount)
        except TamgaError:
            assert (books.award.state(), books.ledger.balances) == before
        assert all(sum(line.amount for line in entry.lines) == 0 for entry in books.entries)
        assert sum(books.ledger.balances.values()) == 0
        assert all(amount * SIDES[name] >= 0 for name, amount in books.ledger.balances.items())
        award, figures = books.award, books.ledger.figures()
        assert figures["paid"] == award.paid() - award.refunded()
        assert figures["waiting"] == award.released() - award.paid()
        assert figures["liquidated"] == award.accepted()
        assert figures["outstanding"] - figures["due_to_grantee"] == award.balance()
        assert figures["refund_due"] == award.refund_owed()
        assert figures["committed"] == award.amount - award.refunded()


def test_costs_beyond_the_advance_are_due_to_the_recipient() -> None:
    """Accepted costs take the advance down to nothing; the rest is owed, and the next payment settles that first."""
    books = Books()
    for number in (1, 2):
        books.act("request", number, eur(1))
        books.act("release", number, eur(1))
    books.act("pay", 1, eur(1))
    books.act("accept", 1, eur(55))
    assert (books.ledger.balance("advance"), books.ledger.balance("due_to_grantee")) == (eur(0), eur(15))
    books.act("pay", 2, eur(1))
    assert (books.ledger.balance("advance"), books.ledger.balance("due_to_grantee")) == (eur(25), eur(0))
    with pytest.raises(ConflictError, match="above the agreed"):
        books.act("accept", 1, eur("45.01"))


def test_row_12_a_ledger_never_takes_another_currency() -> None:
    """An amount of another currency is refused by name, and every account stays as it was."""
    books = Books()
    before = dict(books.ledger.balances)
    with pytest.raises(InvalidError, match="attention") as refused:
        books.ledger.enter("released", Money.of(1, "USD"))
    assert refused.value.fields == {"amount": "must be in EUR"}
    with pytest.raises(InvalidError):
        books.award.accept_costs(Money.of(1, "USD"), "R1")
    assert books.ledger.balances == before


def test_row_13_large_amounts_are_kept_to_the_minor_unit() -> None:
    """Nineteen digits and three decimals go through the accounts without losing one."""
    ledger = Ledger("BHD")
    amount = Money.of("12345678901234567.891", "BHD")
    ledger.enter("committed", amount)
    assert ledger.enter("released", amount).lines[0].amount == -amount.amount * SIDES["fund_budget"]
    assert ledger.figures()["waiting"] == amount


def test_what_a_refund_may_be() -> None:
    """No more than is out and not accounted for; recorded by another person, once for each of the bank's references."""
    books = Books()
    for what in ("request", "release", "pay"):
        books.act(what, 1, eur(1))
    books.act("accept", 1, eur(30))
    with pytest.raises(InvalidError) as refused:
        books.act("demand", 1, eur("10.01"))
    assert "10.00 EUR" in refused.value.fields["amount"]
    books.act("demand", 1, eur(10))
    receipt = Receipt(amount=eur(4), reference="B-1", received_on=TODAY, by=ONE.id, by_name="One")
    with pytest.raises(TamgaError, match="another person"):
        books.award.receive_refund(1, receipt, ONE, TODAY)
    got = receipt.model_copy(update={"by": TWO.id})
    books.award.receive_refund(1, got, TWO, TODAY)
    for wrong in ({"reference": "B-1"}, {"reference": "B-2", "received_on": date(2999, 1, 1)}, {"amount": eur(7)}):
        with pytest.raises(InvalidError):
            books.award.receive_refund(1, got.model_copy(update=wrong), TWO, TODAY)
    assert (books.award.refund_owed(), books.award.refunded()) == (eur(6), eur(4))


def test_an_award_from_before_the_ledger_opens_its_book_with_what_is() -> None:
    """What was agreed, released and paid before there was a ledger gives the same accounts as if it had been there."""
    books = Books()
    for what, number in (("request", 1), ("release", 1), ("pay", 1), ("request", 2), ("release", 2)):
        books.act(what, number, eur(1))
    late = Ledger("EUR")
    for kind, amount, _ in books.award.opening():
        late.enter(kind, amount)
    assert late.balances == books.ledger.balances
