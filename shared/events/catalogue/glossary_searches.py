"""What the fields of events about saved searches, exports and samples of the log mean; see glossary.py."""

from __future__ import annotations

from typing import Any

SEARCHES: dict[str, tuple[str, Any]] = {
    "export.bytes": ("How large the file is.", 653778),
    "export.export_id": ("The export's id.", "0192f3a1-7c4e-7000-8000-000000000022"),
    "export.filters": ("What was searched for, as searches are put on record.", {"kind": "grants.award."}),
    "export.format": ("csv, xlsx, jsonl, pdf or bundle.", "bundle"),
    "export.leaves": ("Leaves of the log when it was asked for.", 1200),
    "export.problem": ("Why there will be no file.", "Nothing matches this search"),
    "export.purpose": ("What it is for, as the person said.", "Annual audit 2026"),
    "export.rows": ("Entries in the file.", 750),
    "export.sha256": ("SHA-256 of the file, hexadecimal.", "ab" * 32),
    "sample.checkpoint": ("How many entries the checkpoint is over whose root is the seed.", 1200),
    "sample.drawn": ("How many were drawn.", 25),
    "sample.items": ("From how many.", 340),
    "sample.method": ("chance: smallest numbers; amount: by monetary units.", "chance"),
    "sample.named": ("Whether somebody named the checkpoint instead of taking the rule's.", False),
    "sample.of": ("The kind of events; nothing for cases.", "grants.award.payment_confirmed"),
    "sample.since": ("The period's first day.", "2026-01-01"),
    "sample.strata": ("By what it is divided first: programme, month or none.", "programme"),
    "sample.through": ("Where it was drawn: page, file or cli.", "page"),
    "sample.until": ("The period's last day.", "2026-03-31"),
    "sample.wanted": ("How many were asked for.", 25),
    "search.purpose": ("What for, in the words of who searched, where the house asks.", "Sample for the audit of 2026"),
    "saved_search.leaves": ("Of the log as it had so many leaves; nothing for the log as it grows.", 1200),
    "saved_search.search_id": ("The saved search's id.", "0192f3a1-7c4e-7000-8000-000000000021"),
    "saved_search.shared": ("Whether every auditor has it.", True),
}
