"""Bank files: what waits for the bank, the file made of it, who takes it out, and its end when it is not used."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from pydantic import Field
from sqlalchemy import Connection

from services.grants.domain.application import Application
from services.grants.domain.award import Award
from services.grants.domain.award.parts import Tranche, milestone_of
from services.grants.domain.bank_file import (
    MOST_DAYS,
    MOST_PAYMENTS,
    BankFile,
    FileKind,
    LeftOut,
    Payment,
    end_to_end,
)
from services.grants.domain.bulk import sayable
from services.grants.domain.pack import Pack
from services.grants.domain.payee import Payee, no_account
from services.grants.domain.pieces import Person
from services.grants.handlers import bank_text, listing
from services.grants.handlers.awarding import no_relation
from services.grants.handlers.bank_spelling import must_be_writable, spelling, unwritable
from services.grants.handlers.base import MAX_REFERENCE, Command, Frame, Packs, act_as
from services.grants.handlers.exclusion import must_be_clear
from services.grants.handlers.moving import CONCLUDE
from services.grants.handlers.standing import stand, ties_of
from services.grants.policy import POLICY
from services.grants.storage import bank_files as stored
from services.grants.storage import payees as accounts
from services.grants.storage import secrets
from services.grants.storage.tables import awards
from shared.database import UnitOfWork
from shared.documents import DocumentStore
from shared.errors import ConflictError, InvalidError, NotFoundError, Rule, TamgaError
from shared.events.payment_rules import PayeeRules
from shared.money import Money
from shared.vault import Vault
from shared.web.identity import Identity, has_confirmed, must_have_confirmed
from shared.workflow.clock import is_working_day

READ, MAKE, TAKE = "grants.bank_file.read", "grants.bank_file.make", "grants.bank_file.download"
CANCEL = "grants.bank_file.cancel"
Found = tuple[Award, Tranche]


class MakeBankFile(Command):
    """The tranches to be paid, as "case/tranche", all in one currency, and the day on which the bank is to pay."""

    programme: str = ""
    tranches: list[str] = Field(max_length=MOST_PAYMENTS)
    execution_day: date


class Because(Command):
    """An act with its reason; `version` is the bank file's."""

    why: str = Field(min_length=1, max_length=1000)
    version: int


@dataclass(frozen=True)
class Waiting:
    """A released tranche that is in no bank file; `refusal` is why it can't be put in one now."""

    award: Award
    tranche: Tranche
    masked: str
    refusal: TamgaError | None
    spelled: str = ""  # the holder as the bank will read it, where that is another spelling

    @property
    def id(self) -> str:
        """Return what names it in the file."""
        return end_to_end(self.award.id, self.tranche.number)


def today_in(pack: Pack, now: datetime) -> date:
    """Return the day where the programme works."""
    return now.astimezone(ZoneInfo(pack.calendar.zone)).date()


def next_day(pack: Pack, now: datetime) -> date:
    """Return the next working day of the programme."""
    day = today_in(pack, now) + timedelta(days=1)
    while not is_working_day(day, pack.calendar.country):
        day += timedelta(days=1)
    return day


def _pack(connection: Connection, programme: str) -> Pack:
    pack = Packs(connection, programme).newest
    if pack is None:
        raise NotFoundError("There is no such programme")
    return pack


def waiting(connection: Connection, who: Identity, programme: str, now: datetime) -> list[Waiting]:
    """Return what is released and in no file yet, with what is in its way; four statements for all."""
    packs = Packs(connection, programme)
    found = [
        (award, item)
        for award in stored.released(connection, programme)
        for item in award.tranches
        if item.status == "released" and not item.batch
    ]
    cases = stored.cases(connection, sorted({award.id for award, _ in found}))
    known = stored.payees(connection, sorted({award.organisation for award, _ in found}))
    rules = packs.newest.payments.payee if packs.newest else None
    hours = (rules or PayeeRules()).cooling_off_hours
    rows = []
    for award, tranche in found:
        case, payee = cases[award.id], known.get(award.organisation)
        refusal = _in_the_way(who, case, Frame.of(packs, case), tranche) or _unpayable(payee, award, hours, now)
        current = payee.current if payee else None
        refusal = refusal or (
            unwritable(current, award.organisation_name, _purpose(award, tranche)) if current else None
        )
        spelled = spelling(current) if current else ""
        rows.append(Waiting(award, tranche, current.masked if current else "", refusal, spelled))
    return rows


