"""Exclusion lists: importing a version, looking for everybody named on a case, deciding about hits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import Connection

from services.grants.domain.application import Application
from services.grants.domain.exclusion import (
    ExclusionList,
    Hit,
    Kind,
    ListVersion,
    Run,
    Screening,
    Subject,
    unsettled,
)
from services.grants.handlers.base import Command, Frame, act_as, application_for
from services.grants.handlers.exclusion_file import Columns, read
from services.grants.policy import POLICY
from services.grants.storage import exclusion as stored
from services.grants.storage import reads
from services.grants.storage.exclusion import lists, screenings
from services.grants.storage.partnerships import find_partnership
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError
from shared.forms import rows_of
from shared.names import folded, number
from shared.screening import alike
from shared.web.identity import Identity

LIST, IMPORT = "grants.exclusion.list", "grants.exclusion.import"
SCREEN, DECIDE = "grants.exclusion.screen", "grants.exclusion.decide"
ListId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{1,59}$")]


class ImportList(Command):
    """A file becomes the version in force of a list."""

    list: ListId
    name: Annotated[str, Field(min_length=1, max_length=200)]
    source: Annotated[str, Field(min_length=1, max_length=300)]
    dated: date
    columns: Columns = Columns()


class NameSubject(Command):
    """Somebody else on a case to be looked for; `version` is the screening's, 0 when there is none yet."""

    kind: Kind
    name: Annotated[str, Field(max_length=200)] = ""
    number: Annotated[str, Field(max_length=60)] = ""
    version: int


class DecideHit(Command):
    """Whether a hit is the one on the list, and what was compared."""

    same: bool
    reason: Annotated[str, Field(max_length=2000)] = ""
    version: int


class ScreenCase(Command):
    """Look at the lists now."""

    version: int = 0


class Imported(Command):
    """What an import came to: the list, and the cases with new hits."""

    list: ExclusionList
    new_hits: dict[str, int]


def import_list(uow: UnitOfWork, who: Identity | None, command: ImportList, content: bytes, file_name: str) -> Imported:
    """Put a new version in force, and look for everybody on live cases in what is new in it."""
    if who is not None:
        act_as(uow, POLICY.role_for(IMPORT, who))
    if command.dated > uow.now().date():
        raise InvalidError({"dated": "is in the future"})
    found = read(content, command.columns)
    known = lists(uow).find(command.list, for_update=True)
    kept = known or lists(uow).add(ExclusionList(id=command.list, name=command.name))
    place = len(kept.versions) + 1
    before = stored.fingerprints(uow.connection, kept.id, place - 1)
    now = {entry["fingerprint"] for entry in found.entries}
    actor = uow.context.actor
    kept.name = command.name
    kept.take(
        ListVersion(
            number=place,
            source=command.source,
            dated=command.dated,
            file_name=file_name[:150],
            sha256=found.sha256,
            rows=found.rows,
            taken=found.taken,
            refused=found.refused,
            refused_count=found.refused_count,
            added=len(now - before),
            dropped=len(before - now),
            by=actor.id,
            by_name=actor.name or actor.id,
            at=uow.now(),
        )
    )
    stored.put_entries(uow.connection, [{"list": kept.id, "list_version": place} | entry for entry in found.entries])
    return Imported(list=kept, new_hits=_again(uow, kept))


def _again(uow: UnitOfWork, changed: ExclusionList) -> dict[str, int]:
    """Look for everybody on live cases in a list that has changed; returns {case: new hits}."""
    index = [_Index(uow.connection, changed)]
    found = {}
    for application in stored.live(uow.connection):
        frame = Frame(uow.connection, application)
        subjects = _subjects(uow.connection, application, frame, stored.find_screening(uow.connection, application.id))
        hits = _hits(index, subjects, frame.call.exclusion.threshold, uow.now())
        known = stored.find_screening(uow.connection, application.id)
        new = known.unseen(hits) if known else hits
        if new:
            screening = _screening(uow, application)
            screening.screened(hits, _run(uow, "new list", index, subjects))
            found[application.id] = len(new)
    return found


class _Index:
    """The names of a list in force, to be compared."""

    def __init__(self, connection: Connection, of: ExclusionList) -> None:
        self.list, self.number = of, of.versions[-1].number
        self.rows = stored.entries(connection, of.id, self.number)
        self.keys = [row["key"] for row in self.rows]
        self.numbers: dict[str, int] = {row["number"]: place for place, row in enumerate(self.rows) if row["number"]}


def _indexes(connection: Connection) -> list[_Index]:
    return [_Index(connection, item) for item in stored.all_lists(connection) if item.versions]


def _hits(indexes: Sequence[_Index], subjects: Sequence[Subject], least: int, now: datetime) -> list[Hit]:
    found: dict[tuple[str, str, str], Hit] = {}
    for index in indexes:
        for subject in subjects:
            matches: list[tuple[int, int, str]] = []
            if subject.number and subject.number in index.numbers:
                matches.append((index.numbers[subject.number], 100, "number"))
            matches += [(place, score, "name") for place, score in alike(subject.key, index.keys, least)]
            for place, score, matched in matches:
                hit = _hit(index, place, subject, score, matched, now)
                if hit.what not in found or hit.score > found[hit.what].score:
                    found[hit.what] = hit
    return sorted(found.values(), key=lambda hit: (-hit.score, hit.subject, hit.list, hit.row))


