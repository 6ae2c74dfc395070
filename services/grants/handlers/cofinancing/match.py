"""What the firm brings, what is released for it, and what is paid back."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import BinaryIO

from pydantic import Field
from sqlalchemy import Connection

from services.grants.domain.application import Document
from services.grants.domain.cofinancing import CoFinancing
from services.grants.domain.contribution import Alike, Claim, Contribution, Valuation, worth
from services.grants.domain.terms import Form
from services.grants.handlers import payees
from services.grants.handlers.base import Command, act_as
from services.grants.handlers.cofinancing.booking import MatchBook
from services.grants.handlers.cofinancing.case import (
    case_for,
    impartial,
    look_at,
    pack_for,
    role_on,
    roles_on,
    same_currency,
    today_of,
)
from services.grants.storage.cofinancing import free_claims, meet_claims, take_claim
from shared.database import UnitOfWork
from shared.documents import DocumentStore
from shared.errors import ConflictError, ForbiddenError, InvalidError, Rule
from shared.events.grants import RecordViewed
from shared.money import Money
from shared.web.identity import Identity
from shared.workflow import authority_limits


class EnterContribution(Command):
    """What the firm paid or gave, with what its kind needs to be valued."""

    form: Form
    basis: str = Field(default="", max_length=60)
    given_on: date
    description: str = Field(min_length=3, max_length=500)
    claimed: Money
    ineligible: Decimal = Field(default=Decimal("0.00"), max_digits=20, decimal_places=3)
    ineligible_code: str = Field(default="", max_length=60)
    exchange_rate: Decimal | None = Field(default=None, gt=0, max_digits=20, decimal_places=10)
    rate_date: date | None = None
    rate_source: str = Field(default="", max_length=200)
    valuation: Valuation | None = None
    invoice_number: str = Field(default="", max_length=80)
    supplier_tax_id: str = Field(default="", max_length=40)
    second_hand: bool = False
    related_party: bool = False

    def claim(self) -> Claim:
        """Return it as the domain reads it: cash has no basis and no valuation."""
        cash: dict[str, object] = {"basis": "", "valuation": None} if self.form == "cash" else {}
        return Claim.model_validate(dict(self) | cash)


def enter(uow: UnitOfWork, who: Identity, reference: str, version: int, command: EnterContribution) -> CoFinancing:
    """Enter what the firm paid or gave; the same invoice counts only once, in any case."""
    case, actor = case_for(uow, who, "grants.cofinancing.contribute", reference, version)
    claim, number = command.claim(), len(case.contributions) + 1
    value, keys = worth(case.rules, case.currency, claim), claim.near_keys
    met = meet_claims(uow.connection, list(keys.values()), case.id, number, uow.now())
    alike = [Alike(what=what, **met[key]) for what, key in keys.items() if key in met]
    contribution = Contribution(
        **dict(claim),
        number=number,
        value=value,
        # One supplier's equal amounts within a case are a rent or a rate; in another case they are worth a look.
        alike=tuple(item for item in alike if item.what == "invoice" or item.case != case.id),
        entered_by=actor.id,
        entered_by_name=actor.name,
        entered_at=uow.now(),
    )
    case.enter(contribution, today_of(uow, case))
    key = claim.claim_key
    if key and not take_claim(uow.connection, key, case.id, number, uow.now()):
        raise ConflictError("This invoice is counted already: the same number, supplier and amount")
    return case


def add_evidence(
    uow: UnitOfWork,
    who: Identity,
    reference: str,
    version: int,
    store: DocumentStore,
    *,
    number: int,
    kind: str,
    name: str,
    content: BinaryIO,
) -> CoFinancing:
    """Put a document behind a contribution."""
    case, actor = case_for(uow, who, "grants.cofinancing.contribute", reference, version)
    wanted = case.contribution(number).documents(case.rules)
    if kind not in wanted:
        raise InvalidError({"kind": Rule("must be one of: %(names)s", names=", ".join(wanted))})
    stored = store.put(name, content)
    about = {"id": str(uow.ids()), "kind": kind, "added_by": actor.id, "added_by_name": actor.name}
    case.attach(number, Document(**about, added_at=uow.now(), **stored.model_dump()))
    return case


def read_evidence(
    uow: UnitOfWork, who: Identity, reference: str, document_id: str, store: DocumentStore
) -> tuple[Document, bytes]:
    """Return a document of the case with its content, and put on record that it was read."""
    case = look_at(uow.connection, who, reference)
    document = case.evidence(document_id)
    content = store.get(document.sha256)
    act_as(uow, role_on(who, "grants.cofinancing.read", case))
    viewed = RecordViewed(record=document.id, what=f"evidence {document.name}")
    uow.record(viewed, entity=f"record:{uow.ids()}", case=case.id, programme=case.programme)
    return document, content


def decide(
    uow: UnitOfWork, who: Identity, reference: str, version: int, number: int, *, good: bool, note: str, code: str = ""
) -> CoFinancing:
    """Verify a contribution, or refuse it with a reason; never by who entered it or by its own firm.

    `code` names the rule by which the cost is not eligible; it is a reason by itself.
    """
    case, actor = case_for(uow, who, "grants.cofinancing.verify", reference, version, reason=note or code or None)
    impartial(uow, who, case)
    _reasoned(note or code, good=good)
    book = MatchBook(uow, case)
    case.decide(number, actor, uow.now(), good=good, note=note, code=code, today=today_of(uow, case))
    if good:
        book.enter("match_verified", case.contribution(number).value, f"contribution {number}")
    else:
        _free(uow, case, number)
    return case


def _free(uow: UnitOfWork, case: CoFinancing, number: int) -> None:
    """Let the invoice of a contribution that does not count be entered again, here or elsewhere."""
    item = case.contribution(number)
    keys = [key for key in (item.claim_key, *item.near_keys.values()) if key]
    free_claims(uow.connection, keys, case.id, number)


def approve_market_value(
    uow: UnitOfWork, who: Identity, reference: str, version: int, number: int, *, note: str
) -> CoFinancing:
    """Let property count at its market value above its book value; the reason is on record."""
    action = "grants.cofinancing.approve-market-value"
    case, actor = case_for(uow, who, action, reference, version, reason=note or None)
    impartial(uow, who, case)
    _reasoned(note, good=False)
    case.approve_market_value(number, actor, uow.now(), note)
    return case


def reverse(uow: UnitOfWork, who: Identity, reference: str, version: int, number: int, *, note: str) -> CoFinancing:
    """Take back a verification, with the reason; what is out above the match is then to be paid back."""
    case, actor = case_for(uow, who, "grants.cofinancing.verify", reference, version, reason=note or None)
    impartial(uow, who, case)
    _reasoned(note, good=False)
    book = MatchBook(uow, case)
    case.reverse(number, actor, uow.now(), note=note, today=today_of(uow, case))
    book.enter("match_reversed", case.contribution(number).value, f"contribution {number}")
    _free(uow, case, number)
    return case


def _reasoned(note: str, *, good: bool) -> None:
    if not good and not note.strip():
        raise InvalidError({"note": "Say the reason"})


def request_release(uow: UnitOfWork, who: Identity, reference: str, version: int, amount: Money) -> CoFinancing:
    """Ask for a matched release; raises MatchTooSmallError with the arithmetic."""
    case, actor = case_for(uow, who, "grants.cofinancing.request-release", reference, version)
    impartial(uow, who, case)
    same_currency(case, amount=amount)
    case.request_release(amount, actor, uow.now(), today=today_of(uow, case))
    return case


def settle_release(
    uow: UnitOfWork, who: Identity, reference: str, version: int, number: int, *, good: bool, note: str
) -> CoFinancing:
    """Release what another person asked for, within one's authority, or refuse it with a reason."""
    case, actor = case_for(uow, who, "grants.cofinancing.release", reference, version, reason=note or None)
    impartial(uow, who, case)
    _reasoned(note, good=good)
    if good:
        _within_authority(uow.connection, who, case, case.money(case.release(number).amount))
        rules = pack_for(uow.connection, case).payments.payee
        payees.must_be_payable(uow, case.organisation, case.organisation_name, case.programme, rules)
    book = MatchBook(uow, case)
    case.settle_release(number, actor, uow.now(), good=good, note=note, today=today_of(uow, case))
    if good:
        book.enter("match_released", case.release(number).amount, f"release {number}")
    return case


