"""Words that pages say about codes: stages, acts, to-dos. Each is a gettext id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import RowMapping

from services.loans.domain.finance import Finance
from services.loans.domain.readiness import Todo
from services.loans.pages.sections import labels
from shared import i18n
from shared.money import Money

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
    "countered": ("Other terms asked for", "warn"),
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
# How a loan stands.
STAGES |= {
    "agreed": ("Agreed, not paid out", ""),
    "performing": ("Performing", "good"),
    "overdue": ("Overdue", "bad"),
    "restructured": ("Restructured", "warn"),
    "closed_repaid": ("Paid back", "good"),
    "written_off": ("Written off by the bank", "bad"),
}
TAPES: dict[str, tuple[str, str]] = {
    "checked": ("Checked, does not count yet", "go"),
    "applied": ("Counts", "good"),
    "superseded": ("Corrected", ""),
    "discarded": ("Dropped", ""),
}
TAPE_FOLDERS = {"all": "All", "wrong": "Wrong", "different": "Different", "missing": "Left out", "late": "Late"}
TAPE_COLUMNS: dict[str, str] = {
    "loan": "Loan",
    "as_of": "As of",
    "currency": "Currency",
    "principal_paid": "Principal paid",
    "interest_paid": "Interest paid",
    "fees_paid": "Fees paid",
    "outstanding": "Outstanding",
    "days_past_due": "Days past due",
    "restructured": "Restructured",
    "written_off": "Written off",
    "paid_on": "Paid on",
    "line": "Line",
}
STEPS = {
    "prepared": "Prepared",
    "ready": "Ready",
    "referred": "Referred",
    "offered": "Offer made",
    "accepted": "Accepted",
    "disbursed": "Paid out",
}
DIMENSIONS = {
    "bank": "By bank",
    "product": "By product",
    "sector": "By sector",
    "sex": "By sex of the owners",
    "age": "By age of the owner",
    "place": "By place",
}
_VALUES = {
    "product.term_loan": "Term loan",
    "product.working_capital": "Working capital loan",
    "product.leasing": "Leasing",
    "sex.female": "Female",
    "sex.male": "Male",
    "sex.mixed": "Mixed",
    "age.youth": "Under 30",
    "age.adult": "30 to 59",
    "age.older": "60 and over",
}
FOLDERS: dict[str, str] = {
    "turn": "Your turn, by due day",
    "overdue": "Late",
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
    "loans.proposal.support_ended": "Adviser's access ended",
    "loans.proposal.teased": "Teaser shown to banks",
    "loans.proposal.teaser_replied": "A bank answered to the teaser",
    "loans.sequence.consented": "Consent given for a bank's later turn",
    "loans.sequence.arranged": "Order of banks changed",
    "loans.sequence.started": "Banks are asked one after another",
    "loans.sequence.advanced": "The next bank was asked",
    "loans.sequence.stopped": "The order of banks stands still",
    "loans.sequence.finished": "The order of banks is over",
    "loans.link.used": "Done by a link of a letter",
    "loans.referral.consented": "Consent given",
    "loans.referral.submitted": "Referred to the bank",
    "loans.referral.overdue": "The bank's answer is late",
    "loans.referral.received": "Receipt acknowledged",
    "loans.referral.information_requested": "Information requested, the clock stands still",
    "loans.referral.information_supplied": "Information supplied, the clock runs",
    "loans.referral.analysis_started": "Analysis begun",
    "loans.referral.declined": "Declined",
    "loans.referral.offered": "Offer made",
    "loans.referral.countered": "Other terms asked for",
    "loans.referral.accepted": "Offer accepted",
    "loans.referral.turned_down": "Offer not wanted",
    "loans.referral.expired": "Offer expired",
    "loans.referral.withdrawn": "Withdrawn",
    "loans.referral.closed": "Closed by itself: another offer was accepted",
    "loans.referral.consent_revoked": "Consent revoked",
    "loans.referral.disbursed": "Money paid out",
    "loans.firm.recorded": "Fact entered",
    "loans.advice.contacted": "Noted a contact with the firm",
    "loans.advice.step_done": "Took the agreed step as done",
    "loans.diagnostic.taken": "Answered the diagnostic",
    "loans.firm.person_erased": "Erased a person's name",
    "loans.firm.person_named": "Named a person of the firm",
    "loans.training.attended": "Kept the attendance list",
    "loans.training.cancelled": "Cancelled the course",
    "loans.training.closed": "Closed the course and gave certificates",
    "loans.training.enrolled": "Enrolled somebody in the course",
    "loans.training.left": "Took somebody out of the course",
    "loans.training.planned": "Planned a course",
    "loans.training.tested": "Recorded a course's test",
    "loans.improvement.opened": "Improvement plan made",
    "loans.improvement.referred_again": "Improved version referred",
    "loans.improvement.task_added": "Task added",
    "loans.improvement.task_done": "Task done",
    "loans.improvement.task_reopened": "Task reopened",
    "loans.product.published": "Product published",
    "loans.product.withdrawn": "Product withdrawn",
    "loans.loan.agreed": "Loan agreed",
    "loans.loan.disbursement_reported": "Disbursement reported",
    "loans.loan.disbursement_confirmed": "Disbursement confirmed",
    "loans.loan.overdue": "Late by the bank's report",
    "loans.loan.less_overdue": "Less late than before",
    "loans.loan.caught_up": "No longer late",
    "loans.loan.restructured": "New terms",
    "loans.loan.repaid": "Paid back",
    "loans.loan.written_off": "Written off by the bank",
    "loans.facility.proposed": "Proposed terms of a guarantee facility",
    "loans.facility.approved": "Approved a guarantee facility",
    "loans.facility.refused": "Refused terms of a guarantee facility",
    "loans.facility.closed": "Closed a guarantee facility",
    "loans.permission.given": "Agreed that a guarantor is given its data",
    "loans.permission.revoked": "Took back the consent to a guarantor",
    "loans.guarantee.requested": "Asked for a guarantee",
    "loans.guarantee.approved": "Agreed to a guarantee as the first of two",
    "loans.guarantee.issued": "Issued a guarantee",
    "loans.guarantee.active": "The guarantee can be claimed on",
    "loans.guarantee.declined": "Declined a guarantee",
    "loans.guarantee.withdrawn": "A request for a guarantee became void",
    "loans.guarantee.due": "A sum is due to the guarantor",
    "loans.guarantee.due_paid": "The guarantor received a sum",
    "loans.guarantee.document_added": "Added a document to a guarantee",
    "loans.guarantee.claimed": "Claimed on a guarantee",
    "loans.guarantee.claim_approved": "Approved a claim on a guarantee",
    "loans.guarantee.claim_paid": "Paid a claim on a guarantee",
    "loans.guarantee.claim_refused": "Refused a claim on a guarantee",
    "loans.guarantee.recovered": "Shared a recovery",
    "loans.guarantee.clawed_back": "Took a claim back: the loan has caught up",
    "loans.guarantee.released": "A guarantee was released: the loan is repaid",
    "loans.guarantee.lapsed": "A guarantee lapsed",
    "loans.guarantee.closed": "Closed a guarantee after its claim",
}
ACTS |= {
    "loans.fee.assigned": "Adviser assigned for a success fee",
    "loans.fee.accrued": "A part of the adviser's fee was earned",
    "loans.fee.approved": "Adviser's fee approved",
    "loans.fee.paid": "Adviser's fee paid",
    "loans.fee.restored": "A corrected tape gave the adviser's fee back",
    "loans.fee.clawed_back": "An early default took the adviser's fee back",
    "loans.fee.returned": "The adviser returned the fee",
    "loans.teaser.shown": "Teaser shown to a bank",
    "loans.teaser.answered": "A bank answered to its teaser",
    "loans.teaser.ended": "Teaser shown no more",
    "loans.proposal.settled": "Settled with one bank",
    "loans.tripartite.drafted": "Agreement drafted",
    "loans.tripartite.revised": "Next version written: all sign anew",
    "loans.tripartite.proposed": "Proposed to lead firm and bank",
    "loans.tripartite.signed": "Signed",
    "loans.tripartite.in_force": "In force: all three have signed",
    "loans.tripartite.declined": "Declined",
    "loans.tripartite.withdrawn": "Withdrawn",
    "loans.tripartite.notice_given": "Notice given",
    "loans.tripartite.ended": "Ended",
    "loans.tripartite.behind": "Less delivered than agreed",
    "loans.tripartite.deliveries_reported": "Deliveries reported",
    "loans.delivery.reported": "Delivery reported",
    "loans.delivery.confirmed": "Delivery confirmed",
    "loans.delivery.disputed": "Delivery disputed",
    "loans.delivery.taken_back": "Delivery taken back",
    "loans.delivery.transferred": "Deduction transferred",
    "loans.delivery.received": "Deduction received by the bank",
    "loans.delivery.returned": "Deduction waits for another transfer",
    "loans.transfer.made": "Transfer to the bank",
    "loans.transfer.received": "Transfer received",
    "loans.transfer.refused": "Transfer did not arrive",
    "loans.group.settled": "Shares and liability settled: every member is asked",
    "loans.group.dissolved": "Group dissolved",
    "loans.group.member_accepted": "A member accepted",
    "loans.group.member_declined": "A member declined",
    "loans.group.member_consented": "A member consented to a bank",
    "loans.group.consent_revoked": "A member took a consent back",
}
# The moves of proposals and referrals as their buttons name them.
MOVES: dict[str, str] = {
    "acknowledge": "Acknowledge receipt",
    "ask": "Ask for information",
    "answer": "Answer",
    "analyse": "Begin analysis",
    "offer": "Make an offer",
    "counter": "Ask for other terms",
    "decline": "Decline",
    "accept": "Accept the offer",
    "turn_down": "Not this offer",
    "withdraw": "Withdraw",
    "revoke": "Revoke consent",
    "save": "Save",
    "submit": "Submit and lock",
    "reopen": "Reopen",
    "refer": "Choose banks",
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
    "training": "Training",
}


def say(message: str, params: dict[str, Any] | None = None) -> str:
    """Return a gettext id in the reader's language."""
    return i18n.translate("loans", message, params or {})


