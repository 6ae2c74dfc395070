"""Whether a version of a service's tables only adds: what the release before uses is there, and means the same.

Two looks at a database's own catalogue, one before and one after the version, are compared; how the version is
written does not matter. See docs/adr/0017.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

_TABLES = """
  FROM pg_class t WHERE t.relnamespace = 'public'::regnamespace AND t.relkind IN ('r', 'p', 'v', 'm')
    AND NOT t.relispartition AND t.relname <> 'alembic_version'
"""
_COLUMNS = text(
    f"""
WITH t AS (SELECT t.oid, t.relname {_TABLES})
SELECT t.relname AS "table", a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type,
       a.attnotnull AS required, a.atthasdef OR a.attidentity <> '' AS filled, a.attidentity::text AS identity
FROM t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
"""  # noqa: S608 - our own words
)
# A unique index of a constraint is there once, as the constraint; required columns are looked at above.
_RULES = text(
    f"""
WITH t AS (SELECT t.oid, t.relname {_TABLES})
SELECT t.relname AS "table", c.contype::text AS kind, pg_get_constraintdef(c.oid) AS definition,
       (SELECT coalesce(array_agg(a.attname::text), '{{}}') FROM pg_attribute a
        WHERE a.attrelid = t.oid AND a.attnum = ANY(c.conkey)) AS columns
FROM t JOIN pg_constraint c ON c.conrelid = t.oid WHERE c.contype NOT IN ('n', 't')
UNION ALL
SELECT t.relname, 'u', regexp_replace(pg_get_indexdef(i.indexrelid), '^.* ON .* USING', 'UNIQUE INDEX'),
       (SELECT coalesce(array_agg(a.attname::text), '{{}}') FROM pg_attribute a
        WHERE a.attrelid = t.oid AND a.attnum = ANY(i.indkey::smallint[]))
FROM t JOIN pg_index i ON i.indrelid = t.oid
WHERE i.indisunique AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid AND c.conrelid = t.oid)
"""  # noqa: S608 - our own words
)
_TRIGGERS = text(
    f"""
WITH t AS (SELECT t.oid, t.relname {_TABLES})
SELECT t.relname AS "table", g.tgname AS name FROM t JOIN pg_trigger g ON g.tgrelid = t.oid AND NOT g.tgisinternal
"""  # noqa: S608 - our own words
)
_RIGHTS = text(
    f"""
WITH t AS (SELECT t.oid, t.relname, t.relacl, t.relowner {_TABLES})
SELECT t.relname AS "table", a.privilege_type AS "right", a.grantee::regrole::text AS who
FROM t CROSS JOIN aclexplode(t.relacl) a WHERE a.grantee <> t.relowner AND a.grantee <> 0
"""  # noqa: S608 - our own words
)
_FUNCTIONS = text("""
SELECT p.oid::regprocedure::text AS name, pg_get_function_result(p.oid) AS result
FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
""")
_WITH_SIZE = re.compile(r"(character varying|numeric)\((\d+)(?:,(\d+))?\)")
_INTEGERS = ("smallint", "integer", "bigint")


@dataclass(frozen=True)
class Column:
    """What the release before counts on."""

    type: str
    required: bool
    filled: bool  # by the database, when an insert does not name it
    identity: str


@dataclass(frozen=True)
class Rule:
    """A constraint or a unique index."""

    table: str
    kind: str
    definition: str
    columns: frozenset[str]


@dataclass(frozen=True)
class Shape:
    """What a database has in it, as far as another release could notice."""

    columns: dict[tuple[str, str], Column]
    rules: frozenset[Rule]
    triggers: frozenset[tuple[str, str]]
    rights: frozenset[tuple[str, str, str]]
    functions: dict[str, str]

    @property
    def tables(self) -> set[str]:
        return {table for table, _ in self.columns}


def shape_of(connection: Connection) -> Shape:
    """Look at a database."""

    def rows(query: Any) -> Iterator[Any]:
        return iter(connection.execute(query).all())

    return Shape(
        {(row.table, row.name): Column(row.type, row.required, row.filled, row.identity) for row in rows(_COLUMNS)},
        frozenset(Rule(row.table, row.kind, row.definition, frozenset(row.columns)) for row in rows(_RULES)),
        frozenset((row.table, row.name) for row in rows(_TRIGGERS)),
        frozenset((row.table, row.right, row.who) for row in rows(_RIGHTS)),
        {row.name: row.result for row in rows(_FUNCTIONS)},
    )


def complaints(before: Shape, after: Shape) -> list[str]:
    """Return what the release that made `before` could stumble over in `after`; nothing when it was only added to."""
    gone = before.tables - after.tables
    found = [f"takes away the table {table}" for table in sorted(gone)]
    for (table, name), column in sorted(before.columns.items()):
        if table not in gone:
            found += _of_column(f"{table}.{name}", column, after.columns.get((table, name)))
    for (table, name), column in sorted(after.columns.items()):
        is_new = table in before.tables and (table, name) not in before.columns
        if is_new and column.required and not column.filled:
            found.append(f"{table}.{name} is required and has no default: the former release does not fill it")
    found += _of_rules(before, after, gone)
    found += [
        f"a trigger on {table} changes what writing to it does: {name}"
        for table, name in sorted(before.triggers ^ after.triggers)
        if table in before.tables - gone
    ]
    lost = sorted(right for right in before.rights - after.rights if right[0] not in gone)
    found += [f"{who} may no longer {right} {table}" for table, right, who in lost]
    return found + [
        f"takes away the function {name}, or changes what it returns"
        for name, result in sorted(before.functions.items())
        if after.functions.get(name) != result
    ]


def _of_column(name: str, before: Column, after: Column | None) -> list[str]:
    if after is None:
        return [f"takes away {name}"]
    problems = {
        f"{name} becomes {after.type}, which not all of {before.type} fits": not _fits(before.type, after.type),
        f"{name} becomes required": after.required and not before.required,
        f"{name} may now be empty: the former release does not expect that": before.required and not after.required,
        f"{name} loses its default": before.filled and not after.filled,
        f"{name} is numbered in another way": before.identity != after.identity,
    }
    return [words for words, is_so in problems.items() if is_so]


def _fits(before: str, after: str) -> bool:
    """Say whether every value of one type is one of the other, and reads the same."""
    if before == after:
        return True
    if before in _INTEGERS and after in _INTEGERS:
        return _INTEGERS.index(before) < _INTEGERS.index(after)
    old, new = _WITH_SIZE.fullmatch(before), _WITH_SIZE.fullmatch(after)
    if old and new and old[1] == new[1]:
        return int(old[2]) <= int(new[2]) and old[3] == new[3]
    return bool(old and old[1] == "character varying" and after in {"text", "character varying"})


def _of_rules(before: Shape, after: Shape, gone: set[str]) -> list[str]:
    removed = [rule for rule in before.rules - after.rules if rule.table not in gone]
    added = [
        rule for rule in after.rules - before.rules if rule.table in before.tables and not _is_harmless(rule, before)
    ]
    return sorted(
        [f"{rule.table} loses a rule that the former release counts on: {rule.definition}" for rule in removed]
        + [f"{rule.table} gets a rule that the former release does not know: {rule.definition}" for rule in added]
    )


def _is_harmless(rule: Rule, before: Shape) -> bool:
    """Say whether a rule is about new columns alone, which the former release leaves empty or at their defaults."""
    return rule.kind in {"c", "f"} and not any((rule.table, column) in before.columns for column in rule.columns)
