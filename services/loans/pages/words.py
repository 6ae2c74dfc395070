"""Words that pages say about codes: stages, acts, to-dos. Each is a gettext id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.loans.domain.readiness import Todo
from services.loans.pages.sections import labels
from shared import i18n

# Each stage's word and tone.
STAGES: dict[str, tuple[str, str]] = {
    "draft": ("Draft", ""),
    "locked": ("Submitted", "go"),
    "created": ("Being prepared", ""),
    "consented": ("Consent given", ""),
    "submitted": ("New", "go"),
    "received": ("Received", "go"),
    "info_requested": ("Waiting for applicant", "warn"),
    "info_supplied": ("Answered", "go"),
    "in_credit": ("In analysis", "go"),
    "offered": ("Offered", "good"),
    "declined": ("Declined", "bad"),
    "accepted": ("Accepted", "good"),
    "turned_down": ("Offer not wanted", ""),
    "expired": ("Offer expired", ""),
    "withdrawn": ("Withdrawn", ""),
    "void": ("Consent revoked", ""),
    "closed": ("Closed: another offer was accepted", ""),
    "partly_disbursed": ("Partly disbursed", "good"),
    "disbursed": ("Disbursed", "good"),
}
FOLDERS: dict[str, str] = {
    "new": "New",
    "analysis": "In analysis",
    "waiting": "Waiting for applicant",
    "offered": "Offered",
    "disbursed": "Disbursed",
    "declined": "Declined",
    "closed": "Closed",
}
ACTS: dict[str, str] = {
    "loans.proposal.started": "Proposal begun",
    "loans.proposal.saved": "Section saved",
    "loans.proposal.document_added": "Document added",
    "loans.proposal.document_removed": "Document removed",
    "loans.proposal.submitted": "Submitted and locked",
    "loans.proposal.reopened": "Reopened for changes",
    "loans.referral.consented": "Consent given",
    "loans.referral.submitted": "Referred to the bank",
    "loans.referral.received": "Receipt acknowledged",
    "loans.referral.information_requested": "Information requested, the clock stands still",
    "loans.referral.information_supplied": "Information supplied, the clock runs",
    "loans.referral.analysis_started": "Analysis begun",
    "loans.referral.declined": "Declined",
    "loans.referral.offered": "Offer made",
    "loans.referral.accepted": "Offer accepted",
    "loans.referral.turned_down": "Offer not wanted",
    "loans.referral.expired": "Offer expired",
    "loans.referral.withdrawn": "Withdrawn",
    "loans.referral.closed": "Closed by itself: another offer was accepted",
    "loans.referral.consent_revoked": "Consent revoked",
    "loans.referral.disbursed": "Money paid out",
    "loans.loan.agreed": "Loan agreed",
    "loans.loan.disbursement_reported": "Disbursement reported",
    "loans.loan.disbursement_confirmed": "Disbursement confirmed",
}
LETTERS: dict[str, tuple[str, str]] = {
    "queued": ("waiting", ""),
    "sent": ("sent", "good"),
    "delivered": ("delivered", "good"),
    "read": ("read", "good"),
    "suppressed": ("not sent", ""),
    "temporary_failure": ("will be tried again", "warn"),
    "permanent_failure": ("failed", "bad"),
}
BLOCKS: dict[str, str] = {
    "applicant": "The firm",
    "owners": "Owners",
    "request": "The request",
    "project": "The project",
    "funding": "Sources and uses",
    "history": "Three years",
    "projection": "Projection",
    "flows": "Project flows",
    "debts": "Debts",
    "collateral": "Collateral",
    "declaration": "Declaration",
    "ratios": "Computed figures",
    "cash_flow": "Monthly cash flow and repayment",
    "documents": "Documents",
}


def say(message: str, params: dict[str, Any] | None = None) -> str:
    """Return a gettext id in the reader's language."""
    return i18n.translate("loans", message, params or {})


def todo_text(todo: Todo) -> str:
    """Return why a to-do stands, with fields by their labels, in the reader's language."""
    params = dict(todo.params)
    if "fields" in params:
        known = labels()
        names = [known.get(f"{todo.block}.{name}", name) for name in str(params["fields"]).split(", ")]
        params["fields"] = ", ".join(say(name).lower() for name in names)
    return say(todo.message, params)


def acts(rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Return outbox rows as lines of a timeline."""
    lines = []
    for row in rows:
        data, actor = row.body["data"], row.body["actor"]
        detail = data.get("bank_name") if row.type.startswith(("loans.referral", "loans.loan")) else None
        section = data.get("section")
        if section:
            detail = say(BLOCKS.get(section, section))
        lines.append(
            {
                "what": say(ACTS.get(row.type, row.type)),
                "who": actor.get("name") or actor["id"],
                "at": row.time,
                "detail": detail,
                "seal": None,
                "tag": None,
                "tone": "",
            }
        )
    return lines


def letter_lines(rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Return what became of letters, for a table."""
    return [
        {
            "to": row.recipient_name,
            "title": row.title,
            "channel": row.channel,
            "state": say(LETTERS.get(row.state, (row.state, ""))[0]),
            "tone": LETTERS.get(row.state, ("", ""))[1],
            "at": row.at,
        }
        for row in rows
    ]