def _in_the_way(who: Identity, case: Application, frame: Frame, tranche: Tranche) -> TamgaError | None:
    running = {item.to for item in frame.workflow.transitions if item.id == CONCLUDE}
    if case.stage not in running and not tranche.settles:
        return ConflictError("The grant is not running now: its stage is %(stage)s", stage=case.stage)
    if tranche.hold is not None:
        return ConflictError("It is on hold: %(why)s (%(who)s)", why=tranche.hold.why, who=tranche.hold.by_name)
    try:
        no_relation(who, case)
    except TamgaError as refusal:
        return refusal
    return None


def _unpayable(payee: Payee | None, award: Award, hours: int, now: datetime) -> TamgaError | None:
    if payee is None:
        return no_account(award.organisation_name)
    try:
        payee.must_be_payable(now, hours=hours, programme=award.programme)
    except TamgaError as refusal:
        return refusal
    return None


def make(uow: UnitOfWork, who: Identity, command: MakeBankFile, store: DocumentStore, vault: Vault) -> BankFile:
    """Put released tranches into one bank file; those that may not be paid now are left out and named with the reason.

    Raises ConflictError when somebody was faster with one of them, or when nothing is left to be paid.
    """
    programme = listing.programme_of(uow.connection, who, MAKE, command.programme)
    role = POLICY.role_for(MAKE, who, programme=programme)
    if programme is None:
        raise NotFoundError("There is no such programme")
    pack, now = _pack(uow.connection, programme), uow.now()
    debtor = pack.payments.debtor
    if debtor is None:
        raise ConflictError("The programme names no account to pay from: state `debtor` in its payments.yaml")
    must_be_writable(debtor)
    _payable_on(pack, command.execution_day, now)
    found = _chosen(uow, programme, command.tranches)
    ready, left = _sorted_out(uow, who, pack, found, vault)
    file_id = f"BF-{now:%y%m%d-%H%M%S}-{uow.ids().hex[-6:]}"
    by = _acting(uow, who, programme, file_id, role)
    rows = [(_payment(award, tranche, account), account) for award, tranche, account in ready]
    about = {"made_by": by.id, "made_by_name": by.name, "made_at": now, "left_out": left}
    file = BankFile(
        id=file_id, programme=programme, execution_day=command.execution_day, payments=[row[0] for row in rows], **about
    )
    for award, tranche, _ in ready:
        award.put_in_batch(tranche.number, file.id)
    xml, table = bank_text.message(file, debtor, rows, now), bank_text.table(file, rows)
    file.made(*(secrets.keep(uow.connection, store, vault, content) for content in (xml, table)))
    return stored.bank_files(uow).add(file)


def _payable_on(pack: Pack, day: date, now: datetime) -> None:
    """Raise InvalidError unless a bank pays on that day: a working day from today on, and not too far away."""
    today = today_in(pack, now)
    if day < today:
        raise InvalidError({"execution_day": Rule("is before today, %(today)s", today=today)})
    if day > today + timedelta(days=MOST_DAYS):
        raise InvalidError({"execution_day": Rule("is more than %(most)s days away", most=MOST_DAYS)})
    if not is_working_day(day, pack.calendar.country):
        after = next_day(pack, datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(pack.calendar.zone)))
        rule = Rule("is no working day; the next one is %(day)s", day=after)
        raise InvalidError({"execution_day": rule})


