"""Accounts for every event at every consumer: applied, parked, in quarantine, discarded, in flight, or missing.

The law: whatever a source has recorded and a consumer is bound to is in exactly one of these states there.
Events are summed up in blocks of their positions, by number and by hashed id; only in a block whose sums differ
are ids compared one by one. What went out a moment ago is a block of its own, so that traffic disturbs no sum.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, text

from shared.database import reading
from shared.messaging.topology import Depth

# A message that was published this long ago and is not in the queue any more must be in the consumer's tables.
GRACE = 5.0
BLOCK = 50_000  # positions
# Among this many that still wait in a queue those that are missing may be sent again without knowing which is which.
SPARE = 1_000
_DROPPED_MONTHS = -1  # the block of positions that are kept no more

# Sums by block: (events, sum of hashed ids).
Sums = dict[int | None, tuple[int, int]]

# Up to where a source's positions went out long enough ago, and from where they are kept (before: dropped months).
_BOUNDS = text("""
SELECT coalesce((SELECT min(position) FROM outbox), 1) AS first, coalesce(least(
  (SELECT min(position) - 1 FROM outbox WHERE published_at IS NULL),
  (SELECT position FROM outbox WHERE published_at <= clock_timestamp() - make_interval(secs => :grace)
   ORDER BY row DESC LIMIT 1)), 0) AS upto
""")
_PLACE = "CASE WHEN position < :first THEN -1 WHEN position <= :upto THEN position / :block END"
_SENT = text(f"""
SELECT {_PLACE} AS place, count(*) AS events, sum(hashtextextended(id::text, 0)::numeric) AS sum
FROM outbox WHERE type ~ :pattern AND (position >= :floor OR position IS NULL) GROUP BY 1
""")  # noqa: S608 - constants of this module
_DROPPED = text("""
SELECT coalesce(sum(events), 0)::bigint AS events, coalesce(sum(sum), 0) AS sum
FROM outbox_dropped WHERE type ~ :pattern
""")
_KNOWN = """
  SELECT event_id, position, 'parked' AS state FROM inbox_parked
  WHERE consumer = :consumer AND split_part(entity, '/', 1) = :source
  UNION ALL
  SELECT event_id, position, CASE state WHEN 'held' THEN 'quarantined' ELSE 'discarded' END FROM quarantine
  WHERE consumer = :consumer AND split_part(entity, '/', 1) = :source AND state <> 'replayed' AND event_id IS NOT NULL
  UNION ALL
  SELECT event_id, position, 'applied' FROM inbox WHERE consumer = :consumer AND source = :source
"""
_STATES = text(f"""
SELECT state, {_PLACE} AS place, count(*) AS events, sum(hashtextextended(event_id::text, 0)::numeric) AS sum
FROM ({_KNOWN}) AS known WHERE position >= :floor OR position IS NULL GROUP BY 1, 2
""")  # noqa: S608 - the same
_KNOWN_IDS = text(f"""
SELECT event_id AS id, state FROM ({_KNOWN}) AS known
WHERE {_PLACE} = ANY(CAST(:places AS bigint[])) OR (:latest AND {_PLACE} IS NULL)
""")  # noqa: S608 - the same
_SENT_IDS = text(f"""
SELECT id, published_at IS NULL OR published_at > clock_timestamp() - make_interval(secs => :grace) AS fresh
FROM outbox WHERE type ~ :pattern
  AND ({_PLACE} = ANY(CAST(:places AS bigint[])) OR (:latest AND {_PLACE} IS NULL)) ORDER BY row
