"""Words of guarantee facilities and guarantees. Each is a gettext id."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from services.loans.domain.finance import Finance
from services.loans.domain.guarantee_parts import Checked
from services.loans.domain.matching import Finding
from services.loans.pages import product_words, words

STAGES: dict[str, tuple[str, str]] = {
    "requested": ("Waits for the guarantor", "go"),
    "approved": ("Waits for the second person", "warn"),
    "issued": ("Issued, fees not paid yet", "warn"),
    "active": ("In force", "good"),
    "claimed": ("Claimed", "warn"),
    "claim_approved": ("Claim approved, to be paid", "warn"),
    "paid": ("Claim paid", "bad"),
    "refused": ("Claim refused", "warn"),
    "recovering": ("Recovering", "bad"),
    "clawed_back": ("Due back: the loan has caught up", "warn"),
    "closed": ("Closed after a claim", ""),
    "released": ("Released: the loan is repaid", "good"),
    "lapsed": ("Lapsed", "bad"),
    "declined": ("Declined by the guarantor", "bad"),
    "withdrawn": ("Withdrawn", ""),
    "void": ("Consent revoked", ""),
}
FACILITIES: dict[str, tuple[str, str]] = {
    "proposed": ("Waits for the second person", "warn"),
    "refused": ("Not approved", ""),
    "open": ("Open for guarantees", "good"),
    "closed": ("Closed for new guarantees", ""),
}
DUES = {
    "one_off": "Fee of the issue",
    "yearly": "Fee of a year",
    "recovery": "Part of a recovery",
    "claw_back": "Claim given back",
}
ENDED = {"repaid": "the loan is repaid", "fee_unpaid": "a fee was not paid in time", "period_over": "its time is over"}
RULES = {
    "open": "Facility",
    "coverage": "Coverage",
    "single": "Guaranteed sum",
    "room": "Free room",
    "bank": "Bank",
    "purpose": "Purpose",
}
MOVES = {
    "approve": "Agree as the first of two",
    "issue": "Issue the guarantee",
    "decline": "Decline",
    "withdraw": "Withdraw",
    "revoke": "Revoke consent",
    "claim": "Claim",
    "approve_claim": "Approve the claim",
    "pay_claim": "Record the payment",
    "refuse_claim": "Refuse the claim",
    "recover": "Record a recovery",
    "claw_back": "Ask the claim back",
    "close": "Close",
    "change": "Change the terms",
    "refuse": "Refuse the change",
}

TERMS = {
    "name-en": "Name in English",
    "name-ru": "Name in Russian",
    "ceiling": "Ceiling",
    "single_max": "One guarantee, at most",
    "coverage_percent": "Coverage, per cent at most",
    "banks": "Banks",
    "purposes": "For",
    "fee_percent": "Fee once, per cent of the guaranteed sum",
    "annual_fee_percent": "Fee a year, per cent of the guaranteed balance",
    "fee_days": "A fee is paid within, days",
    "claim_after_days": "Claims begin when late by, days",
    "first_claim_percent": "First claim, per cent at most",
    "cap_percent": "Claims, per cent of the ceiling at most",
    "tail_days": "Holds after the loan ends, days",
    "valid_from": "Issued from",
    "valid_until": "Issued until",
}


def term(name: str) -> str:
    """Return what a field of a facility's form is called, in the reader's language."""
    return product_words.label(name.removeprefix("rule-")) if name.startswith("rule-") else words.say(TERMS[name])


def moves() -> dict[str, str]:
    """Return the moves' names in the reader's language."""
    return {name: words.say(text) for name, text in MOVES.items()}


def _typed(item: Checked) -> dict[str, Any]:
    """Return the figures of a rule as they were before they were stored: sums and days are written as people do."""
    if item.rule == "open":
        return {name: date.fromisoformat(value) for name, value in item.params.items()}
    if item.rule in {"coverage", "single", "room"}:
        return {name: Decimal(value) for name, value in item.params.items()}
    return dict(item.params)


def checks(found: Sequence[Finding | Checked], finance: Finance) -> list[dict[str, Any]]:
    """Return the lines of a facility's rules: what each is about, whether it is met, and its figures in words."""
    lines = []
    for item in found:
        said = (item.message, _typed(item)) if isinstance(item, Checked) else item.said
        own = item.rule in RULES and item.rule != "purpose"
        text = words.say(*said) if own else product_words.spoken(said, item.rule, finance)
        label = words.say(RULES[item.rule]) if item.rule in RULES else product_words.label(item.rule)
        lines.append({"label": label, "met": item.met, "said": text.replace("%%", "%"), "mend": "", "href": ""})
    return lines
