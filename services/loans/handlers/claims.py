"""Use cases of guarantees that hold: fees received, claims, recoveries, what is taken back, and how they end."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from services.loans import storage
from services.loans.domain.guarantee import Guarantee
from services.loans.domain.guarantee_parts import Evidence, Position
from services.loans.domain.guarantee_sums import balance
from services.loans.domain.loan import Loan
from services.loans.handlers import access, facilities
from services.loans.handlers.guarantees import of_bank, of_guarantor
from shared.database import UnitOfWork
from shared.documents import StoredDocument
from shared.errors import NotFoundError
from shared.money import Money
from shared.web.identity import Identity

PAY, RECEIVE = "loans.guarantee.pay", "loans.guarantee.receive"


def position(uow: UnitOfWork, guarantee: Guarantee, day: date | None = None) -> Position | None:
    """Return how the loan stood by the newest tape up to a day; none before there is one."""
    line = storage.line_of(uow.connection, guarantee.loan, day or access.today(uow))
    if line is None:
        return None
    outstanding = Money.of(line.outstanding, guarantee.sum.currency)
    return Position(tape=line.tape, as_of=line.as_of, days=line.days, outstanding=outstanding, stage=line.stage)


def receive(
    uow: UnitOfWork, who: Identity, reference: str, number: int, given: tuple[date, str], *, version: int | None = None
) -> Guarantee:
    """Record that a sum which the bank owed has come."""
    guarantee = of_guarantor(uow, who, reference, RECEIVE, version)
    guarantee.receive(number, *given, access.today(uow), who.name)
    found = position(uow, guarantee)
    if found:
        guarantee.follow(found.stage, found.as_of)
    return guarantee


def add_document(
    uow: UnitOfWork, who: Identity, reference: str, stored: StoredDocument, *, version: int | None = None
) -> Guarantee:
    """Add a stored document to claim with."""
    guarantee = of_bank(uow, who, reference, version)
    guarantee.add_document(Evidence(**stored.model_dump(), added_at=uow.now(), added_by=who.name))
    return guarantee


def document_of(uow: UnitOfWork, who: Identity, reference: str, sha256: str) -> Evidence:
    """Return a document of the bank and the guarantor; the view is recorded."""
    access.scoped(uow, who, "guarantee", reference, "loans.guarantee.document")
    guarantee = storage.guarantees(uow).get(reference, for_update=False)
    found = next((item for item in guarantee.documents if item.sha256 == sha256), None)
    if found is None or who.organisation not in {guarantee.bank, guarantee.guarantor}:
        raise NotFoundError("There is no such document")
    access.viewed(uow, guarantee.id, "a document of a claim", case=guarantee.proposal, programme=guarantee.programme)
    return found


def claim(
    uow: UnitOfWork, who: Identity, reference: str, amount: Decimal, note: str, *, version: int | None = None
) -> Guarantee:
    """Claim for a loan that is late enough by the newest tape."""
    guarantee = of_bank(uow, who, reference, version)
    sum_ = access.money("amount", amount, guarantee.sum.currency)
    guarantee.claim(sum_, note, position(uow, guarantee), uow.now(), who.name)
    return guarantee


def approve(uow: UnitOfWork, who: Identity, reference: str, *, version: int | None = None) -> Guarantee:
    """Agree to pay a claim."""
    guarantee = of_guarantor(uow, who, reference, PAY, version)
    guarantee.approve_claim(uow.now(), who.user, who.name)
    return guarantee


def pay(
    uow: UnitOfWork, who: Identity, reference: str, given: tuple[date, str], *, version: int | None = None
) -> Guarantee:
    """Record that an approved claim was paid; the facility's row is locked, so that its cap holds."""
    guarantee = of_guarantor(uow, who, reference, PAY, version)
    facilities.step_up(uow, who, guarantee, "pay_claim")
    room = facilities.cap_left(uow, storage.facilities(uow).get(guarantee.facility))
    guarantee.pay_claim(*given, access.today(uow), room, who=who.user, name=who.name)
    return guarantee


def refuse(uow: UnitOfWork, who: Identity, reference: str, why: str, *, version: int | None = None) -> Guarantee:
    """Refuse a claim."""
    guarantee = of_guarantor(uow, who, reference, PAY, version)
    guarantee.refuse_claim(why, uow.now(), who.name)
    return guarantee


def recover(
    uow: UnitOfWork,
    who: Identity,
    reference: str,
    amount: Decimal,
    given: tuple[date, str],
    *,
    version: int | None = None,
) -> Guarantee:
    """Record what the debtor paid after the claim."""
    guarantee = of_bank(uow, who, reference, version)
    sum_ = access.money("amount", amount, guarantee.sum.currency)
    guarantee.recover(sum_, *given, access.today(uow), who.name)
    return guarantee


def claw_back(uow: UnitOfWork, who: Identity, reference: str, *, version: int | None = None) -> Guarantee:
    """Ask back what was paid for a loan that has caught up."""
    guarantee = of_guarantor(uow, who, reference, PAY, version)
    guarantee.claw_back(position(uow, guarantee), access.today(uow))
    return guarantee


def close(uow: UnitOfWork, who: Identity, reference: str, why: str, *, version: int | None = None) -> Guarantee:
    """End a guarantee after its claim."""
    guarantee = of_guarantor(uow, who, reference, PAY, version)
    guarantee.close(why, access.today(uow))
    return guarantee


def follow(uow: UnitOfWork, loans: Iterable[Loan]) -> None:
    """Let go of the guarantees of loans that a tape says are repaid."""
    repaid = {loan.id: loan for loan in loans if loan.standing() == "closed_repaid" and loan.settled_on}
    for reference, loan in storage.held_for(uow.connection, list(repaid)) if repaid else ():
        item = repaid[loan]
        storage.guarantees(uow).get(reference).follow(item.standing(), item.settled_on or access.today(uow))


def keep_up(uow: UnitOfWork) -> int:
    """Charge the years that have begun and end the guarantees that lapse; returns how many it changed."""
    day, done = access.today(uow), 0
    for reference in storage.acts_due(uow.connection, day):
        guarantee = storage.guarantees(uow).get(reference)
        while not _lapses_first(guarantee, day) and guarantee.charge(_balance(uow, guarantee), day):
            done += 1
        done += guarantee.lapse(day)
    return done


def _lapses_first(guarantee: Guarantee, day: date) -> bool:
    end, year = guarantee.lapses_on(), guarantee.next_fee_on()
    return end is not None and end <= day and (year is None or end <= year)


def _balance(uow: UnitOfWork, guarantee: Guarantee) -> Money:
    """Return what was guaranteed on the day on which the next year begins."""
    found = position(uow, guarantee, guarantee.next_fee_on())
    terms = guarantee.terms
    return balance(guarantee.sum, found.outstanding, terms.coverage_percent) if found else guarantee.sum
