"""What the programme does with a report: decides costs, returns it, accepts it, lets it be corrected."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from pydantic import Field

from services.grants.domain.application import Document, Person
from services.grants.domain.reporting import Report
from services.grants.domain.reporting.checking import Setting
from services.grants.domain.reporting.report import Verdict
from services.grants.domain.reporting.schedule import working_days_later
from services.grants.handlers import ledger
from services.grants.handlers.base import Command, act_as
from services.grants.handlers.reporting.base import (
    ACCEPT,
    READ,
    REVIEW,
    impartial,
    look_at,
    pack_for,
    report_for,
    role_on,
    setting_of,
)
from services.grants.storage.reports import free
from services.grants.storage.tables import awards
from shared.database import UnitOfWork
from shared.documents import DocumentStore
from shared.errors import InvalidError, Rule
from shared.events.grants import RecordViewed
from shared.money import Amount, Money
from shared.web.identity import Identity


class DecideCost(Command):
    """A cost is accepted, cut to `amount` in the report's currency, or refused; `code` says why it is not eligible."""

    decision: Verdict
    amount: Amount = Decimal("0.00")
    code: str = Field(default="", max_length=60)
    reason: str = Field(default="", max_length=2000)
    version: int


class GiveBack(Command):
    """The report goes back: these parts are to be mended."""

    parts: list[str]
    why: str = Field(default="", max_length=5000)
    version: int


class Accept(Command):
    """The report is accepted."""

    comment: str = Field(default="", max_length=5000)
    version: int


def seen(uow: UnitOfWork, who: Identity, report_id: str) -> Report:
    """Return a report that `who` may look at; that staff opened it stands in the record."""
    report = look_at(uow.connection, who, report_id)
    role = role_on(who, READ, report)
    act_as(uow, role)
    if role != "applicant":
        _viewed(uow, report, f"report {report.number}")
    return report


def _viewed(uow: UnitOfWork, report: Report, what: str) -> None:
    viewed = RecordViewed(record=f"report:{report.id}", what=what)
    uow.record(viewed, entity=f"record:{uow.ids()}", case=report.application, programme=report.programme)


def read_document(
    uow: UnitOfWork, who: Identity, report_id: str, document_id: str, store: DocumentStore
) -> tuple[Document, bytes]:
    """Return a document of a report with its content, and put on record that it was read."""
    report = look_at(uow.connection, who, report_id)
    act_as(uow, role_on(who, READ, report))
    document = report.document(document_id)
    content = store.get(document.sha256)
    _viewed(uow, report, f"document {document.name}")
    return document, content


def _reviewer(uow: UnitOfWork, who: Identity, report: Report) -> Person:
    impartial(who, report)
    actor = uow.context.actor
    one = uow.context.standing.as_one if uow.context.standing else frozenset()
    return Person(id=actor.id, name=actor.name, role=actor.role, as_one=one)


def decide_cost(uow: UnitOfWork, who: Identity, report_id: str, number: int, command: DecideCost) -> Report:
    """Accept a cost, cut it or refuse it; a refused invoice may be counted elsewhere."""
    reason = command.reason or command.code
    report = report_for(uow, who, REVIEW, report_id, expected=command.version, reason=reason)
    by = _reviewer(uow, who, report)
    codes = [item.id for item in setting_of(uow, report).rules.ineligible]
    if command.decision != "accepted" and codes and command.code not in codes:
        raise InvalidError({"code": Rule("must be one of: %(names)s", names=", ".join(codes))})
    code = "" if command.decision == "accepted" else command.code
    report.decide_cost(number, command.decision, by, uow.now(), amount=command.amount, code=code, reason=command.reason)
    if command.decision == "refused":
        free(uow.connection, report.id, number)
    return report


def accept_open_costs(uow: UnitOfWork, who: Identity, report_id: str, version: int) -> Report:
    """Accept every cost about which nothing is decided yet."""
    report = report_for(uow, who, REVIEW, report_id, expected=version)
    report.must_be_reviewed(_reviewer(uow, who, report))
    report.accept_open_costs(_reviewer(uow, who, report), uow.now())
    return report


def give_back(uow: UnitOfWork, who: Identity, report_id: str, command: GiveBack) -> Report:
    """Return the report with what is to be mended."""
    report = report_for(uow, who, ACCEPT, report_id, expected=command.version, reason=command.why)
    by, setting = _reviewer(uow, who, report), setting_of(uow, report)
    _known(setting, command.parts)
    due = _answer_by(uow, report, setting)
    report.give_back(command.parts, command.why, by, uow.now(), due=due)
    return report


def _known(setting: Setting, parts: list[str]) -> None:
    if odd := [part for part in parts if part not in setting.parts]:
        raise InvalidError({"parts": Rule("has %(name)s, which is no part of the report", name=odd[0][:60])})


def _answer_by(uow: UnitOfWork, report: Report, setting: Setting) -> date:
    country = pack_for(uow.connection, report).calendar.country
    return working_days_later(setting.today, setting.rules.answer_days, country)


def accept(uow: UnitOfWork, who: Identity, report_id: str, command: Accept) -> Report:
    """Accept the report: its figures are locked, and its accepted costs are posted."""
    report = report_for(uow, who, ACCEPT, report_id, expected=command.version, reason=command.comment)
    by, setting = _reviewer(uow, who, report), setting_of(uow, report)
    figures, _wrong = setting.figures(report)
    two = setting.rules.two_reviewers
    report.accept(by, uow.now(), figures, command.comment, two_reviewers=two)
    _post(uow, report, command.comment)
    return report


def _post(uow: UnitOfWork, report: Report, why: str) -> None:
    """Post what was accepted, or after a correction what is different now, so that the advance is accounted for."""
    grant, own = report.to_post()
    award = awards(uow).get(report.application)
    nothing = Money.zero(report.currency)
    if grant < nothing:
        ledger.costs_disallowed(uow, award, nothing - grant, report.id, why or report.handed[-1].why or report.id)
        grant = nothing
    if grant > nothing or own > nothing:
        ledger.costs_accepted(uow, award, grant, report.id, max(own, nothing))
    report.posted()


def reopen(uow: UnitOfWork, who: Identity, report_id: str, command: GiveBack) -> Report:
    """Let parts of an accepted report be corrected, with the reason; costs that change are posted as a difference."""
    report = report_for(uow, who, ACCEPT, report_id, expected=command.version, reason=command.why)
    by, setting = _reviewer(uow, who, report), setting_of(uow, report)
    _known(setting, command.parts)
    report.reopen(command.parts, command.why, by, uow.now(), due=_answer_by(uow, report, setting))
    return report
