"""Accounts for every event at every consumer: applied, parked, in quarantine, discarded, in flight, or missing.

The law: whatever a source has recorded and a consumer is bound to is in exactly one of these states there.
Sums of hashed ids are compared first, so the usual answer costs two index-free scans a pair; only where the
sums differ are ids compared one by one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, text

from shared.database import reading
from shared.messaging.topology import Depth

# A message that was published this long ago and is not in the queue any more must be in the consumer's tables.
GRACE = 5.0

# What was dropped with its month is still in the books, by number and sum.
_SENT = text("""
SELECT sum(events)::bigint AS events, sum(sum) AS sum FROM (
  SELECT count(*) AS events, coalesce(sum(hashtextextended(id::text, 0)::numeric), 0) AS sum
  FROM outbox WHERE type ~ :pattern
  UNION ALL
  SELECT coalesce(sum(events), 0), coalesce(sum(sum), 0) FROM outbox_dropped WHERE type ~ :pattern
) AS sent
""")
_KNOWN = """
  SELECT event_id, split_part(entity, '/', 1) AS source, 'parked' AS state FROM inbox_parked WHERE consumer = :consumer
  UNION ALL
  SELECT event_id, split_part(entity, '/', 1), CASE state WHEN 'held' THEN 'quarantined' ELSE 'discarded' END
  FROM quarantine WHERE consumer = :consumer AND state <> 'replayed' AND event_id IS NOT NULL
  UNION ALL
  SELECT event_id, source, 'applied' FROM inbox WHERE consumer = :consumer
"""
_STATES = text(f"""
SELECT source, state, count(*) AS events, sum(hashtextextended(event_id::text, 0)::numeric) AS sum
FROM ({_KNOWN}) AS known GROUP BY source, state
""")  # noqa: S608 - a constant of this module
_MISSING = text(f"""
SELECT sent.id FROM unnest(CAST(:ids AS uuid[])) AS sent (id)
WHERE NOT EXISTS (SELECT FROM ({_KNOWN}) AS known WHERE known.event_id = sent.id)
""")  # noqa: S608 - the same
_IDS = text("""
SELECT id, published_at IS NULL OR published_at > clock_timestamp() - make_interval(secs => :grace) AS fresh
FROM outbox WHERE type ~ :pattern ORDER BY row
""")


@dataclass
class Account:
    """One source's events at one consumer; `missing` names up to twenty of the unaccounted."""

    consumer: str
    source: str
    events: int = 0
    applied: int = 0
    parked: int = 0
    quarantined: int = 0
    discarded: int = 0
    in_flight: int = 0
    unaccounted: int = 0
    missing: list[str] = field(default_factory=list)


@dataclass
class Report:
    """All accounts; `unaccounted` is 0 or something was lost."""

    accounts: list[Account]

    @property
    def unaccounted(self) -> int:
        return sum(account.unaccounted for account in self.accounts)

    @property
    def open(self) -> int:
        """Return how many effects are still to come, or to be decided by somebody."""
        return sum(a.parked + a.quarantined + a.in_flight + a.unaccounted for a in self.accounts)

    def as_json(self) -> dict[str, Any]:
        return {
            "unaccounted": self.unaccounted,
            "open": self.open,
            "accounts": [asdict(account) for account in self.accounts],
        }


def pattern(bindings: tuple[str, ...]) -> str:
    """Return the regular expression of the event types that topic bindings let through."""
    return f"^({'|'.join(_one(binding) for binding in bindings)})$" if bindings else "^$"


def _one(binding: str) -> str:
    if binding == "#":
        return ".*"
    words = [{"*": "[^.]+", "#": ".*"}.get(word, re.escape(word)) for word in binding.split(".")]
    # "a.#" lets "a" through as well
    return r"\.".join(words).replace(r"\..*", r"(\..*)?")


def reconcile(
    engines: Mapping[str, Engine],
    consumers: Mapping[str, tuple[str, ...]],
    depths: Mapping[str, Depth],
    *,
    grace: float = GRACE,
) -> Report:
    """Account for every event of every source at every consumer that is bound to it.

    `engines` has each service's database, `consumers` each consumer's bindings, `depths` the queues' (a message
    that still waits there is in flight, however old).
    """
    accounts: list[Account] = []
    for consumer, bindings in consumers.items():
        if not bindings:
            continue
        known = _states(engines[consumer], consumer)
        queued = depths[consumer].messages if consumer in depths else 0
        for source in _sources(engines, bindings):
            account = _account(engines, Account(consumer, source), pattern(bindings), known.get(source, {}), grace)
            excused = min(queued, account.unaccounted)
            queued -= excused
            account.in_flight += excused
            account.unaccounted -= excused
            account.missing = account.missing[: min(20, account.unaccounted)]
            accounts.append(account)
    return Report(accounts)


def _sources(engines: Mapping[str, Engine], bindings: tuple[str, ...]) -> list[str]:
    named = {binding.split(".", 1)[0] for binding in bindings}
    return [source for source in engines if named & {source, "#", "*"}]


def _states(engine: Engine, consumer: str) -> dict[str, dict[str, tuple[int, int]]]:
    states: dict[str, dict[str, tuple[int, int]]] = {}
    with reading(engine) as connection:
        for row in connection.execute(_STATES, {"consumer": consumer}):
            states.setdefault(row.source, {})[row.state] = (row.events, int(row.sum))
    return states


def _account(
    engines: Mapping[str, Engine],
    account: Account,
    types: str,
    known: Mapping[str, tuple[int, int]],
    grace: float,
) -> Account:
    for state, (count, _) in known.items():
        setattr(account, state, count)
    with reading(engines[account.source]) as connection:
        sent = connection.execute(_SENT, {"pattern": types}).one()
        account.events = sent.events
        if sum(total for _, total in known.values()) == int(sent.sum):
            return account
        ids = {row.id: row.fresh for row in connection.execute(_IDS, {"pattern": types, "grace": grace})}
    with reading(engines[account.consumer]) as connection:
        missing = _missing(connection, account.consumer, list(ids))
    lost = [str(event_id) for event_id in missing if not ids[event_id]]
    # Of what was dropped no id is left, so its loss shows as a number alone.
    nameless = max(0, account.events - sum(count for count, _ in known.values()) - len(missing))
    account.in_flight, account.unaccounted, account.missing = len(missing) - len(lost), len(lost) + nameless, lost
    return account


def _missing(connection: Connection, consumer: str, ids: list[UUID]) -> list[UUID]:
    found = connection.execute(_MISSING, {"consumer": consumer, "ids": ids})
    return list(found.scalars())
