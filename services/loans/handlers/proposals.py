"""Use cases of the MSME's proposal: start, fill in, add documents, submit, refer."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from services.loans import storage
from services.loans.domain.blocks import BLOCKS, Block
from services.loans.domain.disclosure import Consent, expand
from services.loans.domain.documents import ProposalDocument
from services.loans.domain.finance import Finance
from services.loans.domain.firm import prefill
from services.loans.domain.product import Product
from services.loans.domain.proposal import Proposal
from services.loans.domain.ratios import Ratios, ratios
from services.loans.domain.readiness import Check, Todo, checks, todos
from services.loans.domain.referral import Referral
from services.loans.handlers import access, groups, improvements, products, teasers
from shared.database import UnitOfWork
from shared.documents import StoredDocument
from shared.errors import ConflictError, InvalidError, NotFoundError, Rule
from shared.money import Money
from shared.web.forms import invalid
from shared.web.identity import Identity


@dataclass(frozen=True)
class Assessment:
    """What the programme's rules say of a proposal today, and its figures."""

    checks: list[Check]
    figures: Ratios
    finance: Finance

    @property
    def todos(self) -> list[Todo]:
        return todos(self.checks)


def assess(uow: UnitOfWork, proposal: Proposal) -> Assessment:
    """Return the readiness and the figures of a proposal as it stands."""
    finance, _ = access.rules(uow, proposal.programme)
    figures = ratios(proposal.plan)
    lessons = storage.lessons_of(uow.connection, [proposal.organisation])
    found = checks(proposal.plan, proposal.documents, figures, finance, access.today(uow), lessons)
    return Assessment(found, figures, finance)


def dscr_floor(uow: UnitOfWork, proposal: Proposal) -> Decimal | None:
    """Return the debt service cover that the programme asks for, if it asks for one."""
    finance, _ = access.rules(uow, proposal.programme)
    return next((rule.at_least for rule in finance.readiness if rule.rule == "dscr"), None)


def start(uow: UnitOfWork, who: Identity, supporter: str, title: str = "") -> Proposal:
    """Begin a proposal of the person's MSME, supported by an organisation that holds an award."""
    firm = storage.organisation_name(uow.connection, who.organisation or "")
    if firm is None or firm.kind != "msme":
        raise ConflictError("Only a micro, small or medium enterprise prepares a proposal")
    backing = storage.supporter(uow.connection, supporter, who.programmes)
    if backing is None:
        raise InvalidError({"supporter": "choose an organisation that holds an award in your programme"})
    finance, currency = access.rules(uow, backing.programme)
    proposal = Proposal(
        id=uow.next_reference("PRO"),
        programme=backing.programme,
        organisation=firm.id,
        organisation_name=firm.name,
        supporter=backing.organisation,
        supporter_name=backing.name,
        currency=currency,
    )
    proposal.plan = prefilled(proposal, title, firm.registration_number or "", finance)
    storage.proposals(uow).add(proposal)
    proposal.start()
    profile = storage.firms(uow).find(firm.id)
    if profile and profile.number:
        proposal.fill_in(prefill(profile), profile.number)
    return proposal


def prefilled(proposal: Proposal, title: str, registration: str, finance: Finance) -> Any:
    """Return the first plan with what is known already."""
    blocks: dict[str, Any] = {
        "applicant": {"legal_name": proposal.organisation_name, "registration_number": registration},
        "request": {"title": title},
        "flows": {"discount_percent": finance.discount_percent},
    }
    made = {name: _block(name, data) for name, data in blocks.items()}
    return proposal.plan.model_copy(update=made)


def open_proposal(uow: UnitOfWork, who: Identity, reference: str) -> Proposal:
    """Return a proposal for reading; a view by the programme's staff is recorded."""
    role = access.scoped(uow, who, "proposal", reference, "loans.proposal.read")
    proposal = storage.proposals(uow).get(reference, for_update=False)
    if role != "applicant":
        access.viewed(uow, proposal.id, "the proposal", case=proposal.id, programme=proposal.programme)
    return proposal


