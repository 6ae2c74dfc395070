"""A grant application: a draft, then a case that moves along its programme's workflow."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, ClassVar

from services.grants.domain.decision import Approval, Recommendation
from services.grants.domain.parties import parties_of
from services.grants.domain.pieces import BudgetLine, Calendar, Check, Document, Done, Handed, Person
from shared.entity import Entity
from shared.errors import ConflictError, InvalidError, NotFoundError
from shared.events.decision_rules import Reason
from shared.events.grants.application import (
    ApplicationAwarded,
    ApplicationMoved,
    ApplicationSaved,
    ApplicationStarted,
    ApplicationSubmitted,
    ChecklistAnswered,
    DocumentAdded,
    DocumentRemoved,
    InformationRequested,
    OfficerAssigned,
    ReviewersInvited,
    StageFact,
)
from shared.forms import Judged
from shared.money import Money, total
from shared.workflow import Transition, Turn, Visit, Workflow, turn

__all__ = ["Application", "BudgetLine", "Calendar", "Check", "Document", "Done", "Handed", "Person"]
MAX_DOCUMENTS = 30


class Application(Entity):
    """One organisation's application to one call. Its id is the reference that everybody sees."""

    KIND: ClassVar[str] = "application"
    # What the applicant wrote stays in the service; the record of changes says which answers changed.
    PRIVATE: ClassVar[frozenset[str]] = frozenset({"answers", "handed"})

    programme: str
    call: str
    pack_version: int
    workflow: str
    workflow_version: int
    # Where the workflow was taken from, once the case was moved to a newer version of it; form and rules stay pinned.
    workflow_pack: int | None = None
    renamed: dict[str, str] = {}  # stages of its history that have another id in that version
    organisation: str
    organisation_name: str
    started_by: str
    started_at: datetime
    currency: str
    title: str = ""
    answers: dict[str, str] = {}
    budget: list[BudgetLine] = []
    documents: list[Document] = []
    stage: str
    holder: str | None = None
    due: date | None = None
    paused: bool = False
    terminal: bool = False
    submitted_at: datetime | None = None
    officer: str | None = None
    officer_name: str | None = None
    reviewers: list[str] = []
    checks: dict[str, Check] = {}
    history: list[Done] = []
    awarded: Money | None = None
    recommended: Recommendation | None = None
    approvals: list[Approval] = []
    # The parts that an information request opened again (sections, "budget", "documents"); none: only its words.
    asked: list[str] = []
    handed: list[Handed] = []
    eligibility: list[Judged] = []

    def case(self) -> str:
        return self.id

    def programme_id(self) -> str:
        return self.programme

    def parties(self) -> dict[str, list[str]]:
        reviewers = {"reviewer": [f"user:{reviewer}" for reviewer in self.reviewers]}
        return parties_of(self.organisation, self.officer, "manager", "finance") | reviewers

    @property
    def amount(self) -> Money:
        """Return the grant that the budget asks for."""
        return self.total_of(self.budget)

    @property
    def decided(self) -> Money:
        """Return what is decided on: what was awarded, or else recommended, or else asked for."""
        return self.awarded or (self.recommended.amount if self.recommended else self.amount)

    @property
    def own_share(self) -> Money:
        """Return what the applicant gives by the budget."""
        return self.total_of(self.budget, own=True)

    def handed_in(self, number: int) -> Handed:
        """Return what was handed in as the `number`th from 1; raises NotFoundError."""
        if not 0 < number <= len(self.handed):
            raise NotFoundError("There is no such version of the answers")
        return self.handed[number - 1]

    def total_of(self, lines: list[BudgetLine], *, own: bool = False) -> Money:
        """Return what some budget lines ask for, or what the applicant gives by them."""
        return total((line.own if own else line.grant for line in lines), self.currency)

    def since(self) -> datetime:
        """Return when the case came to its present stage."""
        return self.history[-1].at if self.history else self.started_at

    def visits(self) -> list[Visit]:
        """Return the stays in stages so far, the last one still lasting."""
        stages = [(self.history[0].from_stage if self.history else self.stage, self.started_at)]
        stages += [(move.to_stage, move.at) for move in self.history]
        ends = [at for _, at in stages[1:]]
        now = self.renamed
        return [Visit(now.get(at, at), since, until) for (at, since), until in zip(stages, [*ends, None], strict=True)]

    def turn(self, workflow: Workflow, calendar: Calendar, now: datetime) -> Turn:
        """Return whose turn it is, since when, until when."""
        return turn(workflow, self.visits(), country=calendar.country, zone=calendar.zone, now=now)

    def document(self, document_id: str) -> Document:
        """Return the attached document of that id; raises NotFoundError."""
        for document in self.documents:
            if document.id == document_id:
                return document
        raise NotFoundError("There is no such document")

    def facts(self) -> dict[str, Any]:
        """Return what every event of an application says about it."""
        return {
            "reference": self.id,
            "title": self.title,
            "call": self.call,
            "organisation_id": self.organisation,
            "organisation_name": self.organisation_name,
        }

    @classmethod
    def start(cls, *, call_title: str, workflow: Workflow, **fields: Any) -> Application:
        """Return a new draft at the workflow's first stage."""
        first = workflow.stage(workflow.initial)
        application = cls(
            workflow=workflow.workflow, workflow_version=workflow.version, stage=first.id, holder=first.holder, **fields
        )
        application.record(
            ApplicationStarted(
                **application.facts(),
                call_title=call_title,
                workflow=workflow.workflow,
                workflow_version=workflow.version,
                pack_version=application.pack_version,
            )
        )
        return application

    def save(self, *, title: str, answers: dict[str, str], budget: list[BudgetLine]) -> list[str]:
        """Keep what the applicant wrote; returns the names of what changed, and records nothing when nothing did."""
        changed = [name for name in sorted(answers) if self.answers.get(name, "") != answers[name]]
        changed += ["title"] if title != self.title else []
        changed += ["budget"] if budget != self.budget else []
        if changed:
            self.title, self.budget = title, budget
            # A row that was taken out leaves no empty cells behind.
            self.answers = {name: text for name, text in (self.answers | answers).items() if text or "." not in name}
            self.record(ApplicationSaved(**self.facts(), fields=changed, amount=self.amount))
        return changed

    def attach(self, document: Document) -> None:
        """Add a document; raises ConflictError beyond thirty."""
        if len(self.documents) >= MAX_DOCUMENTS:
            raise ConflictError("A case has at most %(most)s documents", most=MAX_DOCUMENTS)
        self.documents = [*self.documents, document]
        about = document.model_dump(include={"kind", "name", "media_type", "size", "sha256"})
        self.record(DocumentAdded(**self.facts(), document_id=document.id, **about))

    def detach(self, document_id: str) -> None:
        """Take a document out of the application."""
        gone = self.document(document_id)
        self.documents = [document for document in self.documents if document.id != document_id]
        about = gone.model_dump(include={"kind", "name", "sha256"})
        self.record(DocumentRemoved(**self.facts(), document_id=gone.id, **about))

    def assign(self, officer: str, name: str) -> None:
        """Give the case to an officer."""
        if officer != self.officer:
            self.officer, self.officer_name = officer, name
            self.record(OfficerAssigned(**self.facts(), officer_id=officer, officer_name=name, notify=["officer"]))

    def check(self, item: str, check: Check, *, items: list[str]) -> None:
        """Answer one item of the checklist, of which `items` are all."""
        self.checks = self.checks | {item: check}
        done = sum(1 for name in items if name in self.checks)
        self.record(
            ChecklistAnswered(
                **self.facts(), item=item, answer=check.answer, note=check.note, answered=done, of=len(items)
            )
        )

    def move(
        self,
        transition: Transition,
        workflow: Workflow,
        calendar: Calendar,
        by: Person,
        now: datetime,
        *,
        reason: str | None = None,
        comment: str | None = None,
        asked: Sequence[str] = (),
        coded: Reason | None = None,
    ) -> None:
        """Make a move that the workflow allowed, and tell whom the workflow names.

        `asked` are the parts that an information request opens again; they close with the next move.
        """
        before, initial = self.stage, workflow.initial
        if self.asked:
            self._close(by, now)
        done = Done.of(transition, before, by, now, reason=reason, comment=comment)
        if coded:
            done = done.model_copy(update={"reason_code": coded.id})
        self.history = [*self.history, done]
        stage = workflow.stage(transition.to)
        self.stage, self.terminal = stage.id, stage.terminal
        clock = self.turn(workflow, calendar, now)
        self.holder, self.due, self.paused = clock.holder, clock.due, clock.paused
        if asked and not self.paused:
            raise InvalidError({"sections": "can be asked for by an information request only"})
        self.asked = list(asked)
        if before == initial and not stage.terminal:
            self.submitted_at = self.submitted_at or now
            self._hand_in(by, now)
        kind = self._kind(before, initial, paused=self.paused)
        says = coded.says if coded else {}
        self.record(kind(**self.facts(), **self._stage_fact(done, transition, workflow), reason_names=says))

    def _hand_in(self, by: Person, now: datetime, *, sent: bool = True) -> None:
        written = {name: getattr(self, name) for name in ("title", "answers", "budget", "documents")}
        self.handed = [*self.handed, Handed(at=now, by_name=by.name, sent=sent, **written)]

    def _close(self, by: Person, now: datetime) -> None:
        """End an information request: its answer is handed in; of one taken back nothing counts that was written."""
        last = self.handed[-1] if self.handed else None
        answered = by.role == "applicant"
        self._hand_in(by, now, sent=answered)
        if last and not answered:
            self.title, self.answers, self.budget = last.title, last.answers, last.budget
            self.documents = last.documents

    def judged(self, results: list[Judged]) -> None:
        """Remember how it stands with the rules of eligibility; the move that hands it in records it."""
        self.eligibility = results

    def _kind(self, before: str, initial: str, *, paused: bool) -> type[StageFact]:
        if paused:
            return InformationRequested
        return ApplicationSubmitted if before == initial and not self.terminal else ApplicationMoved

    def _stage_fact(self, done: Done, transition: Transition, workflow: Workflow) -> dict[str, Any]:
        stage = workflow.stage(self.stage)
        return {
            "transition": transition.id,
            "from_stage": done.from_stage,
            "to_stage": done.to_stage,
            "stage_name": stage.name,
            "public_name": stage.public_name or stage.name,
            "holder": self.holder or "",
            "due": self.due,
            "paused": self.paused,
            "amount": self.decided,
            "reason": done.reason,
            "reason_code": done.reason_code,
            "comment": done.comment,
            "notify": list(transition.notify),
        }

    def invite(self, reviewers: list[str]) -> None:
        """Remember whom reviews were asked of, so that they stand among the parties."""
        self.reviewers = sorted({*self.reviewers, *reviewers})
        self.record(ReviewersInvited(**self.facts(), reviewers=reviewers))

    def award(self, amount: Money) -> None:
        """Both sides have signed: the grant is concluded."""
        self.awarded = amount
        self.record(
            ApplicationAwarded(
                **self.facts(), programme=self.programme, amount=amount, notify=["applicant", "officer", "finance"]
            )
        )
