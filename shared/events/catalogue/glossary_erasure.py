"""What the fields of events about legal holds and erasures mean; see glossary.py."""

from __future__ import annotations

from typing import Any

_SUBJECT = ("The opaque id by which the log speaks of the person: it says nothing of who that is.", "s96ce1db22fcf21")

ERASURE: dict[str, tuple[str, Any]] = {
    "erasure.entries": ("How many entries of the log carry the person's data.", 12),
    "erasure.proven": ("Of how many of the newest entries the proof was made again afterwards.", 12),
    "erasure.receipt_sha256": ("SHA-256 of the signed receipt.", "9f86d081…"),
    "erasure.requested_by": (
        "Who asked for it; another person confirmed it.",
        "user:0192f3a1-7c4e-7000-8000-000000000012",
    ),
    "erasure.subject": _SUBJECT,
    "hold.hold_id": ("The hold's id.", "0192f3a1-7c4e-7000-8000-000000000011"),
    "hold.placed_by": ("Who placed it; another person released it.", "user:0192f3a1-7c4e-7000-8000-000000000012"),
    "hold.scope": ("What it holds: person, case, programme or house.", "case"),
    "hold.which": ("Which person (opaque id), case or programme; nothing for the house.", "BE-2026-0001"),
}
