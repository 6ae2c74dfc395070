"""Holds and erasures, and what the log has of a person."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select, text

from services.audit.domain.retention import Erasure, Hold, Record
from services.audit.storage.tables import erasures, holds
from shared.database import Repository, UnitOfWork
from shared.events.retention_rules import RecordClass

MOST = 500
# The search's own index finds a person's entries by their opaque id.
# What was done about keeping and erasing them names them by that id too, and is no entry of theirs.
_OWN = """
log_words(leaf_index, summary) @@ to_tsquery('simple', :subject)
AND (source <> 'audit' OR coalesce(role, 'applicant') = 'applicant')
"""
_ENTRIES = text(f"SELECT event_id FROM event WHERE {_OWN} ORDER BY leaf_index DESC LIMIT :most")  # noqa: S608 - ours
_RECORDS = text(f"""
WITH own AS (
  SELECT "case", max(programme) AS programme, count(*) AS entries, max(occurred_at) AS last FROM event
  WHERE {_OWN} GROUP BY "case", CASE WHEN "case" IS NULL THEN programme END
)
SELECT own."case", own.programme, own.entries, greatest(own.last, acts.last) AS last, acts.award, acts.loan,
  acts.settled, acts.repaid
FROM own LEFT JOIN LATERAL (
  SELECT max(occurred_at) AS last,
    bool_or(type LIKE 'grants.award.%' OR type = 'grants.application.awarded') AS award,
    bool_or(type LIKE 'loans.loan.%') AS loan,
    CASE WHEN max(leaf_index) FILTER (WHERE type = 'grants.award.reopened')
      > max(leaf_index) FILTER (WHERE type = 'grants.award.settled') THEN NULL
      ELSE max(occurred_at) FILTER (WHERE type = 'grants.award.settled') END AS settled,
    max(occurred_at) FILTER (WHERE type IN ('loans.loan.repaid', 'loans.loan.written_off')) AS repaid
  FROM event WHERE event."case" = own."case"
) AS acts ON true
ORDER BY own."case" NULLS FIRST, own.programme
""")  # noqa: S608 - ours
_PACK = text("""
SELECT DISTINCT ON (entity) entity, body FROM event
WHERE type = 'portal.programme.loaded' AND source = 'portal' AND entity = ANY(:entities)
ORDER BY entity, sequence DESC
""")


def hold_repository(uow: UnitOfWork) -> Repository[Hold]:
    """Return the holds."""
    columns = {"scope": "scope", "which": "which"}
    return Repository(
        uow,
        holds,
        Hold,
        lambda item: {name: getattr(item, field) for name, field in columns.items()} | {"open": not item.released_at},
    )


def erasure_repository(uow: UnitOfWork) -> Repository[Erasure]:
    """Return the erasures."""
    return Repository(uow, erasures, Erasure, lambda item: {"stage": item.stage})


def open_holds(connection: Connection) -> list[Hold]:
    """Return the holds that stand, the newest first."""
    query = select(holds.c.state, holds.c.version).where(holds.c.open)
    rows = connection.execute(query.order_by(holds.c.created_at.desc(), holds.c.id).limit(MOST))
    return [Hold.stored(row.state, row.version) for row in rows]


def recent_erasures(connection: Connection, limit: int = 50) -> list[Erasure]:
    """Return the erasures, what changed last first."""
    query = select(erasures.c.state, erasures.c.version)
    rows = connection.execute(query.order_by(erasures.c.updated_at.desc(), erasures.c.id).limit(limit))
    return [Erasure.stored(row.state, row.version) for row in rows]


def erasure(connection: Connection, subject: str) -> Erasure | None:
    """Return the erasure of a person, if it was asked for."""
    row = connection.execute(select(erasures.c.state, erasures.c.version).where(erasures.c.id == subject)).first()
    return Erasure.stored(row.state, row.version) if row else None


def records(connection: Connection, subject: str) -> list[Record]:
    """Return what the log has of a person, by case."""
    return [_record(row) for row in connection.execute(_RECORDS, {"subject": subject})]


def _record(row: Any) -> Record:
    record_class: RecordClass = "account"
    if row.case:
        record_class = "award" if row.award else "loan" if row.loan else "application"
    ended = row.settled if record_class == "award" else row.repaid if record_class == "loan" else None
    return Record(row.case, row.programme, row.entries, record_class, row.last, ended)


def entries(connection: Connection, subject: str, most: int) -> list[Any]:
    """Return the ids of a person's newest entries."""
    return list(connection.execute(_ENTRIES, {"subject": subject, "most": most}).scalars())


def packs(connection: Connection, programmes: set[str]) -> dict[str, Mapping[str, Any]]:
    """Return the packs of programmes as the log has them last."""
    if not programmes:
        return {}
    rows = connection.execute(_PACK, {"entities": [f"programme:{name}" for name in sorted(programmes)]})
    return {row.entity.removeprefix("programme:"): json.loads(row.body)["data"]["pack"] for row in rows}
