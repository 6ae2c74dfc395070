"""What is improved after a decline: tasks from the reasons, from the bank's floors and from failing rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar, Literal

from services.loans.domain import sla
from services.loans.domain.finance import Finance, Partner
from services.loans.domain.referral import Referral
from services.loans.domain.scoring import Score
from shared.entity import Entity, Part
from shared.errors import ConflictError, IllegalTransitionError, InvalidError, NotFoundError
from shared.events.loans import rounds as events

MAX_TASKS = 40
DAYS = 20
Side = Literal["applicant", "officer"]


class Task(Part):
    """One thing to do, by whom and by when; measured by a figure or a rule, or else done by evidence."""

    code: str
    source: Literal["reason", "bank", "rule", "added"]
    name: dict[str, str] = {}  # by language; empty where the figure or the rule says it
    by: Side = "applicant"
    due: date
    figure: str = ""
    at_least: Decimal | None = None
    rule: str = ""
    done_at: datetime | None = None
    done_by: str | None = None
    evidence: str = ""
    document: str = ""  # the hash of one of the proposal's documents

    def measured(self) -> bool:
        """Tell whether the proposal itself says that it is done."""
        return bool(self.figure or self.rule)

    def done(self, now: Score) -> bool:
        """Tell whether it is done: by the score where it is measured, else by the evidence given."""
        if self.figure:
            value = now.figure(self.figure)
            return value is not None and value >= (self.at_least or 0)
        return self.rule not in now.failing if self.rule else self.done_at is not None


@dataclass(frozen=True)
class Standing:
    """A task as it stands: `value` is the present figure of one that is measured by a figure."""

    task: Task
    done: bool
    value: Decimal | None
    late: bool


class Improvement(Entity):
    """The plan that came of one decline. `before` is the version that was declined, `after` the one referred next."""

    KIND: ClassVar[str] = "improvement"
    PRIVATE: ClassVar[frozenset[str]] = frozenset({"tasks", "before", "after"})

    proposal: str
    referral: str
    number: int
    programme: str
    organisation: str
    organisation_name: str
    bank: str
    bank_name: str
    country: str
    title: str
    reasons: list[str]
    opened_on: date
    tasks: list[Task] = []
    before: Score
    after: Score | None = None
    again: str | None = None  # the referral of the improved version

    def case(self) -> str:
        return self.proposal

    def programme_id(self) -> str:
        return self.programme

    def parties(self) -> dict[str, list[str]]:
        return {"applicant": [f"org:{self.organisation}"], "officer": ["role:officer"]}

    def facts(self, *notify: str) -> dict[str, Any]:
        """Return what every event about this plan says."""
        return {
            "improvement_id": self.id,
            "referral_id": self.referral,
            "proposal_id": self.proposal,
            "organisation_id": self.organisation,
            "organisation_name": self.organisation_name,
            "bank_id": self.bank,
            "bank_name": self.bank_name,
            "title": self.title,
            "notify": list(notify),
        }

    def open(self) -> None:
        """Record that the plan was made."""
        due = min((task.due for task in self.tasks), default=None)
        facts = self.facts("applicant", "officer")
        self.record(events.ImprovementOpened(**facts, reasons=self.reasons, tasks=len(self.tasks), due=due))

    def standing(self, now: Score, today: date) -> list[Standing]:
        """Return the tasks as they stand, re-scored."""
        found = []
        for task in self.tasks:
            done = task.done(now)
            value = now.figure(task.figure) if task.figure else None
            found.append(Standing(task, done, value, not done and task.due < today))
        return found

    def _working(self, attempted: str) -> None:
        if self.again:
            raise IllegalTransitionError(attempted, "referred_again", [])

    def _task(self, code: str) -> Task:
        found = next((task for task in self.tasks if task.code == code), None)
        if found is None:
            raise NotFoundError("There is no such task")
        return found

    def _put(self, task: Task) -> None:
        self.tasks = [task if item.code == task.code else item for item in self.tasks]

    def add(self, task: Task, today: date) -> None:
        """Add a task of one's own."""
        self._working("add a task")
        if len(self.tasks) >= MAX_TASKS:
            raise ConflictError("A plan has at most %(limit)s tasks", limit=MAX_TASKS)
        if task.due < today:
            raise InvalidError({"due": "must not be in the past"})
        self.tasks = [*self.tasks, task]
        self.record(events.ImprovementTaskAdded(**self.facts(), task=task.code, side=task.by, due=task.due))

    def finish(self, code: str, evidence: str, document: str, now: datetime, by: str) -> None:
        """Take a task as done by evidence; one that is measured is done by the figure itself."""
        self._working("finish a task")
        task = self._task(code)
        if task.measured():
            raise ConflictError("The proposal's own figure or rule says when this task is done: change the proposal")
        if task.done_at:
            raise ConflictError("%(who)s has done this already", who=task.done_by)
        if not evidence.strip():
            raise InvalidError({"evidence": "is required"})
        made = {"done_at": now, "done_by": by, "evidence": evidence, "document": document}
        self._put(task.model_copy(update=made))
        self.record(events.ImprovementTaskDone(**self.facts(), task=code))

    def reopen(self, code: str) -> None:
        """Say that a task is not done after all."""
        self._working("reopen a task")
        task = self._task(code)
        if task.done_at is None:
            raise ConflictError("This task is not done yet")
        self._put(task.model_copy(update={"done_at": None, "done_by": None, "evidence": "", "document": ""}))
        self.record(events.ImprovementTaskReopened(**self.facts(), task=code))

    def refer_again(self, referral: str, number: int, after: Score) -> None:
        """Record that an improved version went to a bank; the plan ends with it."""
        self._working("refer again")
        self.again, self.after = referral, after
        facts: dict[str, Any] = {"new_referral_id": referral, "number": number}
        for name, found in (("before", self.before), ("after", after)):
            facts[f"readiness_{name}"] = str(found.readiness())
            facts[f"dscr_{name}"] = None if found.dscr is None else str(found.dscr)
        self.record(events.ReferredAgain(**self.facts(), **facts))