def value_of(dimension: str, value: str) -> str:
    """Return a value by which loans are counted in the reader's language; codes and places as they are."""
    known = _VALUES.get(f"{dimension}.{value}")
    return say(known) if known else value


def move_names() -> dict[str, str]:
    """Return the moves' names in the reader's language."""
    return {name: say(words) for name, words in MOVES.items()}


def todo_text(todo: Todo, finance: Finance) -> str:
    """Return why a to-do stands, with fields by their labels, in the reader's language."""
    params = dict(todo.params)
    if "fields" in params:
        known = labels()
        names = [known.get(f"{todo.block}.{name}", name) for name in str(params["fields"]).split(", ")]
        params["fields"] = ", ".join(say(name).lower() for name in names)
    if "kinds" in params:
        locale = i18n.current_locale.get()
        params["names"] = ", ".join(kind.said(locale) for kind in finance.documents if kind.kind in params["kinds"])
    advised = "" if todo.blocking else f" ({say('advised')})"
    return f"{say(BLOCKS[todo.block])}: {say(todo.message, params)}{advised}"


def acts(
    rows: Sequence[RowMapping], letters: dict[str, dict[str, Any]], *, alone: bool = False
) -> list[dict[str, Any]]:
    """Return outbox rows as lines of a timeline, each with its letters; `alone` keeps letters whose act is not here."""
    left = dict(letters)
    lines = [_act(row, left.pop(str(row["id"]), None)) for row in rows]
    if alone:
        lines += [{"what": group["title"], "at": group["at"], "letters": group} for group in left.values()]
    return sorted(lines, key=lambda line: line["at"], reverse=True)


