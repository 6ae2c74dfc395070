"""Reports of grants: scheduled, written, judged, and what they add up to."""

from services.grants.handlers.reporting.scheduling import TIMERS, held_by_report, must_have_reported, schedule

__all__ = ["TIMERS", "held_by_report", "must_have_reported", "schedule"]
