"""Where an application stands, in plain words for the applicant: what is now, what happens next, and by when."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from services.grants.domain.appeal import last_day
from services.grants.domain.mainline import main_line
from services.grants.handlers.appealing import rejected
from shared.i18n import translate

if TYPE_CHECKING:
    from services.grants.pages.common import CasePage

# Gettext ids: (what is now, what happens next with a day, what happens next without one).
_DRAFT = (
    "You are writing it. Nothing is sent to us yet.",
    "Check it and hand it in by %(day)s; until then nobody here reads it.",
    "Check it and hand it in when it is ready; until then nobody here reads it.",
)
_ASKED = (
    "We need something from you, and our own clock stands still until you answer.",
    "Answer by %(day)s. Then we go on where we stopped.",
    "Answer when you can. Then we go on where we stopped.",
)
_YOURS = (
    "It is your turn: %(stage)s.",
    "Do your part by %(day)s; what it is stands below.",
    "What is to be done stands below.",
)
_OURS = (
    "It is with us: %(stage)s. You need not do anything now.",
    "We mean to be done with this step by %(day)s. Then comes: %(next)s. You get a letter either way.",
    "Then comes: %(next)s. You get a letter when something changes.",
)
_LATE = "We meant to be done with this step by %(day)s and are late; we are sorry. You need not do anything."
_ENDED = "It is closed: %(stage)s. Nothing more happens unless you or we open it again."
_APPEAL = "If you hold that something was overlooked you may appeal, once, until %(day)s: see the page Appeal."


def status(page: CasePage, today: date) -> list[str]:
    """Return what the applicant reads about the case: now, and then what is next and by when."""
    application, initial = page.application, page.frame.workflow.initial
    day = page.frame.call.closes_on if application.stage == initial else application.due
    named = {"stage": page.stage_name(application.stage), "next": _next(page), "day": _day(page, day)}
    if application.terminal:
        until = _appeal_until(page)
        more = [_said(page, _APPEAL, {"day": _day(page, until)})] if until and today <= until else []
        return [_said(page, _ENDED, named), *more]
    yours = application.holder == "applicant"
    words = _DRAFT if application.stage == initial else _ASKED if application.paused else _YOURS if yours else _OURS
    after = words[1] if day else words[2]
    if day and day < today and words is _OURS:
        after = _LATE
    if not named["next"] and words is _OURS and after is not _LATE:
        return [_said(page, words[0], named)]
    return [_said(page, words[0], named), _said(page, after, named)]


def _appeal_until(page: CasePage) -> date | None:
    rules = page.frame.pack.closeout.appeals
    stands = rules and rejected(page.application, page.frame)
    return last_day(page.application, rules, page.frame.calendar) if rules and stands else None


def _said(page: CasePage, message: str, named: dict[str, str]) -> str:
    return translate("grants", message, dict(named), locale=page.request.state.locale)


def _day(page: CasePage, day: date | None) -> str:
    text: str = page.request.app.state.pages.day(day)
    return text


def _next(page: CasePage) -> str:
    """Return the next stage that has another name for the applicant than the present one."""
    line, stage = main_line(page.frame.workflow), page.application.stage
    here = page.stage_name(stage)
    ahead = line[line.index(stage) + 1 :] if stage in line else []
    return next((name for name in map(page.stage_name, ahead) if name != here), "")
