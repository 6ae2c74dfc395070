"""Value-chain finance in the database: agreements and their versions, deliveries, what is kept back for each loan."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, func, insert, or_, select, text, tuple_
from sqlalchemy.dialects.postgresql import JSONB

from services.loans.domain.deduction import Kept
from services.loans.domain.delivery import Delivery, Transfer
from services.loans.domain.tripartite import LIVE, Tripartite
from services.loans.storage.chain_tables import deduction, delivery, transfer, tripartite, tripartite_text
from services.loans.storage.queries import light_columns, newest_first
from services.loans.storage.tables import loan, organisation, referral, tape, tape_line
from shared.database import Repository, UnitOfWork
from shared.web.paging import Page, decode_cursor, page_of

_SIDES = ("organisation", "buyer", "bank")
SHOWN = 100
MAX_FIRMS = 200


def _tripartite(item: Tripartite) -> dict[str, Any]:
    names = ("programme", "stage", "shared", "number", *_SIDES, *(f"{name}_name" for name in _SIDES))
    days = (good.by for good in item.terms.goods if good.code not in item.assessed)
    return {name: getattr(item, name) for name in names} | {
        "currency": item.terms.currency,
        "referrals": item.terms.referrals,
        "season_to": item.terms.season_to,
        "ends_on": item.ending.on if item.ending else None,
        "next_by": min(days, default=None),
    }


def _delivery(item: Delivery) -> dict[str, Any]:
    names = ("agreement", "number", "good", "good_name", "unit", "quantity", "price", "delivered_on", "paid_on")
    more = ("objection_until", "stage", "dispute", "transfer", "received_on")
    sums = {name: getattr(item, name).amount for name in ("value", "by_rule", "deduction", "net")}
    return {name: getattr(item, name) for name in (*names, *more)} | sums | {"currency": item.value.currency}


def _transfer(item: Transfer) -> dict[str, Any]:
    names = ("agreement", "stage", "on", "received_on", "payment")
    return {name: getattr(item, name) for name in names} | {"amount": item.amount.amount}


def tripartites(uow: UnitOfWork) -> Repository[Tripartite]:
    return Repository(uow, tripartite, Tripartite, _tripartite)


def deliveries(uow: UnitOfWork) -> Repository[Delivery]:
    return Repository(uow, delivery, Delivery, _delivery)


def transfers(uow: UnitOfWork) -> Repository[Transfer]:
    return Repository(uow, transfer, Transfer, _transfer)


def keep_text(uow: UnitOfWork, item: Tripartite, by: str) -> None:
    """Keep the present version of an agreement's text; it is never changed."""
    uow.flush()  # the agreement's own row comes first
    values = {"agreement": item.id, "number": item.number, "text": item.text(), "sha256": item.sha256}
    uow.connection.execute(insert(tripartite_text).values(**values, written_at=uow.now(), written_by=by))


def texts(connection: Connection, reference: str) -> list[Any]:
    """Return the versions of an agreement's text, the newest first."""
    c = tripartite_text.c
    return list(connection.execute(select(tripartite_text).where(c.agreement == reference).order_by(c.number.desc())))


def chain_standing(connection: Connection, reference: str) -> Any:
    """Return whose an agreement is, without locking it."""
    c = tripartite.c
    query = select(c.id, c.programme, c.organisation, c.buyer, c.bank, c.stage, c.shared, c.referrals)
    query = query.where(c.id == reference)
    return connection.execute(query).one_or_none()


def firms(connection: Connection, kind: str) -> list[tuple[str, str]]:
    """Return (id, name) of the organisations of a kind."""
    c = organisation.c
    query = select(c.id, c.name).where(c.kind == kind).order_by(c.name, c.id).limit(MAX_FIRMS)
    return [(row.id, row.name) for row in connection.execute(query)]


