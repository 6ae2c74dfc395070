"""Use cases between the MSME and a bank: read, acknowledge, ask, answer, decide, accept."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from typing import Any

from services.loans import storage
from services.loans.domain.comparison import Compared, compare, plan_of
from services.loans.domain.disclosure import disclosed
from services.loans.domain.finance import Finance, Partner
from services.loans.domain.loan import Loan
from services.loans.domain.matching import Match, match
from services.loans.domain.offer import Counter, Offer, effective_rate
from services.loans.domain.profile import disclosed as disclosed_dimensions
from services.loans.domain.profile import profile
from services.loans.domain.readiness import PartnerCheck, partner_checks
from services.loans.domain.referral import Referral
from services.loans.handlers import access, groups, improvements, looks, sequences
from shared.database import UnitOfWork
from shared.errors import NotFoundError
from shared.events.product_rules import ProductTerms
from shared.web.identity import Identity

DECIDE = "loans.referral.decide"


@dataclass(frozen=True)
class Opened:
    """A referral as one reader may see it: `fields` is built from the consent when the reader is the bank."""

    referral: Referral
    role: str
    fields: dict[str, dict[str, Any]]
    finance: Finance
    partner: Partner | None
    rules: list[PartnerCheck]
    terms: ProductTerms | None = None  # of the product asked for, in the version that was chosen
    match: Match | None = None  # from the fields above alone
    group: dict[str, Any] | None = None  # of each member what it lets this bank see


def open_referral(uow: UnitOfWork, who: Identity, reference: str, way: looks.Way = "page") -> Opened:
    """Return a referral for reading; a bank's and an officer's view is recorded and shown to the applicant."""
    opened, visible = _opened(uow, who, reference)
    if opened.role == "finance_partner":
        looks.take(uow, who, opened.referral, way, visible, f"{len(visible)} consented fields")
    elif opened.role != "applicant":
        referral = opened.referral
        access.viewed(uow, referral.id, "the referral", case=referral.proposal, programme=referral.programme, way=way)
    return opened


def open_document(uow: UnitOfWork, who: Identity, reference: str, sha256: str) -> dict[str, Any]:
    """Return what is known of a document that the applicant discloses to the bank; the look is recorded."""
    access.scoped(uow, who, "referral", reference, "loans.referral.document")
    opened, _ = _opened(uow, who, reference)
    files: list[dict[str, Any]] = opened.fields.get("documents", {}).get("files", [])
    found = next((file for file in files if file["sha256"] == sha256), None)
    if found is None:
        raise NotFoundError("There is no such document")
    looks.take(uow, who, opened.referral, "document", ["documents.files"], f"document {found['kind']}")
    return found


def _opened(uow: UnitOfWork, who: Identity, reference: str) -> tuple[Opened, list[str]]:
    """Return a referral as it may be seen, and the names of the fields that a bank sees of it today."""
    role = access.scoped(uow, who, "referral", reference, "loans.referral.read")
    referral = storage.referrals(uow).get(reference, for_update=False)
    finance, _ = access.rules(uow, referral.programme)
    partner = finance.partner(referral.bank)
    visible = referral.visible(access.today(uow))
    fields = disclosed(storage.locked(uow.connection, referral.proposal, referral.number), visible)
    met = partner_checks(fields, partner) if partner else []
    terms = (
        storage.version_terms(uow.connection, referral.product, referral.product_number or 0)
        if referral.product
        else None
    )
    held = match(terms, fields, access.today(uow)) if terms else None
    banks = role == "finance_partner" and bool(visible)
    group = groups.shown_to(uow, referral.proposal, referral.number, referral.bank) if banks else None
    return Opened(referral, role, fields, finance, partner, met, terms, held, group), visible


def acknowledge(uow: UnitOfWork, who: Identity, reference: str, *, version: int | None = None) -> Referral:
    """Record that the bank has the referral."""
    referral = access.referral(uow, who, reference, DECIDE, version=version)
    referral.acknowledge(uow.now())
    return referral


def analyse(uow: UnitOfWork, who: Identity, reference: str, *, version: int | None = None) -> Referral:
    """Record that the credit desk has taken it up."""
    referral = access.referral(uow, who, reference, DECIDE, version=version)
    referral.analyse()
    return referral


def ask(uow: UnitOfWork, who: Identity, reference: str, text: str, *, version: int | None = None) -> Referral:
    """Ask the applicant for something; the bank's clock stands still."""
    referral = access.referral(uow, who, reference, DECIDE, version=version)
    referral.ask(text, uow.now(), access.today(uow), who.name)
    return referral


