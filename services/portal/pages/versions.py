"""Every version of a programme's pack: the list, what each changed, a call as a file, a draft's changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from sqlalchemy import Connection, RowMapping

from services.portal import storage
from services.portal.domain.differing import Difference, changes_of
from services.portal.domain.draft import stem_of
from services.portal.domain.programme import with_parts
from services.portal.handlers import calls
from services.portal.handlers.calls import READ
from services.portal.pages.call_choices import in_language
from services.portal.pages.calls import DRAFT, path_of
from services.portal.pages.telling import labelled
from services.portal.policy import POLICY
from services.portal.storage import drafts
from shared.errors import NotFoundError
from shared.web.dependencies import Reader, Uow, Who, allowed
from shared.web.identity import Identity
from shared.web.pages import render

router = APIRouter()
VERSIONS, SEE = "/programmes/{programme_id}/versions", "portal.programme.read"
PAGE, MOST_CHANGES = 50, 500


@router.get(VERSIONS, dependencies=[allowed(SEE)])
def version_list(
    request: Request, programme_id: str, who: Who, reader: Reader, before: int | None = None
) -> HTMLResponse:
    """Show the versions of a programme's pack, the newest first."""
    name = _name(reader, who, programme_id, request.state.locale)
    rows = drafts.versions(reader, programme_id, before=before, limit=PAGE)
    more = rows[PAGE - 1]["version"] if len(rows) > PAGE else None
    return render(
        request,
        "versions.html",
        programme=programme_id,
        programme_name=name,
        rows=rows[:PAGE],
        more=more,
        say=in_language,
    )


def _name(reader: Connection, who: Identity, programme_id: str, locale: str) -> str:
    state = calls.pack_of(reader, who, programme_id, SEE)
    return in_language(state["pack"]["programme"].get("name"), locale)


def _version(reader: Connection, who: Identity, programme_id: str, number: int) -> RowMapping:
    POLICY.role_for(SEE, who, programme=programme_id)
    found = drafts.version(reader, programme_id, number) if 0 < number < 2**31 else None
    if found is None:
        raise NotFoundError("There is no such record")
    return found


@router.get(f"{VERSIONS}/{{number}}", dependencies=[allowed(SEE)])
def version_page(  # noqa: PLR0917 - the address's parts beside what every route has
    request: Request, programme_id: str, number: int, who: Who, reader: Reader, against: int | None = None
) -> HTMLResponse:
    """Show one version: what changed against the one before it, or against any other."""
    name = _name(reader, who, programme_id, request.state.locale)
    row = _version(reader, who, programme_id, number)
    other = (
        _version(reader, who, programme_id, against)
        if against is not None
        else drafts.version_before(reader, programme_id, number)
    )
    return render(
        request,
        "version.html",
        programme=programme_id,
        programme_name=name,
        row=row,
        other=other,
        changes=changes_of(other["pack"], row["pack"]) if other else {},
        calls=[call for call in (row["pack"].get("calls") or {}).values() if isinstance(call, dict)],
        most=MOST_CHANGES,
        say=in_language,
    )


@router.get(f"{VERSIONS}/{{number}}/calls/{{call}}.yaml", dependencies=[allowed(SEE)])
def call_file(programme_id: str, number: int, call: str, who: Who, reader: Reader) -> Response:
    """Give a call of a version as the file that a pack has."""
    return _file(reader, who, (programme_id, number), ("calls", call))


@router.get(f"{VERSIONS}/{{number}}/scoring/{{sheet}}.yaml", dependencies=[allowed(SEE)])
def sheet_file(programme_id: str, number: int, sheet: str, who: Who, reader: Reader) -> Response:
    """Give a scoring sheet of a version as the file that a pack has."""
    return _file(reader, who, (programme_id, number), ("scoring", sheet))


def _file(reader: Connection, who: Identity, version: tuple[str, int], part: tuple[str, str]) -> Response:
    pack = _version(reader, who, *version)["pack"]
    stem = stem_of(pack, *part)
    if stem is None:
        raise NotFoundError("There is no such record")
    content = yaml.safe_dump(pack[part[0]][stem], allow_unicode=True, sort_keys=False, width=120)
    headers = {"content-disposition": f'attachment; filename="{stem}.yaml"'}
    return Response(content, media_type="application/yaml; charset=utf-8", headers=headers)


@router.get(f"{DRAFT}/differences", dependencies=[allowed(READ)])
def draft_differences(request: Request, draft_id: str, who: Who, uow: Uow) -> HTMLResponse:
    """Show what a draft says other than the programme does now."""
    draft = calls.seen(uow, who, draft_id)
    pack = storage.programmes(uow).get(draft.programme, for_update=False).pack
    content = draft.content
    changes = {
        part: [Difference(_told(part, item.path, content), item.before, item.after) for item in found]
        for part, found in changes_of(pack, with_parts(pack, draft.parts())).items()
    }
    title = in_language(content["call"].get("name"), request.state.locale) or draft.call
    return render(
        request,
        "draft_differences.html",
        draft=draft,
        changes=changes,
        base=path_of(draft),
        title=title,
        most=MOST_CHANGES,
    )


def _told(part: str, path: str, content: Mapping[str, Any]) -> str:
    """Return a path as the editor's label where it has one, with what distinguishes it behind."""
    start = "call" if part.startswith("calls/") else "scoring"
    label = labelled(f"{start}.{path}", content)
    return path if label == f"{start}.{path}" else f"{label} · {path}"
