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
    sha256: str = ""  # of the document that was accepted


class Plan(Part):
    """One milestone as it is offered, with the tranche that is paid when it is verified."""

    title: str
    due: date | None = None
    amount: Money
    deliverable: str = ""  # what shows that it is reached
    number: int | None = None  # of the milestone that it changes; none: a new one


class Milestone(Part):
    """A milestone of the agreement; `status` goes planned, evidenced, verified, or back by a return."""

    number: int
    title: str
    due: date | None = None
    deliverable: str = ""
    status: Literal["planned", "evidenced", "returned", "verified"] = "planned"
    evidence: tuple[Document, ...] = ()
    evidenced_by: str | None = None
    settled_by: str | None = None
    settled_by_name: str | None = None
    settled_at: datetime | None = None
    note: str = ""


class Hold(Part):
    """Why a tranche does not move, and who said so."""

    code: str
    why: str
    by: str
    by_name: str
    at: datetime


class Certificate(Part):
    """What another person than the requester certified: how much may be paid, for which time, and for what."""

    amount: Money
    period_from: date
    period_to: date
    purpose: str
    by: str
    by_name: str


class Reversal(Part):
    """A payment that did not stand: returned by the bank, or confirmed by mistake."""

    how: Literal["returned", "mistaken"]
    why: str
    payment_reference: str
    paid_on: date | None
    by: str
    by_name: str
    at: datetime


class Tranche(Part):
    """A payment of the agreement, owed when its milestone is verified: the one it names, else that of its number.

    A tranche of which only a part was released leaves the rest as a new one of the same milestone.
    """

    number: int
    amount: Money
    of: int | None = None
    settles: bool = False  # of a grant that ended before its time: what was still due to the recipient
    status: Literal["planned", "requested", "certified", "released", "paid"] = "planned"
    certificate: Certificate | None = None
    hold: Hold | None = None
    batch: str | None = None
    confirmed_by: str | None = None
    confirmed_by_name: str | None = None
    reversals: tuple[Reversal, ...] = ()
    refused_code: str = ""
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


def milestone_of(tranche: Tranche) -> int:
    """Return the number of the milestone that a tranche is paid for."""
    return tranche.of or tranche.number
