"""One page of the editor of a call: shown, saved as it is, right or wrong; what two people changed side by side."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from services.portal import storage
from services.portal.domain.call_fields import Part, get
from services.portal.domain.call_parts import BY_ID, PARTS, QUESTIONS, part_of, placed, rows_at
from services.portal.domain.call_reading import one, options_text, source_of, taken
from services.portal.domain.differing import Difference, differences
from services.portal.domain.draft import CallDraft, Content
from services.portal.handlers import calls
from services.portal.handlers.calls import EDIT, READ
from services.portal.pages.call_choices import choices, in_language, tongues_of
from services.portal.pages.calls import DRAFT, back, path_of
from services.portal.pages.programmes import workflow_pictures
from services.portal.pages.telling import labelled
from services.portal.storage import drafts
from shared.database import UnitOfWork
from shared.entity import canonical_hash
from shared.errors import InvalidError, NotFoundError
from shared.web.dependencies import Uow, Who, allowed
from shared.web.kept import keeps_words
from shared.web.pages import render

router = APIRouter()


def posted_of(request: Request) -> dict[str, list[str]]:
    """Return everything that a form posted, by name."""
    found: dict[str, list[str]] = {}
    for name, value in getattr(request.state, "posted", ()):
        found.setdefault(name, []).append(value)
    return found


def version_of(posted: Mapping[str, list[str]]) -> int:
    """Return the version of the draft that a form was filled from."""
    given = one(posted, "version")
    if not given.isdigit():
        raise InvalidError({"version": "is not a whole number"})
    return int(given)


def mark(part: Part, content: Content) -> str:
    """Return what tells whether anybody has changed a page since it was shown; other pages do not matter."""
    return canonical_hash({field.path: get(content, field.path) for field in part.fields})


def _part(name: str) -> Part:
    if name not in BY_ID:
        raise NotFoundError("There is no such record")
    return BY_ID[name]


def shown(  # noqa: PLR0917 - what a page is made of
    request: Request,
    uow: UnitOfWork,
    draft: CallDraft,
    part: Part,
    content: Content,
    theirs: Any = None,
    more: str = "",
) -> HTMLResponse:
    """Return a page of the editor with what the draft says, or with what somebody typed over what it says by now."""
    pack, locale = storage.programmes(uow).get(draft.programme, for_update=False).pack, request.state.locale
    wrong = calls.problems(pack, draft) if draft.open else {}
    chosen = get(content, "call.workflow")
    flows = {k: v for k, v in (pack.get("workflows") or {}).items() if v.get("workflow") == chosen}
    return render(
        request,
        "draft_part.html",
        status_code=409 if theirs is not None else 200,
        draft=draft,
        part=part,
        content=content,
        errors=placed(part, content, {k: v for k, v in wrong.items() if part_of(k) == part.id}),
        labels={path: labelled(path, content) for path in wrong},
        theirs=theirs,
        last=drafts.last_change(uow.connection, draft.id),
        tongues=tongues_of(pack, draft.content),
        choices=choices(pack, content, locale),
        workflows=workflow_pictures({"workflows": flows}, locale) if part.id == "workflow" else [],
        more=more,
        base=path_of(draft),
        mark=mark(part, draft.content),
        pages=[*((item.id, item.name) for item in PARTS), (QUESTIONS, "Questions of the form")],
        total=_total(content) if part.id == "scoring" else None,
        get=get,
        options_text=options_text,
        source_of=source_of,
        rows_at=rows_at,
        say=in_language,
    )


def _total(content: Content) -> str | None:
    """Return what the weights add up to, None while one of them is no number."""
    try:
        weights = [Decimal(str(row.get("weight"))) for row in get(content, "scoring.criteria") or []]
    except InvalidOperation:
        return None
    return f"{sum(weights, Decimal(0)).normalize():f}"


@router.get(f"{DRAFT}/parts/{{name}}", dependencies=[allowed(READ)])
def part_page(request: Request, draft_id: str, name: str, who: Who, uow: Uow, more: str = "") -> HTMLResponse:  # noqa: PLR0917
    draft = calls.seen(uow, who, draft_id)
    return shown(request, uow, draft, _part(name), draft.content, more=more)


@router.post(f"{DRAFT}/parts/{{name}}", dependencies=[allowed(EDIT)], response_model=None)
@keeps_words
def save_part(request: Request, draft_id: str, name: str, who: Who, uow: Uow) -> Response:
    """Save a page as it was typed, then go where its button leads."""
    posted, part = posted_of(request), _part(name)
    draft = calls.seen(uow, who, draft_id, action=EDIT, lock=True)
    programme = storage.programmes(uow).get(draft.programme, for_update=False)
    content = taken(part, posted, draft.content, tongues_of(programme.pack, draft.content))
    same = version_of(posted) == draft.version or one(posted, "base") == mark(part, draft.content)
    if not same and (found := _other(part, content, draft.content)):
        return shown(request, uow, draft, part, content, theirs=found)
    calls.save(uow, who, draft_id, calls.SaveDraft(version=draft.version, **content))
    verb, _, rest = one(posted, "go").partition(":")
    return back(_next(draft, part, verb, rest))


def _other(part: Part, mine: Content, stored: Content) -> list[Difference]:
    """Return what the page says other than the draft does by now, in the page's own fields."""
    return [
        Difference(f"{field.path}.{item.path}".rstrip("."), item.before, item.after)
        for field in part.fields
        for item in differences(get(stored, field.path), get(mine, field.path))
    ]


def _next(draft: CallDraft, part: Part, verb: str, rest: str) -> str:
    if verb == "add":
        return path_of(draft, f"parts/{part.id}?more={rest}#new-row")
    if verb in {"drop", "up"}:
        return path_of(draft, f"parts/{part.id}#f-{rest.rpartition('.')[0] and rest.rpartition(':')[0]}")
    if verb == "next":
        ids = [item.id for item in PARTS]
        place = ids.index(part.id) + 1
        return path_of(draft, f"parts/{ids[place]}" if place < len(ids) else QUESTIONS)
    return path_of(draft) if verb == "done" else path_of(draft, f"parts/{part.id}?saved=true")
