"""Exclusion lists and their versions; what a case's screening found, and what a person decided of each hit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, ClassVar, Literal

from services.grants.domain.application import Person
from services.grants.domain.parties import parties_of
from shared.entity import Entity, Part
from shared.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from shared.events.grants.exclusion import CaseScreened, HitDecided, ListImported, SubjectAdded
from shared.workflow.requirements import Sentence

Kind = Literal["applicant", "partner", "person", "supplier"]
MAX_SUBJECTS, MAX_RUNS, MAX_HITS, MAX_REFUSED = 60, 30, 300, 200
UNSETTLED = "Hits on exclusion lists: %(open)s to be decided, %(same)s confirmed"


class RefusedRow(Part):
    """A row of an imported file that was not taken, and why."""

    row: int
    rule: str


class ListVersion(Part):
    """One import: what of its file was taken, and how it differs from the version before."""

    number: int
    source: str
    dated: date
    file_name: str
    sha256: str
    rows: int
    taken: int
    refused: list[RefusedRow] = []
    refused_count: int = 0
    added: int = 0
    dropped: int = 0
    by: str
    by_name: str
    at: datetime


class ExclusionList(Entity):
    """A list of organisations and people that may get no money, in versions. Its id is chosen by whoever imports it."""

    KIND: ClassVar[str] = "exclusion_list"

    name: str
    versions: list[ListVersion] = []

    def take(self, version: ListVersion) -> None:
        """Put a new version in force; earlier ones stay readable."""
        last = self.versions[-1] if self.versions else None
        if last and last.sha256 == version.sha256:
            raise ConflictError("This file is version %(number)s of the list already", number=last.number)
        if last and version.dated < last.dated:
            raise InvalidError({"dated": "is older than the version in force"})
        self.versions = [*self.versions, version]
        self.record(
            ListImported(
                list_id=self.id,
                list_name=self.name,
                list_version=version.number,
                refused=version.refused_count,
                publisher=version.source,
                **version.model_dump(include={"dated", "sha256", "taken", "added", "dropped"}),
            )
        )


class Subject(Part):
    """Somebody named on a case. `key` and `number` are as names and numbers are compared."""

    kind: Kind
    name: str
    key: str
    number: str = ""
    added_by_name: str = ""


class Hit(Part):
    """Somebody on a case who is like an entry of a list; `score` 0 to 100, by name or by number."""

    number: int = 0
    kind: Kind
    subject: str
    key: str
    list: str
    list_name: str
    list_version: int
    row: int
    entry: str
    entry_number: str = ""
    note: str = ""
    fingerprint: str
    score: int
    matched: Literal["name", "number"]
    status: Literal["open", "same", "different"] = "open"
    reason: str = ""
    decided_by: str | None = None
    decided_by_name: str | None = None
    decided_at: datetime | None = None
    found_at: datetime

    @property
    def what(self) -> tuple[str, str, str]:
        """Return what makes two hits the same: the same entry, for the same subject."""
        return (self.key, self.list, self.fingerprint)


class Run(Part):
    """One look at the lists."""

    at: datetime
    why: str
    lists: dict[str, int]
    subjects: int
    new_hits: int


class Screening(Entity):
    """What the lists say of everybody named on a case. Its id is the application's reference."""

    KIND: ClassVar[str] = "screening"
    PRIVATE: ClassVar[frozenset[str]] = frozenset({"subjects", "hits"})

    programme: str
    title: str
    organisation_name: str
    officer: str | None = None
    subjects: list[Subject] = []
    hits: list[Hit] = []
    runs: list[Run] = []

    def case(self) -> str:
        return self.id

    def programme_id(self) -> str:
        return self.programme

    def parties(self) -> dict[str, list[str]]:
        return parties_of(None, self.officer)

    def count(self, status: str) -> int:
        """Return how many hits stand so."""
        return sum(1 for hit in self.hits if hit.status == status)

    def _facts(self, *notify: str) -> dict[str, Any]:
        return {
            "reference": self.id,
            "title": self.title,
            "organisation_name": self.organisation_name,
            "notify": list(notify),
        }

    def unseen(self, found: Sequence[Hit]) -> list[Hit]:
        """Return those hits that nobody could look at yet."""
        known = {hit.what for hit in self.hits}
        return [hit for hit in found if hit.what not in known]

    def screened(self, found: Sequence[Hit], run: Run) -> None:
        """Keep the hits that are new; what a person decided stays decided while the entry stays as it was."""
        new = self.unseen(found)[: MAX_HITS - len(self.hits)]
        first = len(self.hits) + 1
        numbered = [hit.model_copy(update={"number": place}) for place, hit in enumerate(new, first)]
        self.hits = [*self.hits, *numbered]
        self.runs = [*self.runs, run.model_copy(update={"new_hits": len(new)})][-MAX_RUNS:]
        facts = self._facts(*(["officer"] if new else []))
        counts = {"new_hits": len(new), "open_hits": self.count("open")}
        self.record(CaseScreened(**facts, **counts, why=run.why, lists=run.lists, subjects=run.subjects))

    def name(self, subject: Subject) -> None:
        """Add somebody to be looked for."""
        if len(self.subjects) >= MAX_SUBJECTS:
            raise ConflictError("At most %(most)s names can be added to a case", most=MAX_SUBJECTS)
        if any((item.key, item.number) == (subject.key, subject.number) for item in self.subjects):
            raise ConflictError("That name is on the case already")
        self.subjects = [*self.subjects, subject]
        self.record(SubjectAdded(**self._facts(), subject_kind=subject.kind))

    def decide(self, number: int, *, same: bool, reason: str, by: Person, now: datetime) -> None:
        """Say whether a hit is the one on the list. A decision is changed by another person only."""
        hit = next((item for item in self.hits if item.number == number), None)
        if hit is None:
            raise NotFoundError("There is no such hit")
        if not reason.strip():
            raise InvalidError({"reason": "is required: say what you compared"})
        if hit.status != "open" and hit.decided_by == by.id:
            raise ForbiddenError("You decided this hit; another person must change that")
        update = {"status": "same" if same else "different", "reason": reason, "decided_at": now}
        decided = hit.model_copy(update=update | {"decided_by": by.id, "decided_by_name": by.name})
        self.hits = [decided if item.number == number else item for item in self.hits]
        self.record(HitDecided(**self._facts(), hit=number, list_id=hit.list, same=same, reason=reason))


def unsettled(screening: Screening | None) -> Sentence | None:
    """Return the sentence that keeps a case where it is: hits that are open or confirmed."""
    if screening is None:
        return None
    still, same = screening.count("open"), screening.count("same")
    return Sentence(UNSETTLED, code="exclusion-hits", open=still, same=same) if still or same else None
