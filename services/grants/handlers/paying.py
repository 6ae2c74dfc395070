"""Payments: asked for, certified, released, held, confirmed and reversed; and money that has to come back.

Each act enters what it did in the ledger, in its own transaction.
"""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import Field

from services.grants.domain.application import Application, Person
from services.grants.domain.award import Award
from services.grants.domain.award.account import Receipt
from services.grants.domain.award.parts import Certificate, Hold
from services.grants.handlers import closing, payees, reporting
from services.grants.handlers.awarding import award_for, no_relation, today_of
from services.grants.handlers.base import Command, Frame, act_as, application_for
from services.grants.handlers.exclusion import must_be_clear
from services.grants.handlers.ledger import Book
from services.grants.storage.tables import awards
from shared.database import UnitOfWork
from shared.errors import ConflictError, ForbiddenError, InvalidError, Rule
from shared.events.payment_rules import PaymentRules
from shared.money import Money
from shared.web.identity import Identity, must_have_confirmed
from shared.workflow import authority_limits

REQUEST, CERTIFY, RELEASE = "grants.tranche.request", "grants.tranche.certify", "grants.tranche.release"
HOLD, CONFIRM, REVERSE = "grants.tranche.hold", "grants.payment.confirm", "grants.payment.reverse"
DEMAND, RECEIVE, DROP = "grants.refund.demand", "grants.refund.receive", "grants.refund.drop"


class RequestTranche(Command):
    """A tranche is asked for; `version` is the award's, as in all below."""

    version: int


class CertifyTranche(Command):
    """How much of a requested tranche may be paid (all of it unless said), for which time, and what for."""

    amount: Money | None = None
    period_from: date
    period_to: date
    purpose: str = Field(min_length=1, max_length=500)
    version: int


class DecideTranche(Command):
    """A tranche is released, in whole or the `amount` that the conditions hold; or refused with code and reason."""

    release: bool = True
    amount: Money | None = None
    code: str = ""
    reason: str = Field(default="", max_length=2000)
    version: int


class HoldTranche(Command):
    """A tranche is put on hold."""

    code: str
    why: str = Field(min_length=1, max_length=2000)
    version: int


class Explained(Command):
    """An act that needs its reason and nothing else."""

    why: str = Field(min_length=1, max_length=2000)
    version: int


class ConfirmPayment(Command):
    """The bank paid: its reference and the day."""

    payment_reference: str
    paid_on: date
    version: int


class ReversePayment(Command):
    """A confirmation is taken back: the bank returned the money, or it was a mistake."""

    how: Literal["returned", "mistaken"]
    why: str = Field(min_length=1, max_length=2000)
    version: int


class DemandRefund(Command):
    """The recipient has to pay back."""

    amount: Money
    why: str = Field(min_length=1, max_length=2000)
    due: date | None = None
    version: int


class ReceiveRefund(Command):
    """A refund, or a part of it, has come in."""

    amount: Money
    reference: str = Field(min_length=1, max_length=80)
    received_on: date
    version: int


def rules_of(uow: UnitOfWork, application: Application) -> PaymentRules:
    """Return the rules of payment of the pack that a case is pinned to."""
    return Frame(uow.connection, application).pack.payments


def must_be_payable(uow: UnitOfWork, application: Application) -> None:
    """Raise ConflictError with the reason when the recipient of a case may not be paid now."""
    whom, rules = (application.organisation, application.organisation_name), rules_of(uow, application).payee
    payees.must_be_payable(uow, *whom, application.programme, rules)


def _coded(rules: PaymentRules, code: str) -> str:
    known = [reason.id for reason in rules.reasons]
    if code and code not in known:
        raise InvalidError({"code": Rule("must be one of: %(names)s", names=", ".join(known))})
    return code


def request(uow: UnitOfWork, who: Identity, reference: str, number: int, command: RequestTranche) -> Award:
    """Ask that a tranche be paid."""
    application, award, role = award_for(uow, who, REQUEST, reference, command.version, number)
    no_relation(who, application)
    if not award.settles(number):
        reporting.must_have_reported(uow, application)
    award.request(number, act_as(uow, role))
    return award


def certify(uow: UnitOfWork, who: Identity, reference: str, number: int, command: CertifyTranche) -> Award:
    """Certify a request: amount, period, and what it is for."""
    application, award, role = award_for(uow, who, CERTIFY, reference, command.version, number)
    no_relation(who, application)
    rules = _stepped_up(uow, who, application, "certify")
    by = act_as(uow, role)
    certificate = Certificate(
        amount=command.amount or award.tranche(number).amount,
        period_from=command.period_from,
        period_to=command.period_to,
        purpose=command.purpose,
        by=by.id,
        by_name=by.name,
    )
    award.certify(number, certificate, by, rules)
    return award


def _stepped_up(uow: UnitOfWork, who: Identity, application: Application, act: str) -> PaymentRules:
    """Return the rules of payment; raises StepUpError when they want the password again for this act."""
    rules = rules_of(uow, application)
    if act in rules.step_up:
        must_have_confirmed(who, uow.now())
    return rules


def decide(uow: UnitOfWork, who: Identity, reference: str, number: int, command: DecideTranche) -> Award:
    """Release a requested tranche, or a part of it, within one's delegated authority; or refuse it."""
    application, award, role = award_for(uow, who, RELEASE, reference, command.version, number)
    no_relation(who, application)
    if not command.release:
        return _refuse(uow, application, award, number, command, role=role)
    rules = _stepped_up(uow, who, application, "release")
    by = act_as(uow, role, command.reason or None)
    limits = authority_limits(Frame(uow.connection, application).pack.delegations, [role], application.currency)
    # What was released of a milestone before counts: an authority is not got round in parts.
    amount, limit = award.of_milestone(number), limits.get("release")
    if limit is None or amount > limit:
        raise ForbiddenError(
            "%(amount)s is above your delegated authority of %(limit)s", amount=amount, limit=limit or 0
        )
    if not award.settles(number):
        reporting.must_have_reported(uow, application)
    must_be_payable(uow, application)
    must_be_clear(uow, application, Frame(uow.connection, application), "release")
    book = Book(uow, award)
    released = award.release(number, by, rules, amount=command.amount, why=command.reason)
    book.enter("released", released, f"tranche {number}")
    return award


