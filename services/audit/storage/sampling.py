"""From what a sample is drawn: cases or events of a period, among the entries under a checkpoint."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import Connection, select, text

from services.audit.domain.sampling import Item
from services.audit.storage.tables import checkpoints
from services.audit.storage.tree import Signed

_CASES = text("""
SELECT "case" AS name, coalesce(min(programme), '') AS programme, min(leaf_index) AS leaf,
  CASE :strata WHEN 'programme' THEN coalesce(min(programme), '')
    WHEN 'month' THEN to_char(min(occurred_at) AT TIME ZONE :zone, 'YYYY-MM') ELSE '' END AS stratum
FROM event
WHERE occurred_at >= :since AND occurred_at < :until AND leaf_index < :size AND "case" IS NOT NULL
  AND (:programme = '' OR programme = :programme)
GROUP BY "case" ORDER BY leaf
""")
# A tranche's events say the amount of the tranche beside that of the award. Jsonb has no NUL character.
_EVENTS = text(r"""
SELECT event_id, programme, "case", leaf, money ->> 'amount' AS amount, money ->> 'currency' AS currency,
  CASE :strata WHEN 'programme' THEN programme
    WHEN 'month' THEN to_char(occurred_at AT TIME ZONE :zone, 'YYYY-MM') ELSE '' END AS stratum
FROM (
  SELECT event_id, occurred_at, leaf_index AS leaf, coalesce(programme, '') AS programme,
         coalesce("case", '') AS "case",
         coalesce(said #> '{data,tranche_amount}', said #> '{data,amount}') AS money
  FROM event, LATERAL (SELECT CAST(replace(body, '\u0000', '\ufffd') AS jsonb) AS said) AS parsed
  WHERE type = :kind AND occurred_at >= :since AND occurred_at < :until AND leaf_index < :size
    AND (:programme = '' OR programme = :programme)
) AS found ORDER BY leaf
""")
_LATE = text("""
SELECT count(*) FROM event WHERE occurred_at >= :since AND occurred_at < :until AND leaf_index >= :size
  AND (:kind = '' OR type = :kind) AND (:programme = '' OR programme = :programme)
""")


STRATA = ("programme", "month", "none")


class Frame(NamedTuple):
    """Which entries may be drawn: a programme ("" for all), from `since` to before `until`, among the first `size`.

    `strata` is one of STRATA; months are those of `zone`.
    """

    programme: str
    since: datetime
    until: datetime
    size: int
    kind: str  # "": cases
    strata: str
    zone: str


def first_checkpoint(connection: Connection, since: datetime) -> Signed | None:
    """Return the first checkpoint that was signed at a moment or later."""
    table = checkpoints.c
    query = select(table.size, table.root, table.note, table.signed_at).where(table.signed_at >= since)
    row = connection.execute(query.order_by(table.size).limit(1)).first()
    return Signed(*row) if row else None


def cases(connection: Connection, frame: Frame) -> list[Item]:
    """Return the cases of which something happened, the oldest first."""
    rows = connection.execute(_CASES, frame._asdict())
    return [Item(row.name, row.stratum, row.leaf, None, row.programme, row.name) for row in rows]


def events(connection: Connection, frame: Frame) -> tuple[list[Item], set[str]]:
    """Return the events of a kind with their amounts, the oldest first, and the currencies of these."""
    items, currencies = [], set()
    for row in connection.execute(_EVENTS, frame._asdict(), execution_options={"yield_per": 2000}):
        if row.currency is not None:
            currencies.add(row.currency)
        amount = None if row.amount is None else Decimal(row.amount)
        items.append(Item(str(row.event_id), row.stratum, row.leaf, amount, row.programme, row.case))
    return items, currencies


def late(connection: Connection, frame: Frame) -> int:
    """Return how many events of the period came into the log after the checkpoint, and can't be drawn."""
    return int(connection.execute(_LATE, frame._asdict()).scalar_one())
