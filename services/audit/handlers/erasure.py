"""Legal holds, and erasing a person: looked at first, asked for, confirmed by another, proven by a receipt."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine

from services.audit.domain.cases import named
from services.audit.domain.note import Signer
from services.audit.domain.retention import Erasure, Hold, Judged, RetainedError, judge, refusal
from services.audit.handlers.proofs import UnprovableError, prove
from services.audit.keys import Keys
from services.audit.storage import append, retention
from services.audit.storage.receipts import receipt_signer
from services.audit.storage.subjects import Subject, Subjects, subjects_of
from shared.database import Context, UnitOfWork
from shared.errors import ConflictError, NotFoundError, TamgaError
from shared.events.audit import AttemptRefused
from shared.events.retention_rules import term_of
from shared.settings import Settings

PROVEN = 200  # entries whose proofs are made again for a receipt: the newest ones
FORMAT = "tamga-erasure/v1"


@dataclass(frozen=True)
class House:
    """What an erasure needs of this installation."""

    keys: Keys
    subjects: Subjects
    zone: tzinfo
    two_people: bool

    @classmethod
    def of(cls, settings: Settings) -> House:
        zone, two = ZoneInfo(settings.time_zone), settings.erasure_by_two_people
        return cls(Keys.of(settings), subjects_of(settings), zone, two)

    @property
    def receipts(self) -> Signer:
        """Return what signs receipts."""
        return receipt_signer(self.keys)

    def day(self, moment: datetime) -> date:
        """Return the day of the house at a moment."""
        return moment.astimezone(self.zone).date()


@dataclass(frozen=True)
class Look:
    """What erasing a person comes to: the dry run."""

    subject: Subject
    entries: int
    judged: list[Judged]
    erasure: Erasure | None

    @property
    def refused(self) -> RetainedError | None:
        return refusal(self.judged)


def find(house: House, which: str) -> Subject:
    """Return an applicant's person by opaque id, user id or e-mail address; raises NotFoundError."""
    which = which.strip()
    found = house.subjects.of(which)
    if found is None and "@" in which:
        there = house.subjects.found_by([which.casefold()])
        found = there[which.casefold()][0] if there else None
    if found is None:
        raise NotFoundError("There is no such person among the applicants that the log knows")
    return found


def look(connection: Connection, house: House, subject: Subject, today: date) -> Look:
    """Return what the log has of a person, what holds it, and until when; nothing is changed."""
    records = retention.records(connection, subject.id)
    packs = retention.packs(connection, {record.programme for record in records if record.programme})
    standing = retention.open_holds(connection)
    judged = []
    for record in records:
        term = term_of(packs.get(record.programme or ""), record.record_class)
        holding = tuple(hold for hold in standing if hold.covers(subject.id, record.case, record.programme))
        judged.append(judge(record, term, holding, today, house.zone))
    entries = sum(record.entries for record in records)
    return Look(subject, entries, judged, retention.erasure(connection, subject.id))


def due(connection: Connection, house: House, today: date) -> Iterator[Look]:
    """Give a look at everybody whose records may all be disposed of today; nothing is changed."""
    for subject in house.subjects.living():
        seen = look(connection, house, subject, today)
        if not seen.refused:
            yield seen


# --- holds ---------------------------------------------------------------------


def place_hold(uow: UnitOfWork, house: House, scope: str, which: str, why: str) -> Hold:
    """Place a legal hold; a person is given by user id, address or opaque id, and kept by the opaque one."""
    which = which.strip()
    if scope == "person" and which:
        which = find(house, which).id
    elif scope == "case":
        which = named(which)
    facts = {"scope": scope, "which": which, "why": why.strip()}
    hold = Hold.place(id=str(uow.ids()), by=_who(uow), at=uow.now(), **facts)
    append.lock(uow.connection)  # no erasure is under way when it begins to stand
    return retention.hold_repository(uow).add(hold)


def release_hold(uow: UnitOfWork, house: House, hold_id: str, why: str, *, expected: int | None = None) -> Hold:
    """Release a legal hold."""
    hold = retention.hold_repository(uow).get(hold_id, expected=expected)
    hold.release(why=why.strip(), by=_who(uow), at=uow.now(), two_people=house.two_people)
    return hold


