"""When reports are due, who is reminded, and what a late one holds back."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

from services.grants.domain.application import Application
from services.grants.domain.award import Award
from services.grants.domain.pack import Call
from services.grants.domain.reporting import Report, Target, planned
from services.grants.handlers.base import Frame, act_as, application_for
from services.grants.handlers.reporting.base import SCHEDULE, pack_for, rules_of, today_in
from services.grants.storage import reads
from services.grants.storage.reports import all_of, overdue, reports, to_remind
from shared.database import UnitOfWork
from shared.errors import ConflictError
from shared.events.reporting_rules import Indicator
from shared.forms.checking import value_of
from shared.web.identity import Identity

SECONDS = 900.0


def schedule(uow: UnitOfWork, application: Application, award: Award) -> list[Report]:
    """Write down which reports a concluded agreement asks for; asked again after a change, only the open ones move."""
    frame = Frame(uow.connection, application)
    rules = frame.call.reporting
    if rules is None or award.concluded_at is None:
        return []
    zone = ZoneInfo(frame.calendar.zone)
    terms = award.agreed()
    start = terms.starts_on or award.concluded_at.astimezone(zone).date()
    end = terms.ends_on or max([start, *(milestone.due for milestone in award.milestones if milestone.due)])
    plans = planned(start, end, rules, frame.calendar.country)
    today, targets = uow.now().astimezone(zone).date(), targets_of(frame.call, application)
    known = {report.number: report for report in all_of(uow, application.id)}
    for plan in plans:
        if plan.number in known:
            known[plan.number].replan(plan, today, ends_on=end, targets=targets)
            continue
        known[plan.number] = reports(uow).add(
            Report.schedule(
                plan,
                today,
                id=f"{application.id}-R{plan.number}",
                application=application.id,
                pack_version=application.pack_version,
                currency=award.amount.currency,
                starts_on=start,
                ends_on=end,
                remind=rules.remind,
                targets=targets,
                **{name: getattr(application, name) for name in _ABOUT},
            )
        )
    for number, report in known.items():
        if number > len(plans):
            report.cancel()
    return [known[number] for number in sorted(known)]


_ABOUT = ("programme", "call", "title", "organisation", "organisation_name", "officer")


def targets_of(call: Call, application: Application) -> dict[str, Target]:
    """Return what this grant is to reach: what its application promised, else what the call says of every grant."""
    return {item.id: Target(baseline=item.baseline, target=_target(item, application)) for item in call.indicators}


def _target(indicator: Indicator, application: Application) -> Decimal | None:
    promised = value_of(application.answers.get(indicator.target_field, "")) if indicator.target_field else None
    return indicator.target if promised is None else promised


def schedule_now(uow: UnitOfWork, who: Identity, reference: str) -> list[Report]:
    """Write the reports of a grant down that was concluded before its call asked for any, or whose days changed."""
    application, role = application_for(uow, who, SCHEDULE, reference)
    rules_of(Frame(uow.connection, application).call)
    award = reads.find_award(uow.connection, application.id)
    if award is None or award.concluded_at is None:
        raise ConflictError("The agreement is not concluded yet: both sides must sign first")
    act_as(uow, role)
    return schedule(uow, application, award)


def remind(uow: UnitOfWork) -> None:
    """Tell recipients of reports that are due or late, and the programme of reports that wait for too long."""
    # The day may be a later one where a programme works: each report is asked by its own calendar.
    for report_id in to_remind(uow.connection, _latest_day(uow)):
        report = reports(uow).get(report_id)
        today = today_in(uow, pack_for(uow.connection, report))
        report.call_in(today)
        report.tell_review_late(today)


def _latest_day(uow: UnitOfWork) -> date:
    return uow.now().astimezone(ZoneInfo("Pacific/Kiritimati")).date()


def held_by_report(uow: UnitOfWork, application: Application) -> dict[str, object] | None:
    """Return {report, due} of the late report that holds the next payment back; None where nothing does."""
    frame = Frame(uow.connection, application)
    rules = frame.call.reporting
    if rules is None or not rules.overdue_blocks_payment:
        return None
    late = overdue(uow.connection, application.id, today_in(uow, frame.pack))
    return {"report": late[0]["number"], "due": late[0]["act_on"]} if late else None


def must_have_reported(uow: UnitOfWork, application: Application) -> None:
    """Raise ConflictError that names the late report while the programme pays nothing because of it."""
    if held := held_by_report(uow, application):
        raise ConflictError(HELD, **held)


HELD = "Payments are held: report %(report)s was due on %(due)s and is not handed in"
TIMERS = ((SECONDS, remind),)
