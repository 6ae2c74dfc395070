"""What every posted body must pass before a route sees it: our own form, a declared type, and storable text."""

from __future__ import annotations

import json
from typing import Any

from fastapi import Request
from starlette.datastructures import UploadFile

from shared.errors import InvalidError, TamgaError
from shared.web.csrf import FORMS, SAFE, CrossSiteError, same_origin, token_matches
from shared.web.dependencies import maybe_identity

CSRF_HEADER = "x-csrf-token"


class ContentTypeError(TamgaError):
    """A body of a kind that this address does not read."""

    type = "content-type"
    status = 415
    title = "Wrong kind of content"


async def checked_body(request: Request) -> None:
    """Check an unsafe request's body and, for a browser's session, that the form or script is ours."""
    if request.method in SAFE:
        return
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    who = maybe_identity(request)
    token = request.headers.get(CSRF_HEADER, "")
    if kind in FORMS:
        form = await request.form()
        pairs = list(form.multi_items())
        request.state.posted = [(name, value) for name, value in pairs if isinstance(value, str)]
        check_text(request.state.posted)
        check_text([(name, value.filename or "") for name, value in pairs if isinstance(value, UploadFile)])
        given = form.get("csrf")
        token = given if isinstance(given, str) else token
    elif await request.body():
        await _checked_json(request, kind)
    # An API key (no csrf in the statement) is never sent by a browser on its own.
    if who is not None and who.csrf and not _ours(request, kind, token, who.csrf):
        raise CrossSiteError("The form has no valid token: open the page again and send it from there")


def _ours(request: Request, kind: str, token: str, expected: str) -> bool:
    if token_matches(token, expected):
        return True
    # A page of another site can't send JSON without the browser saying where it comes from.
    origin = request.app.state.settings.base_url.rstrip("/")
    return kind not in FORMS and same_origin(request.headers, origin) is True


async def _checked_json(request: Request, kind: str) -> None:
    if kind != "application/json" and not kind.endswith("+json"):
        raise ContentTypeError("Send this as application/json")
    try:
        value = await request.json()
    except (ValueError, RecursionError) as error:
        raise InvalidError({"body": "is not JSON"}) from error
    check_text(_strings(value))


def _strings(value: Any) -> list[tuple[str, str]]:
    """Return (field, text) of every text in a JSON value, the names of members included; not recursive."""
    found, waiting = [], [("body", value)]
    while waiting:
        name, item = waiting.pop()
        if isinstance(item, str):
            found.append((name, item))
        elif isinstance(item, dict):
            found += [(name, key) for key in item]
            waiting += [(f"{name}.{key}".removeprefix("body."), inner) for key, inner in item.items()]
        elif isinstance(item, list):
            waiting += [(f"{name}.{index}".removeprefix("body."), inner) for index, inner in enumerate(item)]
    return found


def check_text(pairs: list[tuple[str, str]]) -> None:
    """Refuse text that can't be stored: NUL characters and halves of surrogate pairs; raises InvalidError."""
    bad = {}
    for name, text in pairs:
        if "\x00" in text or "\x00" in name:
            bad[name.replace("\x00", "")[:80]] = "must not have a NUL character"
        elif not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
            bad[json.dumps(name)[1:-1][:80]] = "has a broken character"
    if bad:
        raise InvalidError(bad)
