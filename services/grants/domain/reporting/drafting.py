"""A report until it is handed in: scheduled, written, its costs and documents entered; reminded of when it is due."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, ClassVar, Literal, Self

from services.grants.domain.application import Document, Person
from services.grants.domain.parties import parties_of
from services.grants.domain.reporting.costs import ZERO, Cost, CostEntry, total_of
from services.grants.domain.reporting.results import Figure, Target
from services.grants.domain.reporting.schedule import Planned
from shared.entity import Entity, Part
from shared.errors import ConflictError, InvalidError, NotFoundError, Rule
from shared.events.grants.report import (
    CostsEntered,
    ReportCancelled,
    ReportDocumentAdded,
    ReportDocumentRemoved,
    ReportOverdue,
    ReportReminded,
    ReportRescheduled,
    ReportSaved,
    ReportScheduled,
)
from shared.money import Amount, Money

Status = Literal["draft", "submitted", "returned", "accepted", "cancelled"]
COSTS, INDICATORS, DOCUMENTS = "costs", "indicators", "documents"
MAX_COSTS = 500
MAX_DOCUMENTS = 60
MAX_TEXT = 20_000


class HandedIn(Part):
    """One version of a report as it was handed in, and what became of it."""

    at: datetime
    by: str
    by_name: str
    answers: dict[str, str]
    entries: dict[str, str]
    explanations: dict[str, str]
    costs: list[Cost]
    documents: list[Document]
    outcome: Literal["", "returned", "accepted"] = ""
    parts: list[str] = []
    why: str = ""
    decided_by_name: str = ""
    decided_at: datetime | None = None


class Draft(Entity):
    """A report of a grant. Its id is the application's reference with its number, such as BSO-2026-0041-R1."""

    KIND: ClassVar[str] = "report"
    # What the recipient wrote, and whom it paid, stay in the service.
    PRIVATE: ClassVar[frozenset[str]] = frozenset(
        {"answers", "entries", "explanations", "costs", "documents", "handed", "figures"}
    )

    application: str
    programme: str
    call: str
    pack_version: int
    title: str
    organisation: str
    organisation_name: str
    officer: str | None = None
    currency: str
    starts_on: date
    ends_on: date
    number: int
    kind: Literal["periodic", "final"]
    period_from: date
    period_to: date
    due: date
    remind: tuple[int, ...] = ()
    remind_on: date | None = None
    targets: dict[str, Target] = {}
    status: Status = "draft"
    answers: dict[str, str] = {}
    entries: dict[str, str] = {}
    explanations: dict[str, str] = {}
    costs: list[Cost] = []
    last_cost: int = 0
    documents: list[Document] = []
    # What is open again after a return or for a correction; empty while all is.
    asked: list[str] = []
    why: str = ""
    handed: list[HandedIn] = []
    submitted_by: str | None = None
    submitted_at: datetime | None = None
    review_due: date | None = None
    review_told: bool = False
    # What was accepted last: it stands while a correction is written.
    figures: dict[str, Figure] = {}
    accepted_version: int = 0
    accepted_at: datetime | None = None
    accepted_by: str | None = None
    accepted_by_name: str = ""
    # What of the accepted costs stands in the ledger: of the grant, and of the recipient's own share.
    posted_grant: Amount = ZERO
    posted_own: Amount = ZERO

    def case(self) -> str:
        return self.application

    def programme_id(self) -> str:
        return self.programme

    def parties(self) -> dict[str, list[str]]:
        return parties_of(self.organisation, self.officer, "manager", "finance")

    @property
    def open(self) -> bool:
        """Return whether the recipient may write in it."""
        return self.status in {"draft", "returned"}

    def claimed(self) -> Money:
        """Return what its costs come to as they were claimed."""
        return total_of(self.costs, self.currency)

    def late(self, today: date) -> bool:
        """Return whether it should have been handed in before `today`."""
        return self.open and self.due < today

    def _facts(self, *notify: str) -> dict[str, Any]:
        names = ("application", "title", "organisation_name", "period_from", "period_to", "due")
        about = {name: getattr(self, name) for name in names}
        about |= {"reference": about.pop("application"), "report_kind": self.kind, "organisation_id": self.organisation}
        return about | {"report_id": self.id, "report": self.number, "notify": list(notify)}

    # --- its days ---

    @classmethod
    def schedule(cls, plan: Planned, today: date, **fields: Any) -> Self:
        """Return a new report that the agreement asks for."""
        report = cls(**fields, **plan.model_dump())
        report.remind_on = report.next_reminder(today)
        report.record(ReportScheduled(**report._facts("applicant")))
        return report

    def replan(self, plan: Planned, today: date, *, ends_on: date, targets: dict[str, Target]) -> None:
        """Take over the days of a changed agreement; a report that was handed in keeps its own."""
        if not self.open:
            return
        changed = {name: value for name, value in plan if getattr(self, name) != value}
        if not changed and ends_on == self.ends_on and targets == self.targets:
            return
        for name, value in changed.items():
            setattr(self, name, value)
        self.ends_on, self.targets = ends_on, targets
        self.remind_on = self.next_reminder(today)
        self.record(ReportRescheduled(**self._facts("applicant")))

    def cancel(self) -> None:
        """Ask for it no more; what was handed in stays."""
        if self.status == "draft":
            self.status, self.remind_on = "cancelled", None
            self.record(ReportCancelled(**self._facts("applicant")))

    def next_reminder(self, today: date) -> date | None:
        """Return the next day after `today` on which to remind the recipient."""
        days = [self.due + timedelta(days=offset) for offset in self.remind]
        return next((day for day in sorted(days) if day > today), None) if self.open else None

    def call_in(self, today: date) -> None:
        """Remind the recipient if that is due; however long nobody looked, it is one letter."""
        if not self.open or self.remind_on is None or self.remind_on > today:
            return
        self.remind_on = self.next_reminder(today)
        left = (self.due - today).days
        if left >= 0:
            self.record(ReportReminded(**self._facts("applicant"), days_left=left))
        else:
            self.record(ReportOverdue(**self._facts("applicant", "officer"), days_late=-left))

    # --- what is written in it ---

    def may_change(self, part: str) -> bool:
        """Return whether a part is open: all of a draft, later what was named."""
        return self.status == "draft" or (self.status == "returned" and part in self.asked)

    def must_be_open(self, part: str) -> None:
        """Raise ConflictError when the recipient may not change a part now."""
        if not self.open:
            raise ConflictError("The report is %(status)s; it can't be rewritten", status=self.status)
        if not self.may_change(part):
            raise ConflictError("This part of the report was not asked for; it stays as it is")

    def save(
        self, answers: Mapping[str, str], entries: Mapping[str, str], explanations: Mapping[str, str]
    ) -> list[str]:
        """Keep what was written; returns the names of what changed, and records nothing when nothing did."""
        if not self.open:
            raise ConflictError("The report is %(status)s; it can't be rewritten", status=self.status)
        changed: list[str] = []
        for name, given in (("answers", answers), ("entries", entries), ("explanations", explanations)):
            kept: dict[str, str] = getattr(self, name)
            new = [key for key in sorted(given) if kept.get(key, "") != given[key]]
            if new:
                merged = {key: text for key, text in (kept | dict(given)).items() if text}
                setattr(self, name, merged)
                changed += [f"{name}.{key}" for key in new]
        if changed:
            self.record(ReportSaved(**self._facts(), fields=changed))
        return changed

    def cost(self, number: int) -> Cost:
        """Return a cost by its number; raises NotFoundError."""
        for cost in self.costs:
            if cost.number == number:
                return cost
        raise NotFoundError("There is no cost %(number)s", number=number)

    def enter_costs(self, entries: Sequence[CostEntry]) -> list[int]:
        """Add costs; returns their numbers, which stay theirs."""
        self.must_be_open(COSTS)
        if len(self.costs) + len(entries) > MAX_COSTS:
            raise InvalidError({"costs": Rule("a report has at most %(most)s costs", most=MAX_COSTS)})
        first = self.last_cost + 1
        added = [Cost(**dict(entry), number=number) for number, entry in enumerate(entries, first)]
        self.costs = [*self.costs, *added]
        self.last_cost += len(added)
        numbers = [cost.number for cost in added]
        self._costs_changed("entered", numbers)
        return numbers

    def change_cost(self, number: int, entry: CostEntry) -> None:
        """Write a cost anew; whatever was decided about it is open again."""
        self.must_be_open(COSTS)
        old = self.cost(number)
        self.costs = [Cost(**dict(entry), number=number) if cost is old else cost for cost in self.costs]
        self._costs_changed("changed", [number])

    def drop_cost(self, number: int) -> None:
        """Take a cost out."""
        self.must_be_open(COSTS)
        gone = self.cost(number)
        self.costs = [cost for cost in self.costs if cost is not gone]
        self._costs_changed("removed", [number])

    def _costs_changed(self, act: str, numbers: list[int]) -> None:
        self.record(CostsEntered(**self._facts(), act=act, costs=numbers, claimed=self.claimed()))

    def document(self, document_id: str) -> Document:
        """Return a document of this report, of an earlier version too; raises NotFoundError."""
        for document in [*self.documents, *(item for version in self.handed for item in version.documents)]:
            if document.id == document_id:
                return document
        raise NotFoundError("There is no such document")

    def attach(self, document: Document) -> None:
        """Put a document behind the report; with its costs open, too, because a cost may need one."""
        if not self.may_change(COSTS):
            self.must_be_open(DOCUMENTS)
        if len(self.documents) >= MAX_DOCUMENTS:
            raise ConflictError("A report has at most %(most)s documents", most=MAX_DOCUMENTS)
        self.documents = [*self.documents, document]
        about = {"document_id": document.id, "document_kind": document.kind, "document_name": document.name}
        self.record(ReportDocumentAdded(**self._facts(), **about, sha256=document.sha256))

    def detach(self, document_id: str) -> None:
        """Take a document out; one that stands behind a cost stays."""
        self.must_be_open(DOCUMENTS)
        gone = self.document(document_id)
        used = next((cost.number for cost in self.costs if cost.document == document_id), None)
        if used is not None:
            raise ConflictError("This document stands behind cost %(number)s", number=used)
        self.documents = [document for document in self.documents if document.id != document_id]
        about = {"document_id": gone.id, "document_name": gone.name, "sha256": gone.sha256}
        self.record(ReportDocumentRemoved(**self._facts(), **about))

    def _version(self, by: Person, now: datetime) -> HandedIn:
        names = ("answers", "entries", "explanations", "costs", "documents")
        return HandedIn(at=now, by=by.id, by_name=by.name, **{name: getattr(self, name) for name in names})