_BANKS = ("replying_bank_name", "asked_bank_name", "bank_name")


def _act(row: RowMapping, letters: dict[str, Any] | None) -> dict[str, Any]:
    data, actor, refused = row["body"]["data"], row["body"]["actor"], row["outcome"] == "refused"
    named = row["type"].startswith(("loans.referral", "loans.loan", "loans.sequence", "loans.proposal.teaser"))
    detail = next((data[name] for name in _BANKS if named and data.get(name)), None)
    amount = data.get("amount") or data.get("sum") or data.get("ceiling")
    if amount and row["type"].startswith(("loans.guarantee", "loans.facility")):
        detail = say("%(amount)s", {"amount": Money.model_validate(amount)})
    section = data.get("section")
    if section:
        detail = say(BLOCKS.get(section, section))
    return {
        "what": data["detail"] if refused else say(ACTS.get(row["type"], row["type"])),
        "who": actor.get("name") or actor["id"],
        "at": row["time"],
        "detail": detail,
        "tag": say("refused") if refused else None,
        "tone": "bad",
        "letters": letters,
    }


def views(rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Return who opened what how often and when last, of rows newest first."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        who, what = row.body["actor"]["name"], row.body["data"]["what"]
        seen = found.setdefault((who, what), {"who": who, "what": _opened(what), "times": 0, "last": row.time})
        seen["times"] += 1
    return list(found.values())


def _opened(what: str) -> str:
    """Return what was opened, as the record names it, in the reader's language."""
    count, _, rest = what.partition(" ")
    if rest == "consented fields":
        return say("%(n)s fields", {"n": count})
    if count == "document":
        return say("Document: %(kind)s", {"kind": rest})
    return say(what)