def _block(section: str, data: dict[str, Any]) -> Block:
    if section not in BLOCKS:
        raise NotFoundError("There is no such section")
    try:
        return BLOCKS[section].model_validate(data)
    except ValidationError as error:
        raise invalid(error) from error


def save_section(
    uow: UnitOfWork, who: Identity, reference: str, section: str, data: dict[str, Any], *, version: int | None = None
) -> Proposal:
    """Replace a section of a draft; raises InvalidError naming the fields that break a rule."""
    proposal = access.proposal(uow, who, reference, "loans.proposal.write", version=version)
    proposal.save(section, _block(section, data))
    return proposal


def previewed(proposal: Proposal, section: str, data: dict[str, Any]) -> Proposal:
    """Return a copy of the proposal with a section as it is being typed; nothing is kept."""
    block = _block(section, data)
    return proposal.model_copy(update={"plan": proposal.plan.model_copy(update={section: block})})


def add_document(
    uow: UnitOfWork,
    who: Identity,
    reference: str,
    kind: str,
    stored: StoredDocument,
    *,
    issued: date | None = None,
    expires: date | None = None,
    version: int | None = None,
) -> Proposal:
    """Add a stored document to a draft."""
    proposal = access.proposal(uow, who, reference, "loans.proposal.write", version=version)
    finance, _ = access.rules(uow, proposal.programme)
    known = [item.kind for item in finance.documents]
    if kind not in known:
        raise InvalidError({"kind": f"choose one of: {', '.join(known)}"})
    proposal.add_document(ProposalDocument(**stored.model_dump(), kind=kind, issued=issued, expires=expires))
    return proposal


def remove_document(uow: UnitOfWork, who: Identity, reference: str, sha256: str) -> Proposal:
    """Take a document out of a draft."""
    proposal = access.proposal(uow, who, reference, "loans.proposal.write")
    proposal.remove_document(document_of(proposal, sha256))
    return proposal


def document_of(proposal: Proposal, sha256: str) -> ProposalDocument:
    """Return the proposal's document of that hash."""
    found = next((item for item in proposal.documents if item.sha256 == sha256), None)
    if found is None:
        raise NotFoundError("There is no such document")
    return found


def submit(uow: UnitOfWork, who: Identity, reference: str, *, version: int | None = None) -> Proposal:
    """Lock the proposal's next version, or refuse with the to-do list."""
    proposal = access.proposal(uow, who, reference, "loans.proposal.submit", version=version)
    locked = proposal.submit(assess(uow, proposal).todos)
    storage.keep_locked(uow, proposal.id, proposal.number, locked)
    groups.lock(uow, proposal)
    return proposal


def reopen(uow: UnitOfWork, who: Identity, reference: str, *, version: int | None = None) -> Proposal:
    """Make a locked proposal a draft again."""
    proposal = access.proposal(uow, who, reference, "loans.proposal.submit", version=version)
    proposal.reopen()
    return proposal


@dataclass(frozen=True)
class Agreement:
    """What the applicant agrees to on the consent page."""

    bank: str
    fields: list[str]
    purpose: str
    until: date
    language: str
    text_version: str
    product: str = ""  # of that bank, in the version that was read
    product_number: int | None = None


def refer(
    uow: UnitOfWork, who: Identity, reference: str, agreement: Agreement, *, version: int | None = None
) -> Referral:
    """Record the consent for one bank and hand it the referral: no field leaves before the consent stands."""
    proposal = access.proposal(uow, who, reference, "loans.proposal.refer", version=version)
    consent, product, _ = consented(uow, who, proposal, agreement)
    pinned = (product.id, product.number) if product else (None, None)
    referral = hand_over(uow, proposal, consent, *pinned)
    teasers.referred(uow, proposal.id, consent.bank)
    return referral


