"""Working days, pauses and due days of a workflow's stages."""

from __future__ import annotations

from datetime import UTC, date, datetime

from small_workflow import SMALL

from shared.workflow import (
    Visit,
    Workflow,
    due,
    turn,
    working_days,
)


def at(day: int, hour: int = 9, month: int = 5) -> datetime:
    """Return a moment of 2026."""
    return datetime(2026, month, day, hour, tzinfo=UTC)


def test_working_days_leave_out_weekends_and_holidays() -> None:
    """From Thursday 30 April to Tuesday 5 May 2026 there are 2: Labour Day and a weekend are between."""
    assert working_days(date(2026, 4, 30), date(2026, 5, 5), "MK") == 2


def test_a_stage_is_due_after_its_working_days() -> None:
    """Five working days from Wednesday 20 May 2026 end on Thursday 28: Monday 25 is a day off."""
    sla = Workflow.checked(SMALL).stage("checked").sla
    assert sla is not None
    assert due(at(20), [], sla, "MK") == date(2026, 5, 28)


def test_the_local_day_counts_not_the_utc_day() -> None:
    """What comes in at 23:30 UTC on Sunday is Monday's in Skopje, and due a day later."""
    sla = Workflow.checked(SMALL).stage("checked").sla
    assert sla is not None
    late = datetime(2026, 6, 14, 23, 30, tzinfo=UTC)
    assert due(late, [], sla, "MK") == date(2026, 6, 19)
    assert due(late, [], sla, "MK", "Europe/Skopje") == date(2026, 6, 22)


def test_the_clock_stands_still_while_the_applicant_is_asked() -> None:
    """Two days used, six asked, then the rest: the due day moves by the working days of the pause."""
    workflow = Workflow.checked(SMALL)
    before = [Visit("draft", at(1, month=6), at(8, month=6)), Visit("checked", at(8, month=6), at(10, month=6))]
    asked = turn(workflow, [*before, Visit("asked", at(10, month=6))], country="MK", now=at(12, month=6))
    assert (asked.paused, asked.due, asked.holder) == (True, None, "applicant")
    history = [*before, Visit("asked", at(10, month=6), at(18, month=6)), Visit("checked", at(18, month=6))]
    back = turn(workflow, history, country="MK", now=at(19, month=6))
    assert (back.paused, back.due, back.days_used, back.since) == (False, date(2026, 6, 23), 3, at(18, month=6))


def test_a_stage_entered_anew_has_a_new_clock() -> None:
    """After a round through another stage than the pausing one, days count from the new entry."""
    workflow = Workflow.checked(SMALL)
    history = [Visit("checked", at(1, month=6), at(9, month=6)), Visit("shut", at(9, month=6), at(15, month=6))]
    fresh = turn(workflow, [*history, Visit("checked", at(15, month=6))], country="MK", now=at(16, month=6))
    assert (fresh.due, fresh.days_used, fresh.late) == (date(2026, 6, 22), 1, False)
    stale = turn(workflow, [*history, Visit("checked", at(15, month=6))], country="MK", now=at(23, month=6))
    assert stale.late
