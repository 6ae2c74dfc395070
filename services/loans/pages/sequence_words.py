"""Words of banks that are asked one after another. Each is a gettext id."""

from __future__ import annotations

from typing import Any

from services.loans.handlers import sequences

STAGES: dict[str, tuple[str, str]] = {
    "arranged": ("Not begun", ""),
    "running": ("Running", "go"),
    "stopped": ("Stands still", "bad"),
    "done": ("Over", ""),
}
STEPS: dict[str, tuple[str, str]] = {
    "waiting": ("Waits", ""),
    "asked": ("Its turn", "go"),
    "over": ("Its turn is over", ""),
    "skipped": ("Passed over", "warn"),
}
WHY: dict[str, str] = {
    "declined": "declined",
    "expired": "the offer expired",
    "turned_down": "the offer was not wanted",
    "withdrawn": "withdrawn",
    "void": "the consent was revoked",
    "closed": "closed",
    "late": "the answer is too late; the bank may still answer",
    "no_partner": "no partner of the programme any more",
    "asked_already": "has been asked already",
    "product_gone": "the product is no longer offered",
    "consent_expired": "A consent has expired: give it anew, then go on.",
    "proposal_changed": "The proposal was reopened or changed: end this sequence and arrange a new one.",
    "met": "An offer was accepted.",
    "exhausted": "No bank is left.",
    "ended": "You ended it.",
}


def picture(found: sequences.Standing) -> dict[str, Any]:
    """Return what the picture of a sequence shows."""
    return {
        "sequence": found.sequence,
        "sequence_referral": found.referral,
        "sequence_next": found.next_on,
        "sequence_patience": found.finance.sequence.patience_days,
        "sequence_stages": STAGES,
        "step_stages": STEPS,
        "step_why": WHY,
    }
