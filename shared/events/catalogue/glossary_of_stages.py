"""What the fields of events about single stages of a case mean: due diligence and closing."""

from __future__ import annotations

from typing import Any

STAGES: dict[str, tuple[str, Any]] = {
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
