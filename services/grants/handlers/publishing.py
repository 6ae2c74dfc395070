"""Publishing a programme's agreements as open data: the draft with what is wrong in it, the file that goes out.

A page lists each record with the rules it breaks. Whoever publishes decides whether one bad record stops the file or
stays outside of it; the file is kept by its hash, with who and when and what was left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any, get_args
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from services.grants.domain.application import Application, Person
from services.grants.domain.award import Award
from services.grants.domain.cofinancing import CoFinancing
from services.grants.domain.publishing import (
    Draft,
    Entry,
    Format,
    Invalid,
    Node,
    Party,
    Problem,
    Publication,
    Record,
    Statement,
    Stored,
    flat,
    giving,
    iati,
    iati_rules,
    may_publish,
    of_award,
    of_cofinancing,
    stated_facts,
)
from services.grants.handlers.base import Command, act_as, pack_of
from services.grants.policy import POLICY
from services.grants.storage import publishing as stored
from services.grants.storage import reads
from services.grants.storage.results import results_of
from shared.database import UnitOfWork
from shared.documents import DocumentStore
from shared.errors import InvalidError, NotFoundError
from shared.events.publishing_facts import PublishingFacts
from shared.exports import giving as giving_check
from shared.exports import iati as iati_check
from shared.exports.tables import Column, Table, csv_pieces
from shared.web.identity import Identity

READ, PUBLISH, STATE = "grants.publication.read", "grants.publication.publish", "grants.publication.state"
FORMATS: tuple[Format, ...] = get_args(Format)
JSON, XML, CSV = "application/json", "application/xml", "text/csv"


class Publish(Command):
    """Somebody wants the draft that they saw (`seen`, its fingerprint) published."""

    invalid: Invalid = "refuse"
    seen: str = ""


class StateFacts(Command):
    """Somebody states what the programme's files say of it; `version` is that of what was stated before, 0 at first."""

    facts: PublishingFacts
    version: int


class Programme:
    """What is known of a programme for publishing: its names, where it works, what it and its staff state."""

    def __init__(self, connection: Connection, programme: str) -> None:
        version = reads.latest_pack(connection, programme)
        if version is None:
            raise NotFoundError("There is no such programme")
        self.id = programme
        self.pack: Mapping[str, Any] = reads.pack_content(connection, programme, version).get("programme", {})
        self.statement = stored.find_statement(connection, programme)
        self.facts = stated_facts(self.pack, self.statement)
        self.names: Mapping[str, str] = self.pack.get("name") or {}
        goal = self.pack.get("goal") or {}
        self.description = str(goal.get("en") or next(iter(goal.values()), ""))
        calls = pack_of(connection, programme, version).calls.values()
        self.indicators = {item.id: item for call in calls for item in call.indicators}
        self.zone = ZoneInfo((self.pack.get("settings") or {}).get("timezone", "UTC"))


def seen_by(connection: Connection, who: Identity, programme: str, action: str = READ) -> str:
    """Return the role in which `who` may do `action` in a programme; raises NotFoundError where it has none."""
    role = POLICY.role_for(action, who, programme=programme)
    if reads.latest_pack(connection, programme[:80]) is None:
        raise NotFoundError("There is no such programme")
    return role


def records(connection: Connection, programme: Programme) -> Iterator[Record]:
    """Give each concluded agreement of a programme as the public may see it."""
    results, chosen = results_of(connection, programme.id, programme.indicators), programme.facts.description_from
    for row in stored.awards_concluded(connection, programme.id):
        award, application = Award.model_validate(row.award), Application.model_validate(row.application)
        party = Party(id=award.organisation, name=award.organisation_name, country=row.country)
        changed = max(row.changed_at, row.moved_at)
        found = of_award(
            award,
            application,
            party,
            programme.zone,
            changed,
            description_from=chosen,
            results=results.get(award.id, ()),
        )
        if found:
            yield found
    for row in stored.cofinancings_agreed(connection, programme.id):
        case = CoFinancing.model_validate(row.case)
        party = Party(id=case.organisation, name=case.organisation_name, country=row.country)
        if firm := of_cofinancing(case, party, programme.zone, row.changed_at):
            yield firm


def draft(connection: Connection, programme: Programme, chosen: Format, now: datetime) -> Draft:
    """Return what would be published now, each record with every rule that it breaks."""
    today, known = now.astimezone(programme.zone).date(), list(records(connection, programme))
    entries = tuple(_entry(record, programme, chosen, today) for record in known)
    whole = Draft(programme.id, chosen, entries)
    if chosen == "360giving":
        return whole
    good = {item.reference for item in whole.good}
    head = _head(programme, [record for record in known if record.id in good], today)
    return Draft(programme.id, chosen, entries, head)


def _entry(record: Record, programme: Programme, chosen: Format, today: date) -> Entry:
    facts = programme.facts
    content: dict[str, Any] | Node
    if chosen == "360giving":
        problems = giving.lacking(record, facts)
        content = giving.grant(record, facts, programme.id, programme.names)
        problems = problems or _refused(giving_check.grant_problems(content))
    else:
        problems = iati.lacking(record, facts)
        content = iati.activity(record, facts, programme.id, today=today)
        problems = problems or [*iati_rules.problems(content, today), *_refused(iati_check.schema_problems(content))]
    paid = giving.disbursed(record)
    return Entry(record.id, record.title, record.path, content, tuple(problems), record.amount, paid)


