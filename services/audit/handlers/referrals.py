"""What the log shows to a partner bank: of referrals to itself when what happened, and proofs; no field of a firm.

A bank is shown an event when the event itself names it as the partner: while an applicant still thinks about a
consent, and after a referral was taken back from the bank, events do not name it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from services.audit.handlers import proofs, reading
from services.audit.keys import Keys
from services.audit.storage import search
from services.audit.storage.search import Filters
from shared.database import UnitOfWork
from shared.errors import NotFoundError
from shared.web.identity import Identity
from shared.web.paging import Page, encode_cursor

LIMIT = 20
MOST = 500  # events of a referral
_SUBMITTED = "loans.referral.submitted"


@dataclass(frozen=True)
class Referral:
    """A referral in a bank's list: its number, when it came, its newest act, and how many acts the bank may see."""

    id: str
    came_at: datetime
    newest: Any
    count: int


def referrals(uow: UnitOfWork, who: Identity, *, before: int | None, limit: int = LIMIT) -> Page[Referral]:
    """Return a page of the referrals to this person's bank, the newest first."""
    bank = who.organisation or ""
    filters = Filters(kind=_SUBMITTED, q=f'"{bank.replace(chr(34), "")}"')
    looked = search.look(uow.connection, filters, before=before, limit=limit)
    came = [row for row in looked.rows if shown_to(row, bank)]
    acts: dict[str, list[Any]] = {}
    for row in search.of_entities(uow.connection, "loans", {row.entity for row in came}, MOST * limit):
        if shown_to(row, bank):
            acts.setdefault(row.entity, []).append(row)
    items = [
        Referral(row.entity.partition(":")[2], row.occurred_at, acts[row.entity][-1], len(acts[row.entity]))
        for row in came
    ]
    end = looked.rows[-1].leaf_index if len(looked.rows) == limit else looked.reached
    return Page(items, None if end is None else encode_cursor([end]))


def open_referral(uow: UnitOfWork, who: Identity, referral: str) -> list[Any]:
    """Return the acts of a referral to this person's bank, the oldest first; raises NotFoundError for any other."""
    rows = _acts(uow, who, referral)
    reading.viewed(uow, f"referral:{referral}", "timeline", case=rows[0].case, programme=rows[0].programme)
    return rows


def prove(uow: UnitOfWork, who: Identity, referral: str, event_id: UUID, keys: Keys) -> dict[str, Any]:
    """Return the proof of an act of a referral to this bank.

    The leaf itself, which names who acted for whom, goes along only where the bank's own people acted; its hash
    proves as much to whoever was given the leaf by the one who acted.
    """
    row = next((row for row in _acts(uow, who, referral) if row.event_id == event_id), None)
    if row is None:
        raise NotFoundError("There is no such record")
    made = proofs.prove(uow.connection, event_id, keys, clock=uow.clock).as_json()
    reading.viewed(uow, f"event:{event_id}", "proof", case=row.case, programme=row.programme)
    return made if row.organisation == who.organisation else made | {"leaf": None}


def _acts(uow: UnitOfWork, who: Identity, referral: str) -> list[Any]:
    rows = search.of_entities(uow.connection, "loans", {f"referral:{referral}"}, MOST)
    shown = [row for row in rows if shown_to(row, who.organisation or "")]
    if not shown:
        raise NotFoundError("There is no such record")
    return shown


def shown_to(row: Any, bank: str) -> bool:
    """Return whether an event names this bank as the partner."""
    return bool(bank) and f"org:{bank}" in json.loads(row.body)["parties"].get("partner", [])