""")  # noqa: S608 - the same


@dataclass
class Account:
    """One source's events at one consumer; `missing` and `twice` name up to twenty of each kind.

    `lost` has the ids of all that are missing, and a few of events that only wait in the queue when some do.
    `contradictory` events are in two states at once; `unrecorded` ones are known here and not to their source.
    """

    consumer: str
    source: str
    events: int = 0
    applied: int = 0
    parked: int = 0
    quarantined: int = 0
    discarded: int = 0
    in_flight: int = 0
    unaccounted: int = 0
    contradictory: int = 0
    unrecorded: int = 0
    missing: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list, repr=False)

    def as_json(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "lost"}


@dataclass
class Report:
    """All accounts; `unaccounted` is 0 or something was lost."""

    accounts: list[Account]

    @property
    def unaccounted(self) -> int:
        return sum(account.unaccounted for account in self.accounts)

    @property
    def contradictory(self) -> int:
        return sum(account.contradictory for account in self.accounts)

    @property
    def open(self) -> int:
        """Return how many effects are still to come, or to be decided by somebody."""
        return sum(a.parked + a.quarantined + a.in_flight + a.unaccounted for a in self.accounts)

    def as_json(self) -> dict[str, Any]:
        return {
            "unaccounted": self.unaccounted,
            "contradictory": self.contradictory,
            "open": self.open,
            "accounts": [account.as_json() for account in self.accounts],
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
    floors: dict[tuple[str, str], int] | None = None,
) -> Report:
    """Account for every event of every source at every consumer that is bound to it.

    `engines` has each service's database, `consumers` each consumer's bindings, `depths` the queues' (a message
    that still waits there is in flight, however old). Who looks often passes the same `floors` again: positions
    below them were found to be well and are not summed up once more, so that numbers are those above them.
    """
    accounts: list[Account] = []
    for consumer, bindings in consumers.items():
        if not bindings:
            continue
        queued = depths[consumer].messages if consumer in depths else 0
        for source in _sources(engines, bindings):
            account = Account(consumer, source)
            pair = _Pair(engines[source], engines[consumer], account, pattern(bindings), grace)
            pair.facts["floor"] = floors.get((consumer, source), 0) if floors else 0
            well_below = pair.fill()
            if floors is not None:
                floors[consumer, source] = max(well_below, floors.get((consumer, source), 0))
            excused = min(queued, account.unaccounted)
            queued -= excused
            account.in_flight += excused
            account.unaccounted -= excused
            account.lost = account.missing if account.unaccounted and excused <= SPARE else []
            account.missing = account.missing[: min(20, account.unaccounted)]
            accounts.append(account)
    return Report(accounts)


def _sources(engines: Mapping[str, Engine], bindings: tuple[str, ...]) -> list[str]:
    named = {binding.split(".", 1)[0] for binding in bindings}
    return [source for source in engines if named & {source, "#", "*"}]


class _Pair:
    """One source and one consumer, asked in the order in which events travel or against it, as each step needs."""

    def __init__(self, source: Engine, consumer: Engine, account: Account, types: str, grace: float) -> None:
        self.source, self.consumer, self.account = source, consumer, account
        self.facts: dict[str, Any] = {
            "pattern": types,
            "consumer": account.consumer,
            "source": account.source,
            "grace": grace,
            "block": BLOCK,
        }

    def fill(self) -> int:
        """Count events, name those in no state or in two; return the position below which all is well."""
        sent, dropped = self._sent()
        known = self._known()
        if self.facts["floor"]:
            dropped = (0, 0)
        self.account.events = sum(events for events, _ in sent.values()) + dropped[0]
        settled = _total(sent) == _minus(_total(known), dropped)
        places = [place for place in {*sent, *known} if sent.get(place) != known.get(place)]
        differing = [place for place in places if place is None or not settled]
        if settled and not differing:
            return self._well_below()
        lost = self._compare([place for place in differing if place not in {None, _DROPPED_MONTHS}], None in differing)
        if not settled and dropped[0]:
            # Of what was dropped no id is left, so its loss shows as a number alone.
            lost += max(0, dropped[0] - known.get(_DROPPED_MONTHS, (0, 0))[0])
        self.account.unaccounted = lost
        return self._well_below() if settled else 0

    def _well_below(self) -> int:
        below: int = self.facts["upto"] // BLOCK * BLOCK
        return below

    def _sent(self) -> tuple[Sums, tuple[int, int]]:
        with reading(self.source) as connection:
            self.facts |= connection.execute(_BOUNDS, self.facts).mappings().one()
            rows = connection.execute(_SENT, self.facts)
            sums: Sums = {row.place: (row.events, int(row.sum)) for row in rows}
            dropped = connection.execute(_DROPPED, self.facts).one()
        return sums, (dropped.events, int(dropped.sum))

    def _known(self) -> Sums:
        sums: Sums = {}
        with reading(self.consumer) as connection:
            for row in connection.execute(_STATES, self.facts):
                setattr(self.account, row.state, getattr(self.account, row.state) + row.events)
                events, total = sums.get(row.place, (0, 0))
                sums[row.place] = (events + row.events, total + int(row.sum))
        return sums

    def _compare(self, places: list[int | None], latest: bool) -> int:
        """Compare ids one by one, the consumer's first: what it handles meanwhile is found fresh at the source."""
        facts = self.facts | {"places": places, "latest": latest}
        with reading(self.consumer) as connection:
            states = Counter(row.id for row in connection.execute(_KNOWN_IDS, facts))
        with reading(self.source) as connection:
            sent: dict[UUID, bool] = {row.id: row.fresh for row in connection.execute(_SENT_IDS, facts)}
        missing = [event for event in sent if event not in states]
        lost = [str(event) for event in missing if not sent[event]]
        twice = [str(event) for event, times in states.items() if times > 1]
        account = self.account
        account.missing, account.in_flight = lost, len(missing) - len(lost)
        account.contradictory, account.twice = len(twice), twice[:20]
        account.unrecorded = sum(event not in sent for event in states)
        return len(lost)


def _total(sums: Sums) -> tuple[int, int]:
    """Return the sum of all blocks but the latest."""
    settled = [pair for place, pair in sums.items() if place is not None]
    return sum(events for events, _ in settled), sum(total for _, total in settled)


def _minus(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return one[0] - other[0], one[1] - other[1]
