"""What holds a tranche, or a part of it: each condition with its arithmetic and how much it lets go."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal
from typing import Any, Self

from services.grants.domain.award.account import Account
from services.grants.domain.award.parts import Tranche, milestone_of
from shared.errors import Rule
from shared.events.payment_rules import PaymentRules
from shared.money import Money, decimals_of

_HUNDRED = Decimal(100)


class Condition(Rule):
    """A sentence with its figures, and the most of the tranche that may be released while it holds."""

    __slots__ = ("most",)
    most: Money

    def __new__(cls, message: str, /, *, most: Money, **params: Any) -> Self:
        self = super().__new__(cls, message, **params)
        self.most = most
        return self


def conditions(award: Account, tranche: Tranche, rules: PaymentRules) -> list[Condition]:
    """Return the conditions that let less than the whole tranche go."""
    found = (
        _milestone(award, tranche),
        _agreed(award, tranche),
        _certified(tranche),
        _liquidated(award, tranche, rules),
        _capped(award, tranche, rules),
        _matched(award, tranche, rules),
    )
    return [item for item in found if item is not None and item.most < tranche.amount]


def allowed(tranche: Tranche, held: list[Condition]) -> Money:
    """Return how much of a tranche may be released."""
    return min([tranche.amount, *(item.most for item in held)])


def _down(amount: Decimal, currency: str) -> Money:
    """Return an amount rounded down to the minor unit, nothing when it is below."""
    exact = max(amount, Decimal(0)).quantize(Decimal(1).scaleb(-decimals_of(currency)), rounding=ROUND_DOWN)
    return Money.of(exact, currency)


def _milestone(award: Account, tranche: Tranche) -> Condition | None:
    milestone = award.milestone(milestone_of(tranche))
    if milestone.status == "verified":
        return None
    return Condition(
        "Tranche %(number)s is held: milestone %(milestone)s “%(title)s” is not verified yet",
        most=Money.zero(tranche.amount.currency),
        number=tranche.number,
        milestone=milestone.number,
        title=milestone.title,
    )


def _agreed(award: Account, tranche: Tranche) -> Condition | None:
    most = award.amount - award.released()
    return Condition(
        "Tranche %(number)s is held: %(released)s released + %(tranche)s is above the agreed %(agreed)s",
        most=_down(most.amount, most.currency),
        number=tranche.number,
        released=award.released(),
        tranche=tranche.amount,
        agreed=award.amount,
    )


def _certified(tranche: Tranche) -> Condition | None:
    if tranche.certificate is None:
        return None
    most = tranche.certificate.amount
    said = "only %(certified)s of %(tranche)s is certified"
    return Condition(said, most=most, certified=most, tranche=tranche.amount)


def _liquidated(award: Account, tranche: Tranche, rules: PaymentRules) -> Condition | None:
    """Return what holds the next advance: too little of the last one is accounted for (costs come in their order)."""
    paid = [item for item in award.tranches if item.status == "paid"]
    if rules.liquidated_percent is None or not paid:
        return None
    last = max(paid, key=lambda item: (item.paid_on is not None, item.paid_on, item.number)).amount
    done = min(max(last - award.outstanding(), Money.zero(last.currency)), last)
    percent = (done.amount / last.amount * _HUNDRED).quantize(Decimal("0.1"), rounding=ROUND_DOWN)
    if done.amount * _HUNDRED >= last.amount * rules.liquidated_percent:
        return None
    return Condition(
        "Tranche %(number)s is held: of the last advance of %(last)s, %(done)s is accounted for:"
        " %(percent)s %% < %(required)s %%",
        most=Money.zero(last.currency),
        number=tranche.number,
        last=last,
        done=done,
        percent=percent,
        required=rules.liquidated_percent,
    )


def _capped(award: Account, tranche: Tranche, rules: PaymentRules) -> Condition | None:
    if rules.advance_cap_percent is None:
        return None
    currency = award.amount.currency
    cap = _down(award.amount.amount * rules.advance_cap_percent / _HUNDRED, currency)
    out = award.outstanding() + (award.released() - award.paid())
    return Condition(
        "%(out)s is out and not accounted for; with %(tranche)s it is above %(percent)s %% of the agreement, %(cap)s",
        most=_down((cap - out).amount, currency),
        out=out,
        tranche=tranche.amount,
        percent=rules.advance_cap_percent,
        cap=cap,
    )


def _matched(award: Account, tranche: Tranche, rules: PaymentRules) -> Condition | None:
    """Return what holds a grant that runs ahead of the recipient's own accepted share."""
    if rules.match_percent is None:
        return None
    own, currency = award.own_accepted(), award.amount.currency
    after = award.released() + tranche.amount
    most = _down(own.amount * _HUNDRED / rules.match_percent - award.released().amount, currency)
    percent = (own.amount / after.amount * _HUNDRED).quantize(Decimal("0.1"), rounding=ROUND_DOWN)
    return Condition(
        "Evidenced match %(percent)s %% < %(required)s %%: %(held)s held (%(own)s of own share accepted,"
        " %(after)s of grant would be released)",
        most=most,
        percent=percent,
        required=rules.match_percent,
        held=tranche.amount - min(most, tranche.amount),
        own=own,
        after=after,
    )
