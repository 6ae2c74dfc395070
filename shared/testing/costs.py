"""What a case costs: rows and bytes in each database, counted where `make demo` has driven its three cases.

`python -m shared.testing.costs` asks the Tamga of TAMGA_HOME, which must be running; WRITE=1 puts the table into
docs/scaling.md.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, create_engine, text

from shared.settings import settings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "scaling.md"
BEGIN, END = "<!-- measured costs: begin -->", "<!-- measured costs: end -->"
SERVICES = ("grants", "loans", "notifications", "audit")  # the portal's rows are people, not cases
# What grows with people, programmes and days.
FIXED = re.compile("person|organisation|pack|programme|ruleset|call|supporter|alembic_version|checkpoint|verification")
FEWEST = 50  # rows from which a table's size on disk tells more than the width of its rows
_HEADER, _KEY = 28, 60  # bytes beside a row, and of its place in an index
_PAGE = 8192
_CASES = text('SELECT count(DISTINCT "case") FROM event WHERE "case" ~ \'^(BSO|COF|PRO)-\'')
_EVENTS = text('SELECT count(*) FROM event WHERE "case" IS NOT NULL')
_TABLES = text("""
SELECT c.relname, pg_total_relation_size(c.oid) AS size,
       (SELECT count(*) FROM pg_index WHERE indrelid = c.oid) + (c.reltoastrelid <> 0)::int AS indexes
FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace ORDER BY c.relname
""")


@dataclass
class Cost:
    """What the cases together take in one database."""

    rows: int = 0
    size: float = 0.0


def cost_of(connection: Connection) -> Cost:
    """Count the rows that cases have made in a database, and the bytes they take with their indexes."""
    total = Cost()
    for table in connection.execute(_TABLES).all():
        if FIXED.fullmatch(table.relname):
            continue
        found = text(f'SELECT count(*), coalesce(avg(pg_column_size(t.*)), 0)::float8 FROM "{table.relname}" t')  # noqa: S608 - from the catalogue
        rows, width = connection.execute(found).one()
        empty = _PAGE * table.indexes
        by_width = rows * (width + _HEADER + _KEY * table.indexes)
        total.rows += rows
        total.size += table.size - empty if rows >= FEWEST else by_width
    return total


def measured() -> tuple[dict[str, Cost], int, int]:
    """Return what each database takes, how many cases there are, and how many events they have."""
    costs, cases, events = {}, 0, 0
    for service in SERVICES:
        engine = create_engine(settings().database_url(service))
        with engine.connect() as connection:
            costs[service] = cost_of(connection)
            if service == "audit":
                cases, events = (int(connection.execute(query).scalar_one()) for query in (_CASES, _EVENTS))
        engine.dispose()
    return costs, cases, events


def size_of(size: float) -> str:
    """Return bytes in the unit that fits."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def table_of(costs: dict[str, Cost], cases: int) -> str:
    """Return the table in Markdown."""
    total = Cost(sum(cost.rows for cost in costs.values()), sum(cost.size for cost in costs.values()))
    head = "| database | rows a case | bytes a case (measured) | 1,000 cases | 1,000,000 cases |\n|---|--:|--:|--:|--:|"
    lines = [head]
    for name, cost in [*costs.items(), ("**together**", total)]:
        sizes = (size_of(cost.size / cases * times) for times in (1, 1_000, 1_000_000))
        lines.append(f"| {name} | {cost.rows / cases:,.0f} | {' | '.join(sizes)} |")
    return "\n".join(lines)


def main() -> int:
    """Measure, print, write when asked; 1 where there is no case to measure."""
    costs, cases, events = measured()
    if not cases:
        sys.stderr.write("There is no case here: run `make demo` first.\n")
        return 1
    stated = f"{cases} cases of the demonstration, {events / cases:.0f} events a case.\n\n{table_of(costs, cases)}"
    sys.stdout.write(stated + "\n")
    if os.environ.get("WRITE"):
        replaced = f"{BEGIN}\n{stated}\n{END}"
        PAGE.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: replaced, PAGE.read_text(), flags=re.DOTALL))
    return 0


if __name__ == "__main__":
    sys.exit(main())
