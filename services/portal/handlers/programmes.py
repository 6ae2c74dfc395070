"""Programmes: loading packs from files."""

from __future__ import annotations

from typing import Any

from services.portal import storage
from services.portal.domain.programme import Choice, Programme
from services.portal.handlers.checking import pack_problems, workflow_problems
from services.portal.storage import drafts
from shared.database import UnitOfWork
from shared.errors import InvalidError


class UnfitError(InvalidError):
    """What was edited in the browser and is to be kept does not fit what the files say."""


def load_pack(
    uow: UnitOfWork, programme_id: str, pack: dict[str, Any], sha256: str, *, edited: Choice = "ask"
) -> tuple[Programme, bool]:
    """Take over a pack from files; returns the programme and whether anything was new in it.

    `edited` says what is to be of calls that were edited in the browser since and are other in the files: to raise
    EditedError with what differs, to keep them, or to replace them. Raises InvalidError for a new pack with a workflow
    that the engine would refuse: nobody would see it there until the first case did not move.
    """
    known = storage.programmes(uow).find(programme_id, for_update=True)
    if known is None or known.sha256 != sha256:
        _check_workflows(pack)
    programme = known or storage.programmes(uow).add(Programme(id=programme_id))
    merged = programme.from_files(pack, sha256, edited)
    if merged is not pack and merged is not programme.pack and (wrong := pack_problems(merged)):
        raise UnfitError(wrong, "What was edited in the browser does not fit what the files say")
    changed = programme.loaded_from(merged, sha256) if merged is not programme.pack else False
    if changed:
        drafts.keep_version(uow, programme, None)
    return programme, changed


def _check_workflows(pack: dict[str, Any]) -> None:
    if wrong := workflow_problems(pack):
        refused = "The pack can't be loaded; `tamga workflow lint` says what is wrong with %(files)s"
        raise InvalidError(wrong, refused, files=", ".join(wrong))
