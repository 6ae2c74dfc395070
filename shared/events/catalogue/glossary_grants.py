"""What the fields of events about agreements, amendments and bank details mean; read by `glossary`."""

from __future__ import annotations

from typing import Any

GRANTS: dict[str, tuple[str, Any]] = {
    "agreement.amendment": ("Which amendment it says, from 1; null: none.", 1),
    "amendment.approvers": ("Which roles may approve it.", ["programme_manager"]),
    "amendment.based_on": ("Which version of the agreement it changes.", 1),
    "amendment.both_sides": ("Whether both sides must accept the new text.", True),
    "amendment.classes": ("Of which classes it is by rule, the strongest first.", ["budget_major"]),
    "amendment.moved": ("What goes from some budget lines to others by it.", None),
    "amendment.moved_before": ("What earlier amendments moved between budget lines.", None),
    "amendment.number": ("Which amendment of the agreement, from 1.", 1),
    "payee.changes_former": ("Whether they are to take the place of details that are in use.", True),
    "payee.confirmed_by_name": ("Who confirmed them.", "Jovan Trajkov"),
    "payee.cooling_off_hours": ("How many hours after the confirmation nothing is paid.", 48),
    "payee.entered_by_name": ("Who entered them.", "Ana Petrova"),
    "payee.masked": ("The last four characters of the account; the number itself is in no event.", "•••• 8984"),
    "payee.number": ("Which of the details that the organisation ever had, from 1.", 1),
    "payee.taken_back": ("Whether who entered them took them back.", False),
}
