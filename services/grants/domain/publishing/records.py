"""What is published of a grant, whichever file it goes into: an agreement that both sides signed, and its money.

A record holds what the public may know and nothing else: no person, no address, no bank account, no application that
was not awarded. Both formats are made from records, so that neither can say more than stands here.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal
from zoneinfo import ZoneInfo

from services.grants.domain.application import Application
from services.grants.domain.award import Award
from services.grants.domain.cofinancing import CoFinancing
from services.grants.domain.match import due_from
from services.grants.domain.terms import Terms
from shared.entity import Part
from shared.money import Amount, Money


class Party(Part):
    """An organisation; `registration` is its number in its country's register."""

    id: str
    name: str
    country: str | None = None
    registration: str | None = None
    firm: bool = False  # a business, not an organisation that supports them


class Flow(Part):
    """Money that moved, or is to move, on a day."""

    day: date
    amount: Money
    note: str = ""


class Measured(Part):
    """A figure of an indicator for one period; `dimensions` are its disaggregation: {sex: women}."""

    dimensions: dict[str, str] = {}
    target: Amount | None = None
    actual: Amount | None = None
    starts: date
    ends: date


class Result(Part):
    """An indicator that a report gave figures for."""

    title: str
    unit: Literal["number", "percent"] = "number"
    ascending: bool = True
    cumulative: bool = False
    baseline: Amount | None = None
    baseline_year: int | None = None
    periods: tuple[Measured, ...] = ()


class Record(Part):
    """One agreement as the public may see it."""

    id: str
    kind: Literal["award", "cofinancing"]
    title: str
    description: str
    recipient: Party
    amount: Money
    agreed_on: date
    starts: date
    ends: date | None
    closed: bool
    open_call: bool
    call: str = ""
    planned: tuple[Flow, ...] = ()
    paid: tuple[Flow, ...] = ()
    returned: tuple[Flow, ...] = ()
    # What the firm brought and somebody verified, and what a bank lent beside it.
    matched: tuple[Flow, ...] = ()
    lent: tuple[tuple[str, Flow], ...] = ()
    results: tuple[Result, ...] = ()
    changed_at: datetime

    @property
    def path(self) -> str:
        """Return where the case stands in Tamga."""
        place = "applications" if self.kind == "award" else "cofinancing"
        return f"/grants/{place}/{self.id}"


def of_award(
    award: Award,
    application: Application,
    recipient: Party,
    zone: ZoneInfo,
    changed_at: datetime,
    *,
    description_from: str | None,
    results: tuple[Result, ...] = (),
) -> Record | None:
    """Return what is published of an award; None before both sides have signed."""
    if award.concluded_at is None:
        return None
    agreed = award.concluded_at.astimezone(zone).date()
    due = [milestone.due for milestone in award.milestones if milestone.due]
    return Record(
        id=award.id,
        kind="award",
        title=award.title,
        description=application.answers.get(description_from or "", ""),
        recipient=recipient,
        amount=award.amount,
        agreed_on=agreed,
        starts=agreed,
        ends=max([*due, agreed]) if due else None,
        closed=application.terminal,
        open_call=True,
        call=application.call,
        planned=_tranches(award, agreed),
        paid=_payments(award),
        returned=_refunds(award),
        results=results,
        changed_at=changed_at,
    )


def _tranches(award: Award, agreed: date) -> tuple[Flow, ...]:
    return tuple(
        Flow(day=max(milestone.due or agreed, agreed), amount=tranche.amount, note=milestone.title)
        for milestone, tranche in award.pairs()
    )


def _payments(award: Award) -> tuple[Flow, ...]:
    return tuple(
        Flow(day=item.paid_on, amount=item.amount, note=f"Tranche {item.number}")
        for item in award.tranches
        if item.status == "paid" and item.paid_on
    )


def _refunds(award: Award) -> tuple[Flow, ...]:
    return tuple(
        Flow(day=receipt.received_on, amount=receipt.amount, note=f"Refund {refund.number}")
        for refund in award.refunds
        for receipt in refund.receipts
    )


def of_cofinancing(case: CoFinancing, recipient: Party, zone: ZoneInfo, changed_at: datetime) -> Record | None:
    """Return what is published of a co-financing; None before both sides have accepted the agreement."""
    terms, agreed = case.terms, case.agreed_day()
    if terms is None or agreed is None:
        return None
    planned = _planned(case, terms, agreed)
    return Record(
        id=case.id,
        kind="cofinancing",
        title=case.title,
        description=case.summary,
        recipient=recipient.model_copy(update={"firm": True}),
        amount=case.money(terms.programme_share),
        agreed_on=agreed,
        starts=agreed,
        ends=planned[-1].day if planned else None,
        closed=case.terminal,
        open_call=False,
        planned=planned,
        paid=_releases(case, zone),
        returned=tuple(
            Flow(day=item.paid_on, amount=case.money(item.amount), note=f"Refund {item.number}")
            for item in case.refunds
        ),
        matched=_contributions(case),
        lent=tuple(
            (item.lender, Flow(day=item.given_on, amount=case.money(item.amount), note="Loan beside the co-financing"))
            for item in case.bank_loans
        ),
        changed_at=changed_at,
    )


def _releases(case: CoFinancing, zone: ZoneInfo) -> tuple[Flow, ...]:
    return tuple(
        Flow(
            day=item.settled_at.astimezone(zone).date(),
            amount=case.money(item.amount),
            note=f"Matched release {item.number}",
        )
        for item in case.releases
        if item.status == "released" and item.settled_at
    )


def _contributions(case: CoFinancing) -> tuple[Flow, ...]:
    kinds = {"cash": "Cash contribution", "in_kind": "In-kind contribution at its verified value"}
    return tuple(
        Flow(day=item.given_on, amount=case.money(item.value), note=kinds[item.form])
        for item in case.contributions
        if item.status == "verified"
    )


def _planned(case: CoFinancing, terms: Terms, agreed: date) -> tuple[Flow, ...]:
    days = [due_from(agreed, months) for _, months in terms.tranches] or []
    flows, before = [], case.money(0)
    for day in sorted(days):
        by_then = case.money(terms.planned(day, agreed))
        flows.append(Flow(day=day, amount=by_then - before))
        before = by_then
    return tuple(flow for flow in flows if flow.amount)
