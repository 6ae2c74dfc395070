"""What the fields of events about loans that are followed and about repayment tapes mean; read by `glossary`."""

from __future__ import annotations

from typing import Any

_FIGURE = {
    "currency": "EUR",
    "loans": 6,
    "outstanding": {"amount": "40000.00", "currency": "EUR"},
    "par0": "0.625000",
    "par30": "0.250000",
    "par60": "0.100000",
    "par90": "0.100000",
    "par30_or_restructured": "0.375000",
    "written_off": {"amount": "0.00", "currency": "EUR"},
}
LOANS: dict[str, tuple[str, Any]] = {
    "loan.as_of": ("The day on which the loan stood so.", None),
    "loan.days": ("For how many days the oldest unpaid part has been due.", 31),
    "loan.early": ("Whether the loan has defaulted early, as the programme has it.", False),
    "loan.outstanding": ("How much of the principal is not paid back.", None),
    "loan.owed": ("How much is due and not paid.", None),
    "loan.tape_id": ("The repayment tape that says so; none where the bank recorded new terms.", "TAP-2026-0001"),
    "loan.was": ("The state that the loan was in.", "overdue"),
    "tape.as_of": ("The day of the tape.", None),
    "tape.changed_loans": ("How many loans are in another state than before.", 2),
    "tape.different": ("How many lines differ from our own figures.", 1),
    "tape.figures": ("The sums of the tape by currency, with the shares at risk.", [_FIGURE]),
    "tape.lines": ("How many lines the file has.", 6),
    "tape.missing": ("How many loans the file leaves out; they are carried on.", 0),
    "tape.sha256": ("SHA-256 of the file.", None),
    "tape.superseded_by": ("The tape that counts instead.", "TAP-2026-0002"),
    "tape.supersedes": ("The tape of the same month that it corrects, if any.", "TAP-2026-0001"),
    "tape.tape_id": ("The tape.", "TAP-2026-0001"),
    "tape.wrong": ("How many lines are wrong.", 0),
}
