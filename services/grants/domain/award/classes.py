"""The class of an amendment, derived from what it changes; nobody chooses it."""

from __future__ import annotations

from decimal import ROUND_UP, Decimal

from services.grants.domain.award.terms import Difference, Terms, differences
from shared.entity import Part
from shared.events.award_rules import KINDS, Amendments, Kind
from shared.money import Money


class Verdict(Part):
    """Of which classes an amendment is, the strongest first, and the figures that say so.

    `moved` is what it moves between budget lines, `before` what earlier amendments of this agreement moved, `base`
    the agreed grant.
    """

    kinds: tuple[Kind, ...]
    moved: Money
    before: Money
    base: Money
    limit: str

    @property
    def kind(self) -> Kind:
        """Return the class by which the amendment goes."""
        return self.kinds[0]

    @property
    def percent_before(self) -> Decimal:
        """Return what was moved so far, in per cent of the grant."""
        return percent(self.before, self.base)

    @property
    def percent(self) -> Decimal:
        """Return what will have been moved with this amendment, in per cent of the grant."""
        return percent(self.before + self.moved, self.base)

    def approvers(self, rules: Amendments) -> list[str]:
        """Return the roles that may approve each of the classes."""
        return [role for role in rules.rule(self.kind).approvers if self.may_approve(role, rules)]

    def may_approve(self, role: str, rules: Amendments) -> bool:
        """Return whether a role may approve each of the classes."""
        return all(role in rules.rule(kind).approvers for kind in self.kinds)

    def both_sides(self, rules: Amendments) -> bool:
        """Return whether both sides must accept the new text."""
        return any(rules.rule(kind).both_sides for kind in self.kinds)


def percent(part: Money, base: Money) -> Decimal:
    """Return a share in per cent to two decimals, rounded up: what is above a limit never reads as the limit."""
    if not base.amount:
        return Decimal(0)
    return (part.amount * 100 / base.amount).quantize(Decimal("0.01"), rounding=ROUND_UP)


def moved_between(before: Terms, after: Terms, currency: str) -> Money:
    """Return what is gained of the grant: by a budget line, or by a participant in it.

    What one gains another loses, because the grant stays the same; without partners every line is the recipient's.
    """
    old, new, none = before.participants(currency), after.participants(currency), Money.zero(currency)
    moved = none
    for cell, grant in new.items():
        gained = grant - old.get(cell, none)
        moved = moved + gained if gained > none else moved
    return moved


def classify(before: Terms, after: Terms, *, moved_before: Money, base: Money, rules: Amendments) -> Verdict | None:
    """Return of which classes the change from `before` to `after` is; None when nothing changes.

    What was moved counts over the agreement's life against the grant as agreed: back and forth is twice, and ten
    small changes are one large. Exactly `minor_percent` is still minor.
    """
    moved = moved_between(before, after, base.currency)
    over = (moved_before + moved).amount * 100 > base.amount * rules.minor_percent
    if _own(after, base.currency) < _own(before, base.currency):
        over = True  # what the recipient promised to give is taken back
    kinds = {_kind(item, over=over) for item in differences(before, after, base.currency)}
    if not kinds:
        return None
    ordered = tuple(kind for kind in KINDS if kind in kinds)
    return Verdict(kinds=ordered, moved=moved, before=moved_before, base=base, limit=str(rules.minor_percent))


def _own(terms: Terms, currency: str) -> Money:
    own = Money.zero(currency)
    for row in terms.lines:
        own = own + row.own
    return own


def _kind(item: Difference, *, over: bool) -> Kind:
    if item.what == "administration" or (item.what == "line" and item.field == "note"):
        return "administrative"
    if item.what == "line" or (item.what == "partner" and item.field not in {"name", "part"}):
        return "budget_major" if over else "budget_minor"
    longer = bool(item.before) and item.before < item.after
    if longer and (item.what == "ends_on" or item.field == "due"):
        return "extension"
    return "results"
