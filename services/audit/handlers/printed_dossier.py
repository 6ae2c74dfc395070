"""The dossier of a case on paper: the checklist first, then documents, decisions, money, messages, and the timeline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from services.audit import labels
from services.audit.domain.dossier import PARTS, Document, Dossier, Line
from services.audit.domain.export import Export
from services.audit.handlers.export_rows import say
from services.audit.storage.opening import Opener

STATES = {"there": "there", "waiting": "not yet due", "missing": "missing", "never": "nothing due"}
_HASH = 16  # characters of a hash that a table shows; the attached file has all of it


def as_pdf(made: Dossier, facts: dict[str, Any], opener: Opener, zone: ZoneInfo, about: Export) -> bytes:
    """Return the dossier as PDF in the reader's language, with its facts attached for machines."""
    block = {
        "lang": about.locale,
        "letterhead": ["Tamga", made.case],
        "foot": say("Check it: unpack verify.html from the archive, open it, and choose the archive there."),
        "heading": f"{say('Dossier of the case')} {made.case}",
        "pairs": [
            [say("Programme"), made.programme or "–"],
            [say("Acts on record"), f"{len(made.rows)}"],
            *([say(name), f"{made.count(state)}"] for state, name in STATES.items()),
            [say("Asked for by"), about.by_name],
            [say("Purpose"), about.purpose],
        ],
        "tables": [_checklist(made.lines, zone), _documents(made.documents, zone), *_parts(made, opener, zone)],
        "texts": [{"title": say("Signed state of the log"), "text": str(facts["checkpoint"])}],
        "page": say("Page"),
        "sign": [say("The file dossier.json is attached.")],
    }
    from shared.printing import agreement_document  # noqa: PLC0415 - twelve megabytes for whoever prints

    return agreement_document(made.case, "Tamga", [block], facts, about.asked_at, attachment="dossier.json")


def _checklist(lines: Sequence[Line], zone: ZoneInfo) -> dict[str, Any]:
    rows = []
    for line in lines:
        shown = ", ".join(f"{act.index}" for act in line.shown)
        lacking = ", ".join(f"{act.at.astimezone(zone):%Y-%m-%d} ({act.index})" for act in line.missing if act)
        told = f"{say(line.rule.cure)}: {lacking}" if lacking else say(line.rule.cure) if line.missing else shown
        rows.append([say(line.rule.name), line.rule.basis, say(STATES[line.state]), told or "–"])
    head = ("Evidence", "Basis", "State", "Entries, or what would satisfy it")
    return {"title": say("Checklist"), "head": [say(name) for name in head], "rows": rows, "align": list("llll")}


def _documents(found: Sequence[Document], zone: ZoneInfo) -> dict[str, Any]:
    rows = [
        [
            item.name or say(labels.kind(item.act.type)),
            item.sha256[:_HASH],
            f"{item.act.at.astimezone(zone):%Y-%m-%d %H:%M}",
            say("removed") if item.removed else say(labels.kind(item.act.type)),
        ]
        for item in found
    ]
    head = ("Document", "SHA-256", "When", "Act")
    return {"title": say("Documents"), "head": [say(name) for name in head], "rows": rows, "align": list("llll")}


def _parts(made: Dossier, opener: Opener, zone: ZoneInfo) -> list[dict[str, Any]]:
    return [*(_acts(name, made.part(name), opener, zone) for name in PARTS), _acts("Timeline", made.rows, opener, zone)]


def _acts(title: str, found: Sequence[Any], opener: Opener, zone: ZoneInfo) -> dict[str, Any]:
    rows = [
        [
            f"{row.leaf_index}",
            f"{row.occurred_at.astimezone(zone):%Y-%m-%d %H:%M}",
            opener.body(row.body, row.event_id)["actor"]["name"] or row.actor_id,
            say(labels.kind(row.type)) + ("" if row.outcome == "success" else f" ({say('refused')})"),
        ]
        for row in found
    ]
    head = ("Leaf", "When", "Who", "What")
    return {"title": say(title), "head": [say(name) for name in head], "rows": rows, "align": list("rlll")}