def _refuse(
    uow: UnitOfWork, application: Application, award: Award, number: int, command: DecideTranche, *, role: str
) -> Award:
    if not command.reason:
        raise InvalidError({"reason": "is required"})
    tranche, book, by = award.tranche(number), Book(uow, award), act_as(uow, role, command.reason)
    award.refuse(number, command.reason, by, _coded(rules_of(uow, application), command.code))
    if tranche.status == "released":
        book.enter("release_withdrawn", tranche.amount, f"tranche {number}")
    return award


def hold(uow: UnitOfWork, who: Identity, reference: str, number: int, command: HoldTranche) -> Award:
    """Put a tranche on hold for a coded reason."""
    application, award, role = award_for(uow, who, HOLD, reference, command.version, number)
    no_relation(who, application)
    if not command.code:
        raise InvalidError({"code": "is required"})
    code, by = _coded(rules_of(uow, application), command.code), act_as(uow, role, command.why)
    award.put_on_hold(number, Hold(code=code, why=command.why, by=by.id, by_name=by.name, at=uow.now()))
    return award


def unhold(uow: UnitOfWork, who: Identity, reference: str, number: int, command: Explained) -> Award:
    """Let a held tranche go on."""
    application, award, role = award_for(uow, who, HOLD, reference, command.version, number)
    no_relation(who, application)
    award.take_off_hold(number, command.why, act_as(uow, role, command.why))
    return award


def confirm(uow: UnitOfWork, who: Identity, reference: str, number: int, command: ConfirmPayment) -> Award:
    """Confirm that the bank paid a released tranche."""
    application, award, role = award_for(uow, who, CONFIRM, reference, command.version, number)
    no_relation(who, application)
    rules = _stepped_up(uow, who, application, "confirm")
    confirmed(uow, award, number, command, act_as(uow, role), today_of(uow, application), rules)
    return award


def confirmed(  # noqa: PLR0917 - what an act is made of
    uow: UnitOfWork, award: Award, number: int, command: ConfirmPayment, by: Person, today: date, rules: PaymentRules
) -> None:
    """Confirm a payment of an award that this transaction holds, and enter it."""
    if not 1 <= len(command.payment_reference) <= 80:
        raise InvalidError({"payment_reference": "must have 1 to 80 characters"})
    book = Book(uow, award)
    award.confirm(number, command.payment_reference, command.paid_on, today, by=by, rules=rules)
    book.enter("paid", award.tranche(number).amount, command.payment_reference)


def reverse(uow: UnitOfWork, who: Identity, reference: str, number: int, command: ReversePayment) -> Award:
    """Take back a confirmation, with the ledger's counter-entry."""
    application, award, role = _award_at_any_stage(uow, who, REVERSE, reference, command.version)
    _stepped_up(uow, who, application, "reverse")
    by, book = act_as(uow, role, command.why), Book(uow, award)
    former = award.tranche(number).payment_reference
    amount = award.reverse(number, command.how, command.why, by, uow.now())
    book.enter("payment_reversed", amount, former)
    return award


def _award_at_any_stage(
    uow: UnitOfWork, who: Identity, action: str, reference: str, version: int
) -> tuple[Application, Award, str]:
    """Return a concluded award, whatever became of the case: money comes back after the end, too."""
    application, role = application_for(uow, who, action, reference)
    no_relation(who, application)
    if application.terminal:
        closing.must_not_be_closed(application, Frame(uow.connection, application))
    award = awards(uow).get(application.id, expected=version)
    if not award.concluded_at:
        raise ConflictError("The agreement is not concluded yet: both sides must sign first")
    return application, award, role


def demand_refund(uow: UnitOfWork, who: Identity, reference: str, command: DemandRefund) -> Award:
    """Demand that the recipient pays back what is not accounted for, or a part of it."""
    _, award, role = _award_at_any_stage(uow, who, DEMAND, reference, command.version)
    by, book = act_as(uow, role, command.why), Book(uow, award)
    refund = award.demand_refund(command.amount, command.why, command.due, by, uow.now())
    book.enter("refund_due", refund.amount, f"refund {refund.number}")
    return award


def receive_refund(uow: UnitOfWork, who: Identity, reference: str, number: int, command: ReceiveRefund) -> Award:
    """Record that a refund, or a part of it, has come in."""
    application, award, role = _award_at_any_stage(uow, who, RECEIVE, reference, command.version)
    by, book = act_as(uow, role), Book(uow, award)
    about = command.model_dump(include={"reference", "received_on"})
    receipt = Receipt(amount=command.amount, by=by.id, by_name=by.name, **about)
    award.receive_refund(number, receipt, by, today_of(uow, application))
    book.enter("refund_received", command.amount, command.reference)
    return award


def drop_refund(uow: UnitOfWork, who: Identity, reference: str, number: int, command: Explained) -> Award:
    """Demand the rest of a refund no more."""
    _, award, role = _award_at_any_stage(uow, who, DROP, reference, command.version)
    by, book = act_as(uow, role, command.why), Book(uow, award)
    book.enter("refund_dropped", award.drop_refund(number, command.why, by), f"refund {number}")
    return award
