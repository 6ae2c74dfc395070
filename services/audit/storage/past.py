"""What a case consists of, and which fields its kinds of entities have."""

from __future__ import annotations

from sqlalchemy import Connection, text

MOST = 200  # entities of a case
# Of each kind of act so many of the newest are looked at for the fields that they changed.
SAMPLE = 100
_ENTITIES = text("""
SELECT DISTINCT source, entity FROM event WHERE "case" = :case ORDER BY source, entity LIMIT :most
""")
_FIELDS = text("""
SELECT DISTINCT newest.source || '.' || split_part(newest.entity, ':', 1) AS kind, field
FROM unnest(CAST(:types AS text[])) AS asked(type),
  LATERAL (SELECT source, entity, body FROM event WHERE event.type = asked.type
    ORDER BY leaf_index DESC LIMIT :sample) AS newest,
  LATERAL jsonb_array_elements_text(log_changes(newest.body) -> '') AS field
""")


def entities_of(connection: Connection, case: str) -> list[tuple[str, str]]:
    """Return (service, entity) of everything that acts of a case were about."""
    return [(row.source, row.entity) for row in connection.execute(_ENTITIES, {"case": case, "most": MOST})]


def field_names(connection: Connection, types: set[str]) -> dict[str, set[str]]:
    """Return the fields that acts of these kinds changed lately, by "service.kind of entity"."""
    found: dict[str, set[str]] = {}
    for row in connection.execute(_FIELDS, {"types": sorted(types), "sample": SAMPLE}):
        found.setdefault(row.kind, set()).add(row.field)
    return found