def _chosen(uow: UnitOfWork, programme: str, ids: list[str]) -> list[Found]:
    """Return the tranches, their awards locked in the order of their references; each must be free for a file."""
    wanted: dict[str, set[int]] = {}
    for name in ids:
        case, _, number = name.rpartition("/")
        if not case or not number.isdecimal() or len(case) > MAX_REFERENCE or len(number) > 4:
            raise InvalidError({"tranches": Rule("has “%(name)s”, which is no case/tranche", name=name[:60])})
        wanted.setdefault(case, set()).add(int(number))
    if not wanted:
        raise InvalidError({"tranches": "choose at least one"})
    found = []
    for case in sorted(wanted):
        award = awards(uow).get(case)
        if award.programme != programme:
            raise NotFoundError("There is no such record")
        found += [(award, _free(award, number)) for number in sorted(wanted[case])]
    currencies = sorted({tranche.amount.currency for _, tranche in found})
    if len(currencies) > 1:
        rule = Rule("are in several currencies (%(names)s): make a file for each", names=", ".join(currencies))
        raise InvalidError({"tranches": rule})
    return found


def _free(award: Award, number: int) -> Tranche:
    tranche, name = award.tranche(number), end_to_end(award.id, number)
    if tranche.batch:
        raise ConflictError("%(name)s is in the bank file %(file)s already", name=name, file=tranche.batch)
    if tranche.status != "released":
        raise ConflictError("%(name)s is not released for payment: it is %(status)s", name=name, status=tranche.status)
    return tranche


def _sorted_out(
    uow: UnitOfWork, who: Identity, pack: Pack, found: list[Found], vault: Vault
) -> tuple[list[tuple[Award, Tranche, accounts.Account]], list[LeftOut]]:
    connection, now = uow.connection, uow.now()
    packs = Packs(connection, found[0][0].programme)
    cases = stored.cases(connection, sorted({award.id for award, _ in found}))
    known = stored.payees(connection, sorted({award.organisation for award, _ in found}))
    hours = (pack.payments.payee or PayeeRules()).cooling_off_hours
    ready, left = [], []
    for award, tranche in found:
        case = cases[award.id]
        frame = Frame.of(packs, case)
        refusal = _in_the_way(who, case, frame, tranche)
        refusal = refusal or _unpayable(known.get(award.organisation), award, hours, now)
        refusal = refusal or _excluded(uow, case, frame)
        account = None if refusal else accounts.account_of(connection, vault, award.organisation)
        if account:
            refusal = unwritable(account, award.organisation_name, _purpose(award, tranche))
        if account and not refusal:
            ready.append((award, tranche, account))
        else:
            why = refusal or no_account(award.organisation_name)
            name = end_to_end(award.id, tranche.number)
            left.append(LeftOut(id=name, payee=award.organisation_name, why=tuple(sayable(why))))
            last = why
    if not ready:
        raise ConflictError("Nothing of it can be paid now: %(why)s", why=Rule(last.message, **last.params))
    return ready, left


def _excluded(uow: UnitOfWork, case: Application, frame: Frame) -> TamgaError | None:
    """Return why the exclusion lists forbid a payment: they may say more than on the day of the release."""
    try:
        must_be_clear(uow, case, frame, "release")
    except TamgaError as refusal:
        return refusal
    return None


def _payment(award: Award, tranche: Tranche, account: accounts.Account) -> Payment:
    return Payment(
        case=award.id,
        tranche=tranche.number,
        amount=tranche.amount,
        organisation=award.organisation,
        payee=award.organisation_name,
        holder=account.holder,
        masked=account.masked,
        purpose=_purpose(award, tranche),
        spelled=spelling(account),
    )


def _purpose(award: Award, tranche: Tranche) -> str:
    milestone = award.milestone(milestone_of(tranche))
    return f"{award.id} / {tranche.number}: {milestone.title}"[:140]


def _acting(  # noqa: PLR0917 - who, where and why
    uow: UnitOfWork, who: Identity, programme: str, file_id: str, role: str, reason: str | None = None
) -> Person:
    stand(uow, who, programme, f"bank_file:{file_id}")
    by = act_as(uow, role, reason)
    return by.model_copy(update={"as_one": by.as_one | {f"user:{tie.user}" for tie in ties_of(who)}})


