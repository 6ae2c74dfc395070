"""The end of a grant: its checklist is answered, closing and termination settle its money, reopening takes it up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from pydantic import Field
from sqlalchemy import Connection

from services.grants.domain.application import Application, Person
from services.grants.domain.award import Award
from services.grants.domain.closeout import Closeout, Outcome, Point, Settlement, paying_now, points, settlement
from services.grants.handlers import ledger, partnering
from services.grants.handlers.base import (
    Command,
    Frame,
    act_as,
    application_for,
    application_read,
    owns,
)
from services.grants.storage import reads
from services.grants.storage.closeout import closeouts, find_closeout
from services.grants.storage.reports import rows_of
from services.grants.storage.tables import awards
from shared.database import UnitOfWork
from shared.errors import ConflictError, ForbiddenError, NotFoundError
from shared.money import Money
from shared.web.identity import Identity
from shared.workflow import Transition
from shared.workflow.requirements import Sentence

READ, ANSWER = "grants.closeout.read", "grants.closeout.answer"
Held = dict[str, tuple[Sentence, ...]]


class AnswerPoint(Command):
    """A point of the checklist is answered with a note; `version` is the checklist's, 0 before the first answer."""

    answer: Outcome
    note: str = Field(max_length=2000)
    version: int


@dataclass(frozen=True)
class Standing:
    """How a grant stands at its end: the checklist, and what would be due if it ended now."""

    application: Application
    award: Award
    closeout: Closeout | None
    points: list[Point]
    settlement: Settlement | None  # None when it has ended
    open: bool  # whether the checklist can be answered now
    used: list[partnering.Used]  # what each participant used of its share; nothing without partners


def held(connection: Connection, application: Application, frame: Frame, award: Award | None) -> Held:
    """Return {transition: what is missing} of the moves that end a grant; asks nothing of stages without them."""
    rules = frame.pack.closeout
    ahead = {move.id for move in frame.workflow.leaving(application.stage)}
    closing, ending = ahead & set(rules.moves), ahead & set(rules.termination.moves)
    if (not closing and not ending) or award is None or not award.concluded_at:
        return {}
    found: Held = {}
    if closing and (missing := _missing(connection, application, frame, award)):
        found |= dict.fromkeys(closing, missing)
    if ending and (paying := paying_now(award)):
        found |= dict.fromkeys(ending, (paying,))
    return found


def _missing(connection: Connection, application: Application, frame: Frame, award: Award) -> tuple[Sentence, ...]:
    found = _points(connection, application, frame, award, find_closeout(connection, application.id))
    return tuple(point.said for point in found if not point.done and point.said)


def _points(
    connection: Connection, application: Application, frame: Frame, award: Award, closeout: Closeout | None
) -> list[Point]:
    rules = frame.pack.closeout
    proved = any(item.proof == "reports" for item in rules.items)
    rows = rows_of(connection, application.id) if proved else []
    return points(rules, award, [row["status"] for row in rows], closeout)


def standing(uow: UnitOfWork, who: Identity, reference: str) -> Standing:
    """Return how a concluded grant stands at its end, to somebody who may see it."""
    application, role = application_read(uow, who, READ, reference)
    act_as(uow, role)
    award = reads.find_award(uow.connection, application.id)
    if award is None or not award.concluded_at:
        raise NotFoundError("There is no concluded agreement yet, so there is nothing to close")
    frame, closeout = Frame(uow.connection, application), find_closeout(uow.connection, application.id)
    due = None
    if not application.terminal:
        due = settlement(award, ledger.accounts_of(uow, award).balance("commitment"))
    found = _points(uow.connection, application, frame, award, closeout)
    lead, currency = application.organisation_name, application.currency
    used = partnering.used_of(uow.connection, award.terms, lead, application.id, currency)
    return Standing(application, award, closeout, found, due, _answerable(application, frame), used)


def _answerable(application: Application, frame: Frame) -> bool:
    moves = {move.id for move in frame.workflow.leaving(application.stage)}
    return bool(moves & set(frame.pack.closeout.moves))


def answer(uow: UnitOfWork, who: Identity, reference: str, item: str, command: AnswerPoint) -> Closeout:
    """Answer a point of the closing checklist that no fact proves."""
    application, role = application_for(uow, who, ANSWER, reference)
    if owns(who, application.organisation):
        raise ForbiddenError("You belong to the recipient's organisation; another person must do this")
    frame = Frame(uow.connection, application)
    if not _answerable(application, frame):
        raise ConflictError("The checklist is answered while the grant can be closed")
    kept = closeouts(uow)
    found = kept.find(application.id, expected=command.version, for_update=True)
    found = found or kept.add(Closeout.of(application))
    by = act_as(uow, role, command.note or None)
    found.answer(item, command.answer, command.note, frame.pack.closeout, by=by, now=uow.now())
    return found


