"""What the money page shows of payments: what holds each tranche, the reasons, whether the password is asked again."""

from __future__ import annotations

from typing import Any

from services.grants.pages.common import CasePage
from services.grants.storage import payees
from shared.web.identity import has_confirmed
from shared.workflow.model import say


def payment_context(page: CasePage) -> dict[str, Any]:
    """Return what the part of the money page about payments needs."""
    award, rules = page.award, page.frame.pack.payments
    if award is None or not award.concluded_at:
        return {"held": {}, "reasons": [], "step_up": False, "rules": rules, "payment_errors": {}}
    waiting = [item.number for item in award.tranches if item.status in {"planned", "requested", "certified"}]
    now = page.request.app.state.clock()
    return {
        "held": {number: (award.held_by(number, rules), award.releasable(number, rules)) for number in waiting},
        "reasons": [(item.id, say(item.name, page.request.state.locale)) for item in rules.reasons],
        "step_up": "release" in rules.step_up and not has_confirmed(page.who, now),
        "rules": rules,
        "payment_errors": {},
        "payee_state": _payee_state(page) if rules.payee else None,
    }


def _payee_state(page: CasePage) -> tuple[str, str] | None:
    """Return how it stands with the recipient's bank details, in a word and its tone."""
    rules, payee = page.frame.pack.payments.payee, payees.find(page.connection, page.application.organisation)
    current = payee.current if payee else None
    if rules is None or current is None:
        return ("not confirmed: nothing can be released", "bad")
    free = current.free_at(rules.cooling_off_hours, page.application.programme)
    if free is None or free > page.request.app.state.clock():
        return ("cooling-off: nothing can be released yet", "warn")
    return ("confirmed", "good")
