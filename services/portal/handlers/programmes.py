"""Programmes: loading packs."""

from __future__ import annotations

from typing import Any

from services.portal import storage
from services.portal.domain import Programme
from shared.database import UnitOfWork
from shared.errors import InvalidError
from shared.workflow import Workflow, WorkflowError


def load_pack(uow: UnitOfWork, programme_id: str, pack: dict[str, Any], sha256: str) -> tuple[Programme, bool]:
    """Take over a pack; returns the programme and whether anything was new in it.

    Raises InvalidError for a new pack with a workflow that the engine would refuse: nobody would see it
    there until the first case did not move.
    """
    known = storage.programmes(uow).find(programme_id, for_update=True)
    if (known is None or known.sha256 != sha256) and (wrong := _unusable(pack)):
        refused = "The pack can't be loaded; `tamga workflow lint` says what is wrong with %(files)s"
        raise InvalidError(wrong, refused, files=", ".join(wrong))
    programme = known or storage.programmes(uow).add(Programme(id=programme_id))
    return programme, programme.load(pack, sha256)


def _unusable(pack: dict[str, Any]) -> dict[str, str]:
    """Return {file of a workflow: what the linter calls an error in it}."""
    documents = pack.get("workflows", {})
    if not isinstance(documents, dict):
        return {"workflows": "is a folder with a file for each workflow"}
    wrong = {}
    for name, document in documents.items():
        try:
            Workflow.checked(document)
        except WorkflowError as error:
            wrong[f"workflows/{name}.yaml"] = str(error)
    return wrong