def drawn(connection: Connection, supplier: str, buyer: str, bank: str) -> str | None:
    """Return the agreement of these three that is being drawn."""
    c = tripartite.c
    query = select(c.id).where(c.organisation == supplier, c.buyer == buyer, c.bank == bank)
    return connection.execute(query.where(c.stage.in_(("draft", "proposed")))).scalar_one_or_none()


def tripartite_rows(
    connection: Connection,
    *,
    party: str | None = None,
    programmes: Sequence[str] = (),
    cursor: str | None = None,
    limit: int = 50,
) -> Page[Any]:
    """Return agreements, newest change first: those that an organisation may see, or of programmes."""
    query, c = select(*light_columns(tripartite)), tripartite.c
    if party is None:
        query = query.where(c.programme.in_(programmes))
    else:
        told = c.shared & (c.stage != "withdrawn")
        query = query.where(or_(c.organisation == party, ((c.buyer == party) | (c.bank == party)) & told))
    return newest_first(connection, query, tripartite, cursor, limit)


def _names(reference: str) -> ColumnElement[bool]:
    return tripartite.c.referrals.contains(bindparam(None, [reference], type_=JSONB))


def agreements_of(connection: Connection, reference: str) -> list[Any]:
    """Return the agreements that serve a referral's loan, the newest first."""
    c = tripartite.c
    query = select(c.id, c.stage, c.shared, c.buyer_name).where(_names(reference)).order_by(c.id.desc())
    return list(connection.execute(query.limit(SHOWN)))


def referral_rows_of(connection: Connection, references: Collection[str]) -> dict[str, Any]:
    """Return {id: row} of referrals, with what decides whether an agreement may serve them."""
    c = referral.c
    query = select(c.id, c.proposal, c.programme, c.organisation, c.bank, c.bank_name, c.stage, c.currency, c.title)
    return {row.id: row for row in connection.execute(query.where(c.id.in_(references)))}


def referrals_between(connection: Connection, supplier: str, bank: str, stages: Sequence[str]) -> list[Any]:
    """Return the referrals of a firm to a bank at these stages, oldest first."""
    c = referral.c
    query = select(c.id, c.title, c.amount, c.currency, c.stage).where(c.organisation == supplier, c.bank == bank)
    return list(connection.execute(query.where(c.stage.in_(stages)).order_by(c.id).limit(SHOWN)))


def lock_agreements(uow: UnitOfWork, references: Collection[str], buyer: str) -> dict[str, Tripartite]:
    """Return those agreements of a lead firm that it may know of, locked in one order for everybody."""
    c = tripartite.c
    mine = (c.id.in_(references), c.buyer == buyer, c.shared, c.stage != "withdrawn")
    found = list(uow.connection.execute(select(c.id).where(*mine).order_by(c.id).with_for_update()).scalars())
    items = tripartites(uow).where(c.id.in_(found), limit=len(found) or 1) if found else []
    return {item.id: item for item in items}


def lock_loans(uow: UnitOfWork, referrals: Collection[str]) -> dict[str, Any]:
    """Return {referral: loan's row} locked in one order: two lead firms never keep back the same instalment."""
    c = loan.c
    query = select(c.id, c.referral, c.timetable, c.stage).where(c.referral.in_(referrals)).order_by(c.id)
    return {row.referral: row for row in uow.connection.execute(query.with_for_update())}


def loans_serving(connection: Connection, referrals: Collection[str]) -> dict[str, Any]:
    """Return {referral: loan's row}, not locked."""
    c = loan.c
    query = select(c.id, c.referral, c.timetable, c.stage, c.currency).where(c.referral.in_(referrals))
    return {row.referral: row for row in connection.execute(query)}


