"""Moves along the workflow, and what staff do before them: take the case, answer the checklists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import Field
from sqlalchemy import Connection

from services.grants.domain.application import Application, Check, Person
from services.grants.domain.award import Award
from services.grants.domain.decision import Said, coded, follow, recommend, wanting
from services.grants.domain.pack import Answer, mean
from services.grants.domain.review import Review
from services.grants.handlers import closing
from services.grants.handlers.applying import judged, missing
from services.grants.handlers.base import (
    Command,
    Frame,
    act_as,
    application_for,
    held_for,
    nearby,
    one_person,
    owns,
    roles_on,
)
from services.grants.handlers.exclusion import screen
from services.grants.handlers.holding import Held, holds
from services.grants.storage import reads
from services.grants.storage.capacity import find_capacity
from services.grants.storage.near import near
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError, Rule
from shared.events.decision_rules import Reason
from shared.money import Money
from shared.web.identity import Identity, must_have_confirmed
from shared.workflow import Facts, Move, Transition, authority_levels, authority_limits

MOVE, ASSIGN, CHECK = "grants.application.move", "grants.application.assign", "grants.application.check"
# Moves that are part of a larger act (drawing up and signing an agreement): never made alone.
OFFER, CONCLUDE = "offer-agreement", "conclude-agreement"
PARTS_OF_ACTS = {OFFER: "Draw up the agreement instead", CONCLUDE: "Accept the agreement instead"}
RISK = "risk"


class MoveApplication(Command):
    """Somebody makes a move; `version` is that of the page on which they decided.

    `sections` are the parts of the application that an information request opens again: ids of the form's
    sections, "budget", "documents". `reason_code` is one of the programme's coded reasons for this move, to which
    `reason` adds words; `amount` is what a recommendation recommends, when it is less than what was asked for.
    """

    transition: str
    version: int
    reason: str | None = None
    comment: str | None = None
    sections: list[str] = []
    reason_code: Annotated[str, Field(max_length=60)] = ""
    amount: Money | None = None


class AnswerCheck(Command):
    """One point of a checklist is answered, or its risk rated (`item` "risk")."""

    checklist: str
    item: str
    answer: str
    note: str
    version: int


class AssignOfficer(Command):
    """An officer takes the case, or is given it."""

    officer: str
    version: int


def key(checklist: str, item: str) -> str:
    """Return the name under which a case keeps the answer to a checklist's point."""
    return f"{checklist}.{item}"


def facts_for(  # noqa: PLR0917 - a case has as many sides
    who: Identity,
    application: Application,
    frame: Frame,
    reviews: Sequence[Review],
    award: Award | None,
    command: MoveApplication | None = None,
    held: Held | None = None,
) -> Facts:
    """Return what the workflow may ask about a case when `who` acts; `held` is what `holds` says of the two."""
    actor, roles = f"user:{who.user}", roles_on(who, application)
    one = one_person(who, application, frame)
    return Facts(
        actor=actor,
        values=_values(application, frame, reviews, award),
        documents=frozenset(document.kind for document in application.documents),
        checklists=frozenset(passed(application, frame)),
        reviews_done=sum(1 for review in reviews if review.status == "submitted"),
        open_conflicts=_open_conflicts(who, application, reviews),
        earlier_actors=tuple({move.by for move in application.history}),
        done_by={move.transition: move.by for move in application.history},
        reason=command.reason if command else None,
        comment=command.comment if command else None,
        amount=application.decided,
        approvals_missing=wanting(application, frame.pack.decisions.approvals, one, roles),
        one_with=one,
        limits=authority_limits(frame.pack.delegations, roles, application.currency),
        levels=authority_levels(frame.pack.delegations, frame.workflow, application.currency),
        stepped_up=True,  # given with the act itself, as a reason is: it never greys out a button (see `step`)
        held=held or {},
    )


def passed(application: Application, frame: Frame) -> list[str]:
    """Return the checklists that are finished and passed."""
    found = []
    for checklist in frame.pack.checklists_of(frame.call):
        prefix = key(checklist.checklist, "")
        answers = {
            name.removeprefix(prefix): check.answer
            for name, check in application.checks.items()
            if name.startswith(prefix)
        }
        if checklist.passed(answers, answers.pop(RISK, None)):
            found.append(checklist.checklist)
    return found


