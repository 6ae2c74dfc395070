"""What a program's key may be limited to: scopes by name, each a few actions of the services' policies.

A key acts for the person who made it, and a scope only takes away: what that person may not do, no scope gives.
"""

from __future__ import annotations

from collections.abc import Iterable

SCOPES: dict[str, frozenset[str]] = {
    "referrals:read": frozenset(
        {
            *("loans.referral.list", "loans.referral.read", "loans.referral.document"),
            *("loans.teaser.list", "loans.teaser.read"),
        }
    ),
    "referrals:answer": frozenset({"loans.referral.decide", "loans.teaser.answer"}),
    "loans:read": frozenset({"loans.loan.read", "loans.portfolio.read"}),
    "loans:report": frozenset({"loans.loan.disburse", "loans.loan.restructure"}),
    "tapes:read": frozenset({"loans.tape.list", "loans.tape.read"}),
    "tapes:send": frozenset({"loans.tape.check", "loans.tape.apply"}),
    "guarantees:read": frozenset(
        {"loans.facility.list", "loans.facility.read", "loans.guarantee.list", "loans.guarantee.read"}
    ),
    "guarantees:claim": frozenset({"loans.guarantee.request", "loans.guarantee.claim"}),
    "webhooks:read": frozenset({"notifications.endpoint.list", "notifications.endpoint.read"}),
    "log:read": frozenset({"audit.tlog.read"}),
}
# Gettext ids.
NAMES = {
    "referrals:read": "Read referrals and their documents",
    "referrals:answer": "Answer referrals: acknowledge, ask, decline, offer",
    "loans:read": "Read loans and the portfolio",
    "loans:report": "Report disbursements and restructurings",
    "tapes:read": "Read repayment tapes",
    "tapes:send": "Send and apply repayment tapes",
    "guarantees:read": "Read guarantees and the facilities behind them",
    "guarantees:claim": "Ask for guarantees, claim on them and report recoveries",
    "webhooks:read": "Read endpoints and what was sent to them",
    "log:read": "Read checkpoints of the audit log and the hashes that prove it",
}


def permits(scopes: Iterable[str], action: str) -> bool:
    """Return whether a key with these scopes may be used for an action; a scope of a later release permits nothing."""
    return any(action in SCOPES.get(scope, ()) for scope in scopes)
