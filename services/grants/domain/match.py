"""The arithmetic of co-financing: what a contribution is worth, how much of it counts, how much it releases.

Exact decimals in, exact decimals out, all of one currency; percentages are of 100. What is credited or
released is rounded down to the cent, so that rounding never gives away money.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from shared.errors import ConflictError

CENT = Decimal("0.01")
HUNDRED = Decimal(100)
ZERO = Decimal("0.00")


def down(amount: Decimal) -> Decimal:
    """Return `amount` rounded down to the cent."""
    return amount.quantize(CENT, rounding=ROUND_DOWN)


def part(amount: Decimal, percent: Decimal) -> Decimal:
    """Return that percentage of `amount`, rounded down."""
    return down(amount * percent / HUNDRED)


@dataclass(frozen=True)
class Tier:
    """Projects of `at_least` and more must bring `percent` of the total themselves."""

    at_least: Decimal
    percent: Decimal


def firm_minimum(total: Decimal, tiers: Sequence[Tier]) -> Decimal:
    """Return the least own contribution to a project of `total` by a tiered scale.

    The tier with the highest `at_least` not above the total counts: 249,999 is below a tier that starts at 250,000.
    """
    reached = [tier for tier in tiers if tier.at_least <= total]
    return part(total, max(reached, key=lambda tier: tier.at_least).percent)


def creditable_in_kind(cash: Decimal, in_kind: Decimal, cap_percent: Decimal, total: Decimal | None = None) -> Decimal:
    """Return how much of the in-kind contribution counts.

    With `total`, in-kind is capped at that percentage of it. Without, the cap is a percentage p of the
    contribution itself, which in-kind is part of: k <= p (cash + k), so k = p cash / (1 - p).
    """
    if total is not None:
        return min(in_kind, part(total, cap_percent))
    if cap_percent >= HUNDRED:
        return in_kind
    return min(in_kind, down(cash * cap_percent / (HUNDRED - cap_percent)))


def shortfall(required: Decimal, cash: Decimal, in_kind: Decimal, cap_percent: Decimal) -> Decimal:
    """Return what is missing of a required contribution once in-kind is capped; nothing when it is met."""
    return max(required - cash - creditable_in_kind(cash, in_kind, cap_percent), ZERO)


def releasable(verified: Decimal, programme_percent: Decimal, firm_percent: Decimal, planned: Decimal) -> Decimal:
    """Return the most that may be released in all: the verified match at the agreed ratio, never ahead of the plan."""
    return min(planned, down(verified * programme_percent / firm_percent))


def to_recover(granted: Decimal, earned: Decimal) -> Decimal:
    """Return the reduction of a grant (or the refund, when paid) that the match has not earned."""
    return max(granted - earned, ZERO)


def property_credit(book: Decimal, market: Decimal, *, market_approved: bool = False) -> Decimal:
    """Return the credit for donated property: the lesser of remaining book value and market value.

    Market value above book value counts only with a recorded approval (10 CFR 600.313(b)(1)).
    """
    return market if market_approved else min(book, market)


def use_charge(cost: Decimal, life_years: Decimal, months: Decimal, use: Decimal) -> Decimal:
    """Return the depreciation for property lent: cost / life x months / 12 x share of use (0 to 1)."""
    return down(cost / life_years * months / 12 * use)


def staff_credit(hours: Decimal, rate: Decimal, fringe_percent: Decimal) -> Decimal:
    """Return the credit for staff time at regular pay and fringe benefits (10 CFR 600.313(b)(2))."""
    return down(hours * rate * (HUNDRED + fringe_percent) / HUNDRED)


def volunteer_rate(claimed: Decimal, paid_for_similar: Decimal) -> Decimal:
    """Return the hourly rate at which volunteers count: never above what is paid for similar work."""
    return min(claimed, paid_for_similar)


def eligible(invoiced: Decimal, ineligible: Decimal) -> Decimal:
    """Return the part of a cost that counts, such as an invoice without recoverable VAT."""
    return max(invoiced - ineligible, ZERO)


def leverage(mobilised: Decimal, released: Decimal) -> Decimal | None:
    """Return verified partner money per unit of grant released, to two places; None before any release."""
    return (mobilised / released).quantize(CENT) if released else None


@dataclass(frozen=True)
class Position:
    """How a co-financing stands: what is verified, what of it counts, what is out."""

    cash: Decimal
    in_kind: Decimal
    creditable: Decimal
    allowed: Decimal
    released: Decimal
    requested: Decimal

    @property
    def match(self) -> Decimal:
        """Return the verified match that counts: cash, and in-kind up to its cap."""
        return self.cash + self.creditable

    @property
    def free(self) -> Decimal:
        """Return what can still be asked for."""
        return max(self.allowed - self.released - self.requested, ZERO)

    @property
    def overpaid(self) -> Decimal:
        """Return what is out above what the verified match has earned."""
        return to_recover(self.released, self.allowed)


class MatchTooSmallError(ConflictError):
    """More was asked than the verified match allows; the arithmetic is in the sentence and in the extras."""

    type = "match-too-small"
    title = "The verified match does not allow this release"

    def __init__(self, position: Position, asked: Decimal, currency: str) -> None:
        before = position.released + position.requested
        self.numbers = {
            "verified_match": position.match,
            "allowed": position.allowed,
            "released_before": position.released,
            "requested_before": position.requested,
            "asked": asked,
            "too_much": before + asked - position.allowed,
        }
        self.currency = currency
        said = {name: f"{number:,.2f}" for name, number in self.numbers.items()}
        super().__init__(
            "Verified match %(verified_match)s %(currency)s allows a release of %(allowed)s %(currency)s in all; "
            "%(released_before)s released and %(requested_before)s requested before; %(asked)s asked: "
            "%(too_much)s too much",
            currency=currency,
            **said,
        )

    def extras(self) -> dict[str, str]:
        return {name: str(number) for name, number in self.numbers.items()} | {"currency": self.currency}


def check_release(position: Position, asked: Decimal, currency: str) -> None:
    """Raise MatchTooSmallError when `asked` goes beyond what the verified match allows."""
    if position.released + position.requested + asked > position.allowed:
        raise MatchTooSmallError(position, asked, currency)
