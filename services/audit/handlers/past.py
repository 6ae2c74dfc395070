"""A case as it was at a moment of the past: each of its entities, rebuilt from the log."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from services.audit.domain.cases import named
from services.audit.domain.past import Past, Told, rebuilt
from services.audit.handlers import reading
from services.audit.storage import past, search
from services.audit.storage.opening import SEALED, Opener
from shared.database import UnitOfWork
from shared.errors import NotFoundError

MOST = 5000  # events of a case
# What happened to letters, and looks: no state of the case.
_BESIDE = ("delivery:", "record:", "search:", "attempt:")


@dataclass(frozen=True)
class Thing:
    """An entity of a case as it was: `last` is the row of the newest event that is in it."""

    source: str
    entity: str
    last: Any
    past: Past


def case_as_of(uow: UnitOfWork, opener: Opener, case: str, at: datetime) -> tuple[list[Thing], bool]:
    """Return the entities of a case as they were, and whether there were more events than are read; records the look.

    Raises NotFoundError for a case that is not in the log.
    """
    reference = named(case)
    owners = past.entities_of(uow.connection, reference)
    if not owners:
        raise NotFoundError("There is no such record")
    rows = [
        row
        for source, group in groupby(owners, key=lambda owner: owner[0])
        for row in search.of_entities(uow.connection, source, {entity for _, entity in group}, MOST + 1)
    ]
    kept = [row for row in rows if row.occurred_at <= at and not row.entity.startswith(_BESIDE)]
    names = past.field_names(uow.connection, {row.type for row in kept})
    things = [
        _thing(list(group), opener, names) for _, group in groupby(kept, key=lambda row: (row.source, row.entity))
    ]
    reading.viewed(uow, f"case:{reference}", f"as of {at:%Y-%m-%dT%H:%MZ}", case=reference)
    return things, len(rows) > MOST


def _thing(rows: list[Any], opener: Opener, names: dict[str, set[str]]) -> Thing:
    last = rows[-1]
    kind, _, own_id = last.entity.partition(":")
    events = [_told(row, opener) for row in rows]
    known = names.get(f"{last.source}.{kind}", set())
    return Thing(last.source, last.entity, last, rebuilt(own_id, events, known))


def _told(row: Any, opener: Opener) -> Told:
    body = opener.body(row.body, row.event_id)
    return Told(row.sequence, body["changes"], body["after_hash"], opaque=_opaque(row.body, body, opener))


def _opaque(stored: str, body: dict[str, Any], opener: Opener) -> bool:
    """Say whether something that was sealed stayed closed: its key is not here, or was destroyed."""
    if '"sealed":[' not in stored:
        return False
    told = json.dumps([body["changes"], body["after_hash"]], ensure_ascii=False)
    return SEALED in told or opener.erased.partition("%")[0] in told