def answer(uow: UnitOfWork, who: Identity, reference: str, text: str, *, version: int | None = None) -> Referral:
    """Answer the bank's question."""
    referral = access.referral(uow, who, reference, "loans.referral.answer", version=version)
    referral.answer(text, uow.now(), access.today(uow), who.name)
    return referral


def decline(
    uow: UnitOfWork, who: Identity, reference: str, reasons: list[str], note: str = "", *, version: int | None = None
) -> Referral:
    """Decline, for coded reasons of the programme; they make the applicant's improvement plan."""
    referral = access.referral(uow, who, reference, DECIDE, version=version)
    finance, _ = access.rules(uow, referral.programme)
    referral.decline(reasons, note, [item.code for item in finance.decline_reasons])
    improvements.open_plan(uow, referral, finance)
    return referral


@dataclass(frozen=True)
class Terms:
    """What the bank writes into its offer; the rate as a percentage, the fee paid upfront."""

    amount: Decimal
    rate_percent: Decimal
    term_months: int
    fee: Decimal
    conditions: str
    valid_until: date
    collateral: str = ""
    tripartite: bool = False

    @classmethod
    def of(cls, given: Any) -> Terms:
        """Return the terms that a form or a request body holds."""
        return cls(**{field.name: getattr(given, field.name) for field in fields(cls)})


def make_offer(uow: UnitOfWork, who: Identity, reference: str, terms: Terms, *, version: int | None = None) -> Referral:
    """Make an offer; what it truly costs is computed, never typed."""
    referral = access.referral(uow, who, reference, DECIDE, version=version)
    day, currency = access.today(uow), referral.amount.currency
    amount, fee = access.money("amount", terms.amount, currency), access.money("fee", terms.fee, currency)
    rate = terms.rate_percent / 100
    offer = Offer(
        amount=amount,
        rate=rate,
        term_months=terms.term_months,
        fee=fee,
        conditions=terms.conditions,
        valid_until=terms.valid_until,
        collateral=terms.collateral,
        tripartite=terms.tripartite,
        made_at=uow.now(),
        effective_rate=effective_rate(amount, rate, terms.term_months, fee, day),
    )
    referral.make_offer(offer, day)
    return referral


@dataclass(frozen=True)
class Wish:
    """What the applicant would accept instead of the offer; the rate as a percentage."""

    amount: Decimal
    rate_percent: Decimal
    term_months: int
    fee: Decimal
    reason: str

    @classmethod
    def of(cls, given: Any) -> Wish:
        """Return the wish that a form or a request body holds."""
        return cls(**{field.name: getattr(given, field.name) for field in fields(cls)})


def counter(uow: UnitOfWork, who: Identity, reference: str, wish: Wish, *, version: int | None = None) -> Referral:
    """Answer an offer with other terms; the bank then makes its next version or declines."""
    referral = access.referral(uow, who, reference, "loans.referral.counter", version=version)
    finance, currency = access.rules(uow, referral.programme)[0], referral.amount.currency
    partner = finance.partner(referral.bank)
    asked = Counter(
        number=referral.offer.number if referral.offer else 0,
        amount=access.money("amount", wish.amount, currency),
        rate=wish.rate_percent / 100,
        term_months=wish.term_months,
        fee=access.money("fee", wish.fee, currency),
        reason=wish.reason,
        made_at=uow.now(),
        made_by=who.name,
    )
    referral.counter(asked, access.today(uow), partner.sla_days if partner else 1)
    return referral


