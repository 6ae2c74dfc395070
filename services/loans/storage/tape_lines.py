"""Repayment tapes in the database: facts to check lines against, the lines themselves by COPY, and their sums."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import psycopg
from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from services.loans.domain.arrears import bucket
from services.loans.domain.loan import Loan
from services.loans.domain.portfolio import Key, Sums
from services.loans.domain.tape import Basis, Tape
from services.loans.domain.tape_rows import SETTLED, Former, Known, Line
from services.loans.storage.repositories import loan_columns, loans, tapes
from services.loans.storage.tables import loan, tape, tape_line, tape_sum
from shared.database import UnitOfWork
from shared.web.paging import Page, decode_cursor, page_of

# A tape's lines are asked for one by one: right after COPY the planner knows nothing of them, and would go through
# all of them for each loan.
_FACTS = (
    "SELECT l.id, l.currency, l.payouts, l.timetable, l.whole, l.stage, l.settled_on, l.restructured,"
    " l.profile, l.disclosed, f.principal_paid, f.interest_paid, f.fees_paid FROM loan l LEFT JOIN LATERAL ("
    "SELECT * FROM tape_line t WHERE t.tape = :former AND t.loan = l.id AND NOT t.wrong LIMIT 1) f ON true"
)
# By their ids alone: all the bank's loans are not to be gone through for each two thousand lines.
_KNOWN = text(_FACTS + " WHERE l.id = ANY(:ids) AND l.bank || '' = :bank AND l.programme || '' = :programme")
_NO_LINE = "(SELECT t.line FROM tape_line t WHERE t.tape = :tape AND t.loan = l.id AND NOT t.wrong LIMIT 1) IS NULL"
_LEFT_OUT = text(
    _FACTS + " WHERE l.bank = :bank AND l.programme = :programme"
    " AND l.id > :after AND l.payouts <> '' AND split_part(l.payouts, ' ', 1) <= :as_of"
    " AND l.stage <> 'closed_repaid'"
    " AND " + _NO_LINE + " ORDER BY l.id LIMIT :limit"
)
_COLUMNS = (
    *("tape", "line", "loan", "carried", "wrong", "differs", "principal_paid", "interest_paid", "fees_paid"),
    *("said_outstanding", "said_days", "paid_on", "outstanding", "days", "owed", "stage", "bucket", "restructured"),
    "findings",
)
_NOTHING = (None,) * 12
_CHANGED = text(
    "SELECT t.loan, t.outstanding, t.days, t.owed, t.stage, t.restructured FROM tape_line t"
    " JOIN loan l ON l.id = t.loan WHERE t.tape = :tape AND t.loan > :after"
    " AND (t.stage, t.bucket::int) IS DISTINCT FROM (l.stage, l.bucket::int) ORDER BY t.loan LIMIT :limit"
)
_UNFILLED = 500


def alone(connection: Connection, bank: str, programme: str) -> None:
    """Let one tape of a bank be worked on at a time: the others wait until this transaction ends."""
    key = f"tape {bank} {programme}"
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": key})


def fill(uow: UnitOfWork, bank: str, programme: str) -> None:
    """Give the columns to loans that were stored before they had them."""
    query = select(loan).where(loan.c.bank == bank, loan.c.programme == programme, loan.c.timetable.is_(None))
    while rows := uow.connection.execute(query.limit(_UNFILLED)).mappings().all():
        names = list(loan_columns(Loan.stored(rows[0]["state"], 1)))
        statement = update(loan).where(loan.c.id == bindparam("_id")).values({name: bindparam(name) for name in names})
        values = [loan_columns(Loan.stored(row["state"], row["version"])) | {"_id": row["id"]} for row in rows]
        uow.connection.execute(statement, values)


def known(connection: Connection, of: Tape, former: Any, ids: Sequence[str]) -> dict[str, Known]:
    """Return the facts of the bank's loans among `ids`; another bank's are not there."""
    values = {"bank": of.bank, "programme": of.programme, "former": former.id if former else "", "ids": list(ids)}
    rows = connection.execute(_KNOWN, values)
    return {row.id: _known(row, former) for row in rows}


def left_out(connection: Connection, of: Tape, former: Any, after: str, limit: int) -> list[Known]:
    """Return loans that are paid out and not repaid, and not on the tape, by id from `after`."""
    values = {"bank": of.bank, "programme": of.programme, "former": former.id if former else "", "tape": of.id}
    more = {"after": after, "as_of": of.as_of.isoformat(), "limit": limit}
    return [_known(row, former) for row in connection.execute(_LEFT_OUT, values | more)]


def _known(row: Row[Any], former: Any) -> Known:
    sums = (row.principal_paid, row.interest_paid, row.fees_paid)
    before = Former(former.as_of, *sums) if former is not None and row.principal_paid is not None else None
    facts = (row.id, row.currency, row.payouts, row.timetable, row.whole, row.stage, row.settled_on, row.restructured)
    return Known(*facts, before, row.profile or {}, frozenset(row.disclosed or ()))


def keep_lines(connection: Connection, of: Tape, lines: Iterable[Line]) -> None:
    """Store lines while they are being made."""
    driver: Any = connection.connection.driver_connection
    statement = f"COPY tape_line ({', '.join(_COLUMNS)}) FROM STDIN"
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for line in lines:
                copy.write_row(_row(of, line))
    except psycopg.Error as error:
        raise DBAPIError.instance(statement, None, error, psycopg.Error, dialect=connection.dialect) from error


def _row(of: Tape, line: Line) -> tuple[Any, ...]:
    wrong, differs = bool(line.problems), bool(line.differences)
    findings = None
    if wrong or differs:
        found = {"problems": line.problems, "differences": line.differences}
        shown: dict[str, Any] = {name: [item.stored() for item in items] for name, items in found.items() if items}
        given = {name: value[:80] for name, value in line.given.items() if value}
        findings = shown | ({"given": given} if wrong else {})
    head = (of.id, line.number, line.loan[:80], line.carried, wrong, differs)
    said, now = line.said, line.position
    if said is None or now is None:
        values: tuple[Any, ...] = _NOTHING
    else:
        paid = (said.principal_paid, said.interest_paid, said.fees_paid)
        told = (None if line.carried else said.outstanding, said.days_past_due, said.paid_on)
        stands = (now.outstanding, now.days, now.owed, now.stage, bucket(now.days), now.restructured)
        values = (*paid, *told, *stands)
    return (*head, *values, json.dumps(findings) if findings else None)


def keep_sums(connection: Connection, of: Tape, sums: dict[Key, Sums]) -> None:
    """Store the sums of a tape."""
    rows = [
        {"tape": of.id, "audience": key.audience, "currency": key.currency, "dimension": key.dimension}
        | {"value": key.value}
        | found.values()
        for key, found in sums.items()
    ]
    if rows:
        connection.execute(insert(tape_sum), rows)


def forget(connection: Connection, reference: str) -> None:
    """Drop the lines and sums of a tape that does not count."""
    for table in (tape_line, tape_sum):
        connection.execute(delete(table).where(table.c.tape == reference))


def counting(connection: Connection, bank: str, programme: str, *, before: str) -> Any:
    """Return the last tape that counts of the months before `before` ("2026-03")."""
    mine = (tape.c.bank == bank, tape.c.programme == programme, tape.c.stage == "applied")
    query = select(tape.c.id, tape.c.as_of).where(*mine, tape.c.month < before)
    found: Any = connection.execute(query.order_by(tape.c.month.desc()).limit(1)).one_or_none()
    return found


def of_month(uow: UnitOfWork, bank: str, programme: str, month: str, stage: str) -> str | None:
    """Return the id of a bank's tape of a month in one stage."""
    c = tape.c
    query = select(c.id).where(c.bank == bank, c.programme == programme, c.month == month, c.stage == stage)
    return uow.connection.execute(query.order_by(c.id).limit(1)).scalar_one_or_none()


