"""Programmes: loading packs."""

from __future__ import annotations

from typing import Any

from services.portal import storage
from services.portal.domain import Programme
from shared.database import UnitOfWork


def load_pack(uow: UnitOfWork, programme_id: str, pack: dict[str, Any], sha256: str) -> tuple[Programme, bool]:
    """Take over a pack; returns the programme and whether anything was new in it."""
    known = storage.programmes(uow).find(programme_id, for_update=True)
    programme = known or storage.programmes(uow).add(Programme(id=programme_id))
    return programme, programme.load(pack, sha256)
