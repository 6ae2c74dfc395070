"""Agreements as documents: a tagged PDF/A with the same facts attached for machines, the same bytes every time."""

from __future__ import annotations

import json
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import typst

TEMPLATE = Path(__file__).parent / "web" / "templates" / "agreement.typ"
# The same bytes on every machine: no fonts but those that the compiler brings, no clock but the act's.
_COMPILE: dict[str, Any] = {"format": "pdf", "pdf_standards": ["a-3a", "ua-1"], "ignore_system_fonts": True}


def agreement_document(
    title: str,
    author: str,
    blocks: list[dict[str, Any]],
    facts: dict[str, Any],
    now: datetime,
    *,
    attachment: str = "agreement.json",
) -> bytes:
    """Return an agreement as PDF: a block for each language, and `facts` as the file `attachment` for machines.

    A block has lang, letterhead, foot, heading, pairs, tables (title, head, rows, align), texts (title, text), page
    and sign: a line for each side, and the sentence below them.
    """
    day = now.date()
    data = {
        "title": title,
        "author": author,
        "year": day.year,
        "month": day.month,
        "day": day.day,
        "blocks": blocks,
        "attachment": attachment,
        "facts": json.dumps(facts, ensure_ascii=False, sort_keys=True, indent=1),
    }
    inputs = {"data": json.dumps(data, ensure_ascii=False, sort_keys=True)}
    made: bytes = typst.compile(_template(), sys_inputs=inputs, timestamp=int(now.timestamp()), **_COMPILE)
    return made


@cache
def _template() -> bytes:
    return TEMPLATE.read_bytes()
