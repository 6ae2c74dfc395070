"""The ledger of a grant or of a co-financing: double entry in one currency, entries that are added and never changed.

Amounts are debits; a credit is a debit below nothing. Every entry adds up to nothing, and no account turns to the
side that it can't be on: what would do so is refused and changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict

from shared.errors import ConflictError, InvalidError, Rule
from shared.money import Money

Account = Literal[
    "fund_budget",
    "commitment",
    "in_payment",
    "payable",
    "bank",
    "advance",
    "due_to_grantee",
    "expenditure",
    "refund_due",
    "match",
    "match_given",
]
Kind = Literal[
    "committed",
    "amended_up",
    "amended_down",
    "closed",
    "reopened",
    "released",
    "release_withdrawn",
    "paid",
    "payment_reversed",
    "costs_accepted",
    "costs_disallowed",
    "refund_due",
    "refund_dropped",
    "refund_received",
    "match_verified",
    "match_reversed",
    "match_released",
    "match_unearned",
    "match_earned",
    "recommitted",
]
# The fund of what is agreed with lead firms; that of a grant is its call.
COFINANCING = ":cofinancing"
# Where an account stands: on the debit side (+1) or on the credit side (-1); never on the other.
SIDES: dict[Account, int] = {
    "fund_budget": -1,  # what the fund keeps aside for the open commitment
    "commitment": 1,  # agreed with the recipient and not released
    "in_payment": 1,  # released, on its way to the recipient
    "payable": -1,  # released, waits for the bank
    "bank": -1,  # paid, less what came back
    "advance": 1,  # paid to the recipient and not accounted for: a receivable
    "due_to_grantee": -1,  # accepted costs that no payment covers yet
    "expenditure": 1,  # costs of the recipient that were accepted
    "refund_due": 1,  # what the recipient has to pay back
    "match": 1,  # of a co-financing: what the firm brought and somebody verified; no money of the programme
    "match_given": -1,  # by whom that was given: the firm
}
# The recipient's account: an advance while they have more than they spent, else what is due to them.
_RECIPIENT = "recipient"
# What each act debits and credits, in pairs.
_PAIRS: dict[Kind, tuple[tuple[str, str], ...]] = {
    "committed": (("commitment", "fund_budget"),),
    "amended_up": (("commitment", "fund_budget"),),
    "amended_down": (("fund_budget", "commitment"),),
    "closed": (("fund_budget", "commitment"),),
    "reopened": (("commitment", "fund_budget"),),
    "released": (("fund_budget", "commitment"), ("in_payment", "payable")),
    "release_withdrawn": (("commitment", "fund_budget"), ("payable", "in_payment")),
    "paid": (("payable", "bank"), (_RECIPIENT, "in_payment")),
    "payment_reversed": (("bank", "payable"), ("in_payment", _RECIPIENT)),
    "costs_accepted": (("expenditure", _RECIPIENT),),
    "costs_disallowed": ((_RECIPIENT, "expenditure"),),
    "refund_due": (("refund_due", _RECIPIENT),),
    "refund_dropped": ((_RECIPIENT, "refund_due"),),
    "refund_received": (("bank", "refund_due"),),
    "match_verified": (("match", "match_given"),),
    "match_reversed": (("match_given", "match"),),
    # A matched release pays for costs that the match has proved, so that nothing of it is an advance.
    "match_released": (("fund_budget", "commitment"), ("expenditure", "bank")),
    "match_unearned": (("refund_due", "expenditure"),),
    "match_earned": (("expenditure", "refund_due"),),
    # What a firm paid back can be released to it again, when more match comes.
    "recommitted": (("commitment", "fund_budget"),),
}


class Line(BaseModel):
    """One line of an entry: how much the account is debited, below nothing when it is credited."""

    model_config = ConfigDict(frozen=True)

    account: Account
    amount: Decimal


class Entry(BaseModel):
    """What one act did to the accounts; its lines add up to nothing."""

    model_config = ConfigDict(frozen=True)

    kind: Kind
    amount: Money
    lines: tuple[Line, ...]


class Ledger:
    """The accounts of one agreement, all in its currency; `balances` are debits by account."""

    def __init__(self, currency: str, balances: Mapping[str, Decimal] | None = None) -> None:
        self.currency = currency
        self.balances: dict[Account, Decimal] = {name: (balances or {}).get(name, Decimal(0)) for name in SIDES}

    def balance(self, account: Account) -> Money:
        """Return what stands on an account, on the side that is its own."""
        return Money.of(abs(self.balances[account]), self.currency)

    def figures(self) -> dict[str, Money]:
        """Return what people ask about: agreed, open, waiting, paid, liquidated, outstanding, due, refund due.

        `paid` is net of what came back; `committed` is all that was promised and not given back to the fund.
        """
        paid, waiting, still = self.balance("bank"), self.balance("in_payment"), self.balance("commitment")
        return {
            "committed": still + waiting + paid,
            "left": still,
            "waiting": waiting,
            "paid": paid,
            "liquidated": self.balance("expenditure"),
            "outstanding": self.balance("advance"),
            "due_to_grantee": self.balance("due_to_grantee"),
            "refund_due": self.balance("refund_due"),
        }

    def enter(self, kind: Kind, amount: Money) -> Entry:
        """Enter an act and return its entry; raises InvalidError or ConflictError, and then nothing has changed."""
        if amount.currency != self.currency:
            raise InvalidError({"amount": Rule("must be in %(currency)s", currency=self.currency)})
        if amount.amount <= 0:
            raise InvalidError({"amount": "must be more than nothing"})
        moved: dict[Account, Decimal] = {}
        for debit, credit in _PAIRS[kind]:
            self._move(moved, debit, amount.amount)
            self._move(moved, credit, -amount.amount)
        if kind == "refund_due" and moved.get("due_to_grantee"):
            self._refuse(kind, amount, "advance")
        for account, change in moved.items():
            if (self.balances[account] + change) * SIDES[account] < 0:
                self._refuse(kind, amount, account)
        for account, change in moved.items():
            self.balances[account] += change
        lines = (Line(account=account, amount=change) for account, change in moved.items() if change)
        return Entry(kind=kind, amount=amount, lines=tuple(lines))

    def _move(self, moved: dict[Account, Decimal], account: str, change: Decimal) -> None:
        """Add a change to an account; the recipient's goes to the advance or to what is due, whichever it is then."""
        if account != _RECIPIENT:
            name: Account = account  # type: ignore[assignment]  # the pairs name accounts
            moved[name] = moved.get(name, Decimal(0)) + change
            return
        net = self.balances["advance"] + self.balances["due_to_grantee"] + change
        moved["advance"] = max(net, Decimal(0)) - self.balances["advance"]
        moved["due_to_grantee"] = min(net, Decimal(0)) - self.balances["due_to_grantee"]

    def _refuse(self, kind: Kind, amount: Money, account: Account) -> None:
        raise ConflictError(
            "The ledger does not hold this: %(amount)s is more than the %(balance)s on “%(account)s” (%(kind)s)",
            amount=amount,
            balance=self.balance(account),
            account=account,
            kind=kind,
        )
