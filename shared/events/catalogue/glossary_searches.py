"""What the fields of events about saved searches and exports of the log mean; see glossary.py."""

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
    "search.purpose": ("What for, in the words of who searched, where the house asks.", "Sample for the audit of 2026"),
    "saved_search.leaves": ("Of the log as it had so many leaves; nothing for the log as it grows.", 1200),
    "saved_search.search_id": ("The saved search's id.", "0192f3a1-7c4e-7000-8000-000000000021"),
    "saved_search.shared": ("Whether every auditor has it.", True),
}
