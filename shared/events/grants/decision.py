"""How a case is decided: what is recommended with which amount, who signed for it, what made signatures void."""

from __future__ import annotations

from shared.events.grants.application import ApplicationFact
from shared.money import Money


class CaseRecommended(ApplicationFact):
    """Funding was recommended, `amount` of what was `requested`; signatures given before are void."""

    TYPE = "grants.application.recommended"
    AUDIENCE = "record"
    outcome: str
    amount: Money
    requested: Money
    reason_code: str | None = None
    comment: str | None = None
    panel: str | None = None


class ApprovalGiven(ApplicationFact):
    """One of the signatures that the amount needs was given; `next_level` is whose turn it is then."""

    TYPE = "grants.application.approval_given"
    amount: Money
    level: str
    level_name: dict[str, str]
    given: int
    of: int
    next_level: dict[str, str]
    comment: str | None = None


class ApprovalsVoided(ApplicationFact):
    """Signatures do not count any more, because what they were given for is not so any more."""

    TYPE = "grants.application.approvals_voided"
    AUDIENCE = "record"
    approvals: int
    why: str
