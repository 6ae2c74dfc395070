"""What is on record of backups and drills, as this service's outbox has it: the relay need not have sent it yet."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, text

_NEWEST = text("""
SELECT time, body->'data' AS data FROM outbox
WHERE entity = 'backup:installation' AND type = :type ORDER BY sequence DESC LIMIT 1
""")


def newest(connection: Connection, kind: str) -> Any:
    """Return when the newest act of that kind ("created", "drilled") was, and its facts; None when there is none."""
    return connection.execute(_NEWEST, {"type": f"audit.backup.{kind}"}).first()
