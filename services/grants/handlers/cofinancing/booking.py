"""The ledger of a co-financing: entered in the transaction of the act that moves the match or the money.

An act takes the book before it changes the case and enters after it what it did. Before the agreement there is no
book: it opens with what was agreed, and with what was verified until then.
"""

from __future__ import annotations

from decimal import Decimal

from services.grants.domain.cofinancing import CoFinancing
from services.grants.domain.ledger import Kind
from services.grants.handlers.ledger import Book
from shared.database import UnitOfWork


class MatchBook:
    """The book of a case that this transaction holds locked; nothing is entered while it has none."""

    def __init__(self, uow: UnitOfWork, case: CoFinancing) -> None:
        self.case = case
        self.book = Book(uow, case) if case.terms and case.agreed_day() else None

    def enter(self, kind: Kind, amount: Decimal, about: str) -> None:
        """Enter an act, and what it does to what the firm has to pay back."""
        if self.book and amount:
            self.book.enter(kind, self.case.money(amount), about)
        self._due(about)

    def refunded(self, amount: Decimal, about: str) -> None:
        """Enter what the firm paid back; until the end it can be released again."""
        self.enter("refund_received", amount, about)
        if not self.case.terminal:
            self.enter("recommitted", amount, about)

    def _due(self, about: str) -> None:
        """Enter what is out above what the match has earned now, as due from the firm; or as earned again."""
        if self.book is None:
            return
        change = self.case.position().overpaid - self.book.accounts.balance("refund_due").amount
        if change:
            self.book.enter("match_unearned" if change > 0 else "match_earned", self.case.money(abs(change)), about)

    def moved(self, *, ended: bool) -> None:
        """Enter what a move did: `ended` is whether the case was at an end before it."""
        if self.book is None or self.case.terms is None:
            return
        if self.case.terminal:
            rest = Decimal(0) if ended else self.book.accounts.balance("commitment").amount
            self.enter("closed", rest, "")
            return
        more = self.case.terms.programme_share - self.book.accounts.figures()["committed"].amount
        up: Kind = "reopened" if ended else "amended_up"
        self.enter(up if more > 0 else "amended_down", abs(more), f"version {self.case.terms.version}")
