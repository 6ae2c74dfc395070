"""Use cases of deliveries: reported with what is kept back, confirmed or disputed, transferred, received."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from services.loans.domain.arrears import ZERO, Timetable
from services.loans.domain.deduction import Claim, Kept, room, split
from services.loans.domain.delivery import Delivery, Transfer
from services.loans.domain.delivery_rows import COLUMNS, MOST, Row, Said, header, read, result_of
from services.loans.domain.tape_rows import SETTLED
from services.loans.domain.tripartite import Tripartite
from services.loans.handlers import access, tripartite
from services.loans.storage import chain
from shared.database import UnitOfWork
from shared.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError, Rule
from shared.money import Money, total
from shared.sheets import day_of, stream_rows
from shared.web.identity import Identity


@dataclass(frozen=True)
class Report:
    """What a lead firm sent, line by line; `result` is the hash of what it came to. Nothing counts by itself."""

    rows: list[Row]
    result: str

    @property
    def wrong(self) -> int:
        return sum(bool(row.problems) for row in self.rows)

    @property
    def new(self) -> list[Row]:
        return [row for row in self.rows if row.split is not None]

    @property
    def known(self) -> int:
        return sum(bool(row.known) for row in self.rows)

    def sums(self) -> list[tuple[str, Money, Money]]:
        """Return (currency, value, deduction) of the lines that are new."""
        found: dict[str, tuple[Money, Money]] = {}
        for row in self.new:
            if row.split is None:
                continue
            currency = row.split.value.currency
            value, kept = found.get(currency, (Money.zero(currency), Money.zero(currency)))
            found[currency] = (value + row.split.value, kept + row.split.deduction)
        return [(currency, *sums) for currency, sums in sorted(found.items())]


def rows_of_file(name: str, content: bytes) -> list[dict[str, str]]:
    """Return the lines of a CSV or XLSX file by column; raises InvalidError naming each column that is wrong."""
    rows = stream_rows(name, content, MOST)
    _, cells = next(rows, (0, []))
    names, wrong = header(cells)
    if wrong:
        raise InvalidError(wrong)
    wide = len(names)
    made = []
    for number, row in rows:
        if any(row[wide:]):
            rule = Rule("has more cells than there are columns: %(n)s of %(most)s", n=len(row), most=wide)
            raise InvalidError({f"file.{number}": rule})
        made.append({"line": str(number)} | dict(zip(names, row, strict=False)))
    return made


def check(uow: UnitOfWork, who: Identity, given: list[dict[str, str]]) -> Report:
    """Check lines one by one and compute what each keeps back; nothing is written.

    The agreements and their loans are locked, so what is shown is what counts when it is let count now.
    """
    buyer = _buyer(uow, who)
    if not given:
        raise InvalidError({"rows": "has no lines"})
    if len(given) > MOST:
        raise InvalidError({"rows": Rule("has more than %(most)s rows", most=MOST)})
    rows = [_row(place, item) for place, item in enumerate(given, 1)]
    agreements = chain.lock_agreements(uow, {row.agreement for row in rows}, buyer)
    work = _Work(uow, agreements)
    known = chain.known_deliveries(uow.connection, {(row.agreement, row.number) for row in rows})
    day, seen = access.today(uow), dict[tuple[str, str], int]()
    for row in rows:
        item = agreements.get(row.agreement)
        read(row, item, day)
        first = seen.setdefault((row.agreement, row.number), row.line)
        if first != row.line and row.number:
            row.wrong("number", "stands on line %(line)s already", line=first)
        if item is None or row.said is None or row.problems:
            continue
        if (former := known.get((row.agreement, row.number))) is not None:
            _same(row, row.said, former)
        else:
            row.split = work.split(item, row.said)
    return Report(rows, result_of(rows))


def _buyer(uow: UnitOfWork, who: Identity) -> str:
    firms = dict(chain.firms(uow.connection, "lead_firm"))
    if who.organisation is None or who.organisation not in firms:
        raise ForbiddenError("Deliveries are reported by lead firms; your organisation is not one")
    return who.organisation


def _row(place: int, item: dict[str, str]) -> Row:
    line = item.get("line", "")
    number = int(line) if line.isascii() and line.isdigit() and len(line) < 9 else place
    given = {name: item.get(name, "").strip()[:200] for name in COLUMNS}
    days = {name: day_of(given[name]) for name in ("delivered_on", "paid_on") if given[name]}
    return Row(number, given | days)


def _same(row: Row, said: Said, former: Any) -> None:
    """Tell a line that was sent before from another with its number."""
    days = (said.delivered_on, said.paid_on)
    same = (said.good.code, said.quantity, said.price, *days)
    if same == (former.good, former.quantity, former.price, former.delivered_on, former.paid_on):
        row.known = former.id
    else:
        row.wrong("number", "was reported with other figures already: take that line back first")


class _Work:
    """One check under way: what is kept back for each loan while lines go by."""

    def __init__(self, uow: UnitOfWork, agreements: dict[str, Tripartite]) -> None:
        names = {name for item in agreements.values() for name in item.terms.referrals}
        self.loans = chain.lock_loans(uow, names) if names else {}
        ids = [row.id for row in self.loans.values()]
        self.kept: dict[str, Kept] = chain.kept_back(uow.connection, ids) if ids else {}
        self.tables = {row.id: Timetable.read(row.timetable or "") for row in self.loans.values()}

    def split(self, item: Tripartite, said: Said) -> Any:
        """Return what is kept back of one payment, and remember it for the next."""
        rule, claims = item.terms.deduction, []
        for name in item.terms.referrals:
            row = self.loans.get(name)
            if row is None:
                continue
            settled = row.stage in SETTLED
            left = ZERO if settled else room(self.tables[row.id], self.kept[row.id], said.paid_on, rule.ahead_days)
            claims.append(Claim(name, row.id, left))
        found = split(said.value, rule, claims)
        for share in found.shares:
            self.kept[share.loan] = self.kept[share.loan].more(share.amount)
        return found


def report(uow: UnitOfWork, who: Identity, given: list[dict[str, str]], *, result: str | None = None) -> Report:
    """Let lines count, all or none; what was counted before changes nothing.

    `result` is what a check came to: raises ConflictError when it would come to something else by now.
    """
    found = check(uow, who, given)
    if found.wrong:
        rules = {f"{row.line}.{item.field}": item.rule for row in found.rows for item in row.problems}
        raise InvalidError(rules)
    if result is not None and result != found.result:
        raise ConflictError("Something has changed since the lines were checked: look at them again")
    made: dict[str, list[Delivery]] = {}
    for row in found.new:
        made.setdefault(row.agreement, []).append(_delivery(uow, who, row))
    for reference, items in made.items():
        agreement = chain.tripartites(uow).get(reference)
        currency = agreement.terms.currency
        sums = total((item.value for item in items), currency), total((item.deduction for item in items), currency)
        agreement.deliveries_reported(len(items), *sums, items[0].objection_until)
    chain.keep_deductions(uow, [item for items in made.values() for item in items])
    return found


def _delivery(uow: UnitOfWork, who: Identity, row: Row) -> Delivery:
    agreement = chain.tripartites(uow).get(row.agreement)
    said, found = row.said, row.split
    if said is None or found is None:
        raise ConflictError("Something has changed since the lines were checked: look at them again")
    names = ("programme", "organisation", "organisation_name", "buyer", "buyer_name", "bank", "bank_name")
    item = Delivery(
        id=str(uow.ids()),
        agreement=agreement.id,
        **{name: getattr(agreement, name) for name in names},
        number=row.number,
        good=said.good.code,
        good_name=said.good.name,
        unit=said.good.unit,
        quantity=said.quantity,
        price=said.price,
        delivered_on=said.delivered_on,
        paid_on=said.paid_on,
        value=said.value,
        by_rule=found.by_rule,
        deduction=found.deduction,
        net=found.net,
        shares=list(found.shares),
        reported_at=uow.now(),
        reported_by=who.name,
        objection_until=access.today(uow) + timedelta(days=agreement.terms.objection_days),
    )
    item.report()
    return chain.deliveries(uow).add(item)


def _one(uow: UnitOfWork, who: Identity, reference: str, number: str, *sides: str) -> Delivery:
    """Return a delivery of an agreement, locked, for an act of one side."""
    tripartite.side_of(uow, who, reference, "loans.delivery.answer", *sides)
    item = chain.deliveries(uow).find(number, for_update=True) if len(number) <= access.MAX_REFERENCE else None
    if item is None or item.agreement != reference:
        raise NotFoundError("There is no such delivery")
    return item


def confirm(uow: UnitOfWork, who: Identity, reference: str, delivery: str) -> Delivery:
    """Say for the supplier that a delivery was as reported, or that a dispute is settled."""
    item = _one(uow, who, reference, delivery, "supplier")
    item.confirm(uow.now(), who.name)
    return item


def confirm_all(uow: UnitOfWork, who: Identity, reference: str, deliveries: Iterable[str]) -> int:
    """Say of several deliveries that they were as reported; returns how many."""
    chosen = list(dict.fromkeys(deliveries))
    if not 1 <= len(chosen) <= MOST:
        raise InvalidError({"deliveries": "choose at least one line"})
    for one in sorted(chosen):
        confirm(uow, who, reference, one)
    return len(chosen)


def dispute(uow: UnitOfWork, who: Identity, reference: str, delivery: str, why: str) -> Delivery:
    """Say for the supplier that a delivery was not as reported; its deduction waits."""
    item = _one(uow, who, reference, delivery, "supplier")
    item.object(why, uow.now(), who.name)
    return item


def take_back(uow: UnitOfWork, who: Identity, reference: str, delivery: str) -> Delivery:
    """Take back a line that was wrong; its number is free for the right one."""
    item = _one(uow, who, reference, delivery, "buyer")
    item.take_back(who.name, uow.now())
    return item


def transfer(  # noqa: PLR0917 - which deductions, when, under which reference
    uow: UnitOfWork, who: Identity, reference: str, deliveries: Iterable[str], on: date, payment: str
) -> Transfer:
    """Record that deductions were paid to the bank; each of them once."""
    tripartite.side_of(uow, who, reference, "loans.delivery.transfer", "buyer")
    agreement = chain.tripartites(uow).get(reference)  # locked: two clicks come one after the other
    if (known := chain.paid_already(uow.connection, reference, payment)) is not None:
        raise InvalidError({"payment": Rule("stands on the transfer %(id)s already", id=known)})
    names = ("programme", "organisation", "organisation_name", "buyer", "buyer_name", "bank", "bank_name")
    made = Transfer(
        id=uow.next_reference("TRF"),
        agreement=reference,
        **{name: getattr(agreement, name) for name in names},
        deliveries=[],
        amount=Money.of(Decimal(0), agreement.terms.currency),
        on=on,
        payment=payment,
        made_by=who.name,
        made_at=uow.now(),
    )
    chain.transfers(uow).add(made)  # its row is written before those of the deliveries that refer to it
    items = [_one(uow, who, reference, one, "buyer") for one in sorted(set(deliveries))]
    made.make(items, access.today(uow))
    return made


def _transfer(
    uow: UnitOfWork, who: Identity, reference: str, number: str, version: int | None
) -> tuple[Transfer, list[Delivery]]:
    tripartite.side_of(uow, who, reference, "loans.delivery.receive", "bank")
    item = chain.transfers(uow).get(number, expected=version)
    if item.agreement != reference:
        raise NotFoundError("There is no such transfer")
    return item, [chain.deliveries(uow).get(one) for one in item.deliveries]


def receive(
    uow: UnitOfWork, who: Identity, reference: str, number: str, on: date, *, version: int | None = None
) -> Transfer:
    """Record that the bank has the whole transfer."""
    item, deliveries = _transfer(uow, who, reference, number, version)
    item.receive(deliveries, on, access.today(uow), uow.now(), who.name)
    return item


def refuse(
    uow: UnitOfWork, who: Identity, reference: str, number: str, why: str, *, version: int | None = None
) -> Transfer:
    """Record that the bank did not get the transfer, or not that sum: its deductions wait for another."""
    item, deliveries = _transfer(uow, who, reference, number, version)
    item.refuse(deliveries, why, uow.now(), who.name)
    return item
