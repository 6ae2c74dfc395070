"""Signatures that an amount needs before the approving move, and what the case's page says of them."""

from __future__ import annotations

from typing import Any

from services.grants.domain import decision
from services.grants.domain.application import Application
from services.grants.domain.decision import remaining, standing, wanting
from services.grants.handlers.base import Command, Frame, act_as, application_for, one_person, roles_on
from services.grants.handlers.moving import facts_for
from services.grants.storage import reads
from shared.database import UnitOfWork
from shared.errors import ConflictError, ForbiddenError
from shared.web.identity import Identity

SIGN = "grants.decision.sign"


class SignCase(Command):
    """The next signature is given; `version` is that of the page on which it was decided."""

    version: int
    comment: str | None = None


def sign(uow: UnitOfWork, who: Identity, reference: str, command: SignCase) -> Application:
    """Give the next signature that the amount needs; the last one is the approving move itself."""
    application, role = application_for(uow, who, SIGN, reference, expected=command.version)
    frame, roles = Frame(uow.connection, application), roles_on(who, application)
    rules = frame.pack.decisions.approvals
    if rules.approve not in {move.id for move in frame.workflow.leaving(application.stage)}:
        raise ConflictError("Nothing waits for a signature here")
    facts = facts_for(who, application, frame, reads.reviews_of(uow.connection, application.id), None)
    if facts.open_conflicts:
        raise ForbiddenError("Conflicts of interest not settled: %(count)s", count=facts.open_conflicts)
    left = remaining(application, rules)
    acting = next((name for name in roles if left and name in left[0].roles), role)
    by = act_as(uow, acting, command.comment)
    decision.sign(application, rules, by, one_person(who, application, frame), roles, uow.now(), command.comment)
    return application


def chain(who: Identity, application: Application, frame: Frame) -> dict[str, Any] | None:
    """Return how a recommendation stands: its signatures, who is next, and whether `who` may sign; None without."""
    made, rules = application.recommended, frame.pack.decisions.approvals
    if made is None:
        return None
    left, roles, one = remaining(application, rules), roles_on(who, application), one_person(who, application, frame)
    here = rules.approve in {move.id for move in frame.workflow.leaving(application.stage)}
    why = None
    if here and left:
        why = decision.not_by(application, left[0], one, roles)
    return {
        "recommendation": made,
        "levels": rules.needed(application.decided),
        "signed": {item.level: item for item in standing(application)},
        "void": [item for item in application.approvals if item not in standing(application)],
        "next": left[0] if left and here else None,
        "mine": bool(here and len(left) > 1 and why is None),
        "why_not": why if here and len(left) > 1 else None,
        "last": wanting(application, rules, one, roles) if here and len(left) == 1 else None,
        "reason": frame.pack.decisions.reason(made.reason_code or ""),
    }