def seen(connection: Connection, who: Identity, file_id: str, action: str = READ) -> tuple[BankFile, str]:
    """Return a bank file that `who` may see, and in which role; raises NotFoundError."""
    POLICY.require(action, who)
    file = stored.find(connection, file_id[:MAX_REFERENCE])
    if file is None:
        raise NotFoundError("There is no such record")
    return file, POLICY.role_for(action, who, programme=file.programme)


def holding(
    uow: UnitOfWork, who: Identity, action: str, file_id: str, *, version: int | None = None, reason: str | None = None
) -> tuple[BankFile, Person, str]:
    """Return a bank file, locked, who acts on it, and their role."""
    found, role = seen(uow.connection, who, file_id, action)
    by = _acting(uow, who, found.programme, found.id, role, reason)
    return stored.bank_files(uow).get(found.id, expected=version), by, role


def asks_again(connection: Connection, who: Identity, programme: str, now: datetime) -> bool:
    """Return whether a file is taken out only by who gave their password again: where a release asks for it."""
    return "release" in _pack(connection, programme).payments.step_up and not has_confirmed(who, now)


def download(  # noqa: PLR0917 - which, of which kind, from where and with which keys
    uow: UnitOfWork, who: Identity, file_id: str, kind: FileKind, store: DocumentStore, vault: Vault
) -> tuple[BankFile, str, bytes]:
    """Return a file, its hash and its content, which is kept sealed; that it was taken out is recorded."""
    file, by, _ = holding(uow, who, TAKE, file_id)
    if asks_again(uow.connection, who, file.programme, uow.now()):
        must_have_confirmed(who, uow.now())
    sha256 = file.download(kind, by, uow.now())
    return file, sha256, secrets.get(uow.connection, store, vault, sha256)


def locked(uow: UnitOfWork, payments: Iterable[Payment]) -> dict[str, Award]:
    """Return the awards of payments, locked in the order of their references."""
    return {case: awards(uow).get(case) for case in sorted({item.case for item in payments})}


def waits(file: BankFile, payment: Payment, award: Award) -> bool:
    """Return whether the bank has not been said to have paid it."""
    tranche = award.tranche(payment.tranche)
    return not payment.taken_out and tranche.batch == file.id and tranche.status == "released"


def cancel(uow: UnitOfWork, who: Identity, file_id: str, command: Because) -> BankFile:
    """Cancel a bank file of which nothing is paid yet: its tranches can be put into another."""
    file, by, _ = holding(uow, who, CANCEL, file_id, version=command.version, reason=command.why)
    found = locked(uow, file.standing)
    waiting = [item for item in file.standing if waits(file, item, found[item.case])]
    file.cancel(command.why, by, uow.now(), len(file.standing) - len(waiting))
    for item in waiting:
        found[item.case].put_in_batch(item.tranche, None)
    return file


def take_out(uow: UnitOfWork, who: Identity, file_id: str, payment_id: str, command: Because) -> BankFile:
    """Take a payment that the bank did not carry out from its file: the tranche can be put into another."""
    file, by, _ = holding(uow, who, CANCEL, file_id, version=command.version, reason=command.why)
    payment = file.payment(payment_id)
    award = awards(uow).get(payment.case)
    if not payment.taken_out and not waits(file, payment, award):
        raise ConflictError("%(name)s is paid: reverse the payment, if it came back", name=payment_id)
    file.take_out(payment_id, command.why, by)
    award.put_in_batch(payment.tranche, None)
    return file


def sums(rows: Iterable[Waiting]) -> dict[str, Money]:
    """Return {currency: what can go to the bank now}; currencies are never added up."""
    found: dict[str, Money] = {}
    for row in rows:
        amount = row.tranche.amount
        found[amount.currency] = found.get(amount.currency, Money.of(0, amount.currency)) + (
            Money.of(0, amount.currency) if row.refusal else amount
        )
    return found
