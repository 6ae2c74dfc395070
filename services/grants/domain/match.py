"""The arithmetic of co-financing: what a contribution is worth, how much of it counts, how much it releases.

Exact decimals in, exact decimals out, all of one currency; percentages are of 100. What is credited or
released is rounded down to the cent, so that rounding never gives away money.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_DOWN, Decimal

from shared.errors import ConflictError, Figure

CENT = Decimal("0.01")
HUNDRED = Decimal(100)
ZERO = Decimal("0.00")
# What programme and firm carry, in any unit: (60, 40) of a hundred, (1, 0.4) for each one of grant, or amounts.
Parts = tuple[Decimal, Decimal]


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
    return part(total, tier_of(total, tiers).percent)


def tier_of(total: Decimal, tiers: Sequence[Tier]) -> Tier:
    """Return the tier of a project of `total`; a pack's scale starts at nothing, so that there is one."""
    reached = [tier for tier in tiers if tier.at_least <= total]
    return max(reached, key=lambda tier: tier.at_least)


def least_for_programme(choices: Sequence[Parts]) -> Parts:
    """Return the parts of which the programme's is the smallest: of several rules the one that asks most binds."""
    return min(choices, key=lambda parts: parts[0] / (parts[0] + parts[1]))


def programme_part(total: Decimal, parts: Parts) -> Decimal:
    """Return the programme's part of `total`, rounded down."""
    return down(total * parts[0] / (parts[0] + parts[1]))


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


def releasable(verified: Decimal, programme: Decimal, firm: Decimal, planned: Decimal) -> Decimal:
    """Return the most that may be released in all: the verified match at the agreed parts, never ahead of the plan."""
    return min(planned, down(verified * programme / firm))


def due_from(agreed_on: date, months: int) -> date:
    """Return the day so many months later; the last of the month where that month has no such day."""
    year, month = divmod(agreed_on.year * 12 + agreed_on.month - 1 + months, 12)
    return date(year, month + 1, min(agreed_on.day, monthrange(year, month + 1)[1]))


def planned_by(day: date, agreed_on: date, share: Decimal, tranches: Sequence[tuple[Decimal, int]]) -> Decimal:
    """Return what the plan lets be released by `day`: (percent, months after the agreement) each; all without a plan.

    Once the last tranche is due it is the whole share, whatever the rounding of the others.
    """
    due = sum((percent for percent, months in tranches if due_from(agreed_on, months) <= day), Decimal(0))
    return share if not tranches or due >= HUNDRED else part(share, due)


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


def evidenced_percent(verified: Decimal, released: Decimal) -> Decimal:
    """Return the firm's part of what both sides have put in, in per cent to one decimal, rounded down."""
    both = verified + released
    return (verified * HUNDRED / both).quantize(Decimal("0.1"), rounding=ROUND_DOWN) if both else Decimal("0.0")


@dataclass(frozen=True)
class Position:
    """How a co-financing stands: what is verified, what of it counts, what is out.

    `earned` is what the verified match earns of the programme's share on the whole; `planned` what the plan lets be
    out by today; `allowed` what may be out today. `parts` are what programme and firm carry; `cash_first` is the
    cash that must be verified before anything is released.
    """

    cash: Decimal
    in_kind: Decimal
    creditable: Decimal
    allowed: Decimal
    released: Decimal
    requested: Decimal
    earned: Decimal = ZERO
    planned: Decimal = ZERO
    agreed: Decimal = ZERO
    refunded: Decimal = ZERO
    parts: Parts = (HUNDRED, HUNDRED)
    cash_first: Decimal = ZERO

    @property
    def match(self) -> Decimal:
        """Return the verified match that counts: cash, and in-kind up to its cap."""
        return self.cash + self.creditable

    @property
    def out(self) -> Decimal:
        """Return what is released and not paid back."""
        return self.released - self.refunded

    @property
    def free(self) -> Decimal:
        """Return what can still be asked for."""
        return max(self.allowed - self.out - self.requested, ZERO)

    @property
    def held(self) -> Decimal:
        """Return what the plan would let be out by today, and the match does not."""
        return max(self.planned - max(self.allowed, self.out), ZERO)

    @property
    def overpaid(self) -> Decimal:
        """Return what is out above what the verified match has earned: to be paid back."""
        return to_recover(self.out, self.earned)

    @property
    def reduction(self) -> Decimal:
        """Return by how much the programme's share is reduced when no more match comes."""
        return to_recover(self.agreed, self.earned)

    @property
    def unpaid(self) -> Decimal:
        """Return what is earned and not released yet."""
        return max(self.earned - self.out, ZERO)

    @property
    def evidenced(self) -> Decimal:
        """Return the firm's part of what both have put in so far, in per cent."""
        return evidenced_percent(self.match, self.out)

    @property
    def required(self) -> Decimal:
        """Return the firm's part that was agreed, in per cent to one decimal."""
        programme, firm = self.parts
        return (firm * HUNDRED / (programme + firm)).quantize(Decimal("0.1"))


class MatchTooSmallError(ConflictError):
    """More was asked than the verified match allows; the arithmetic is in the sentence and in the extras."""

    type = "match-too-small"
    title = "The verified match does not allow this release"

    def __init__(self, position: Position, asked: Decimal, currency: str) -> None:
        wanted = position.out + position.requested + asked
        self.numbers = {
            "verified_match": position.match,
            "allowed": position.allowed,
            "planned": position.planned,
            "cash_verified": position.cash,
            "cash_first": position.cash_first,
            "released_before": position.out,
            "requested_before": position.requested,
            "asked": asked,
            "too_much": wanted - position.allowed,
        }
        self.currency = currency
        said: dict[str, object] = {name: Figure(number) for name, number in self.numbers.items()}
        said |= {"evidenced": evidenced_percent(position.match, wanted), "required": position.required}
        super().__init__(_refusal(position), currency=currency, **said)

    def extras(self) -> dict[str, str]:
        return {name: str(number) for name, number in self.numbers.items()} | {"currency": self.currency}


# What binds is said first: the cash that must come before anything, the plan, or the match.
_SUMS = "%(released_before)s released and %(requested_before)s requested before; %(asked)s asked: %(too_much)s too much"
_CASH_FIRST = (
    "The firm's cash of %(cash_first)s %(currency)s comes first, and %(cash_verified)s %(currency)s of it is verified; "
) + _SUMS
_PLAN = "The plan lets %(planned)s %(currency)s in all be released by today; " + _SUMS
_MATCH = (
    "Evidenced match %(evidenced)s %% < %(required)s %%: %(too_much)s %(currency)s held. Verified match "
    "%(verified_match)s %(currency)s allows a release of %(allowed)s %(currency)s in all; "
) + _SUMS


def _refusal(position: Position) -> str:
    if position.cash < position.cash_first:
        return _CASH_FIRST
    return _PLAN if position.planned and position.allowed == position.planned else _MATCH


def check_release(position: Position, asked: Decimal, currency: str) -> None:
    """Raise MatchTooSmallError when `asked` goes beyond what the verified match and the plan allow."""
    if position.out + position.requested + asked > position.allowed:
        raise MatchTooSmallError(position, asked, currency)
