"""What the fields of events about saved searches mean; see glossary.py."""

from __future__ import annotations

from typing import Any

SEARCHES: dict[str, tuple[str, Any]] = {
    "search.purpose": ("What for, in the words of who searched, where the house asks.", "Sample for the audit of 2026"),
    "saved_search.leaves": ("Of the log as it had so many leaves; nothing for the log as it grows.", 1200),
    "saved_search.search_id": ("The saved search's id.", "0192f3a1-7c4e-7000-8000-000000000021"),
    "saved_search.shared": ("Whether every auditor has it.", True),
}
