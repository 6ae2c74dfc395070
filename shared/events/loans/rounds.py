"""Events of a referral's rounds: other terms asked for, what is improved after a decline, the next referral."""

from __future__ import annotations

from datetime import date

from shared.events.base import Event
from shared.events.loans.referral import _ReferralFact
from shared.money import Money


class Look(Event):
    """What is said of a read besides: through which way, and which fields ("block" or "block.field") were shown."""

    way: str = ""
    fields: list[str] = []


class OfferCountered(_ReferralFact):
    """The applicant asks for other terms than version `number` of the offer; the bank answers by `due`."""

    TYPE = "loans.referral.countered"
    number: int
    amount: Money
    rate: str
    term_months: int
    fee: Money
    due: date


class ReferralOverdue(_ReferralFact):
    """The bank's answer was due by `due` and has not come; said once for each due day."""

    TYPE = "loans.referral.overdue"
    due: date
    working_days_late: int


class LinkUsed(Event):
    """A person did one act by a link of a letter, without signing in; it works no more. Entity link:<id>."""

    TYPE = "loans.link.used"
    AUDIENCE = "record"
    link_id: str
    purpose: str
    user_id: str
    referral_id: str


class _ImprovementFact(_ReferralFact):
    improvement_id: str


class ImprovementOpened(_ImprovementFact):
    """A decline has made a plan of what to improve, with so many tasks, the first due on `due`."""

    TYPE = "loans.improvement.opened"
    reasons: list[str]
    tasks: int
    due: date | None


class ImprovementTaskAdded(_ImprovementFact):
    """Somebody added a task to the plan; who has to do it is `side`."""

    TYPE = "loans.improvement.task_added"
    AUDIENCE = "record"
    task: str
    side: str
    due: date


class ImprovementTaskDone(_ImprovementFact):
    """A task was done by evidence."""

    TYPE = "loans.improvement.task_done"
    AUDIENCE = "record"
    task: str


class ImprovementTaskReopened(_ImprovementFact):
    """What was taken as done is not."""

    TYPE = "loans.improvement.task_reopened"
    AUDIENCE = "record"
    task: str


class ReferredAgain(_ImprovementFact):
    """An improved version of the proposal went to a bank as a new referral.

    Figures of before and after are decimal strings, None where there is none; readiness is a share from 0 to 1.
    """

    TYPE = "loans.improvement.referred_again"
    AUDIENCE = "record"
    new_referral_id: str
    number: int
    readiness_before: str
    readiness_after: str
    dscr_before: str | None
    dscr_after: str | None
