"""Use cases of asking banks one after another: the firm arranges, the clock asks the next one."""

from __future__ import annotations

from collections.abc import Sequence as Several
from dataclasses import dataclass
from datetime import date

from services.loans import storage
from services.loans.domain.finance import Finance
from services.loans.domain.proposal import Proposal
from services.loans.domain.referral import Referral
from services.loans.domain.sequence import Sequence, Step, next_on, outcome
from services.loans.handlers import access, products, proposals, teasers
from services.loans.handlers.proposals import Agreement
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError, NotFoundError
from shared.web.identity import Identity

ARRANGE = "loans.proposal.refer"


@dataclass(frozen=True)
class Standing:
    """A sequence as it stands: the present bank's referral, and when the next is asked should no answer come."""

    proposal: Proposal
    sequence: Sequence | None
    referral: Referral | None
    next_on: date | None
    finance: Finance


def standing(uow: UnitOfWork, proposal: Proposal, finance: Finance) -> Standing:
    """Return how the newest sequence of a proposal stands."""
    sequence = storage.sequence_of(uow, proposal.id)
    step = sequence.current() if sequence and sequence.stage != "done" else None
    referral = storage.referrals(uow).get(step.referral, for_update=False) if step and step.referral else None
    day = next_on(referral, finance.sequence.patience_days) if referral and referral.due else None
    return Standing(proposal, sequence, referral, day, finance)


def open_sequence(uow: UnitOfWork, who: Identity, reference: str) -> Standing:
    """Return the sequence of a proposal for its firm."""
    proposal = access.proposal(uow, who, reference, ARRANGE, lock=False)
    return standing(uow, proposal, access.rules(uow, proposal.programme)[0])


def add(
    uow: UnitOfWork, who: Identity, reference: str, agreement: Agreement, *, version: int | None = None
) -> Sequence:
    """Put a bank at the end of the order, with the consent that it will be asked by; `version` is the proposal's."""
    proposal = access.proposal(uow, who, reference, ARRANGE, version=version)
    consent, product, name = proposals.consented(uow, who, proposal, agreement)
    sequence = _changeable(uow, proposal) or _begun(uow, proposal)
    if sequence.number != proposal.number:
        raise ConflictError("The sequence is of an earlier version of the proposal: end it first")
    pinned = {"product": product.id, "product_number": product.number} if product else {}
    sequence.add(Step(bank=consent.bank, bank_name=name, consent=consent, **pinned))
    return sequence


def _changeable(uow: UnitOfWork, proposal: Proposal) -> Sequence | None:
    found = storage.sequence_of(uow, proposal.id)
    return None if found is None or found.stage == "done" else storage.sequences(uow).get(found.id)


def _begun(uow: UnitOfWork, proposal: Proposal) -> Sequence:
    names = ("number", "programme", "organisation", "organisation_name", "supporter", "supporter_name")
    same = {name: getattr(proposal, name) for name in names}
    return storage.sequences(uow).add(Sequence(id=uow.next_reference("SEQ"), proposal=proposal.id, **same))


def _mine(uow: UnitOfWork, who: Identity, reference: str, version: int | None) -> Sequence:
    """Return the sequence of a proposal for changing it; the proposal's row is locked first, as the clock does."""
    access.proposal(uow, who, reference, ARRANGE)
    found = storage.sequence_id(uow.connection, reference)
    if found is None:
        raise NotFoundError("There is no such record")
    return storage.sequences(uow).get(found, expected=version)


def arrange(
    uow: UnitOfWork, who: Identity, reference: str, banks: Several[str], *, version: int | None = None
) -> Sequence:
    """Put the banks that wait into another order; who is left out is asked no more, and its consent is gone."""
    sequence = _mine(uow, who, reference, version)
    sequence.arrange(banks)
    return sequence


def start(uow: UnitOfWork, who: Identity, reference: str, *, version: int | None = None) -> Sequence:
    """Ask the first bank now, or go on after it stood."""
    sequence = _mine(uow, who, reference, version)
    sequence.start()
    _advance(uow, storage.proposals(uow).get(sequence.proposal), sequence)
    return sequence


def end(uow: UnitOfWork, who: Identity, reference: str, *, version: int | None = None) -> Sequence:
    """Ask no further bank; what a bank has been asked already goes on."""
    sequence = _mine(uow, who, reference, version)
    sequence.finish("ended")
    return sequence


def met(uow: UnitOfWork, proposal: Proposal) -> None:
    """End the sequence of a proposal whose need is met; the proposal is locked already."""
    sequence = _changeable(uow, proposal)
    if sequence:
        sequence.finish("met")


def advance_sequences(uow: UnitOfWork) -> int:
    """Go on with every sequence in which something has come to its end; returns how many."""
    moved = 0
    for row in storage.sequences_due(uow.connection, access.today(uow)):
        locked = storage.proposals(uow).get(row.proposal)
        sequence = storage.sequences(uow).get(row.id)
        moved += sequence.stage == "running" and _advance(uow, locked, sequence)
    return moved


def _advance(uow: UnitOfWork, proposal: Proposal, sequence: Sequence) -> bool:
    """Ask the next bank if the present one's turn is over; tells whether anything came of it."""
    if proposal.accepted_referral:
        sequence.finish("met")
        return True
    if proposal.stage != "locked" or proposal.number != sequence.number:
        sequence.stop("proposal_changed")
        return True
    finance, _ = access.rules(uow, proposal.programme)
    current = sequence.current()
    if current and current.referral:
        referral = storage.referrals(uow).get(current.referral, for_update=False)
        why = outcome(referral, access.today(uow), finance.sequence.patience_days)
        if why is None:
            return False
        sequence.leave(why, uow.now())
    _ask_next(uow, proposal, sequence, finance)
    return True


def _ask_next(uow: UnitOfWork, proposal: Proposal, sequence: Sequence, finance: Finance) -> None:
    for step in sequence.waiting():
        if step.consent.until < access.today(uow):
            sequence.stop("consent_expired", step.bank_name)
            return
        why = _hindrance(uow, proposal, step, finance)
        if why:
            sequence.skip(step.bank, why, uow.now())
            continue
        referral = proposals.hand_over(uow, proposal, step.consent, step.product, step.product_number)
        uow.flush()  # the referral's row comes before the sequence that refers to it
        sequence.ask(step.bank, referral.id, uow.now())
        teasers.referred(uow, proposal.id, step.bank)
        return
    sequence.finish("exhausted")


def _hindrance(uow: UnitOfWork, proposal: Proposal, step: Step, finance: Finance) -> str:
    """Return why a bank can't be asked though its turn has come, "" when it can."""
    if finance.partner(step.bank) is None or step.bank not in storage.banks(uow.connection):
        return "no_partner"
    try:
        proposals.not_asked(uow, proposal, step.bank)
        if step.product:
            products.pinned(uow, step.bank, proposal.programme, step.product, step.product_number)
    except ConflictError:
        return "asked_already"
    except InvalidError:
        return "product_gone"
    return ""