def _hit(index: _Index, place: int, subject: Subject, score: int, matched: str, now: datetime) -> Hit:  # noqa: PLR0917
    row = index.rows[place]
    return Hit.model_validate(
        {
            "kind": subject.kind,
            "subject": subject.name or subject.number,
            "key": subject.key or subject.number,
            "list": index.list.id,
            "list_name": index.list.name,
            "list_version": index.number,
            "row": row["row"],
            "entry": row["name"],
            "entry_number": row["number"],
            "note": row["note"],
            "fingerprint": row["fingerprint"],
            "score": score,
            "matched": matched,
            "found_at": now,
        }
    )


def _subjects(
    connection: Connection, application: Application, frame: Frame, screening: Screening | None
) -> list[Subject]:
    """Return everybody named on a case: the applicant, its people, who the form names, whom officers added."""
    known = reads.find_organisation(connection, application.organisation)
    own = number((known["registration_number"] or "") if known else "")
    found = [_subject("applicant", application.organisation_name, own)]
    found += [_subject("person", name) for name in stored.applicants_of(connection, application.organisation)]
    for source in frame.call.exclusion.subjects:
        question, _, column = source.field.partition(".")
        asked = frame.call.questions.get(question)
        if asked and column:
            names = [row.get(column, "") for row in rows_of(asked, application.answers)]
        else:
            names = [application.answers.get(question, "")]
        found += [_subject(source.kind, name) for name in names if name.strip()]
    if partnership := find_partnership(connection, application.id):
        for partner in partnership.partners:
            found.append(_subject("partner", partner.name, partner.registration_number))
            found += [_subject("person", name) for name in partner.people]
    found += screening.subjects if screening else []
    return list({(item.key, item.number): item for item in reversed(found)}.values())[::-1]


def _subject(kind: Kind, name: str, given: str = "", by: str = "") -> Subject:
    return Subject(kind=kind, name=name.strip()[:200], key=folded(name)[:200], number=number(given), added_by_name=by)


def _screening(uow: UnitOfWork, application: Application, expected: int | None = None) -> Screening:
    found = screenings(uow).find(application.id, expected=expected or None, for_update=True)
    if found is not None:
        return found
    about = application.model_dump(include={"id", "programme", "title", "organisation_name", "officer"})
    return screenings(uow).add(Screening(**about))


def _run(uow: UnitOfWork, why: str, indexes: Sequence[_Index], subjects: Sequence[Subject]) -> Run:
    used = {index.list.id: index.number for index in indexes}
    return Run(at=uow.now(), why=why, lists=used, subjects=len(subjects), new_hits=0)


def screen(uow: UnitOfWork, application: Application, frame: Frame, why: str) -> Screening | None:
    """Look for everybody on a case in all lists, and keep what is found; nothing while there is no list."""
    indexes = _indexes(uow.connection)
    if not indexes:
        return None
    screening = _screening(uow, application)
    subjects = _subjects(uow.connection, application, frame, screening)
    hits = _hits(indexes, subjects, frame.call.exclusion.threshold, uow.now())
    screening.screened(hits, _run(uow, why, indexes, subjects))
    return screening


def must_be_clear(uow: UnitOfWork, application: Application, frame: Frame, act: str) -> None:
    """Refuse an act that the call names while a hit is not settled, or the lists have one that nobody has seen.

    The lists are looked at anew, now: what is refused is not kept, so the refusal asks to screen the case.
    """
    if act not in frame.call.exclusion.blocks:
        return
    screening = stored.find_screening(uow.connection, application.id)
    if held := unsettled(screening):
        raise ConflictError(held.message, **held.params)
    indexes = _indexes(uow.connection)
    subjects = _subjects(uow.connection, application, frame, screening)
    hits = _hits(indexes, subjects, frame.call.exclusion.threshold, uow.now())
    if new := screening.unseen(hits) if screening else hits:
        said = "The exclusion lists have hits that nobody has looked at: %(names)s. Screen the case first"
        raise ConflictError(said, names=", ".join(f"{hit.subject} ~ {hit.entry} ({hit.score})" for hit in new[:5]))


def look(uow: UnitOfWork, who: Identity, reference: str) -> Screening | None:
    """Look at the lists now, because somebody asks for it."""
    application, role = application_for(uow, who, SCREEN, reference)
    if application.submitted_at is None:
        raise ConflictError("The application is not handed in yet")
    act_as(uow, role)
    return screen(uow, application, Frame(uow.connection, application), "asked")


def name_subject(uow: UnitOfWork, who: Identity, reference: str, command: NameSubject) -> Screening:
    """Add somebody to be looked for, and look."""
    application, role = application_for(uow, who, SCREEN, reference)
    if not command.name and not command.number:
        raise InvalidError({"name": "is required: a name, or a registration or tax number"})
    by = act_as(uow, role)
    screening = _screening(uow, application, command.version)
    screening.name(_subject(command.kind, command.name, command.number, by.name))
    return screen(uow, application, Frame(uow.connection, application), "named") or screening


def decide(uow: UnitOfWork, who: Identity, reference: str, place: int, command: DecideHit) -> Screening:
    """Say whether a hit is the one on the list."""
    application, role = application_for(uow, who, DECIDE, reference)
    by = act_as(uow, role, command.reason or None)
    screening = screenings(uow).get(application.id, expected=command.version)
    screening.decide(place, same=command.same, reason=command.reason, by=by, now=uow.now())
    return screening


def view(screening: Screening | None, reference: str) -> dict[str, Any]:
    """Return what was found as JSON types; a case that was never screened has none."""
    if screening is None:
        return {"id": reference, "version": 0, "hits": [], "subjects": [], "runs": []}
    return screening.model_dump(mode="json")
