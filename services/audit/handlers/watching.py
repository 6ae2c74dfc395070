"""The watch over the log: reads on where it stopped, asks its rules, keeps what they find; and deciding about hits."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from services.audit.domain.hit import Hit
from services.audit.domain.watch_rules import BURSTS, PAIRS
from services.audit.domain.watching import Act, Burst, Found, Terms, Thing, counts
from services.audit.storage import hits, tree, watching
from services.audit.storage.watching import Packs
from shared.database import UnitOfWork
from shared.errors import NotFoundError
from shared.observability import gauge
from shared.settings import settings

WATCH_SECONDS = 5.0
BATCH = 2_000
BUDGET = 1.0  # seconds of reading at a time: what is behind is caught up with, and others get their turn
SKEW = timedelta(hours=1)
OPEN = gauge("audit_watch_open", "Hits of the watch that nobody has decided about")
BEHIND = gauge("audit_watch_behind", "Entries of the log that the watch has not read yet")


def watch(uow: UnitOfWork) -> None:
    """Read on for a while."""
    advance(uow, settings().time_zone, budget=BUDGET)
    OPEN.set(hits.open_ones(uow.connection))


def advance(uow: UnitOfWork, zone: str, *, batch: int = BATCH, budget: float = float("inf")) -> int:
    """Read on from where the watch stopped, and keep what is new; returns how many hits that made."""
    until, made = time.monotonic() + budget, 0
    low, end = watching.place(uow.connection), tree.head(uow.connection).size
    begun = low
    packs = Packs(uow.connection, end, zone) if low < end else None
    while packs and low < end and time.monotonic() < until:
        high = min(low + batch, end)
        found = judged(uow.connection, packs, low, high)
        there = hits.known(uow.connection, found) if found else set()
        for key in found.keys() - there:
            hits.repository(uow).add(Hit.found(found[key]))
            made += 1
        uow.flush()
        low = high
    if low != begun:
        watching.move(uow.connection, low)
    BEHIND.set(end - low)
    return made


def again(connection: Connection, zone: str, since: datetime | None, batch: int = BATCH) -> Iterator[Found]:
    """Yield what the rules find in the log, or of what happened since a moment: the same as they found before."""
    end = tree.head(connection).size
    packs, seen = Packs(connection, end, zone), set[str]()
    # A burst is one hit a day, its first: so that day is read from its beginning, whatever zone it is of.
    low = watching.first_since(connection, since - timedelta(days=2)) if since else 0
    while low < end:
        high = min(low + batch, end)
        for key, found in judged(connection, packs, low, high).items():
            if key not in seen and (since is None or found.act.at >= since):
                yield found
            seen.add(key)
        low = high


def judged(connection: Connection, packs: Packs, low: int, high: int) -> dict[str, Found]:
    """Return what the rules find in the acts of the leaves [low, high), by identity, each once."""
    acts = [(act, packs.at(act.programme, act.leaf)) for act in watching.stretch(connection, low, high)]
    found: dict[str, Found] = {}
    for item in (*_pairs(connection, acts, high), *_bursts(connection, acts, low)):
        if item.rule not in packs.at(item.programme, item.act.leaf).rules.off:
            first = found.get(item.id)
            found[item.id] = item if first is None or item.act.leaf < first.act.leaf else first
    return found


Judged = Sequence[tuple[Act, Terms]]


def _pairs(connection: Connection, acts: Judged, high: int) -> Iterator[Found]:
    for rule in PAIRS:
        asked = [(act, terms, list(rule.needs(act))) for act, terms in acts if rule.asked(act)]
        things = (thing for _, _, needs in asked for thing in needs)
        past = watching.of_things(connection, things, rule.past, high)
        for act, terms, needs in asked:
            before = _earlier(past, needs, act)
            if (item := rule.judge(act, before, terms)) is not None:
                yield item


def _earlier(past: Mapping[Thing, list[Act]], needs: Iterable[Thing], act: Act) -> list[Act]:
    found = [item for thing in needs for item in past.get(thing, ()) if item.leaf < act.leaf]
    return sorted(found, key=lambda item: item.leaf)


def _bursts(connection: Connection, acts: Judged, low: int) -> Iterator[Found]:
    timely = [(act, terms) for act, terms in acts if counts(act)]
    for rule in BURSTS:
        asked = [(act, terms) for act, terms in timely if rule.counted(act, terms) is not None]
        if asked:
            yield from _burst(connection, rule, asked, low)


def _burst(connection: Connection, rule: Burst, asked: Judged, low: int) -> Iterator[Found]:
    since = min(act.at for act, _ in asked) - rule.span
    bottom = watching.first_since(connection, since - SKEW)
    exports = rule.name == "mass_export"
    past = watching.before(connection, {act.actor for act, _ in asked}, since, bottom, low, exports=exports)
    own = {actor: [item for item in items if counts(item)] for actor, items in past.items()}
    told: set[str] = set()
    for act, terms in asked:
        earlier = own.setdefault(act.actor, [])
        day = f"{act.actor} {terms.day(act.at)}"
        if day not in told and (item := rule.judge(act, earlier, terms)) is not None:
            told.add(day)
            yield item
        earlier.append(act)


# --- deciding ---------------------------------------------------------------------


def decide(uow: UnitOfWork, hit_id: str, act: str, why: str, *, expected: int) -> Hit:
    """Explain, confirm or reopen a hit; raises NotFoundError, InvalidError, ForbiddenError or ConflictError."""
    hit = hits.repository(uow).find(hit_id[:80], expected=expected, for_update=True)
    if hit is None:
        raise NotFoundError("There is no such record")
    actor = uow.context.actor
    facts: dict[str, Any] = {"why": why, "by": (actor.id, actor.name or actor.id), "at": uow.now()}
    {"explain": hit.explain, "confirm": hit.confirm, "reopen": hit.reopen}[act](**facts)
    return hit


def found(uow: UnitOfWork, hit_id: str) -> Hit:
    """Return a hit; raises NotFoundError."""
    hit = hits.repository(uow).find(hit_id[:80])
    if hit is None:
        raise NotFoundError("There is no such record")
    return hit