def _values(application: Application, frame: Frame, reviews: Sequence[Review], award: Award | None) -> dict[str, Any]:
    signatures = award.signatures if award else {}
    rated = [check.answer for name, check in application.checks.items() if name.endswith(f".{RISK}")]
    return {
        "requested": application.amount.amount,
        "ceiling": frame.call.ceiling.amount,
        "score": panel_score(reviews),
        "threshold": frame.pack.sheet_of(frame.call).threshold,
        "risk": rated[-1] if rated else None,
        "accepted_by_applicant": "recipient" in signatures,
        "accepted_by_programme": "programme" in signatures,
        "milestones_open": sum(1 for item in award.milestones if item.status != "verified") if award else None,
        "tranches_open": sum(1 for item in award.tranches if item.status != "paid") if award else None,
    }


def panel_score(reviews: Sequence[Review]) -> Decimal | None:
    """Return the mean of the submitted reviews' scores."""
    return mean(review.score for review in reviews if review.status == "submitted" and review.score is not None)


def _open_conflicts(who: Identity, application: Application, reviews: Sequence[Review]) -> int:
    """Count what is not settled: reviewers who have not declared, and a conflict of the one who acts now."""
    undeclared = sum(1 for review in reviews if review.status == "assigned")
    recused = any(review.reviewer == who.user and review.status == "recused" for review in reviews)
    own = owns(who, application.organisation) and "applicant" not in who.roles
    return undeclared + int(recused or own)


def moves_for(connection: Connection, who: Identity, application: Application, frame: Frame) -> list[Move]:
    """Return the moves that `who` has now, the blocked ones with what blocks them."""
    around = near(connection, application, who.user)
    held = holds(connection, who, application, frame, around)
    facts = facts_for(who, application, frame, around.reviews, around.award, held=held)
    return frame.workflow.moves(application.stage, roles_on(who, application), facts)


def move(uow: UnitOfWork, who: Identity, reference: str, command: MoveApplication) -> Application:
    """Make a move that the workflow allows this person now."""
    application, role = held_for(uow, who, MOVE, reference, expected=command.version)
    if command.transition in PARTS_OF_ACTS:
        raise ConflictError(PARTS_OF_ACTS[command.transition])
    step(uow, who, application, command, role=role)
    return application


def step(
    uow: UnitOfWork,
    who: Identity,
    application: Application,
    command: MoveApplication,
    *,
    role: str,
    said: Said | None = None,
) -> None:
    """Make a move of an application that this transaction holds already; `said` is what a panel recommended."""
    around = nearby(uow, who, application)
    frame = Frame(uow.connection, application, around)
    around.award = closing.take(uow, application, frame, command.transition, around.award)
    held = holds(uow.connection, who, application, frame, around)
    transition, why = chosen(who, application, frame, around.reviews, around.award, command, held)
    if "step_up" in transition.requires:
        must_have_confirmed(who, uow.now())
    leaves_draft = application.stage == frame.workflow.initial and not frame.workflow.stage(transition.to).terminal
    answers = (
        bool(application.asked) and "applicant" in transition.roles and not frame.workflow.stage(transition.to).terminal
    )
    if (leaves_draft or answers) and (wrong := missing(uow, application, frame.pack)):
        raise InvalidError(wrong, "The application can't be handed in yet")
    if leaves_draft or answers:
        application.judged(judged(uow, application, frame.pack))
        screen(uow, application, frame, "submission")
    # The role of the act is the one that the workflow gives it to.
    acting = next((name for name in roles_on(who, application) if name in transition.roles), role)
    by = act_as(uow, acting, command.reason or command.comment or (why.says["en"] if why else None))
    before = application.stage
    carry_out(application, frame, transition, command, why, by, uow.now(), said)
    if around.award:
        closing.follow(uow, application, frame, transition, before, by, uow.context.reason or "")


def chosen(  # noqa: PLR0917 - a case has as many sides
    who: Identity,
    application: Application,
    frame: Frame,
    reviews: Sequence[Review],
    award: Award | None,
    command: MoveApplication,
    held: Held | None = None,
) -> tuple[Transition, Reason | None]:
    """Return the move that is meant and its coded reason, if `who` may make it now; raises what refuses it."""
    why = coded(frame.pack.decisions, command.reason_code, command.transition, command.reason)
    facts = facts_for(who, application, frame, reviews, award, command, held)
    if why and not facts.reason:
        facts = replace(facts, reason=why.says["en"])
    transition = frame.workflow.move(command.transition, application.stage, roles_on(who, application), facts)
    if command.amount is not None and transition.id != frame.pack.decisions.approvals.recommend:
        raise InvalidError({"amount": "is said with a recommendation only"})
    return transition, why