def later(connection: Connection, of: Tape) -> bool:
    """Tell whether a later month of the bank counts already: then a tape moves no loan to another state."""
    c = tape.c
    mine = (c.bank == of.bank, c.programme == of.programme, c.stage == "applied", c.month > of.month)
    return connection.execute(select(c.id).where(*mine).limit(1)).first() is not None


def basis(connection: Connection, of: Tape, former: Any) -> Basis:
    """Return what a check of this tape rests on now."""
    mine = (loan.c.bank == of.bank, loan.c.programme == of.programme)
    row = connection.execute(select(func.count(), func.max(loan.c.updated_at)).where(*mine)).one()
    changed: datetime | None = row[1]
    return Basis(former=former.id if former else None, loans=row[0], changed_at=changed)


def changed(connection: Connection, reference: str, after: str, limit: int) -> list[Any]:
    """Return the lines by which a loan's state or class of lateness changes, by loan from `after`."""
    return list(connection.execute(_CHANGED, {"tape": reference, "after": after, "limit": limit}))


def loans_by(uow: UnitOfWork, ids: Sequence[str]) -> dict[str, Loan]:
    """Return loans by their ids."""
    return {item.id: item for item in loans(uow).where(loan.c.id.in_(ids), limit=len(ids))}


def make_way(uow: UnitOfWork, former: str, by: str, now: datetime) -> None:
    """Let a tape give way to its correction, before that one is stored: one of a month counts."""
    tapes(uow).get(former).supersede(by, now)
    uow.connection.execute(update(tape).where(tape.c.id == former).values(stage="superseded"))


