"""What an award is made of: signatures, the plan as it is offered, milestones, tranches."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal, TypeVar

from services.grants.domain.application import Document
from shared.entity import Part
from shared.errors import NotFoundError
from shared.money import Money

T = TypeVar("T", "Milestone", "Tranche")
Side = Literal["programme", "recipient"]
MAX_MILESTONES = 24


class Signature(Part):
    """Who accepted the agreement for one side, and when."""

    by: str
    by_name: str
    at: datetime


class Plan(Part):
    """One milestone as it is offered, with the tranche that is paid when it is verified."""

    title: str
    due: date | None = None
    amount: Money


class Milestone(Part):
    """A milestone of the agreement; `status` goes planned, evidenced, verified, or back by a return."""

    number: int
    title: str
    due: date | None = None
    status: Literal["planned", "evidenced", "returned", "verified"] = "planned"
    evidence: tuple[Document, ...] = ()
    evidenced_by: str | None = None
    settled_by: str | None = None
    settled_by_name: str | None = None
    settled_at: datetime | None = None
    note: str = ""


class Tranche(Part):
    """A payment of the agreement, owed when the milestone of the same number is verified."""

    number: int
    amount: Money
    status: Literal["planned", "requested", "released", "paid"] = "planned"
    requested_by: str | None = None
    requested_by_name: str | None = None
    released_by: str | None = None
    released_by_name: str | None = None
    refused: str = ""
    payment_reference: str = ""
    paid_on: date | None = None


def numbered(items: list[T], number: int, message: str) -> T:
    """Return the item of that number; raises NotFoundError."""
    for item in items:
        if item.number == number:
            return item
    raise NotFoundError(message, number=number)