def _head(programme: Programme, good: list[Record], today: date) -> Entry:
    facts, at = programme.facts, max((record.changed_at for record in good), default=None)
    problems = iati.programme_lacks(facts, programme.description)
    content = iati.programme(facts, programme.id, programme.names, programme.description, good, today=today, at=at)
    if not problems:
        problems = [*iati_rules.problems(content, today), *_refused(iati_check.schema_problems(content))]
    title = programme.names.get("en") or programme.id
    return Entry(programme.id, title, facts_path(programme.id), content, tuple(problems))


def _refused(found: list[tuple[str, Any, str]]) -> list[Problem]:
    return [Problem(field, rule, value, "record") for field, rule, value in found]


def facts_path(programme: str) -> str:
    """Return the page on which a programme's facts are stated."""
    return f"/grants/publishing/{programme}/facts"


def last_records(store: DocumentStore, last: Publication | None) -> dict[str, dict[str, str]]:
    """Return {reference: {place: value}} of the records of a published file, as its kept bytes say."""
    if last is None:
        return {}
    content = store.get(last.files[0].sha256)
    if last.format == "360giving":
        grants = json.loads(content)["grants"]
        return {name: dict(flat(item)) for name, item in zip(last.records, grants, strict=True)}
    nodes = iati_check.read(content, lambda name, given, inside, text: Node(name, given, tuple(inside), text))
    return {name: dict(item.flat()) for name, item in zip([last.programme, *last.records], nodes, strict=True)}


def make_public(
    uow: UnitOfWork, who: Identity, programme: str, chosen: Format, command: Publish, *, store: DocumentStore
) -> Publication:
    """Publish what is good of a programme's agreements, and keep the files by their hashes."""
    role = seen_by(uow.connection, who, programme, PUBLISH)
    return make_public_as(uow, act_as(uow, role), programme, chosen, command, store=store)


def make_public_as(
    uow: UnitOfWork, by: Person, programme: str, chosen: Format, command: Publish, *, store: DocumentStore
) -> Publication:
    """Publish in the name of `by`, whose right to do so has been looked at."""
    stored.one_at_a_time(uow.connection, programme, chosen)
    known, now = Programme(uow.connection, programme), uow.now()
    made = draft(uow.connection, known, chosen, now)
    past = stored.publications_of(uow.connection, programme, chosen, limit=1)
    last = past[0] if past else None
    may_publish(made, last, invalid=command.invalid, seen=command.seen)
    number = last.number + 1 if last else 1
    files = [
        Stored(name=name, media_type=kind, sha256=store.keep(content), size=len(content))
        for name, kind, content in written(made, known, now, number)
    ]
    return stored.publications(uow).add(
        Publication.make(made, files, reference=str(uow.ids()), number=number, by=by, now=now)
    )


def written(made: Draft, programme: Programme, now: datetime, number: int) -> Iterator[tuple[str, str, bytes]]:
    """Give (name, media type, bytes) of each form of the file that holds what is good of a draft."""
    stem = f"{programme.id}-{made.format}-{number:04d}"
    if made.head:
        nodes = [item.content for item in (made.head, *made.good) if isinstance(item.content, Node)]
        yield f"{stem}.xml", XML, iati_check.written(nodes, generated=giving.stamp(now))
        return
    grants = [item.content for item in made.good if isinstance(item.content, dict)]
    package = giving.package(grants, programme.facts, programme.id, programme.names, now)
    if wrong := giving_check.package_problems(package):
        raise AssertionError(f"the package breaks its own schema: {wrong[0]}")
    yield f"{stem}.json", JSON, json.dumps(package, ensure_ascii=False, indent=2).encode()
    columns = [Column(name, "money" if name.startswith("Amount") else "text") for name, _ in giving.COLUMNS]
    table = Table("grants", columns, [giving.row(grant) for grant in grants])
    yield f"{stem}.csv", CSV, b"".join(csv_pieces(table))


def file_seen(connection: Connection, who: Identity, publication_id: str, kind: str) -> Stored:
    """Return one of the files of a publication; raises NotFoundError for who may not know of it."""
    found = stored.find_publication(connection, publication_id[:80])
    if found is None:
        POLICY.require(READ, who)
        raise NotFoundError("There is no such record")
    POLICY.role_for(READ, who, programme=found.programme)
    file = found.file(kind)
    if file is None:
        raise NotFoundError("This publication has no file of that kind")
    return file


def state_facts(uow: UnitOfWork, who: Identity, programme: str, command: StateFacts) -> Statement:
    """Keep what a programme states of itself; raises InvalidError where it contradicts itself."""
    role = seen_by(uow.connection, who, programme, STATE)
    act_as(uow, role)
    if wrong := command.facts.misfits():
        raise InvalidError(wrong)
    known = stored.statements(uow)
    statement = known.find(programme, expected=command.version, for_update=True)
    if statement is None:
        statement = known.add(Statement(id=programme))
    statement.state_facts(command.facts)
    return statement
