"""What every act on a report needs: the report, who may touch it, and what it is judged by."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from services.grants.domain.application import Application
from services.grants.domain.award import Award
from services.grants.domain.pack import Call, Pack
from services.grants.domain.reporting import Agreed, Report
from services.grants.domain.reporting.checking import Setting
from services.grants.handlers import closing
from services.grants.handlers.base import MAX_REFERENCE, Frame, act_as, owns, pack_of
from services.grants.handlers.standing import stand
from services.grants.policy import POLICY
from services.grants.storage import reads
from services.grants.storage.reports import find_report, reports, reports_of
from services.grants.storage.tables import applications
from shared.database import UnitOfWork
from shared.errors import ConflictError, ForbiddenError, NotFoundError
from shared.events.reporting_rules import Reporting
from shared.web.identity import Identity

READ, WRITE, REVIEW = "grants.report.read", "grants.report.write", "grants.report.review"
ACCEPT, SCHEDULE = "grants.report.accept", "grants.report.schedule"


def role_on(who: Identity, action: str, report: Report) -> str:
    """Return the role in which `who` may do `action` to the report; raises as the policy does."""
    own = owns(who, report.organisation)
    return POLICY.role_for(action, who, own=own, programme=report.programme)


def look_at(connection: Connection, who: Identity, report_id: str, action: str = READ) -> Report:
    """Return a report that `who` may look at; one that is not theirs does not exist for them."""
    report = find_report(connection, report_id[:MAX_REFERENCE])
    if report is None:
        POLICY.require(action, who)
        raise NotFoundError("There is no such record")
    role_on(who, action, report)
    return report


def report_for(
    uow: UnitOfWork, who: Identity, action: str, report_id: str, *, expected: int | None = None, reason: str = ""
) -> Report:
    """Return the report, locked, to do `action` to it as `who`."""
    seen = look_at(uow.connection, who, report_id, action)
    stand(uow, who, seen.programme, seen.application)
    must_run(uow, seen)
    act_as(uow, role_on(who, action, seen), reason or None)
    return reports(uow).get(seen.id, expected=expected)


def must_run(uow: UnitOfWork, report: Report) -> None:
    """Raise ConflictError when the grant of a report was closed; both wait for each other at the application."""
    application = applications(uow).get(report.application)
    if application.terminal:
        closing.must_not_be_closed(application, Frame(uow.connection, application))


def impartial(who: Identity, report: Report) -> None:
    """Raise ForbiddenError when `who` belongs to the recipient, whatever their role in the programme."""
    if owns(who, report.organisation):
        raise ForbiddenError("You belong to the recipient's organisation; another person must do this")


def pack_for(connection: Connection, report: Report) -> Pack:
    """Return the pack that the grant is pinned to."""
    return pack_of(connection, report.programme, report.pack_version)


def rules_of(call: Call) -> Reporting:
    """Return a call's rules of reporting; raises ConflictError when it has none."""
    if call.reporting is None:
        raise ConflictError("The call of this grant asks for no reports")
    return call.reporting


def today_in(uow: UnitOfWork, pack: Pack) -> date:
    """Return the day where the programme works."""
    return uow.now().astimezone(ZoneInfo(pack.calendar.zone)).date()


def agreed_budget(application: Application, award: Award | None) -> Mapping[str, Agreed]:
    """Return what each budget line was agreed at; of an agreement without lines of its own, the application's."""
    agreed = award.terms.lines if award and award.terms else ()
    found: dict[str, Agreed] = {}
    for line in agreed or application.budget:
        before = found.get(line.line, Agreed())
        grant, own = before.grant + line.grant.amount, before.own + line.own.amount
        found[line.line] = Agreed(grant=grant, own=own)
    return found


def setting_of(uow: UnitOfWork, report: Report) -> Setting:
    """Return what a report is judged by now."""
    pack = pack_for(uow.connection, report)
    call = pack.call(report.call)
    application = reads.find_application(uow.connection, report.application)
    if application is None:
        raise NotFoundError("There is no such record")
    award = reads.find_award(uow.connection, report.application)
    every = reports_of(uow.connection, report.application)
    return Setting(
        rules=rules_of(call),
        indicators=call.indicators,
        lines=tuple(line.id for line in call.budget_lines),
        agreed=agreed_budget(application, award),
        earlier=[other for other in every if other.number < report.number],
        today=today_in(uow, pack),
        terms=award.terms if award else None,
        lead=application.organisation_name,
    )
