"""The terms of an agreement, and in what two versions of them differ."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Literal

from services.grants.domain.award.parts import MAX_MILESTONES, Plan
from services.grants.domain.partnership import Cells, Share, cells, grants_by_line, share_of, share_problems
from shared.entity import Part
from shared.errors import InvalidError, Rule
from shared.money import Money, total

What = Literal["line", "partner", "milestone", "conditions", "administration", "starts_on", "ends_on"]
MAX_LINES = 60


class AgreedLine(Part):
    """What one budget line gets from the programme and what the recipient gives to it."""

    line: str
    note: str = ""
    grant: Money
    own: Money


class AgreedPartner(Part):
    """An organisation that carries the project out beside the recipient, what it does and its share of each line."""

    number: int
    name: str
    organisation: str | None = None
    country: str = ""
    registration_number: str = ""
    part: str = ""
    shares: tuple[Share, ...] = ()

    def share(self, currency: str) -> Money:
        """Return what of the grant is this partner's."""
        return share_of(self, currency)


class Terms(Part):
    """What an agreement says: budget lines, milestones with their tranches, conditions, days.

    `administration` are notices and contacts: what may change without changing what was agreed.
    """

    lines: tuple[AgreedLine, ...] = ()
    milestones: tuple[Plan, ...] = ()
    conditions: str = ""
    administration: str = ""
    starts_on: date | None = None
    ends_on: date | None = None
    partners: tuple[AgreedPartner, ...] = ()

    def participants(self, currency: str) -> Cells:
        """Return {(number, line): grant} of the recipient, who leads under 0, and of every partner."""
        return cells(self.partners, grants_by_line(((row.line, row.grant) for row in self.lines), currency), currency)

    def numbered(self) -> Terms:
        """Return the terms with a number for each milestone that has none yet: those after the highest."""
        last = max((plan.number or 0 for plan in self.milestones), default=0)
        made = []
        for plan in self.milestones:
            last += plan.number is None
            made.append(plan if plan.number is not None else plan.model_copy(update={"number": last}))
        return self.model_copy(update={"milestones": tuple(made)})

    def by_line(self, currency: str) -> dict[str, tuple[Money, Money]]:
        """Return (grant, own) of each budget line; rows of one line count together."""
        sums: dict[str, tuple[Money, Money]] = {}
        for row in self.lines:
            grant, own = sums.get(row.line, (Money.zero(currency), Money.zero(currency)))
            sums[row.line] = (grant + row.grant, own + row.own)
        return sums

    def check(self, amount: Money) -> None:
        """Raise InvalidError unless budget lines and tranches each add up to the grant, and the days fit."""
        check_plan(self.milestones, amount)
        if self.lines:
            self._check_lines(amount)
        if self.starts_on and self.ends_on and self.ends_on < self.starts_on:
            raise InvalidError({"ends_on": Rule("must not be before the first day, %(day)s", day=self.starts_on)})
        late = [plan.due for plan in self.milestones if plan.due and self.ends_on and plan.due > self.ends_on]
        if late:
            rule = Rule("is before milestones that are due until %(day)s", day=max(late))
            raise InvalidError({"ends_on": rule})

    def _check_lines(self, amount: Money) -> None:
        if len(self.lines) > MAX_LINES:
            raise InvalidError({"lines": Rule("must be at most %(most)s", most=MAX_LINES)})
        for row in self.lines:
            if {row.grant.currency, row.own.currency} != {amount.currency}:
                raise InvalidError({"lines": Rule("must all be in %(currency)s", currency=amount.currency)})
            if row.grant.amount < 0 or row.own.amount < 0:
                raise InvalidError({"lines": "can't be less than nothing"})
        agreed = total((row.grant for row in self.lines), amount.currency)
        if agreed != amount:
            rule = Rule("add up to %(sum)s, but the grant is %(grant)s", sum=agreed, grant=amount)
            raise InvalidError({"lines": rule})
        lines = grants_by_line(((row.line, row.grant) for row in self.lines), amount.currency)
        if wrong := share_problems(self.partners, lines, amount.currency):
            raise InvalidError(wrong)


def check_plan(plan: tuple[Plan, ...] | list[Plan], amount: Money) -> None:
    """Raise InvalidError unless there are milestones, and their tranches are the whole grant."""
    if not 1 <= len(plan) <= MAX_MILESTONES:
        raise InvalidError({"milestones": Rule("must be 1 to %(most)s", most=MAX_MILESTONES)})
    if any(item.amount.currency != amount.currency for item in plan):
        raise InvalidError({"milestones": Rule("must all be in %(currency)s", currency=amount.currency)})
    if any(item.amount.amount <= 0 for item in plan):
        raise InvalidError({"milestones": "each tranche must be more than nothing"})
    planned = total((item.amount for item in plan), amount.currency)
    if planned != amount:
        rule = Rule("the tranches add up to %(sum)s, but %(grant)s was approved", sum=planned, grant=amount)
        raise InvalidError({"milestones": rule})


class Difference(Part):
    """One thing that two versions say differently; an empty side means that it is not there.

    `of` is the budget line's id or the milestone's number, `field` what of it.
    """

    what: What
    of: str = ""
    field: str = ""
    before: str = ""
    after: str = ""


def differences(before: Terms, after: Terms, currency: str) -> list[Difference]:
    """Return in what two versions differ, in the order in which an agreement is read."""
    found = [*_lines(before, after, currency), *_partners(before, after), *_milestones(before, after)]
    for name in ("starts_on", "ends_on", "conditions", "administration"):
        old, new = _text(getattr(before, name)), _text(getattr(after, name))
        if old != new:
            found.append(Difference(what=name, before=old, after=new))
    return found


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _lines(before: Terms, after: Terms, currency: str) -> Iterator[Difference]:
    old, new, none = before.by_line(currency), after.by_line(currency), Money.zero(currency)
    for line in [*old, *(line for line in new if line not in old)]:
        was, now = old.get(line, (none, none)), new.get(line, (none, none))
        for index, field in enumerate(("grant", "own")):
            if was[index] != now[index]:
                yield Difference(what="line", of=line, field=field, before=str(was[index]), after=str(now[index]))
        notes = ["; ".join(row.note for row in terms.lines if row.line == line) for terms in (before, after)]
        if notes[0] != notes[1]:
            yield Difference(what="line", of=line, field="note", before=notes[0], after=notes[1])


def _partners(before: Terms, after: Terms) -> Iterator[Difference]:
    old, new = ({item.number: item for item in terms.partners} for terms in (before, after))
    for number in sorted({*old, *new}):
        was, now = old.get(number), new.get(number)
        for field in ("name", "part"):
            left, right = (_text(getattr(item, field)) if item else "" for item in (was, now))
            if left != right:
                yield Difference(what="partner", of=str(number), field=field, before=left, after=right)
        shares = [{share.line: share.grant for share in item.shares} if item else {} for item in (was, now)]
        for line in dict.fromkeys([*shares[0], *shares[1]]):
            left, right = (str(side.get(line, "")) for side in shares)
            if left != right:
                yield Difference(what="partner", of=str(number), field=line, before=left, after=right)


def _milestones(before: Terms, after: Terms) -> Iterator[Difference]:
    old, new = ({plan.number or 0: plan for plan in terms.milestones} for terms in (before, after))
    for number in sorted({*old, *new}):
        was, now = old.get(number), new.get(number)
        for field in ("title", "deliverable", "due", "amount"):
            left, right = (_text(getattr(plan, field)) if plan else "" for plan in (was, now))
            if left != right:
                yield Difference(what="milestone", of=str(number), field=field, before=left, after=right)
