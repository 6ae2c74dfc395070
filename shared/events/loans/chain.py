"""Events of value-chain finance: a tripartite agreement, deliveries under it, deductions on their way to the bank.

None says anything of the loan: the lead firm is a party to every one of them.
"""

from __future__ import annotations

from datetime import date

from shared.events.base import Event
from shared.money import Money


class _ChainFact(Event):
    agreement_id: str
    organisation_id: str
    organisation_name: str
    buyer_id: str
    buyer_name: str
    bank_id: str
    bank_name: str
    notify: list[str] = []


class TripartiteDrafted(_ChainFact):
    """A supplier began an agreement with its buyer and its bank. Entity tripartite:<TRI-…>."""

    TYPE = "loans.tripartite.drafted"
    AUDIENCE = "record"
    number: int
    sha256: str


class TripartiteRevised(_ChainFact):
    """A side wrote the next version of the text: all three sign anew."""

    TYPE = "loans.tripartite.revised"
    number: int
    sha256: str
    side: str
    why: str


class TripartiteProposed(_ChainFact):
    """The supplier consented, and lead firm and bank were given the text to sign."""

    TYPE = "loans.tripartite.proposed"
    number: int
    sha256: str
    text_version: str
    text_sha256: str
    language: str


class TripartiteSigned(_ChainFact):
    """A side signed the version of that hash."""

    TYPE = "loans.tripartite.signed"
    AUDIENCE = "record"
    side: str
    number: int
    sha256: str


class TripartiteInForce(_ChainFact):
    """All three sides have signed the same version."""

    TYPE = "loans.tripartite.in_force"
    number: int
    sha256: str
    since: date


class TripartiteDeclined(_ChainFact):
    """The lead firm or the bank refused the agreement."""

    TYPE = "loans.tripartite.declined"
    side: str
    why: str


class TripartiteWithdrawn(_ChainFact):
    """The supplier took the agreement and its consent back before all had signed."""

    TYPE = "loans.tripartite.withdrawn"


class TripartiteNoticeGiven(_ChainFact):
    """A side gave notice: the agreement ends on `ends_on`."""

    TYPE = "loans.tripartite.notice_given"
    side: str
    why: str
    ends_on: date


class TripartiteEnded(_ChainFact):
    """The agreement ended: by notice, by breach, or because its loans are repaid."""

    TYPE = "loans.tripartite.ended"
    ground: str
    side: str
    why: str
    ended_on: date


class TripartiteBehind(_ChainFact):
    """By its day less of a good was delivered than agreed: the goods may be sold elsewhere, or the harvest failed."""

    TYPE = "loans.tripartite.behind"
    good: str
    unit: str
    by: date
    agreed: str
    delivered: str


class _DeliveryFact(_ChainFact):
    delivery_id: str
    number: str
    deduction: Money


class DeliveryReported(_DeliveryFact):
    """The lead firm reported a delivery, its payment, and what it kept back. Entity delivery:<DLV-…>."""

    TYPE = "loans.delivery.reported"
    AUDIENCE = "record"
    good: str
    delivered_on: date
    paid_on: date
    value: Money
    net: Money
    objection_until: date


class DeliveryConfirmed(_DeliveryFact):
    """The supplier says that it was so."""

    TYPE = "loans.delivery.confirmed"
    AUDIENCE = "record"


class DeliveryDisputed(_DeliveryFact):
    """The supplier says that it was not so; the deduction waits."""

    TYPE = "loans.delivery.disputed"
    why: str


class DeliveryTakenBack(_DeliveryFact):
    """The lead firm took back a line that was wrong."""

    TYPE = "loans.delivery.taken_back"


class DeliveryTransferred(_DeliveryFact):
    """The deduction is part of a transfer to the bank."""

    TYPE = "loans.delivery.transferred"
    AUDIENCE = "record"
    transfer_id: str


class DeliveryReceived(_DeliveryFact):
    """The bank has the deduction."""

    TYPE = "loans.delivery.received"
    AUDIENCE = "record"
    received_on: date


class DeliveryReturned(_DeliveryFact):
    """The bank did not get the transfer: the deduction waits for another."""

    TYPE = "loans.delivery.returned"
    AUDIENCE = "record"


class DeliveriesReported(_ChainFact):
    """The lead firm reported so many deliveries at once: the supplier is asked to confirm or object."""

    TYPE = "loans.tripartite.deliveries_reported"
    deliveries: int
    value: Money
    deducted: Money
    objection_until: date


class _TransferFact(_ChainFact):
    transfer_id: str
    amount: Money
    on: date
    payment: str


class TransferMade(_TransferFact):
    """The lead firm paid deductions to the bank under that reference. Entity transfer:<TRF-…>."""

    TYPE = "loans.transfer.made"
    deliveries: int


class TransferReceived(_TransferFact):
    """The bank confirms that it has the money."""

    TYPE = "loans.transfer.received"
    received_on: date


class TransferRefused(_TransferFact):
    """The bank says that it did not get it, or not this sum."""

    TYPE = "loans.transfer.refused"
    why: str