_KEPT = text(
    "SELECT l.id, t.principal_paid + t.interest_paid AS on_tape, d.after_tape, d.in_all FROM loan l"
    " LEFT JOIN LATERAL (SELECT n.principal_paid, n.interest_paid, p.as_of FROM tape_line n"
    " JOIN tape p ON p.id = n.tape WHERE n.loan = l.id AND p.stage = 'applied' AND NOT n.wrong"
    " ORDER BY p.as_of DESC LIMIT 1) t ON true"
    " CROSS JOIN LATERAL (SELECT coalesce(sum(k.amount), 0) AS in_all, coalesce(sum(k.amount) FILTER ("
    "WHERE v.received_on IS NULL OR t.as_of IS NULL OR v.received_on > t.as_of), 0) AS after_tape"
    " FROM deduction k JOIN delivery v ON v.id = k.delivery WHERE k.loan = l.id AND v.stage <> 'taken_back') d"
    " WHERE l.id = ANY(:loans)"
)


def kept_back(connection: Connection, loans: Iterable[str]) -> dict[str, Kept]:
    """Return {loan: what was paid on it and kept back for it}."""
    rows = connection.execute(_KEPT, {"loans": list(loans)})
    return {row.id: Kept(row.on_tape or Decimal(0), row.after_tape, row.in_all) for row in rows}


def known_deliveries(connection: Connection, keys: Collection[tuple[str, str]]) -> dict[tuple[str, str], Any]:
    """Return {(agreement, number): row} of the deliveries that stand."""
    c = delivery.c
    columns = (c.id, c.agreement, c.number, c.good, c.quantity, c.price, c.delivered_on, c.paid_on)
    query = select(*columns).where(tuple_(c.agreement, c.number).in_(list(keys)), c.stage != "taken_back")
    return {(row.agreement, row.number): row for row in connection.execute(query)} if keys else {}


def keep_deductions(uow: UnitOfWork, items: Sequence[Delivery]) -> None:
    """Keep what of each delivery's payment is kept back for which loan."""
    rows = [
        {"delivery": item.id, "loan": share.loan, "amount": share.amount} for item in items for share in item.shares
    ]
    if rows:
        uow.flush()  # the deliveries' own rows come first
        uow.connection.execute(insert(deduction), rows)


def delivery_rows(connection: Connection, reference: str, *, cursor: str | None = None, limit: int = 50) -> Page[Any]:
    """Return an agreement's deliveries, the newest day first."""
    c = delivery.c
    query = select(*light_columns(delivery)).where(c.agreement == reference)
    seen = decode_cursor(cursor, 2)
    if seen is not None:
        query = query.where(tuple_(c.delivered_on, c.id) < tuple_(date.fromisoformat(str(seen[0])), str(seen[1])))
    rows = connection.execute(query.order_by(c.delivered_on.desc(), c.id.desc()).limit(limit + 1)).all()
    return page_of(rows, limit, lambda row: (row.delivered_on.isoformat(), row.id))


def to_transfer(connection: Connection, reference: str, today: date) -> list[Any]:
    """Return the deductions that may be transferred now, the oldest payment first."""
    c = delivery.c
    silent = (c.stage == "reported") & (c.objection_until < today)
    query = select(c.id, c.number, c.paid_on, c.deduction).where(c.agreement == reference, c.deduction > 0)
    return list(connection.execute(query.where((c.stage == "confirmed") | silent).order_by(c.paid_on, c.id).limit(200)))


def sums_by_stage(connection: Connection, reference: str) -> dict[str, Any]:
    """Return {stage: count, value, deduction, net} of an agreement's deliveries."""
    c = delivery.c
    sums = [func.sum(c[name]).label(name) for name in ("value", "deduction", "net")]
    query = select(c.stage, func.count().label("lines"), *sums).where(c.agreement == reference).group_by(c.stage)
    return {row.stage: row for row in connection.execute(query)}