def compared(uow: UnitOfWork, reference: str) -> list[Compared]:
    """Return a proposal's offers side by side, each held against the version that its bank was given.

    Offers that can still be had come first, the cheapest by effective annual cost in front.
    """
    found = storage.referrals(uow).where(storage.of_proposal(reference))
    offers = [(item, item.offer) for item in found if item.offer]
    versions = storage.locked_versions(uow.connection, reference, {item.number for item, _ in offers})
    plans, day = {number: plan_of(content) for number, content in versions.items()}, access.today(uow)
    lines = [compare(item, offer, plans[item.number], day) for item, offer in offers]
    return sorted(lines, key=lambda line: (not line.live, line.offer.effective_rate, line.referral.id))


def accept(uow: UnitOfWork, who: Identity, reference: str, *, version: int | None = None) -> Loan:
    """Accept one offer: the loan begins and every other open referral closes, all in this transaction.

    The proposal's row is locked first, so of two offers accepted at once exactly one wins.
    """
    access.scoped(uow, who, "referral", reference, "loans.referral.accept")
    row = storage.standing(uow.connection, "referral", reference)
    proposal = storage.proposals(uow).get(row.proposal if row else "")
    proposal.settle(reference)
    repository = storage.referrals(uow)
    referral = repository.get(reference, expected=version)
    others = [
        repository.get(other) for other in storage.referrals_of(uow.connection, proposal.id) if other != reference
    ]
    day, loan_id = access.today(uow), uow.next_reference("LN")
    offer = referral.accept(loan_id, day)
    for other in others:
        if other.is_open():
            other.close("another_offer_accepted")
    sequences.met(uow, proposal)
    return _loan(uow, referral, offer, loan_id, day)


def _loan(uow: UnitOfWork, referral: Referral, offer: Offer, loan_id: str, day: date) -> Loan:
    uow.flush()  # the referral's rows come before the loan that refers to them
    names = ("proposal", "programme", "organisation", "organisation_name", "bank", "bank_name")
    loan = Loan(
        id=loan_id,
        referral=referral.id,
        **{name: getattr(referral, name) for name in names},
        **offer.model_dump(include={"rate", "term_months", "tripartite"}),
        amount=offer.amount,
        fee=offer.fee,
        agreed_on=day,
    )
    locked = storage.locked(uow.connection, referral.proposal, referral.number)
    loan.profile = profile(locked, day.year)
    loan.disclosed = disclosed_dimensions(referral.consent.fields if referral.consent else [])
    storage.loans(uow).add(loan)
    loan.agree()
    return loan


def turn_down(uow: UnitOfWork, who: Identity, reference: str, *, version: int | None = None) -> Referral:
    """Refuse the offer."""
    referral = access.referral(uow, who, reference, "loans.referral.accept", version=version)
    referral.turn_down()
    return referral


def withdraw(uow: UnitOfWork, who: Identity, reference: str, *, version: int | None = None) -> Referral:
    """Take the referral back from the bank."""
    referral = access.referral(uow, who, reference, "loans.referral.withdraw", version=version)
    referral.withdraw()
    return referral


def revoke(uow: UnitOfWork, who: Identity, reference: str, *, version: int | None = None) -> Referral:
    """Revoke the consent, which is possible until the bank has acknowledged."""
    referral = access.referral(uow, who, reference, "loans.referral.withdraw", version=version)
    referral.revoke(uow.now())
    return referral


def escalate_overdue(uow: UnitOfWork) -> int:
    """Tell the bank and the programme's officers of answers that are late; returns how many."""
    day, told = access.today(uow), 0
    for reference in storage.overdue(uow.connection, day):
        told += storage.referrals(uow).get(reference).escalate(day)
    return told


def expire_offers(uow: UnitOfWork) -> int:
    """End the offers whose last day has passed; returns how many."""
    day, ended = access.today(uow), 0
    for reference in storage.open_offers(uow.connection, day):
        ended += storage.referrals(uow).get(reference).expire(day)
    return ended
