"""A table's shadow: the same table, empty, that only one session sees; what differs from the live one, and mending it.

Shadows are temporary tables. They go with their session, so a crash leaves nothing behind, and a handler that
runs with `search_path` pg_temp reaches them under the live tables' names and reaches nothing else.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, inspect, text
from sqlalchemy.pool import StaticPool

from shared.engine import encode_json

LOCK_SECONDS = 5.0  # for which writers of the live tables are waited for
_OPTIONS = "-c timezone=UTC -c search_path=pg_temp -c statement_timeout=0"


def session(engine: Engine) -> Engine:
    """Return an engine on the same database with one connection, which sees temporary tables and no others."""
    options = f"{_OPTIONS} -c lock_timeout={LOCK_SECONDS * 1000:.0f}"
    return create_engine(
        engine.url,
        poolclass=StaticPool,
        json_serializer=encode_json,
        connect_args={"application_name": "tamga projections", "options": options, "connect_timeout": 5},
    )


@dataclass(frozen=True)
class Difference:
    """One row that is not the same: in both with other `fields` (live, rebuilt), or in one alone, whole."""

    table: str
    kind: str  # only_live | only_rebuilt | different
    key: dict[str, Any]
    fields: dict[str, tuple[Any, Any]]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class Comparison:
    """How live tables and their shadows differ: counts, and the first of the rows."""

    rows: int = 0
    only_live: int = 0
    only_rebuilt: int = 0
    different: int = 0
    shown: list[Difference] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        return not (self.only_live or self.only_rebuilt or self.different)


class Shadow:
    """One table and its shadow."""

    def __init__(self, connection: Connection, name: str) -> None:
        inspector = inspect(connection)
        self.name = name
        self.live, self.own = f'public."{name}"', f'pg_temp."{name}"'
        self.key: list[str] = inspector.get_pk_constraint(name, schema="public")["constrained_columns"]
        self.columns = [c["name"] for c in inspector.get_columns(name, schema="public") if "computed" not in c]

    def make(self, connection: Connection) -> None:
        """Make the shadow, empty, with the live table's columns, defaults, checks and indexes."""
        connection.execute(text(f"CREATE TEMP TABLE {self.own} (LIKE {self.live} INCLUDING ALL)"))

    def _same_key(self) -> str:
        return " AND ".join(f'live."{name}" = own."{name}"' for name in self.key)

    def compare(self, connection: Connection, into: Comparison, show: int) -> None:
        """Add this table's differences to `into`; the caller holds the lock."""
        rows = connection.execute(text(f"SELECT count(*) FROM {self.own}"))  # noqa: S608 - names of declared tables
        into.rows += rows.scalar_one()
        differing = (
            f"SELECT to_jsonb(live) AS live, to_jsonb(own) AS own FROM {self.live} AS live"  # noqa: S608 - the same
            f" FULL JOIN {self.own} AS own ON {self._same_key()} WHERE live IS DISTINCT FROM own"
        )
        connection.execute(text(f"CREATE TEMP TABLE tamga_differing ON COMMIT DROP AS {differing}"))
        counts = connection.execute(
            text(
                "SELECT count(*) FILTER (WHERE own IS NULL) AS only_live,"
                " count(*) FILTER (WHERE live IS NULL) AS only_rebuilt,"
                " count(*) FILTER (WHERE live IS NOT NULL AND own IS NOT NULL) AS different FROM tamga_differing"
            )
        ).one()
        into.only_live += counts.only_live
        into.only_rebuilt += counts.only_rebuilt
        into.different += counts.different
        found = connection.execute(text("SELECT live, own FROM tamga_differing LIMIT :show"), {"show": show})
        into.shown += [self._difference(row.live, row.own) for row in found]
        connection.execute(text("DROP TABLE tamga_differing"))

    def _difference(self, live: dict[str, Any] | None, own: dict[str, Any] | None) -> Difference:
        one, other = live or {}, own or {}
        fields = {
            name: (one.get(name), other.get(name)) for name in self.columns if one.get(name) != other.get(name)
        }  # fmt: skip
        kind = "only_live" if own is None else "only_rebuilt" if live is None else "different"
        return Difference(self.name, kind, {name: (live or other)[name] for name in self.key}, fields)

    def replace_live(self, connection: Connection) -> None:
        """Make the live table's rows those of the shadow; table, indexes and rights stay what they are."""
        columns = ", ".join(f'"{name}"' for name in self.columns)
        rest = [name for name in self.columns if name not in self.key]
        fresh = ", ".join(f'"{name}" = excluded."{name}"' for name in rest)
        then = f"UPDATE SET {fresh}" if rest else "NOTHING"
        key = ", ".join(f'"{name}"' for name in self.key)
        gone = f"SELECT FROM {self.own} AS own WHERE {self._same_key()}"
        same = f"SELECT FROM {self.live} AS live WHERE {self._same_key()} AND live IS NOT DISTINCT FROM own"  # noqa: S608
        connection.execute(text(f"DELETE FROM {self.live} AS live WHERE NOT EXISTS ({gone})"))  # noqa: S608 - the same
        connection.execute(
            text(
                f"INSERT INTO {self.live} ({columns}) SELECT {columns} FROM {self.own} AS own"  # noqa: S608 - the same
                f" WHERE NOT EXISTS ({same}) ON CONFLICT ({key}) DO {then}"
            )
        )
