"""Fields that mean something of their own in the events of one kind of entity."""

from __future__ import annotations

from typing import Any

OWN: dict[str, tuple[str, Any]] = {
    "bank_file.control_sum": ("What all payments of the file add up to.", None),
    "bank_file.csv_sha256": ("SHA-256 of the file as CSV.", "9f86d081…"),
    "bank_file.execution_day": ("The day on which the bank is asked to pay.", "2026-03-03"),
    "bank_file.file_id": ("The file's id, which is its message id at the bank.", "BF-260302-090000-1a2b3c"),
    "bank_file.left_out": ("What was chosen and is not in the file, by case and tranche.", ["BE-2026-0002/1"]),
    "bank_file.payment_id": ("A payment's end-to-end id: case and tranche.", "BE-2026-0001/1"),
    "bank_file.payment_ids": ("The end-to-end ids of its payments.", ["BE-2026-0001/1"]),
    "bank_file.payments": ("How many payments it has.", 2),
    "bank_file.refused": ("How many rows of the bank's list were refused.", 1),
    "bank_file.xml_sha256": ("SHA-256 of the ISO 20022 message.", "9f86d081…"),
    "bulk.act": ("The move that was made, or assign.", "reject"),
    "bulk.bulk_id": ("The act's id.", "0192f3a1-7c4e-7000-8000-000000000010"),
    "bulk.done": ("How many cases it was done to.", 41),
    "bulk.expected": ("How many cases the dry run expected to follow.", 41),
    "bulk.query": ("The search that chose the cases; empty when they were ticked.", "stage:screening"),
    "bulk.refused": ("How many cases stayed as they were, each for a reason that stands with it.", 3),
    "bulk.rows": ("How many cases were chosen.", 44),
    "panel.applications": ("How many applications lay before the panel.", 12),
    "panel.available": ("How much money of the call was left.", None),
    "panel.funded": ("How much the panel recommends in all.", None),
    "panel.members": ("How many people were there.", 4),
    "panel.outcomes": ("How many cases by what is recommended.", {"fund": 7, "reject": 5}),
    "panel.panel": ("The panel's record.", "PNL-2026-0001"),
    "panel.proposals": ("For how many cases something is recommended.", 12),
    "panel.sha256": ("SHA-256 of the record's canonical form.", None),
}
