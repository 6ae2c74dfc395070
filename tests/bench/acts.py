"""The act that is measured: an officer takes a case. One transaction: the case's row, its event in the outbox."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection, Engine, MetaData, text

from shared.clock import new_id, utc_now
from shared.database import Context, Repository, UnitOfWork, entity_table
from shared.entity import Entity
from shared.events import Actor
from shared.events.grants.application import OfficerAssigned

SOURCE = "grants"
CASES = 1999  # a prime, so that acts of different processes seldom meet at one case
TABLE = entity_table("bench_case", MetaData())


class Case(Entity):
    """As much of an application as one act needs."""

    KIND = "application"

    title: str
    organisation_id: str = "chamber-of-crafts"
    organisation_name: str = "Chamber of Crafts"
    stage: str = "screening"
    amount: str = "17200.00"
    officer_id: str | None = None
    officer_name: str | None = None

    def assign(self, number: int) -> None:
        """Give the case to an officer."""
        self.officer_id, self.officer_name = f"user:{number % 40:036d}", f"Person Number{number % 40}"
        self.record(
            OfficerAssigned(
                reference=self.id,
                title=self.title,
                call="digital-2026",
                organisation_id=self.organisation_id,
                organisation_name=self.organisation_name,
                notify=["applicant"],
                officer_id=self.officer_id,
                officer_name=self.officer_name,
            )
        )

    def parties(self) -> dict[str, list[str]]:
        officers = [self.officer_id] if self.officer_id else []
        return {"applicant": [f"org:{self.organisation_id}"], "officer": officers}

    def case(self) -> str | None:
        return self.id

    def programme_id(self) -> str | None:
        return "business-ecosystem"


def reference_of(number: int) -> str:
    """Return the case that the act of this number is about; neighbours in number are strangers."""
    return f"BSO-2026-{number * 7919 % CASES:05d}"


def act(engine: Engine, number: int) -> UUID:
    """Commit one act; returns the id of its event."""
    event_id = new_id()
    person = number % 40
    actor = Actor(id=f"user:{person:036d}", name=f"Person Number{person}", role="officer", organisation="office")
    with UnitOfWork(engine, SOURCE, Context(actor=actor), ids=lambda: event_id) as uow:
        Repository(uow, TABLE, Case).get(reference_of(number)).assign(number)
    return event_id


def acts(engine: Engine, number: int, together: int) -> list[UUID]:
    """Commit so many acts at once, as an act on many cases does; returns the ids of their events."""
    made: list[UUID] = []

    def next_id() -> UUID:
        made.append(new_id())
        return made[-1]

    actor = Actor(id="user:bulk", name="Person Bulk", role="officer", organisation="office")
    with UnitOfWork(engine, SOURCE, Context(actor=actor), ids=next_id) as uow:
        cases = Repository(uow, TABLE, Case)
        for one in range(number * together, (number + 1) * together):
            cases.get(reference_of(one)).assign(one)
    return made


def make_cases(owner: Connection) -> None:
    """Make the table of cases, as its owner, with its rows, and one for the moments at which acts were committed."""
    TABLE.create(owner)
    owner.execute(text("CREATE TABLE bench_committed (event_id uuid, at timestamptz)"))
    now = utc_now()
    common = {"version": 1, "created_at": now, "updated_at": now, "updated_by": "x", "updated_by_name": "x"}
    cases = [Case(id=reference_of(number), title=f"Crafts of valley {number}") for number in range(CASES)]
    owner.execute(
        TABLE.insert(), [common | {"id": case.id, "state": case.state(), "last_changes": {}} for case in cases]
    )
