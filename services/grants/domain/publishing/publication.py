"""A file that was published, and what a programme states of itself for its files."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Literal

from services.grants.domain.application import Person
from services.grants.domain.publishing.draft import Draft, totals
from services.grants.domain.publishing.problems import Format
from shared.entity import Entity, Part
from shared.errors import ConflictError, InvalidError
from shared.events.grants.publishing import DataPublished, PublishingFactsStated
from shared.events.publishing_facts import PublishingFacts
from shared.money import Money

Invalid = Literal["refuse", "leave_out"]


class LeftOut(Part):
    """A record that was not published, and the rules that it broke then."""

    reference: str
    problems: list[dict[str, str]]


class Stored(Part):
    """One form of a published file, kept by its hash."""

    name: str
    media_type: str
    sha256: str
    size: int


class Publication(Entity):
    """One publication: its files are kept by hash and never change, nor does what was left out."""

    KIND: ClassVar[str] = "publication"

    programme: str
    format: Format
    number: int
    files: list[Stored]
    records: list[str]
    left_out: list[LeftOut]
    totals: list[Money]
    fingerprint: str
    published_by: str
    published_by_name: str
    published_at: datetime

    def programme_id(self) -> str:
        return self.programme

    @classmethod
    def make(
        cls, draft: Draft, files: list[Stored], *, reference: str, number: int, by: Person, now: datetime
    ) -> Publication:
        """Return the publication of a draft, and tell it."""
        made = cls(
            id=reference,
            programme=draft.programme,
            format=draft.format,
            number=number,
            files=files,
            records=[item.reference for item in draft.good],
            left_out=[LeftOut(reference=i.reference, problems=[p.plain() for p in i.problems]) for i in draft.bad],
            totals=[item.agreed for item in totals(draft.good).values()],
            fingerprint=draft.fingerprint(),
            published_by=by.id,
            published_by_name=by.name,
            published_at=now,
        )
        made.record(
            DataPublished(
                programme_id=draft.programme,
                format=draft.format,
                number=number,
                sha256=files[0].sha256,
                size=files[0].size,
                records=made.records,
                left_out=[item.reference for item in made.left_out],
                totals=made.totals,
            )
        )
        return made

    def file(self, name: str) -> Stored | None:
        """Return one of the files by the end of its name: json, csv, xml."""
        return next((item for item in self.files if item.name.endswith(f".{name}")), None)


def may_publish(draft: Draft, last: Publication | None, *, invalid: Invalid, seen: str) -> None:
    """Raise what keeps a draft from being published: it changed, nothing is new, something is wrong, nothing is right.

    `seen` is the fingerprint of the draft that whoever publishes has looked at; empty where nobody looked before.
    """
    if seen and seen != draft.fingerprint():
        raise ConflictError("The records have changed since you looked; nothing was published. Look again")
    if draft.bad and (invalid == "refuse" or not draft.good):
        # A programme may have thousands: the first are named, the page lists all.
        raise InvalidError(
            {item.reference: f"{item.problems[0].field}: {item.problems[0].rule}" for item in draft.bad[:50]},
            "%(bad)s of %(all)s records can't be published; nothing was",
            bad=len(draft.bad),
            all=len(draft.entries) + (1 if draft.head else 0),
        )
    if not draft.good:
        raise ConflictError("There is no concluded agreement to publish yet")
    if last and last.fingerprint == draft.fingerprint():
        raise ConflictError(
            "Nothing has changed since publication %(number)s by %(who)s",
            number=last.number,
            who=last.published_by_name,
        )


class Statement(Entity):
    """What a programme's staff state where its pack does not: identifiers, sectors, donors. One for a programme."""

    KIND: ClassVar[str] = "publisher"

    stated: dict[str, Any] = {}

    def programme_id(self) -> str:
        return self.id

    def state_facts(self, facts: PublishingFacts) -> None:
        """Keep what is stated now; nothing is recorded when nothing changed."""
        given = facts.model_dump(mode="json", exclude_defaults=True)
        changed = sorted(name for name in given.keys() | self.stated.keys() if given.get(name) != self.stated.get(name))
        if changed:
            self.stated = given
            self.record(PublishingFactsStated(programme_id=self.id, fields=changed))


def stated_facts(pack: Mapping[str, Any], statement: Statement | None) -> PublishingFacts:
    """Return what a programme states: what its pack says, over it what its staff stated."""
    given = dict(pack.get("publishing") or {})
    return PublishingFacts.model_validate(given | (statement.stated if statement else {}))
