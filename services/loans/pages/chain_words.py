"""Words that pages say about agreements of three: stages, moves, sides. Each is a gettext id."""

from __future__ import annotations

STAGES: dict[str, tuple[str, str]] = {
    "draft": ("Draft", ""),
    "proposed": ("Waits for signatures", "warn"),
    "in_force": ("In force", "good"),
    "under_notice": ("Under notice", "warn"),
    "ended": ("Ended", ""),
    "declined": ("Declined", "bad"),
    "withdrawn": ("Withdrawn", ""),
}
DELIVERIES: dict[str, tuple[str, str]] = {
    "reported": ("Waits for the supplier", "warn"),
    "confirmed": ("Confirmed", "go"),
    "disputed": ("Disputed: the deduction waits", "bad"),
    "taken_back": ("Taken back", ""),
    "transferred": ("On its way to the bank", "go"),
    "received": ("Received by the bank", "good"),
}
TRANSFERS: dict[str, tuple[str, str]] = {
    "made": ("Waits for the bank", "warn"),
    "received": ("Received by the bank", "good"),
    "refused": ("Did not arrive", "bad"),
}
SIDES = {"supplier": "Supplier", "buyer": "Lead firm", "bank": "Bank"}
GROUNDS = {"notice": "by notice", "breach": "for breach", "repaid": "because its loans are repaid"}
PRICES = {"fixed": "Fixed price", "minimum": "At least", "market": "Market price"}
KINDS = {"share": "A share of each payment, per cent", "fixed": "A fixed sum of each delivery"}
MOVES: dict[str, str] = {
    "propose": "Propose to lead firm and bank",
    "revise": "Write the next version",
    "sign": "Sign",
    "decline": "Decline",
    "withdraw": "Withdraw",
    "give_notice": "Give notice",
    "declare_breach": "End for breach",
    "report_deliveries": "Report deliveries",
    "confirm": "Confirm",
    "dispute": "Dispute",
    "take_back": "Take back",
    "transfer": "Transfer to the bank",
    "receive": "Confirm receipt",
    "refuse": "Did not arrive",
}
# The labels of a form's fields, for the list of what needs attention.
FIELDS: dict[str, str] = {
    "buyer": "Lead firm",
    "season_from": "Season from",
    "season_to": "Season until",
    "kind": "What is deducted",
    "figure": "Figure",
    "ahead_days": "Days ahead",
    "referrals": "Loans in this order",
    "notice_days": "Notice, days",
    "objection_days": "Time to object, days",
    "conditions": "Conditions",
    "why": "Why",
    "code": "Code",
    "name": "Goods",
    "unit": "Unit",
    "quantity": "Quantity",
    "price_rule": "Price rule",
    "price": "Price",
    "by": "Until",
    "agreement": "Agreement",
    "number": "No.",
    "good": "Goods",
    "currency": "Currency",
    "delivered_on": "Delivered on",
    "paid_on": "Paid on",
    "on": "Paid on",
    "payment": "Reference of the payment",
    "deliveries": "Deductions",
    "file": "File",
    "rows": "Lines",
}
