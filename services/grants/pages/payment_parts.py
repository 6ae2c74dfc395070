"""What the money page shows of payments: what holds each tranche, the reasons, whether the password is asked again."""

from __future__ import annotations

from typing import Any

from services.grants.pages.common import CasePage
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
    }
