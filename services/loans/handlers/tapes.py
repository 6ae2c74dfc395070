"""Use cases of a repayment tape: check a file, apply it whole, or drop it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from typing import Any

from services.loans import storage
from services.loans.domain.finance import Finance
from services.loans.domain.loan import EarlyDefault
from services.loans.domain.portfolio import WHOLE, Balance, Cube
from services.loans.domain.tape import Counts, Figure, Tape, must_be_possible
from services.loans.domain.tape_rows import Known, Line, Position, carried, examine, read
from services.loans.handlers import access, claims, fees
from services.loans.handlers.tape_reading import TapeFile, day_within, lines
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError, NotFoundError, Rule
from shared.web.identity import Identity

CHUNK = 2000
Keep = Callable[[bytes], str]


@dataclass
class _Check:
    """One check under way: what is counted while lines go by."""

    tape: Tape
    finance: Finance
    currency: str
    former: Any
    seen: dict[str, int] = field(default_factory=dict)
    cube: Cube = field(default_factory=Cube)
    lines: int = 0
    wrong: int = 0
    different: int = 0
    missing: int = 0
    last: int = 0

    def count(self, line: Line, known: Known | None) -> None:
        """Count a line when all about it is known."""
        self.lines += not line.carried
        self.missing += line.carried
        self.wrong += bool(line.problems)
        self.different += bool(line.differences)
        self.last = max(self.last, line.number)
        stands = line.position
        if known is not None and stands is not None and stands.stage != "closed_repaid":
            balance = Balance(stands.outstanding, stands.days, stands.restructured, stands.written_off)
            self.cube.add(known.currency, balance, dict(known.values), known.disclosed)


def check(
    uow: UnitOfWork, who: Identity, file: TapeFile, keep: Keep, *, as_of: date | None = None, programme: str = ""
) -> tuple[Tape, bool]:
    """Check a file line by line and keep the result; nothing counts yet. Tells also whether the tape is new.

    The same file for the same day gives the tape that it is already, and changes nothing. Raises InvalidError
    where the file as a whole can't be a tape.
    """
    bank = who.organisation or ""
    chosen = _programme(who, programme)
    finance, currency = access.rules(uow, chosen)
    partner = finance.partner(bank)
    if partner is None:
        raise ConflictError("Your institution is no finance partner of this programme")
    day = as_of or day_within(file)
    if day is None:
        raise InvalidError({"as_of": "is required: the day on which the sums stand so"})
    must_be_possible(day, access.today(uow))
    storage.alone(uow.connection, bank, chosen)
    same = _same(uow, bank, chosen, day, file)
    if same is not None:
        return same, False
    tape = Tape(
        id=uow.next_reference("TAP"),
        programme=chosen,
        bank=bank,
        bank_name=partner.name,
        as_of=day,
        name=file.name,
        media_type=file.media_type,
        sha256=keep(file.content),
        checked_at=uow.now(),
    )
    storage.tapes(uow).add(tape)
    uow.flush()
    _examine(uow, tape, file, finance, currency)
    return tape, True


def _same(uow: UnitOfWork, bank: str, programme: str, day: date, file: TapeFile) -> Tape | None:
    """Return the tape that this file is already; a checked one of that month that is another gives way."""
    for stage in ("applied", "checked"):
        found = storage.of_month(uow, bank, programme, f"{day:%Y-%m}", stage)
        tape = storage.tapes(uow).get(found) if found else None
        if tape is not None and tape.sha256 == file.sha256 and tape.as_of == day:
            return tape
        if tape is not None and stage == "checked":
            _drop(uow, tape)
    return None


def _programme(who: Identity, given: str) -> str:
    if given in who.programmes or (not given and len(who.programmes) == 1):
        return given or who.programmes[0]
    raise InvalidError({"programme": Rule("must be one of: %(names)s", names=", ".join(sorted(who.programmes)))})


def _examine(uow: UnitOfWork, tape: Tape, file: TapeFile, finance: Finance, currency: str) -> None:
    storage.fill(uow, tape.bank, tape.programme)
    former = storage.counting(uow.connection, tape.bank, tape.programme, before=tape.month)
    work = _Check(tape, finance, currency, former)
    rows = lines(file)
    while chunk := list(islice(rows, CHUNK)):
        _lines(uow, work, chunk)
    if not work.lines:
        raise InvalidError({"file": "has no lines under its heading"})
    after = ""
    while missing := storage.left_out(uow.connection, tape, former, after, CHUNK):
        tolerance = finance.monitoring.tolerance
        made = [carried(work.last + place, item, tape.as_of, tolerance) for place, item in enumerate(missing, 1)]
        for line, item in zip(made, missing, strict=True):
            work.count(line, item)
        storage.keep_lines(uow.connection, tape, made)
        after = missing[-1].id
    storage.keep_sums(uow.connection, tape, work.cube.sums)
    counts = Counts(lines=work.lines, wrong=work.wrong, different=work.different, missing=work.missing)
    basis = storage.basis(uow.connection, tape, former)
    tape.check(counts, basis, figures(work.cube), uow.now())


def figures(cube: Cube) -> list[Figure]:
    """Return the whole of the tape, by currency."""
    whole = {key.currency: sums for key, sums in cube.sums.items() if (key.audience, key.dimension) == WHOLE}
    return [Figure.of(currency, sums) for currency, sums in sorted(whole.items())]


def _lines(uow: UnitOfWork, work: _Check, chunk: list[Line]) -> None:
    known = storage.known(uow.connection, work.tape, work.former, [line.loan for line in chunk])
    for line in chunk:
        loan = known.get(line.loan)
        _one(work, line, loan)
        work.count(line, loan)
    storage.keep_lines(uow.connection, work.tape, chunk)


def _one(work: _Check, line: Line, loan: Known | None) -> None:
    as_of = work.tape.as_of
    if not line.loan:
        line.wrong("loan", "is required")
    elif (first := work.seen.setdefault(line.loan, line.number)) != line.number:
        line.wrong("loan", "stands on line %(line)s already", line=first)
    read(line, as_of, loan.currency if loan else work.currency)
    if (day := line.given.get("as_of")) and day != as_of.isoformat():
        line.wrong("as_of", "is %(said)s, but the tape is of %(as_of)s", said=day[:20], as_of=as_of)
    if loan is None and line.loan and not any(item.field == "loan" for item in line.problems):
        line.wrong("loan", "is not the reference of a loan of your institution in this programme")
    if loan is not None and not line.problems:
        examine(line, loan, as_of, work.finance.monitoring.tolerance)


def again(
    uow: UnitOfWork, who: Identity, reference: str, content: Callable[[str], bytes], *, version: int | None = None
) -> Tape:
    """Check the file of a tape once more, against the loans as they are now."""
    tape = _own(uow, who, reference, version)
    finance, currency = access.rules(uow, tape.programme)
    if tape.stage != "checked":
        raise ConflictError("The tape %(id)s is %(stage)s", id=tape.id, stage=tape.stage)
    storage.forget(uow.connection, tape.id)
    _examine(uow, tape, TapeFile(tape.name, tape.media_type, content(tape.sha256)), finance, currency)
    return tape


def _own(uow: UnitOfWork, who: Identity, reference: str, version: int | None) -> Tape:
    """Return a tape of the person's bank to work on: first the bank's turn, then the tape's row, as in `check`."""
    access.scoped(uow, who, "tape", reference, "loans.tape.apply")
    row = storage.standing(uow.connection, "tape", reference)
    if row is not None:
        storage.alone(uow.connection, row.bank, row.programme)
    return storage.tapes(uow).get(reference, expected=version)


