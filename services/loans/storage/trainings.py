"""Trainings and diagnostics: how they are stored, what each person has learned, and their lists."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, or_, select, tuple_

from services.loans.domain.diagnostic import Diagnostic
from services.loans.domain.lessons import Lesson
from services.loans.domain.training import Key, Training
from services.loans.storage.firm_tables import attendance, diagnostic, firm, training
from services.loans.storage.queries import light_columns
from services.loans.storage.tables import proposal
from shared.database import Repository, UnitOfWork
from shared.web.paging import Page, decode_cursor, page_of

MOST_TAKEN, MOST_FIRMS = 40, 200


def _training(item: Training) -> dict[str, Any]:
    names = ("programme", "organisation", "organisation_name", "stage", "starts", "ends")
    return {name: getattr(item, name) for name in names} | {"course": item.course.code, "people": len(item.seats)}


def trainings(uow: UnitOfWork) -> Repository[Training]:
    return Repository(uow, training, Training, _training)


def _diagnostic(item: Diagnostic) -> dict[str, Any]:
    return {name: getattr(item, name) for name in ("programme", "organisation", "questionnaire", "taken_on", "score")}


def diagnostics(uow: UnitOfWork) -> Repository[Diagnostic]:
    return Repository(uow, diagnostic, Diagnostic, _diagnostic)


def taken(uow: UnitOfWork, organisation: str, questionnaire: str) -> list[Diagnostic]:
    """Return the takings of a questionnaire by a firm, the newest first, at most MOST_TAKEN."""
    c = diagnostic.c
    asked = (c.organisation == organisation, c.questionnaire == questionnaire)
    found = diagnostics(uow).where(*asked, order_by=c.created_at.desc(), limit=MOST_TAKEN)
    return sorted(found, key=lambda item: item.taken_on, reverse=True)


def keep_attendance(uow: UnitOfWork, item: Training) -> None:
    """Write what each person has learned from a training anew, in the same transaction."""
    uow.flush()  # the training's own row comes first
    uow.connection.execute(delete(attendance).where(attendance.c.training == item.id))
    rows = [
        {
            "training": item.id,
            "topic": item.course.topic,
            "held_on": item.ends,
            **{name: getattr(seat, name) for name in ("organisation", "person", "role", "hours", "passed_on")},
            "valid_until": seat.valid_until,
        }
        for seat in item.seats
    ]
    if rows:
        uow.connection.execute(insert(attendance), rows)


def lessons_of(connection: Connection, organisations: Collection[str]) -> list[Lesson]:
    """Return what people of firms have learned; a firm's own when one is asked for."""
    return [lesson for _, lesson in lessons_by_firm(connection, organisations)]


def lessons_by_firm(connection: Connection, organisations: Collection[str]) -> list[tuple[str, Lesson]]:
    """Return (firm, lesson) of several firms in one statement."""
    c = attendance.c
    query = select(c.organisation, c.person, c.role, c.topic, c.held_on, c.hours, c.passed_on)
    rows = connection.execute(query.where(c.organisation.in_(organisations)).order_by(c.held_on, c.training))
    return [(row.organisation, Lesson(*row[1:])) for row in rows]


def training_rows(
    connection: Connection, programmes: Sequence[str], cursor: str | None = None, limit: int = 50
) -> Page[Row[Any]]:
    """Return the trainings of programmes, the latest start first."""
    c = training.c
    title = c.state["course"]["name"].label("names")
    query = select(*light_columns(training), title).where(c.programme.in_(programmes))
    seen = decode_cursor(cursor, 2)
    if seen is not None:
        query = query.where(tuple_(c.starts, c.id) < tuple_(date.fromisoformat(seen[0]), seen[1]))
    rows: list[Row[Any]] = list(connection.execute(query.order_by(c.starts.desc(), c.id.desc()).limit(limit + 1)))
    return page_of(rows, limit, lambda row: (row.starts.isoformat(), row.id))


def names_of(connection: Connection, organisations: Collection[str]) -> dict[Key, str]:
    """Return the names of firms' people; an erased one has none."""
    query = select(firm.c.id, firm.c.state["people"].label("people")).where(firm.c.id.in_(organisations))
    return {(row.id, item["number"]): item["name"] for row in connection.execute(query) for item in row.people or []}


def people_of(
    connection: Connection, *, own: str = "", adviser: str = "", programmes: Sequence[str] = ()
) -> list[tuple[str, str, dict[str, Any]]]:
    """Return (firm, its name, person) of those who can be enrolled: of a firm, of those advised, of programmes."""
    advised = select(proposal.c.organisation).where(proposal.c.supporter == adviser)
    whose = or_(firm.c.id == own, firm.c.id.in_(advised), firm.c.programme.in_(programmes))
    query = select(firm.c.id, firm.c.name, firm.c.state["people"].label("people")).where(whose)
    rows = connection.execute(query.order_by(firm.c.name, firm.c.id).limit(MOST_FIRMS))
    return [(row.id, row.name, item) for row in rows for item in row.people or [] if not item["erased"]]


def seats_of(connection: Connection, organisation: str) -> list[Row[Any]]:
    """Return what a firm's people have attended, the newest first, with the training's course and stage."""
    c, t = attendance.c, training.c
    names = t.state["course"]["name"].label("names")
    query = select(c.training, c.person, c.role, c.held_on, c.hours, c.passed_on, c.valid_until, names, t.stage)
    query = query.join_from(attendance, training, t.id == c.training).where(c.organisation == organisation)
    return list(connection.execute(query.order_by(c.held_on.desc(), c.training, c.person).limit(200)))
