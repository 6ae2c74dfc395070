"""Use cases of the improvement plan: made by a decline, worked by the firm and the officer, ended by a new referral."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from services.loans import storage
from services.loans.domain.disclosure import content
from services.loans.domain.finance import Finance
from services.loans.domain.improvement import Improvement, Standing, Task, tasks_of
from services.loans.domain.proposal import Proposal
from services.loans.domain.referral import Referral
from services.loans.domain.scoring import Score, score
from services.loans.handlers import access
from shared.database import UnitOfWork
from shared.errors import InvalidError
from shared.web.identity import Identity

WORK = "loans.improvement.work"


def open_plan(uow: UnitOfWork, referral: Referral, finance: Finance) -> Improvement:
    """Make the plan of a referral that was just declined."""
    day, partner = access.today(uow), finance.partner(referral.bank)
    locked = storage.locked(uow.connection, referral.proposal, referral.number)
    before = score(locked, finance, partner, day, storage.lessons_of(uow.connection, [referral.organisation]))
    names = ("proposal", "number", "programme", "organisation", "organisation_name", "bank", "bank_name", "country")
    plan = Improvement(
        id=uow.next_reference("IMP"),
        referral=referral.id,
        title=referral.title,
        reasons=referral.decline_reasons,
        opened_on=day,
        tasks=tasks_of(referral, before, finance, partner, day),
        before=before,
        **{name: getattr(referral, name) for name in names},
    )
    storage.improvements(uow).add(plan)
    plan.open()
    return plan


def open_plans(uow: UnitOfWork, proposal: Proposal) -> list[Improvement]:
    """Return the plans that a referral of this version ends: of declines of earlier versions, oldest first."""
    found = storage.improvements(uow).where(storage.unended(proposal.id, proposal.number))
    return sorted(found, key=lambda item: item.id)


def declined_before(plans: list[Improvement], bank: str) -> str | None:
    """Return the declined referral that a new one to this bank follows: the bank's own, or the last of any."""
    own = [plan for plan in plans if plan.bank == bank] or plans
    return own[-1].referral if own else None


def refer_again(uow: UnitOfWork, referral: Referral, plans: list[Improvement], finance: Finance) -> None:
    """End the plans with the new referral, each re-scored by the rules of the bank that had declined."""
    if not plans:
        return
    uow.flush()  # the referral's row comes before the plans that refer to it
    locked = storage.locked(uow.connection, referral.proposal, referral.number)
    lessons = storage.lessons_of(uow.connection, [referral.organisation])
    for plan in plans:
        after = score(locked, finance, finance.partner(plan.bank), access.today(uow), lessons)
        plan.refer_again(referral.id, referral.number, after)


@dataclass(frozen=True)
class Opened:
    """A plan as it stands: `now` is the score of the proposal as it is, or of the version that was referred again."""

    plan: Improvement
    proposal: Proposal
    now: Score
    tasks: list[Standing]
    again: Any | None  # the new referral's row
    finance: Finance
    role: str

    @property
    def open_tasks(self) -> int:
        return sum(not item.done for item in self.tasks)


def open_improvement(uow: UnitOfWork, who: Identity, reference: str) -> Opened:
    """Return a plan for reading, its tasks re-scored; a view by staff is recorded."""
    role = access.scoped(uow, who, "improvement", reference, "loans.improvement.read")
    plan = storage.improvements(uow).get(reference, for_update=False)
    if role != "applicant":
        access.viewed(uow, plan.id, "the improvement plan", case=plan.proposal, programme=plan.programme)
    proposal = storage.proposals(uow).get(plan.proposal, for_update=False)
    finance, day = access.rules(uow, plan.programme)[0], access.today(uow)
    present, lessons = (
        content(proposal.plan, proposal.documents),
        storage.lessons_of(uow.connection, [plan.organisation]),
    )
    now = plan.after or score(present, finance, finance.partner(plan.bank), day, lessons)
    again = storage.standing(uow.connection, "referral", plan.again) if plan.again else None
    return Opened(plan, proposal, now, plan.standing(now, day), again, finance, role)


def _locked(uow: UnitOfWork, who: Identity, reference: str, version: int | None) -> Improvement:
    access.scoped(uow, who, "improvement", reference, WORK)
    return storage.improvements(uow).get(reference, expected=version)


@dataclass(frozen=True)
class NewTask:
    text: str
    by: Literal["applicant", "officer"]
    due: date


def add_task(
    uow: UnitOfWork, who: Identity, reference: str, given: NewTask, *, version: int | None = None
) -> Improvement:
    """Add a task in one's own words."""
    plan = _locked(uow, who, reference, version)
    if not given.text.strip():
        raise InvalidError({"text": "is required"})
    code = f"own-{1 + sum(task.source == 'added' for task in plan.tasks)}"
    task = Task(code=code, source="added", name={"en": given.text}, by=given.by, due=given.due)
    plan.add(task, access.today(uow))
    return plan


def finish_task(  # noqa: PLR0917 - what is done, by which evidence
    uow: UnitOfWork,
    who: Identity,
    reference: str,
    code: str,
    evidence: str,
    document: str = "",
    *,
    version: int | None = None,
) -> Improvement:
    """Take a task as done by words and, if there is one, a document of the proposal."""
    plan = _locked(uow, who, reference, version)
    if document:
        held = storage.proposals(uow).get(plan.proposal, for_update=False).documents
        if document not in {item.sha256 for item in held}:
            raise InvalidError({"document": "choose one of the proposal's documents"})
    plan.finish(code, evidence, document, uow.now(), who.name)
    return plan


def reopen_task(
    uow: UnitOfWork, who: Identity, reference: str, code: str, *, version: int | None = None
) -> Improvement:
    """Say that a task is not done after all."""
    plan = _locked(uow, who, reference, version)
    plan.reopen(code)
    return plan
