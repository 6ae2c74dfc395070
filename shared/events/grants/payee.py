"""Bank details of those who are paid: entered, confirmed by others, and free for payment after a while.

No event carries an account number: `masked` shows its last four characters.
"""

from __future__ import annotations

from shared.events.base import Event


class PayeeFact(Event):
    """What every event of bank details says; `number` counts the details that this organisation ever had."""

    organisation_id: str
    organisation_name: str
    number: int
    masked: str
    notify: list[str] = []


class PayeeEntered(PayeeFact):
    """Other bank details are entered for an organisation, and wait for another person. Entity payee:<organisation>."""

    TYPE = "grants.payee.entered"
    changes_former: bool
    entered_by_name: str


class PayeeConfirmed(PayeeFact):
    """Another person has confirmed bank details; payments begin after the cooling-off."""

    TYPE = "grants.payee.confirmed"
    entered_by_name: str
    confirmed_by_name: str
    cooling_off_hours: int


class PayeeRefused(PayeeFact):
    """Bank details were not confirmed, or were taken back; those before them stay."""

    TYPE = "grants.payee.refused"
    why: str
    taken_back: bool


class PayeeLifted(PayeeFact):
    """A manager lets payments begin before the cooling-off is over."""

    TYPE = "grants.payee.lifted"
    why: str


class PayeeBlocked(PayeeFact):
    """Bank details that were in use are not paid to any more."""

    TYPE = "grants.payee.blocked"
    why: str
