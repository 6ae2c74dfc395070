"""The ledger of the case at hand: entered in the transaction of the act that moves the money.

An act takes the book of the award before it changes the award, and enters what it did after it. Whoever accepts
costs of a recipient calls `costs_accepted`; an amendment calls `amended`, closing calls `closed`.
"""

from __future__ import annotations

from services.grants.domain.award import Award
from services.grants.domain.cofinancing import CoFinancing
from services.grants.domain.ledger import COFINANCING, Entry, Kind, Ledger
from services.grants.storage import ledger as stored
from shared.database import UnitOfWork
from shared.money import Money

MOST_ABOUT = 200


class Book:
    """The accounts of an award or of a co-financing that this transaction holds locked."""

    def __init__(self, uow: UnitOfWork, case: Award | CoFinancing) -> None:
        self.uow, self.case = uow, case
        found = stored.balances(uow.connection, case.id)
        self.accounts = Ledger(case.amount.currency if isinstance(case, Award) else case.currency, found)
        # Enter what was agreed, released and paid before there was a ledger.
        for kind, amount, about in () if found else case.opening():
            self.enter(kind, amount, about)

    def enter(self, kind: Kind, amount: Money, about: str = "") -> Entry:
        """Enter an act; raises ConflictError when the accounts do not hold it."""
        entry = self.accounts.enter(kind, amount)
        actor, uow = self.uow.context.actor, self.uow
        common = {
            "entry": uow.ids(),
            "programme": self.case.programme,
            "kind": kind,
            "currency": amount.currency,
            "about": about[:MOST_ABOUT],
            "at": uow.now(),
            "by": actor.id,
            "by_name": actor.name or actor.id,
        }
        numbered = enumerate(entry.lines, 1)
        lines = [{**common, "line": n, "account": line.account, "amount": line.amount} for n, line in numbered]
        stored.add(uow.connection, self.case.id, lines, None if isinstance(self.case, Award) else COFINANCING)
        return entry


def concluded(uow: UnitOfWork, award: Award) -> None:
    """Enter the commitment of an agreement that has just been concluded: with it the book opens."""
    Book(uow, award)


def amended(uow: UnitOfWork, award: Award, before: Money, about: str = "") -> Entry | None:
    """Enter that an amendment changed the agreed amount from `before`; what is released can't be taken back so.

    The book is opened by the amount before, so this may be called after the award was changed.
    """
    book = Book(uow, award.model_copy(update={"amount": before}))
    more = award.amount - before
    if not more:
        return None
    return book.enter(
        "amended_up" if more.amount > 0 else "amended_down", Money.of(abs(more.amount), more.currency), about
    )


def closed(uow: UnitOfWork, award: Award) -> Entry | None:
    """Give the unspent commitment of an award that closes back to the fund."""
    book = Book(uow, award)
    rest = book.accounts.balance("commitment")
    return book.enter("closed", rest) if rest else None


def reopened(uow: UnitOfWork, award: Award) -> Entry | None:
    """Take what closing gave back to the fund for the award again."""
    book = Book(uow, award)
    rest = award.amount - book.accounts.figures()["committed"] - award.refunded()
    return book.enter("reopened", rest) if rest.amount > 0 else None


def costs_accepted(uow: UnitOfWork, award: Award, amount: Money, source: str, own: Money | None = None) -> Entry | None:
    """Liquidate the advance by costs that were accepted: `amount` of the grant, `own` of the recipient's share.

    `award` is locked by this transaction (`awards(uow).get`); `source` says what they were accepted in, such as a
    report's id. Raises ConflictError with the arithmetic when more is accepted than was agreed.
    """
    book = Book(uow, award)
    award.accept_costs(amount, source, own)
    return book.enter("costs_accepted", amount, source) if amount else None


def costs_disallowed(uow: UnitOfWork, award: Award, amount: Money, source: str, why: str) -> Entry:
    """Take an acceptance of costs back, in whole or in part: the recipient owes an account of that much again."""
    book = Book(uow, award)
    award.disallow_costs(amount, source, why)
    return book.enter("costs_disallowed", amount, source)


def accounts_of(uow: UnitOfWork, award: Award) -> Ledger:
    """Return the accounts of an award; of one from before there was a ledger those with which its book will open."""
    found = stored.balances(uow.connection, award.id)
    accounts = Ledger(award.amount.currency, found)
    for kind, amount, _ in () if found else award.opening():
        accounts.enter(kind, amount)
    return accounts
