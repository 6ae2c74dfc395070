"""The parcel that an operator sends to whoever helps: sections, each made and redacted by itself, in one zip file.

A section that can't be made says so in its place: the parcel is needed most when much is broken.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from shared.redaction import redact, redacted

LINES = 2000  # of each log
LONGEST = 4000  # characters of a line of a log


@dataclass(frozen=True)
class Section:
    """One file of the parcel: text, or what becomes JSON."""

    name: str
    what: str
    make: Callable[[], Any]

    def content(self) -> str:
        """Return what goes in, redacted, or why there is nothing."""
        try:
            made = self.make()
        except Exception as error:  # noqa: BLE001 - whatever is broken is what the parcel is about
            return f"Not to be had: {type(error).__name__}: {redact(str(error))}\n"
        if isinstance(made, str):
            return redact(made)
        return json.dumps(redacted(made), indent=2, default=str, ensure_ascii=False) + "\n"


def created(file: Path) -> BinaryIO:
    """Open a new file that its owner alone can read; raises FileExistsError rather than write over one."""
    return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def parcel_of(sections: Iterable[Section]) -> tuple[bytes, dict[str, int]]:
    """Return the parcel, and how long each of its files is."""
    content, sizes = io.BytesIO(), dict[str, int]()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as parcel:
        for section in sections:
            made = section.content()
            parcel.writestr(section.name, made)
            sizes[section.name] = len(made)
    return content.getvalue(), sizes


def last_lines(file: Path) -> str:
    """Return the end of a log, its longest lines cut."""
    with file.open(errors="replace") as lines:
        return "".join(f"{line[:LONGEST].rstrip()}\n" for line in deque(lines, LINES))


_TABLES = text("""
SELECT relname AS table, n_live_tup AS rows, n_dead_tup AS dead_rows, pg_total_relation_size(relid) AS bytes,
  seq_scan AS whole_reads, last_autovacuum FROM pg_stat_user_tables ORDER BY bytes DESC
""")
_SLOW = text("""
SELECT query, calls, round(mean_exec_time::numeric, 1) AS mean_ms, round(max_exec_time::numeric, 1) AS longest_ms
FROM pg_stat_statements WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY total_exec_time DESC LIMIT 20
""")


def tables(connection: Connection) -> dict[str, Any]:
    """Return how many rows a database's tables have, as its statistics know, and its revision."""
    found = [dict(row) for row in connection.execute(_TABLES).mappings()]
    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
    server = connection.execute(text("SHOW server_version")).scalar_one()
    return {"revision": revision, "server": server, "tables": found}


def slow(connection: Connection) -> Any:
    """Return the statements that took most time, without their values, where the server keeps count."""
    try:
        return [dict(row) for row in connection.execute(_SLOW).mappings()]
    except ProgrammingError:
        return "not known: the server has no pg_stat_statements"