# --- erasing -------------------------------------------------------------------


def request(uow: UnitOfWork, house: House, subject: Subject, why: str) -> Erasure:
    """Ask that a person be erased; raises RetainedError when that may not be."""
    seen = _may_be_erased(uow, house, subject)
    facts = {"why": why.strip(), "entries": seen.entries, "by": _who(uow), "at": uow.now()}
    there = retention.erasure_repository(uow).find(subject.id, for_update=True)
    if there is None:
        return retention.erasure_repository(uow).add(Erasure.request(subject=subject.id, **facts))  # type: ignore[arg-type]  # as named above
    there.again(**facts)  # type: ignore[arg-type]
    return there


def withdraw(uow: UnitOfWork, subject: Subject, why: str, *, expected: int | None = None) -> Erasure:
    """Give up an erasure that was asked for."""
    erasure = retention.erasure_repository(uow).get(subject.id, expected=expected)
    erasure.withdraw(why.strip())
    return erasure


def confirm(uow: UnitOfWork, house: House, subject: Subject, *, expected: int | None = None) -> Erasure:
    """Erase a person for good, if nothing has come in between; returns the erasure with its signed receipt.

    The key is destroyed before the database commits: were the commit to fail, the erasure is confirmed once more and
    finds the key gone. Meanwhile nothing is appended, so no batch that has the key already is still on its way.
    """
    erasure = retention.erasure_repository(uow).get(subject.id, expected=expected)
    erasure.check_second(uow.context.actor.id, two_people=house.two_people)
    append.lock(uow.connection)
    seen = _may_be_erased(uow, house, subject)
    who, at = _who(uow), uow.now().astimezone(UTC)
    house.subjects.erase(subject, at=at, by=who[1], entries=seen.entries)
    erasure.entries = seen.entries
    receipt, proven = _receipt(uow, house, erasure, who[1], at)
    sha256 = hashlib.sha256(receipt.encode()).hexdigest()
    erasure.done(by=who, at=at.isoformat(timespec="seconds"), receipt=receipt, proven=proven, sha256=sha256)
    return erasure


def _may_be_erased(uow: UnitOfWork, house: House, subject: Subject) -> Look:
    seen = look(uow.connection, house, subject, house.day(uow.now()))
    if seen.erasure and seen.erasure.erased_at:
        raise ConflictError("This person was erased on %(date)s", date=date.fromisoformat(seen.erasure.erased_at[:10]))
    if refused := seen.refused:
        raise refused
    return seen


def _receipt(uow: UnitOfWork, house: House, erasure: Erasure, by: str, at: datetime) -> tuple[str, int]:
    """Return the signed receipt, and of how many entries the proof was made again."""
    tried = retention.entries(uow.connection, erasure.id, PROVEN)
    proven, state = _proven(uow, house.keys, tried)
    lines = [
        FORMAT,
        f"log {house.keys.origin}",
        f"subject {erasure.id}",
        f"erased {at.isoformat(timespec='seconds')}",
        f"by {by}",
        f"entries {erasure.entries}",
        f"proven {proven} of {len(tried)}",
        state,
    ]
    return house.receipts.sign("".join(f"{' '.join(line.split())}\n" for line in lines)), proven


def _proven(uow: UnitOfWork, keys: Keys, entries: list[UUID]) -> tuple[int, str]:
    """Make the proofs of entries again; returns how many still lead to the signed root, and that root."""
    proven, state = 0, "checkpoint none"
    for event_id in entries:
        try:
            proof = prove(uow.connection, event_id, keys, clock=uow.clock)
        except (UnprovableError, NotFoundError):
            continue
        proven, state = proven + 1, f"checkpoint {proof.size} {proof.root.hex()}"
    return proven, state


def _who(uow: UnitOfWork) -> tuple[str, str]:
    actor = uow.context.actor
    return actor.id, actor.name or actor.id


def record_refusal(engine: Engine, context: Context, action: str, target: str, problem: TamgaError) -> None:
    """Put a refused attempt of the command line on record, as the pages do."""
    with UnitOfWork(engine, "audit", context) as uow:
        event = AttemptRefused(action=action, target=target, problem=problem.type, detail=str(problem))
        uow.record(event, entity=f"attempt:{uow.ids()}", outcome="refused")