def delivered_by_good(connection: Connection, item: Tripartite) -> dict[str, Decimal]:
    """Return {code: quantity} that was delivered of each good until its day, without what is taken back."""
    c = delivery.c
    query = select(c.good, c.delivered_on, func.sum(c.quantity).label("quantity"))
    query = query.where(c.agreement == item.id, c.stage != "taken_back").group_by(c.good, c.delivered_on)
    days, found = {good.code: good.by for good in item.terms.goods}, dict[str, Decimal]()
    for row in connection.execute(query):
        if row.good in days and row.delivered_on <= days[row.good]:
            found[row.good] = found.get(row.good, Decimal(0)) + row.quantity
    return found


def transfer_rows(connection: Connection, reference: str, limit: int = SHOWN) -> list[Any]:
    """Return an agreement's transfers, the newest first."""
    c = transfer.c
    query = select(
        c.id, c.version, c.stage, c.amount, c.on, c.received_on, c.payment, c.state["why"].astext.label("why")
    )
    return list(
        connection.execute(query.where(c.agreement == reference).order_by(c.on.desc(), c.id.desc()).limit(limit))
    )


def received_sums(connection: Connection, loan_id: str) -> list[Any]:
    """Return (day, sum) of the deductions for a loan that the bank has confirmed, in order."""
    c = delivery.c
    query = select(c.received_on, func.sum(deduction.c.amount).label("amount"))
    query = query.join(deduction, deduction.c.delivery == c.id).where(deduction.c.loan == loan_id)
    rows = connection.execute(query.where(c.stage == "received").group_by(c.received_on).order_by(c.received_on))
    return list(rows)


def paid_by_tapes(connection: Connection, loan_id: str) -> list[Any]:
    """Return (day, sum) of what the tapes that count say was paid of principal and interest, in order."""
    c, paid = tape_line.c, tape_line.c.principal_paid + tape_line.c.interest_paid
    query = select(tape.c.as_of, paid.label("paid")).join(tape, tape.c.id == c.tape)
    query = query.where(c.loan == loan_id, tape.c.stage == "applied", ~c.wrong)
    return list(connection.execute(query.order_by(tape.c.as_of.desc()).limit(60)))[::-1]


def to_assess(connection: Connection, today: date, limit: int = 100) -> list[str]:
    """Return the ids of agreements of which the day of some goods has passed."""
    c = tripartite.c
    query = select(c.id).where(c.stage.in_(LIVE), c.next_by < today).order_by(c.next_by, c.id)
    return list(connection.execute(query.limit(limit)).scalars())


_TO_END = text(
    "SELECT a.id, coalesce(l.repaid AND l.loans = jsonb_array_length(a.referrals), false) AS repaid FROM tripartite a"
    " CROSS JOIN LATERAL (SELECT count(*) AS loans, bool_and(n.stage = 'closed_repaid') AS repaid"
    " FROM loan n WHERE n.referral IN (SELECT jsonb_array_elements_text(a.referrals))) l"
    " WHERE a.stage IN ('in_force', 'under_notice') AND ((a.stage = 'under_notice' AND a.ends_on < :today)"
    " OR (l.repaid AND l.loans = jsonb_array_length(a.referrals))) ORDER BY a.id LIMIT 100"
)


def to_end(connection: Connection, today: date) -> list[tuple[str, bool]]:
    """Return (id, whether all its loans are repaid) of agreements that have come to their end."""
    return [(row.id, row.repaid) for row in connection.execute(_TO_END, {"today": today})]


def paid_already(connection: Connection, reference: str, payment: str) -> str | None:
    """Return the transfer under an agreement that has this reference."""
    c = transfer.c
    query = select(c.id).where(c.agreement == reference, c.payment == payment, c.stage != "refused")
    return connection.execute(query.limit(1)).scalar_one_or_none()


def live_of(uow: UnitOfWork, buyer: str) -> list[Tripartite]:
    """Return a lead firm's agreements that are in force, the oldest first."""
    c = tripartite.c
    return tripartites(uow).where(c.buyer == buyer, c.stage.in_(LIVE), order_by=c.id)