def tasks_of(referral: Referral, before: Score, finance: Finance, partner: Partner | None, today: date) -> list[Task]:
    """Return the tasks that a decline makes: the reasons' remedies, the bank's floors and failing rules, each once.

    Of two targets for the same figure the higher one stands.
    """
    made: dict[str, Task] = {}
    for task in (
        *_remedies(referral, finance, today),
        *_floors(before, partner, today),
        *_failing(before, today, referral),
    ):
        key = task.figure or task.code
        known = made.get(key)
        if known is None:
            made[key] = task
        elif known.at_least is not None and task.at_least is not None and task.at_least > known.at_least:
            made[key] = known.model_copy(update={"at_least": task.at_least})
    return [task for task in made.values() if not (task.figure and task.done(before))]


def _remedies(referral: Referral, finance: Finance, today: date) -> Iterator[Task]:
    for remedy in finance.remedies:
        if set(remedy.reasons) & set(referral.decline_reasons):
            due = sla.due_after(today, remedy.days, referral.country)
            target = {"figure": remedy.figure, "at_least": remedy.at_least if remedy.figure else None}
            yield Task(code=remedy.code, source="reason", name=remedy.name, by=remedy.by, due=due, **target)


def _floors(before: Score, partner: Partner | None, today: date) -> Iterator[Task]:
    if partner is None:
        return
    due = sla.due_after(today, DAYS, partner.country)
    floors: dict[str, Decimal] = {
        "dscr": partner.dscr_floor,
        "own_share": partner.own_share_floor,
        "history_years": Decimal(partner.history_years),
    }
    for figure, floor in floors.items():
        task = Task(code=f"bank-{figure}", source="bank", due=due, figure=figure, at_least=floor)
        if not task.done(before):
            yield task


def _failing(before: Score, today: date, referral: Referral) -> Iterator[Task]:
    due = sla.due_after(today, DAYS, referral.country)
    for code in before.failing:
        yield Task(code=f"rule-{code}", source="rule", due=due, rule=code)
