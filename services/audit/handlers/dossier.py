"""The dossier of a case: what an auditor asks first, gathered from the record, with a checklist of what is missing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from services.audit.domain.cases import named
from services.audit.domain.checklists import rules_for
from services.audit.domain.dossier import MISSING, NEVER, PARTS, THERE, WAITING, Act, Dossier, Line, documents, judge
from services.audit.domain.export import Export
from services.audit.handlers.printed_dossier import as_pdf
from services.audit.storage import dossier, tree
from services.audit.storage.opening import Opener
from shared.errors import ConflictError, NotFoundError


def gather(connection: Connection, case: str, today: date, leaves: int | None = None) -> Dossier:
    """Return the dossier of a case as of a day, from the first `leaves` of the log or all of it.

    Raises NotFoundError for a case without acts, ConflictError for one that has too many.
    """
    reference = named(case)
    rows = dossier.acts(connection, reference, leaves)
    if not rows:
        raise NotFoundError("There is no such record")
    if len(rows) > dossier.MOST:
        raise ConflictError("The case has more than %(most)s acts: export its search instead", most=dossier.MOST)
    programme = next((row.programme for row in rows if row.programme), "")
    calls = dossier.call_before(connection, programme, rows[0].leaf_index) if programme else []
    own = [_act(row) for row in rows]
    found = judge(rules_for({act.type for act in own}), [*map(_act, calls), *own], today)
    return Dossier(reference, programme, rows, found, documents(own), {row.event_id: row for row in [*calls, *rows]})


def _act(row: Any) -> Act:
    try:
        data = json.loads(row.body).get("data") or {}
    except ValueError:  # a body that was ruined says nothing; verification says that it was
        data = {}
    return Act(row.leaf_index, row.event_id, row.type, row.entity, row.occurred_at, data, row.outcome == "success")


def as_json(made: Dossier, checkpoint: tree.Signed | None) -> dict[str, Any]:
    """Return the dossier for machines."""
    return {
        "format": "tamga-case-dossier/1",
        "case": made.case,
        "programme": made.programme,
        "acts": len(made.rows),
        "complete": made.complete,
        "counts": {state: made.count(state) for state in (THERE, WAITING, MISSING, NEVER)},
        "checklist": [_line(line) for line in made.lines],
        "documents": [
            {"name": item.name, "sha256": item.sha256, "removed": item.removed, **_place(item.act)}
            for item in made.documents
        ],
        "parts": {name: [row.leaf_index for row in made.part(name)] for name in PARTS},
        "checkpoint": checkpoint.note if checkpoint else None,
    }


def _line(line: Line) -> dict[str, Any]:
    return {
        "what": line.rule.name,
        "basis": line.rule.basis,
        "state": line.state,
        "due": line.due,
        "shown_by": [_place(act) for act in line.shown],
        "waiting_for": [_place(act) for act in line.waiting],
        "missing_for": [_place(act) if act else None for act in line.missing],
        "would_satisfy": line.rule.cure,
    }


def _place(act: Act) -> dict[str, Any]:
    return {"leaf": act.index, "event_id": str(act.event_id), "type": act.type, "at": act.at.isoformat()}


def archived(
    made: Dossier, checkpoint: tree.Signed, opener: Opener, zone: ZoneInfo, about: Export
) -> Iterator[tuple[str, bytes]]:
    """Give what a dossier's archive has beside the proof bundle of the case: the checklist for people and machines."""
    facts = as_json(made, checkpoint)
    yield "dossier.json", json.dumps(facts, ensure_ascii=False, indent=1).encode()
    yield "dossier.pdf", as_pdf(made, facts, opener, zone, about)


def rows_of(made: Dossier, acts: Sequence[Act | None]) -> list[Any]:
    """Return the rows of acts that a line names."""
    return [made.of[act.event_id] for act in acts if act is not None]