def carry_out(  # noqa: PLR0917 - an act has as many sides
    application: Application,
    frame: Frame,
    transition: Transition,
    command: MoveApplication,
    why: Reason | None,
    by: Person,
    now: datetime,
    said: Said | None = None,
) -> None:
    """Do to an application what an allowed move does: to its stage, its recommendation and its signatures."""
    rules = frame.pack.decisions.approvals
    said = said or Said(amount=command.amount, reason_code=why.id if why else None, words=command.comment)
    asked = _asked(frame, command.sections)
    follow(application, transition, rules, by, now)
    recommend(application, transition, rules, said, by, now)
    words = {"reason": command.reason, "comment": command.comment}
    application.move(transition, frame.workflow, frame.calendar, by, now, asked=asked, coded=why, **words)


def _asked(frame: Frame, sections: Sequence[str]) -> list[str]:
    """Return the parts that are asked for again, in the form's order; raises InvalidError for what is none."""
    parts = frame.call.parts
    if set(sections) - set(parts):
        raise InvalidError({"sections": Rule("must be one of: %(names)s", names=", ".join(parts))})
    return [part for part in parts if part in sections]


def assign(uow: UnitOfWork, who: Identity, reference: str, command: AssignOfficer) -> Application:
    """Give the case to an officer of its programme."""
    application, role = application_for(uow, who, ASSIGN, reference, expected=command.version)
    give(uow, application, role, command)
    return application


def give(uow: UnitOfWork, application: Application, role: str, command: AssignOfficer) -> None:
    """Give a case that this transaction holds already to an officer of its programme."""
    if application.submitted_at is None:
        raise ConflictError("The application is not handed in yet")
    officer = reads.find_person(uow.connection, command.officer[:80])
    if officer is None or not officer["active"] or "officer" not in officer["roles"]:
        raise InvalidError({"officer": "is not an officer of this programme"})
    if application.programme not in officer["programmes"]:
        raise InvalidError({"officer": "is not an officer of this programme"})
    act_as(uow, role)
    application.assign(officer["id"], officer["name"])


def check(uow: UnitOfWork, who: Identity, reference: str, command: AnswerCheck) -> Application:
    """Answer one point of a checklist of the call, or rate its risk."""
    application, role = application_for(uow, who, CHECK, reference, expected=command.version)
    frame = Frame(uow.connection, application)
    if application.stage not in checked_at(frame):
        raise ConflictError("A checklist is answered while the case is at its stage")
    items = [*_points(frame, command)]
    _must_be_proved(uow, application, frame, command)
    by = act_as(uow, role)
    answered = Check(answer=command.answer, note=command.note, by=by.id, by_name=by.name, at=uow.now())
    application.check(key(command.checklist, command.item), answered, items=items)
    return application


def checked_at(frame: Frame) -> dict[str, str]:
    """Return {stage: checklist} of the call, by the stages' ids of the case's own version of the workflow."""
    known = {stage: name for stage, name in frame.call.checklists.items() if name in frame.pack.checklists}
    return {frame.renamed.get(stage, stage): name for stage, name in known.items()}


def _must_be_proved(uow: UnitOfWork, application: Application, frame: Frame, command: AnswerCheck) -> None:
    """Raise InvalidError for a yes that stands on an assessment, while there is no finished one that is valid."""
    checklist = frame.pack.checklists[command.checklist]
    proved = any(item.id == command.item and item.proof for item in checklist.items)
    if not proved or command.answer != "yes":
        return
    made = find_capacity(uow.connection, application.id)
    if made is None or made.result is None:
        raise InvalidError({"answer": Rule("can be yes when the capacity assessment is finished; it is not")})
    until = made.result.valid_until
    if until < uow.now().astimezone(ZoneInfo(frame.calendar.zone)).date():
        rule = Rule("can't be yes: the capacity assessment was valid until %(day)s", day=until)
        raise InvalidError({"answer": rule})


def _points(frame: Frame, command: AnswerCheck) -> list[str]:
    checklist = next((c for c in frame.pack.checklists_of(frame.call) if c.checklist == command.checklist), None)
    if checklist is None:
        raise InvalidError({"checklist": "is not a checklist of this call"})
    item = next((item for item in checklist.items if item.id == command.item), None)
    if item is not None:
        allowed: tuple[str, ...] = Answer.__args__ if item.may_skip else ("yes", "no")  # type: ignore[attr-defined]
    elif command.item == RISK and checklist.risk is not None:
        allowed = checklist.risk.ratings
    else:
        raise InvalidError({"item": "is not a point of this checklist"})
    if command.answer not in allowed:
        raise InvalidError({"answer": Rule("must be one of: %(names)s", names=", ".join(allowed))})
    if not command.note:
        raise InvalidError({"note": "is required: say what you looked at"})
    return [key(command.checklist, point.id) for point in checklist.items]
