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
    "capacity.answered": ("How many questions have an answer.", 3),
    "capacity.points": ("Points of all answers together.", 22),
    "capacity.most": ("Points of the best answers together.", 35),
    "capacity.percent": ("Points of the most there could be, of 100, as a decimal text.", "62.9"),
    "capacity.valid_until": ("The last day on which other applications may take it over.", "2028-03-02"),
    "taken_from": ("The application for which the assessment was made.", "BSO-2026-0001"),
    "assessed_by": ("Who made the assessment.", "Elena Trajkova"),
    "assessed_at": ("When it was finished.", "2026-03-02T09:00:00Z"),
    "capacity.condition": ("The special condition: by risk.<rating>.<id> or capacity.<question>.", "capacity.accounts"),
    "capacity.why": ("Why the agreement leaves it out.", "The accountant is hired already"),
    "closeout.item": ("The point of the programme's closing checklist.", "assets"),
    "closeout.answer": ("done, not_applicable or open.", "done"),
    "closeout.note": ("What the answer rests on.", "The list of three machines is attached"),
    "closeout.items": ("The points whose answers count no more.", ["assets", "audit"]),
}
