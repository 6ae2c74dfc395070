"""Calls for machines: drafts with what is still wrong in them, publishing, and every version of a programme's pack."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from services.portal import storage
from services.portal.domain.differing import changes_of
from services.portal.domain.draft import CallDraft
from services.portal.domain.programme import with_parts
from services.portal.handlers import calls
from services.portal.handlers.calls import EDIT, PUBLISH, READ
from services.portal.policy import POLICY
from services.portal.storage import drafts
from shared.database import UnitOfWork
from shared.errors import NotFoundError
from shared.web.dependencies import Reader, Uow, Who, allowed

router = APIRouter(prefix="/api")
SEE = "portal.programme.read"
DRAFTS = "/programmes/{programme_id}/drafts"
Number = Annotated[int, Query(gt=0, lt=2**31)]


class Asked(BaseModel):
    """The version of the draft that was looked at."""

    model_config = ConfigDict(extra="forbid")

    version: int


class Returned(Asked):
    """Why a draft is given back."""

    reason: str = Field(min_length=3, max_length=500)


class DraftOut(BaseModel):
    """A draft as its programme's managers see it; `problems` keep it from being published."""

    id: str
    version: int
    programme: str
    call: str
    status: str
    pack_version: int
    copied_from: str | None
    published_version: int | None
    content: dict[str, Any]
    problems: dict[str, str]
    differences: dict[str, list[dict[str, str]]]


def _out(uow: UnitOfWork, draft: CallDraft) -> DraftOut:
    uow.flush()
    pack = storage.programmes(uow).get(draft.programme, for_update=False).pack
    changes = changes_of(pack, with_parts(pack, draft.parts())) if draft.open else {}
    return DraftOut(
        **draft.model_dump(include=set(DraftOut.model_fields) - {"problems", "differences"}),
        problems=calls.problems(pack, draft) if draft.open else {},
        differences={part: [item.as_dict() for item in found] for part, found in changes.items()},
    )


@router.get(DRAFTS, dependencies=[allowed(READ)])
def draft_list(programme_id: str, who: Who, reader: Reader) -> list[dict[str, Any]]:
    """List the drafts of a programme's calls that may still be published."""
    POLICY.role_for(READ, who, programme=programme_id)
    return [{name: row[name] for name in row if name != "base"} for row in drafts.open_drafts(reader, programme_id)]


@router.post(DRAFTS, dependencies=[allowed(EDIT)], status_code=201)
def begin(programme_id: str, command: calls.BeginDraft, who: Who, uow: Uow, response: Response) -> DraftOut:
    """Begin to change a call, or write a new one (`new`, `copy_of`); 200 with the draft that there is."""
    draft, new = calls.begin(uow, who, programme_id, command)
    response.status_code = 201 if new else 200
    return _out(uow, draft)


@router.get("/calls/drafts/{draft_id}", dependencies=[allowed(READ)])
def draft(draft_id: str, who: Who, uow: Uow) -> DraftOut:
    """Return a draft, what is wrong in it, and what it says other than the programme does now."""
    return _out(uow, calls.seen(uow, who, draft_id))


@router.put("/calls/drafts/{draft_id}", dependencies=[allowed(EDIT)])
def save(draft_id: str, command: calls.SaveDraft, who: Who, uow: Uow) -> DraftOut:
    """Keep what the call and its scoring sheet say, right or wrong; `problems` say what is."""
    return _out(uow, calls.save(uow, who, draft_id, command))


@router.post("/calls/drafts/{draft_id}/handing-in", dependencies=[allowed(EDIT)])
def hand_in(draft_id: str, asked: Asked, who: Who, uow: Uow) -> DraftOut:
    """Ask a second person to publish it."""
    return _out(uow, calls.hand_in(uow, who, draft_id, asked.version))


@router.post("/calls/drafts/{draft_id}/return", dependencies=[allowed(EDIT)])
def give_back(draft_id: str, asked: Returned, who: Who, uow: Uow) -> DraftOut:
    """Give it back to be edited, with the reason."""
    return _out(uow, calls.give_back(uow, who, draft_id, asked.version, asked.reason))


@router.post("/calls/drafts/{draft_id}/take-over", dependencies=[allowed(EDIT)])
def take_over(draft_id: str, asked: Asked, who: Who, uow: Uow) -> DraftOut:
    """Bring what was published meanwhile into the draft; what both changed stays the draft's."""
    return _out(uow, calls.take_over(uow, who, draft_id, asked.version)[0])


@router.post("/calls/drafts/{draft_id}/discard", dependencies=[allowed(EDIT)])
def discard(draft_id: str, asked: Asked, who: Who, uow: Uow) -> DraftOut:
    """Give it up; what was published stays."""
    return _out(uow, calls.discard(uow, who, draft_id, asked.version))


@router.post("/calls/drafts/{draft_id}/publication", dependencies=[allowed(PUBLISH)])
def issue(draft_id: str, asked: Asked, who: Who, uow: Uow) -> DraftOut:
    """Make it the next version of the programme's pack."""
    return _out(uow, calls.issue(uow, who, draft_id, asked.version))


@router.get("/programmes/{programme_id}/versions", dependencies=[allowed(SEE)])
def versions(programme_id: str, who: Who, reader: Reader, before: Number | None = None) -> list[dict[str, Any]]:
    """List up to 50 versions of a programme's pack, the newest first; `before` a version for older ones."""
    POLICY.role_for(SEE, who, programme=programme_id)
    return [dict(row) for row in drafts.versions(reader, programme_id, before=before, limit=49)]


@router.get("/programmes/{programme_id}/versions/{number}", dependencies=[allowed(SEE)])
def version(programme_id: str, number: int, who: Who, reader: Reader) -> dict[str, Any]:
    """Return one version of a programme's pack, and what it changed against the one before."""
    POLICY.role_for(SEE, who, programme=programme_id)
    row = drafts.version(reader, programme_id, number) if 0 < number < 2**31 else None
    if row is None:
        raise NotFoundError("There is no such record")
    before = drafts.version_before(reader, programme_id, number)
    changes = changes_of(before["pack"], row["pack"]) if before else {}
    return dict(row) | {"changes": {part: [item.as_dict() for item in found] for part, found in changes.items()}}
