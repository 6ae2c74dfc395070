"""Drafts of calls, and every version of a programme's pack."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, RowMapping, select
from sqlalchemy.dialects.postgresql import insert

from services.portal.domain.draft import CallDraft
from services.portal.domain.programme import Programme
from services.portal.storage import account, call_draft, programme, programme_version
from shared.database import Repository, UnitOfWork

_OPEN = call_draft.c.open


def drafts(uow: UnitOfWork) -> Repository[CallDraft]:
    """Return the drafts of calls."""
    return Repository(
        uow, call_draft, CallDraft, lambda item: {"programme": item.programme, "call": item.call, "open": item.open}
    )


def open_draft(connection: Connection, programme_id: str, call: str) -> str | None:
    """Return the draft of a call that may still be published."""
    query = select(call_draft.c.id).where(call_draft.c.programme == programme_id, call_draft.c.call == call, _OPEN)
    return connection.execute(query).scalar_one_or_none()


def open_drafts(connection: Connection, programme_id: str) -> list[RowMapping]:
    """Return the drafts of a programme's calls that may still be published, with who wrote last."""
    state = call_draft.c.state
    columns = (
        *(call_draft.c.id, call_draft.c.call, call_draft.c.updated_at, call_draft.c.updated_by_name),
        *(state["status"].astext.label("state"), state["content"]["call"]["name"].label("names")),
        state["base"].label("base"),
    )
    query = select(*columns).where(call_draft.c.programme == programme_id, _OPEN)
    return list(connection.execute(query.order_by(call_draft.c.call).limit(200)).mappings())


def managers(connection: Connection, programme_id: str) -> list[str]:
    """Return who manages a programme and can sign in."""
    state = account.c.state
    mine = (state["roles"].contains(["programme_manager"]), state["programmes"].contains([programme_id]))
    return list(connection.execute(select(account.c.id).where(account.c.active, *mine)).scalars())


def last_change(connection: Connection, draft: str) -> RowMapping:
    """Return who wrote a draft last, and when."""
    query = select(call_draft.c.updated_by_name, call_draft.c.updated_at).where(call_draft.c.id == draft)
    return connection.execute(query).mappings().one()


def call_elsewhere(connection: Connection, programme_id: str, call: str) -> str | None:
    """Return another programme that has a call of that id: an address of a call leads to one."""
    calls = programme.c.state["pack"]["calls"].path_match(f'$.*.call == "{call}"')
    query = select(programme.c.id).where(programme.c.id != programme_id, calls).limit(1)
    return connection.execute(query).scalar_one_or_none()


def keep_version(uow: UnitOfWork, item: Programme, call: str | None) -> None:
    """Keep the present version of a programme's pack; `call` is the one that was edited in the browser."""
    row = {
        "programme": item.id,
        "version": item.pack_version,
        "sha256": item.sha256,
        "pack": item.pack,
        "edited_call": call,
        "at": uow.now(),
        "by_name": uow.context.actor.name or uow.context.actor.id,
    }
    uow.connection.execute(insert(programme_version).values(row).on_conflict_do_nothing())


def versions(
    connection: Connection, programme_id: str, *, before: int | None = None, limit: int = 50
) -> list[RowMapping]:
    """Return `limit` + 1 versions of a programme's pack without the packs themselves, the newest first."""
    c = programme_version.c
    query = select(c.version, c.sha256, c.edited_call, c.at, c.by_name).where(c.programme == programme_id)
    if before is not None:
        query = query.where(c.version < before)
    return list(connection.execute(query.order_by(c.version.desc()).limit(limit + 1)).mappings())


def version(connection: Connection, programme_id: str, number: int) -> RowMapping | None:
    """Return one version of a programme's pack."""
    c = programme_version.c
    query = select(programme_version).where(c.programme == programme_id, c.version == number)
    return connection.execute(query).mappings().one_or_none()


def version_before(connection: Connection, programme_id: str, number: int) -> RowMapping | None:
    """Return the version before one, None when it is the first that is kept."""
    c = programme_version.c
    query = select(programme_version).where(c.programme == programme_id, c.version < number)
    return connection.execute(query.order_by(c.version.desc()).limit(1)).mappings().one_or_none()


def edited_by(connection: Connection, programme_id: str) -> dict[str, Any]:
    """Return {part of the pack: hash} of what was last published in the browser."""
    query = select(programme.c.state["edited"]).where(programme.c.id == programme_id)
    found: dict[str, Any] | None = connection.execute(query).scalar_one_or_none()
    return found or {}
