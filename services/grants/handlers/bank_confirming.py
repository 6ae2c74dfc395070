"""What the bank says it has paid: read from CSV, tried out, then confirmed row by row."""

from __future__ import annotations

import csv
import re
from datetime import date
from decimal import Decimal
from io import StringIO

from services.grants.domain.award import Award
from services.grants.domain.bank_file import MOST_PAYMENTS, BankFile, Payment
from services.grants.domain.bulk import Sayable, sayable
from services.grants.handlers import paying
from services.grants.handlers.awarding import no_relation
from services.grants.handlers.bank_files import holding, locked, today_in
from services.grants.handlers.base import Command, Packs, act_as
from services.grants.handlers.conflicts import must_be_free
from services.grants.handlers.standing import stand
from services.grants.storage import bank_files as stored
from shared.database import UnitOfWork
from shared.entity import Part
from shared.errors import ConflictError, InvalidError, NotFoundError, Rule, TamgaError
from shared.web.identity import Identity, must_have_confirmed

CONFIRM = "grants.bank_file.confirm"
NEEDED, MOST_TEXT = ("reference", "amount", "day"), 200_000
_AMOUNT = re.compile(r"\d{1,17}(?:[.,]\d{1,3})?")
_DAY = re.compile(r"(\d{4})-(\d{2})-(\d{2})|(\d{2})\.(\d{2})\.(\d{4})")


class Confirmations(Command):
    """The bank's list as CSV: reference (case/tranche), amount, day; and bank_reference, currency where it has them."""

    csv: str = ""
    try_out: bool = True


class Row(Part):
    """What a row of the list comes to: `why` is why it is refused."""

    row: int
    reference: str
    amount: str
    day: str
    why: tuple[Sayable, ...] = ()


def read(text: str) -> list[dict[str, str]]:
    """Return the rows of the list; raises InvalidError for what is no list of the bank's."""
    if not text.strip():
        raise InvalidError({"csv": "is required"})
    if len(text) > MOST_TEXT or "\x00" in text:
        raise InvalidError({"csv": Rule("must be text of at most %(most)s characters", most=MOST_TEXT)})
    text = text.lstrip("\ufeff").lstrip()
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    try:
        lines = list(csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise InvalidError({"csv": Rule("is not a table: %(why)s", why=error)}) from error
    names = [name.strip().lower() for name in lines[0]]
    missing = [name for name in NEEDED if name not in names]
    if missing:
        raise InvalidError({"csv": Rule("has no column %(names)s in its first line", names=", ".join(missing))})
    rows = [dict(zip(names, [cell.strip()[:80] for cell in line], strict=False)) for line in lines[1:] if any(line)]
    if not rows or len(rows) > MOST_PAYMENTS:
        raise InvalidError(
            {"csv": Rule("must have 1 to %(most)s rows; it has %(has)s", most=MOST_PAYMENTS, has=len(rows))}
        )
    return rows


def _amount(text: str) -> Decimal:
    plain = text.replace(" ", "").replace("\xa0", "")
    if _AMOUNT.fullmatch(plain):
        return Decimal(plain.replace(",", "."))
    raise InvalidError({"amount": Rule("“%(text)s” is not an amount such as 1234.50", text=text)})


def _day(text: str) -> date:
    found = _DAY.fullmatch(text)
    try:
        if found:
            year, month, day, other_day, other_month, other_year = found.groups()
            return date(int(year or other_year), int(month or other_month), int(day or other_day))
    except ValueError:
        pass
    raise InvalidError({"day": Rule("“%(text)s” is not a day such as 2026-03-31", text=text)})


def confirm(uow: UnitOfWork, who: Identity, file_id: str, command: Confirmations) -> tuple[BankFile, list[Row]]:
    """Confirm the payments that the bank's list names, each row by itself; a try-out keeps nothing.

    A row with another amount than the file's, or of a payment that is none of the file's, is refused with the figures.
    """
    rows = read(command.csv)
    file, _, role = holding(uow, who, CONFIRM, file_id)
    found, cases = locked(uow, file.payments), stored.cases(uow.connection, sorted({p.case for p in file.payments}))
    if file.status == "cancelled":
        raise ConflictError("%(who)s cancelled this bank file: %(why)s", who=file.cancelled_by_name, why=file.why)
    pack = Packs(uow.connection, file.programme).newest
    if pack is None:
        raise NotFoundError("There is no such programme")
    if "confirm" in pack.payments.step_up:
        must_have_confirmed(who, uow.now())
    today = today_in(pack, uow.now())

    def each(row: dict[str, str]) -> tuple[Sayable, ...]:
        """Confirm what a row names; returns why it is refused."""
        try:
            payment = _named(file, row.get("reference", ""))
            case, award = cases[payment.case], found[payment.case]
            must_be_free(uow.connection, who, case)
            no_relation(who, case)
            stand(uow, who, case.programme, case.id, case.officer)
            by, paid = act_as(uow, role), _checked(file, payment, award, row)
            paying.confirmed(uow, award, payment.tranche, paid, by, today, paying.rules_of(uow, case))
        except TamgaError as refusal:
            return tuple(sayable(refusal))
        return ()

    results = [
        Row(row=place, **{name: row.get(name, "") for name in NEEDED}, why=each(row))
        for place, row in enumerate(rows, 2)
    ]
    refused = sum(bool(item.why) for item in results)
    if command.try_out:
        uow.abandon()
    elif refused < len(results):
        file, _, _ = holding(uow, who, CONFIRM, file_id)
        file.confirmed(len(results) - refused, refused)
    return file, results


def _named(file: BankFile, reference: str) -> Payment:
    try:
        return file.payment(reference)
    except NotFoundError as error:
        raise InvalidError({"reference": "is no payment of this bank file"}) from error


def _checked(file: BankFile, payment: Payment, award: Award, row: dict[str, str]) -> paying.ConfirmPayment:
    """Return the confirmation that a row is; raises with both figures when they differ."""
    tranche, currency = award.tranche(payment.tranche), payment.amount.currency
    if payment.taken_out or (tranche.batch != file.id and tranche.status != "paid"):
        raise ConflictError("This payment was taken out of the file, or came back")
    if tranche.status == "paid":
        raise ConflictError(
            "It is confirmed already: %(reference)s, %(day)s", reference=tranche.payment_reference, day=tranche.paid_on
        )
    if row.get("currency", "") not in {"", currency}:
        raise InvalidError(
            {"currency": Rule("is %(given)s; the file says %(here)s", given=row["currency"], here=currency)}
        )
    amount, day = _amount(row.get("amount", "")), _day(row.get("day", ""))
    if amount != payment.amount.amount:
        both = {"given": f"{amount:f} {currency}", "here": payment.amount}
        raise InvalidError({"amount": Rule("%(given)s was paid, and the file says %(here)s", **both)})
    if day < file.made_at.date():
        rule = Rule("%(day)s is before the file was made, %(made)s", day=day, made=file.made_at.date())
        raise InvalidError({"day": rule})
    name = row.get("bank_reference") or f"{file.id} {payment.id}"
    return paying.ConfirmPayment(payment_reference=name, paid_on=day, version=award.version)