FOLDERS = ("all", "wrong", "different", "missing", "late")


def lines(
    connection: Connection, reference: str, *, folder: str = "all", cursor: str | None = None, limit: int = 100
) -> Page[Any]:
    """Return the lines of a tape in order: all, the wrong, the different, those it leaves out, or the late."""
    c = tape_line.c
    query = select(tape_line).where(c.tape == reference)
    chosen = {"wrong": c.wrong, "different": c.differs, "missing": c.carried, "late": c.days > 0}
    if folder in chosen:
        query = query.where(chosen[folder])
    seen = decode_cursor(cursor, 1)
    if seen is not None and seen[0].isdigit():
        query = query.where(c.line > int(seen[0]))
    rows = connection.execute(query.order_by(c.line).limit(limit + 1)).all()
    return page_of(rows, limit, lambda row: (str(row.line),))


def tape_rows(
    connection: Connection,
    programmes: Sequence[str],
    bank: str | None = None,
    *,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[Any]:
    """Return tapes, newest day first: of programmes, of one bank when given."""
    c = tape.c
    columns = (c.id, c.version, c.programme, c.bank, c.as_of, c.stage, c.applied_at, c.superseded_at, c.state)
    query = select(*columns).where(c.programme.in_(programmes))
    query = query.where(c.bank == bank) if bank is not None else query.where(c.stage.in_(("applied", "superseded")))
    seen = decode_cursor(cursor, 2)
    if seen is not None:
        query = query.where((c.as_of < seen[0]) | ((c.as_of == seen[0]) & (c.id < seen[1])))
    rows: Sequence[Any] = connection.execute(query.order_by(c.as_of.desc(), c.id.desc()).limit(limit + 1)).all()
    return page_of(rows, limit, lambda row: (row.as_of.isoformat(), row.id))


def last_of(connection: Connection, reference: str, limit: int = 60) -> list[Any]:
    """Return what the tapes that count say of a loan, newest day first."""
    c = tape_line.c
    query = select(tape_line, tape.c.as_of, tape.c.applied_at).join(tape, tape.c.id == c.tape)
    query = query.where(c.loan == reference, tape.c.stage == "applied")
    return list(connection.execute(query.order_by(tape.c.as_of.desc()).limit(limit)))


def open_loans(connection: Connection, bank: str, programme: str) -> Iterable[Any]:
    """Give a bank's loans that a tape should have, for a file to begin with."""
    c = loan.c
    query = select(c.id, c.currency).where(c.bank == bank, c.programme == programme)
    return connection.execute(query.where(c.payouts != "", c.stage.not_in(SETTLED)).order_by(c.id))