def consented(
    uow: UnitOfWork, who: Identity, proposal: Proposal, agreement: Agreement
) -> tuple[Consent, Product | None, str]:
    """Return what was agreed to, the product that is asked for, and the bank's name; raises for what can't be."""
    proposal.require_locked()
    finance, _ = access.rules(uow, proposal.programme)
    known = storage.banks(uow.connection)
    if finance.partner(agreement.bank) is None or agreement.bank not in known:
        raise InvalidError({"bank": "choose a finance partner of the programme"})
    _check(agreement, finance, access.today(uow))
    not_asked(uow, proposal, agreement.bank)
    groups.must_consent(uow, proposal, agreement.bank)
    wanted = agreement.product
    product = (
        products.pinned(uow, agreement.bank, proposal.programme, wanted, agreement.product_number) if wanted else None
    )
    return _consent(uow, who, agreement, finance), product, known[agreement.bank]


def hand_over(
    uow: UnitOfWork, proposal: Proposal, consent: Consent, product: str | None, product_number: int | None
) -> Referral:
    """Refer a locked proposal to the consent's bank, which is a partner and has not been asked."""
    finance, currency = access.rules(uow, proposal.programme)
    partner = finance.partner(consent.bank)
    if partner is None:
        raise ConflictError("%(id)s is no finance partner of the programme any more", id=consent.bank)
    plans, request = improvements.open_plans(uow, proposal), proposal.plan.request
    referral = Referral(
        id=uow.next_reference("REF"),
        proposal=proposal.id,
        **{name: getattr(proposal, name) for name in ("number", "programme", "organisation", "organisation_name")},
        bank=consent.bank,
        bank_name=storage.banks(uow.connection)[consent.bank],
        country=partner.country,
        title=proposal.title(),
        amount=Money.of(request.amount or 0, currency),
        term_months=request.term_months or 0,
        again_of=improvements.declined_before(plans, consent.bank),
        product=product,
        product_number=product_number,
    )
    storage.referrals(uow).add(referral)
    referral.give_consent(consent)
    referral.submit(partner, uow.now(), access.today(uow))
    improvements.refer_again(uow, referral, plans, finance)
    return referral


def _check(agreement: Agreement, finance: Finance, day: date) -> None:
    terms, wrong = finance.consent, {}
    if agreement.purpose not in {item.code for item in terms.purposes}:
        wrong["purpose"] = "choose one of the purposes of the programme"
    if not day <= agreement.until <= day + timedelta(days=terms.max_days):
        wrong["until"] = Rule("must be within %(days)s days from today", days=terms.max_days)
    if agreement.text_version != terms.version:
        wrong["text_version"] = "the text of the consent has changed: read it again"
    if agreement.language not in terms.text:
        wrong["language"] = Rule("must be one of: %(names)s", names=", ".join(sorted(terms.text)))
    missing = set(expand(terms.always)) - set(expand(agreement.fields))
    if missing:
        wrong["fields"] = Rule("a bank can't decide without: %(names)s", names=", ".join(terms.always))
    if wrong:
        raise InvalidError(wrong)


def _consent(uow: UnitOfWork, who: Identity, agreement: Agreement, finance: Finance) -> Consent:
    return Consent(
        bank=agreement.bank,
        fields=expand(agreement.fields),
        purpose=agreement.purpose,
        until=agreement.until,
        text_version=finance.consent.version,
        text_sha256=hashlib.sha256(finance.consent.text[agreement.language].encode()).hexdigest(),
        language=agreement.language,
        given_by=who.user,
        given_by_name=who.name,
        given_at=uow.now().isoformat(),
    )


def not_asked(uow: UnitOfWork, proposal: Proposal, bank: str) -> None:
    """Raise ConflictError when a bank has the proposal already, or has declined this version of it."""
    for item in storage.referrals(uow).where(storage.of_proposal(proposal.id)):
        if item.bank != bank:
            continue
        if item.stage == "declined" and item.number == proposal.number:
            raise ConflictError(
                "%(bank)s has declined version %(number)s: reopen the proposal, improve it, submit it again",
                bank=item.bank_name,
                number=item.number,
            )
        if item.is_open():
            raise ConflictError("%(bank)s has this proposal already: %(id)s", bank=item.bank_name, id=item.id)