def discard(uow: UnitOfWork, who: Identity, reference: str, *, version: int | None = None) -> Tape:
    """Drop a checked tape."""
    tape = _own(uow, who, reference, version)
    _drop(uow, tape)
    return tape


def _drop(uow: UnitOfWork, tape: Tape) -> None:
    tape.discard()
    storage.forget(uow.connection, tape.id)


def apply(
    uow: UnitOfWork, who: Identity, reference: str, *, version: int | None = None, without_missing: bool = False
) -> Tape:
    """Let a checked tape count, whole, in this transaction: a tape of the same month gives way, loans change state."""
    tape = _own(uow, who, reference, version)
    finance, _ = access.rules(uow, tape.programme)
    former = storage.counting(uow.connection, tape.bank, tape.programme, before=tape.month)
    found = storage.of_month(uow, tape.bank, tape.programme, tape.month, "applied")
    basis, now = storage.basis(uow.connection, tape, former), uow.now()
    tape.apply(found, basis, now, who.name, without_missing=without_missing)
    later = storage.later(uow.connection, tape)
    if found:
        storage.make_way(uow, found, tape.id, now)
    uow.flush()
    changed = 0 if later else _follow(uow, tape, finance)
    tape = storage.tapes(uow).get(reference)
    tape.applied(changed)
    return tape


def _follow(uow: UnitOfWork, tape: Tape, finance: Finance) -> int:
    """Bring the loans to the states of the tape; only those that change are read."""
    rules, after, moved = finance.monitoring, "", 0
    corrects = tape.supersedes is not None
    early = EarlyDefault(rules.early_default_days, rules.early_default_months)
    while rows := storage.changed(uow.connection, tape.id, after, CHUNK // 4):
        found = storage.loans_by(uow, [row.loan for row in rows])
        said = {loan.id for loan in found.values() if loan.early_default_on}
        for row in rows:
            stands = Position(row.outstanding, row.days, row.owed, row.stage, row.restructured)
            moved += found[row.loan].follow(stands, tape.id, tape.as_of, early, corrects=corrects)
        fees.take_back(uow, found.values())
        fees.restore(uow, [loan for loan in found.values() if loan.id in said and not loan.early_default_on])
        claims.follow(uow, found.values())
        after = rows[-1].loan
        uow.go_on(uow.context)
    return moved


def open_tape(uow: UnitOfWork, who: Identity, reference: str) -> Tape:
    """Return a tape for reading; what is not applied is the bank's own."""
    role = access.scoped(uow, who, "tape", reference, "loans.tape.read")
    tape = storage.tapes(uow).get(reference, for_update=False)
    if role != "finance_partner" and tape.stage not in {"applied", "superseded"}:
        raise NotFoundError("There is no such record")
    return tape
