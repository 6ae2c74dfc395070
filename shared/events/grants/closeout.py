"""The end of a grant: its checklist answered, the award settled."""

from __future__ import annotations

from datetime import date

from shared.events.base import Event
from shared.events.grants.award import AwardFact
from shared.money import Money


class CloseoutFact(Event):
    """What every event of a closing checklist says; `reference` is the application's."""

    reference: str
    title: str
    organisation_name: str


class CloseoutAnswered(CloseoutFact):
    """A point of the closing checklist was answered: done, not_applicable or open. Entity closeout:<reference>."""

    TYPE = "grants.closeout.answered"
    AUDIENCE = "record"
    item: str
    answer: str
    note: str


class CloseoutVoided(CloseoutFact):
    """The grant was opened again, and the answers `items` of its closing checklist count no more."""

    TYPE = "grants.closeout.voided"
    AUDIENCE = "record"
    items: list[str]


class AwardSettled(AwardFact):
    """The grant came to its end, `how` is closed or terminated: how the money stands, and what is still due.

    `given_back` is the part of the commitment that the fund has again. Entity award:<reference>.
    """

    TYPE = "grants.award.settled"
    how: str
    paid: Money
    costs: Money
    refunded: Money
    given_back: Money
    refund_due: Money
    refund_by: date | None = None
    payment_due: Money


class AwardReopened(AwardFact):
    """A grant that had ended runs again; `taken_again` of the fund is committed to it."""

    TYPE = "grants.award.reopened"
    AUDIENCE = "record"
    taken_again: Money