def _within_authority(connection: Connection, who: Identity, case: CoFinancing, amount: Money) -> None:
    delegations = pack_for(connection, case).delegations
    limit = authority_limits(delegations, roles_on(who, case), case.currency).get("release")
    if limit is None:
        raise ForbiddenError("You have no delegated authority for this")
    if amount > limit:
        raise ForbiddenError("%(amount)s is above your delegated authority of %(limit)s", amount=amount, limit=limit)


# What is paid back and what comes beside: `day` is that of the payment.


def record_refund(
    uow: UnitOfWork, who: Identity, reference: str, version: int, *, amount: Money, day: date, payment: str
) -> CoFinancing:
    """Record what the firm paid back, with the reference of the payment."""
    case, actor = case_for(uow, who, "grants.cofinancing.refund", reference, version)
    impartial(uow, who, case)
    same_currency(case, amount=amount)
    if not payment.strip():
        raise InvalidError({"payment": Rule("is required")})
    book = MatchBook(uow, case)
    case.refund(amount, day, payment.strip(), actor, uow.now(), today=today_of(uow, case))
    book.refunded(amount.amount, payment.strip())
    return case


def record_loan(
    uow: UnitOfWork, who: Identity, reference: str, version: int, *, lender: str, amount: Money, day: date
) -> CoFinancing:
    """Record a bank's loan that came beside the co-financing."""
    case, actor = case_for(uow, who, "grants.cofinancing.record-loan", reference, version)
    impartial(uow, who, case)
    same_currency(case, amount=amount)
    if not lender.strip():
        raise InvalidError({"lender": Rule("is required")})
    case.add_bank_loan(lender.strip(), amount, day, actor, uow.now(), today=today_of(uow, case))
    return case
