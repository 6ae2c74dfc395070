"""Calls written in the browser: drafts, their problems, publishing as the next version of the programme's pack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from services.portal import storage
from services.portal.domain.draft import CallDraft, PublishedMeanwhileError
from services.portal.domain.programme import Programme, with_parts
from services.portal.handlers.checking import pack_problems, two_people, workflow_problems
from services.portal.policy import POLICY
from services.portal.storage import drafts
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError, NotFoundError, Rule
from shared.web.identity import Identity

READ, EDIT, PUBLISH = "portal.call.read", "portal.call.edit", "portal.call.publish"


class Command(BaseModel):
    """What somebody asks for; unknown members are refused."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class BeginDraft(Command):
    """Change the call of that id, or write a new one: from nothing, or as a copy of another call."""

    call: str = Field(max_length=60)
    copy_of: str | None = Field(default=None, max_length=80)
    new: bool = False


class SaveDraft(Command):
    """What the call and its scoring sheet say now; `version` is that of the draft it was made from."""

    version: int
    call: dict[str, Any]
    scoring: dict[str, Any]


def begin(uow: UnitOfWork, who: Identity, programme_id: str, command: BeginDraft) -> tuple[CallDraft, bool]:
    """Return the draft of a call and whether it is new: one that is being written already is gone on with."""
    POLICY.role_for(EDIT, who, programme=programme_id)
    programme = _programme(uow, programme_id)
    if (known := drafts.open_draft(uow.connection, programme_id, command.call)) is not None:
        if command.new or command.copy_of:
            raise ConflictError("Somebody writes a call of that id already: %(call)s", call=command.call)
        return drafts.drafts(uow).get(known), False
    facts = {"id": str(uow.ids()), "by": who.user, "by_name": who.name}
    if command.new or command.copy_of:
        draft = CallDraft.new(programme, command.call, command.copy_of, **facts)
        _alone(uow, programme_id, command.call)
    else:
        draft = CallDraft.change_of(programme, command.call, **facts)
    return drafts.drafts(uow).add(draft), True


def seen(
    uow: UnitOfWork,
    who: Identity,
    draft_id: str,
    *,
    action: str = READ,
    expected: int | None = None,
    lock: bool = False,
) -> CallDraft:
    """Return a draft to whom it concerns; raises NotFoundError for everybody else."""
    found = drafts.drafts(uow).find(draft_id[:80], for_update=lock)
    if found is None:
        POLICY.require(action, who)
        raise NotFoundError("There is no such record")
    POLICY.role_for(action, who, programme=found.programme)
    if expected is not None and found.version != expected:
        raise drafts.drafts(uow).stale(found.id, expected)
    return found


def save(uow: UnitOfWork, who: Identity, draft_id: str, command: SaveDraft) -> CallDraft:
    """Keep what the draft says now, right or wrong; one who wrote on an older version is told what changed."""
    draft = seen(uow, who, draft_id, action=EDIT, expected=command.version, lock=True)
    draft.edit({"call": command.call, "scoring": command.scoring}, who.user)
    return draft


def hand_in(uow: UnitOfWork, who: Identity, draft_id: str, version: int) -> CallDraft:
    """Ask a second person to publish the draft; it must be right by then."""
    draft = seen(uow, who, draft_id, action=EDIT, expected=version, lock=True)
    programme = _programme(uow, draft.programme)
    if not two_people(programme.pack):
        raise ConflictError("This programme asks for no second person: publish the draft")
    _check(programme, draft)
    draft.hand_in(who.user, who.name, drafts.managers(uow.connection, draft.programme))
    return draft


def give_back(uow: UnitOfWork, who: Identity, draft_id: str, version: int, reason: str) -> CallDraft:
    """Let the draft be edited again."""
    draft = seen(uow, who, draft_id, action=EDIT, expected=version, lock=True)
    draft.give_back(reason)
    return draft


def discard(uow: UnitOfWork, who: Identity, draft_id: str, version: int) -> CallDraft:
    """Give the draft up."""
    draft = seen(uow, who, draft_id, action=EDIT, expected=version, lock=True)
    draft.discard()
    return draft


def take_over(uow: UnitOfWork, who: Identity, draft_id: str, version: int) -> tuple[CallDraft, list[str]]:
    """Bring what was published meanwhile into the draft; returns it with what both changed (the draft's is kept)."""
    draft = seen(uow, who, draft_id, action=EDIT, expected=version, lock=True)
    return draft, draft.take_over(_programme(uow, draft.programme), who.user)


def issue(uow: UnitOfWork, who: Identity, draft_id: str, version: int) -> CallDraft:
    """Make the draft the next version of its programme's pack, by the same check as a pack from files.

    Raises InvalidError with what is wrong by field, PublishedMeanwhileError when the call changed since the draft
    began, and ForbiddenError for whoever wrote it where the programme asks for a second person.
    """
    draft = seen(uow, who, draft_id, action=PUBLISH, expected=version, lock=True)
    programme = storage.programmes(uow).get(draft.programme)
    draft.check_publishing(who.user, two_people=bool(two_people(programme.pack)))
    if theirs := draft.theirs(programme):
        last = drafts.version(uow.connection, programme.id, programme.pack_version)
        raise PublishedMeanwhileError(programme.pack_version, str(last["by_name"]) if last else "", theirs)
    _check(programme, draft)
    if draft.is_new:
        _alone(uow, draft.programme, draft.call)
    draft.issue(programme)
    drafts.keep_version(uow, programme, draft.call)
    return draft


def _alone(uow: UnitOfWork, programme_id: str, call: str) -> None:
    """Refuse a new call under an id that another programme has: an address of a call leads to one."""
    if (other := drafts.call_elsewhere(uow.connection, programme_id, call)) is not None:
        raise InvalidError({"call": Rule("is the id of a call of another programme: %(name)s", name=other)})


def _programme(uow: UnitOfWork, programme_id: str) -> Programme:
    found = storage.programmes(uow).find(programme_id)
    if found is None:
        raise NotFoundError("There is no such record")
    return found


def _check(programme: Programme, draft: CallDraft) -> None:
    if wrong := problems(programme.pack, draft):
        raise InvalidError(wrong, "The call can't be published yet")


def problems(pack: Mapping[str, Any], draft: CallDraft) -> dict[str, str]:
    """Return {field: rule} of what keeps the draft from being published: call.…, scoring.…, or a file of the pack."""
    parts = draft.parts()
    candidate = with_parts(pack, parts)
    try:
        wrong = pack_problems(candidate) | workflow_problems(candidate)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        # What a person typed as text of the form may have any shape; a check that meets none of it says so.
        return {"call": Rule("can't be read: %(why)s", why=str(error)[:200])}
    own = {f"calls/{draft.stem}.yaml: ": "call.", f"scoring/{draft.sheet_stem}.yaml: ": "scoring."}
    return {_place(field, own): rule for field, rule in wrong.items()}


def _place(field: str, own: Mapping[str, str]) -> str:
    for start, name in own.items():
        if field.startswith(start):
            return name + field.removeprefix(start)
    return field


def pack_of(connection: Connection, who: Identity, programme_id: str, action: str = READ) -> dict[str, Any]:
    """Return a programme's present state to whom it concerns."""
    POLICY.role_for(action, who, programme=programme_id)
    row = storage.programme_pack(connection, programme_id)
    if row is None:
        raise NotFoundError("There is no such record")
    return dict(row["state"])
