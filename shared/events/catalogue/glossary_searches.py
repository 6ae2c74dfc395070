"""What the fields of events about searches, exports, samples and the watch of the log mean; see glossary.py."""

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
    "hit.about": ("The reference of the case, or the thing, that it is about.", "BSO-2026-0001"),
    "hit.before": ("What had been decided about it: explained or confirmed.", "explained"),
    "hit.evidence": (
        "Ids of the events that it rests on, the first ones of a burst.",
        ["0192f3a1-7c4e-7000-8000-000000000023"],
    ),
    "hit.facts": ("What the rule compared, by name.", {"hours": "31.5", "limit": "48"}),
    "hit.happened_at": ("When the act happened with which it was complete.", None),
    "hit.hit_id": ("The hit's id: a hash of the rule and of what it is about.", "5f0c" * 8),
    "hit.leaf": ("The entry of the log with which it was complete.", 1200),
    "hit.of": ("The programme under whose terms the rule spoke; nothing: the house's.", "business-ecosystem"),
    "hit.person": ("Whom it is about, by the opaque id.", "user:0192f3a1-7c4e-7000-8000-000000000001"),
    "hit.rule": ("Which rule of the watch.", "paid_soon_after_change"),
    "hit.why": (
        "What the auditor found, in a sentence without names of people.",
        "The bank had merged; letter of 2 March.",
    ),
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
