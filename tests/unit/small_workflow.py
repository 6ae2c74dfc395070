# ruff: noqa: E501 - a table reads better on one line
"""A small workflow without findings, which tests change one thing of."""

from __future__ import annotations

from typing import Any

SMALL: dict[str, Any] = {
    "workflow": "small",
    "version": 1,
    "initial": "draft",
    "facts": ["score", "amount"],
    "stages": [
        {"id": "draft", "name": {"en": "Draft"}, "holder": "applicant"},
        {
            "id": "checked",
            "name": {"en": "Checked"},
            "public_name": {"en": "Under review"},
            "holder": "officer",
            "sla": {"working_days": 5, "pauses_in": ["asked"]},
        },
        {"id": "asked", "name": {"en": "Asked"}, "holder": "applicant"},
        {"id": "done", "name": {"en": "Done"}, "terminal": True, "final": True},
        {"id": "shut", "name": {"en": "Shut"}, "terminal": True, "reopens": True},
    ],
    "transitions": [
        {"id": "send", "name": {"en": "Send"}, "from": ["draft"], "to": "checked", "roles": ["applicant"]},
        {"id": "ask", "name": {"en": "Ask"}, "from": ["checked"], "to": "asked", "roles": ["officer"], "requires": ["reason"]},
        {"id": "answer", "name": {"en": "Answer"}, "from": ["asked"], "to": "checked", "roles": ["applicant"]},
        {
            "id": "approve",
            "name": {"en": "Approve"},
            "from": ["checked"],
            "to": "done",
            "roles": ["officer"],
            "guard": "score >= 60",
            "requires": ["document:plan", "reviews:2", "checklist:basic", "no_open_conflicts", "four_eyes", "authority"],
        },
        {"id": "shut", "name": {"en": "Shut"}, "from": ["draft", "checked", "asked"], "to": "shut", "roles": ["officer"]},
        {"id": "reopen", "name": {"en": "Reopen"}, "from": ["shut"], "to": "checked", "roles": ["officer"]},
    ],
}  # fmt: skip