def must_not_be_closed(application: Application, frame: Frame) -> None:
    """Raise ConflictError when a grant was closed by its checklist: nothing of it moves before it is reopened."""
    last = application.history[-1] if application.history else None
    if application.terminal and last and last.transition in frame.pack.closeout.moves:
        day = last.at.astimezone(ZoneInfo(frame.calendar.zone)).date()
        said = "The grant was closed on %(day)s by %(who)s; it must be reopened first"
        raise ConflictError(said, day=day, who=last.by_name)


def take(uow: UnitOfWork, application: Application, frame: Frame, move: str, stored: Award | None) -> Award | None:
    """Lock the award of a case that a move may end, before it is asked what is missing.

    Returns the award as this transaction has it, or else as it is `stored`: whoever holds the case knows whether it has
    one, as nobody else can draw one up meanwhile.
    """
    rules, kept = frame.pack.closeout, awards(uow)
    if stored and move in {*rules.moves, *rules.termination.moves}:
        return kept.find(application.id, for_update=True)
    held = uow.tracked(kept.table.name, application.id)
    return held if isinstance(held, Award) else stored


def follow(  # noqa: PLR0917 - an act has as many sides
    uow: UnitOfWork, application: Application, frame: Frame, transition: Transition, before: str, by: Person, why: str
) -> None:
    """Do to the money of a grant what a move that ends it, or opens it again, means."""
    ended, ends = frame.workflow.stage(before).terminal, frame.workflow.stage(transition.to).terminal
    if ended == ends:
        return
    award = awards(uow).find(application.id, for_update=True)
    if award is None or not award.concluded_at:
        return
    if ended:
        _reopened(uow, award)
    elif transition.id in frame.pack.closeout.termination.moves:
        _terminated(uow, frame, award, by=by, why=why)
    else:
        rest = ledger.closed(uow, award)
        zero = Money.zero(award.amount.currency)
        due = {"given_back": rest.amount if rest else zero, "refund_due": award.refund_owed(), "payment_due": zero}
        award.end("closed", **due)


def _reopened(uow: UnitOfWork, award: Award) -> None:
    again = ledger.reopened(uow, award)
    award.resume(again.amount if again else Money.zero(award.amount.currency))
    if closeout := closeouts(uow).find(award.id, for_update=True):
        closeout.void()


def _terminated(uow: UnitOfWork, frame: Frame, award: Award, *, by: Person, why: str) -> None:
    """Settle a grant that is terminated: demand back what is due, or ask for the payment of what is owed."""
    book, rules = ledger.Book(uow, award), frame.pack.closeout.termination
    due = settlement(award, book.accounts.balance("commitment"))
    today = uow.now().astimezone(ZoneInfo(frame.calendar.zone)).date()
    refund_by = today + timedelta(days=rules.refund_days) if due.refund_due else None
    if due.given_back:
        book.enter("closed", due.given_back)
    if due.refund_due:
        refund = award.demand_refund(due.refund_due, why, refund_by, by, uow.now())
        book.enter("refund_due", refund.amount, f"refund {refund.number}")
    if due.payment_due:
        award.owe(due.payment_due, by)
    sums = {name: getattr(due, name) for name in ("given_back", "refund_due", "payment_due")}
    award.end("terminated", refund_by=refund_by, **sums)


def view(found: Standing) -> Mapping[str, object]:
    """Return a standing as JSON types."""
    items = [
        {"item": point.item.id, "name": point.item.name, "proof": point.item.proof, "done": point.done}
        | {"said": point.said.as_dict() if point.said else None}
        | {"answered": point.answered.model_dump(mode="json") if point.answered else None}
        for point in found.points
    ]
    due = None
    if found.settlement:
        due = {name: value.model_dump(mode="json") for name, value in _sums(found.settlement).items()}
    version = found.closeout.version if found.closeout else 0
    return {"items": items, "version": version, "may_be_answered": found.open, "if_it_ended_now": due} | {
        "used": partnering.used_view(found.used)
    }


def _sums(due: Settlement) -> dict[str, Money]:
    return {name: getattr(due, name) for name in asdict(due)}
