"""Programmes as their packs describe them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from services.portal import storage
from services.portal.policy import POLICY
from shared.errors import NotFoundError
from shared.web.dependencies import Reader, Who, allowed
from shared.web.identity import Identity
from shared.web.pages import render

router = APIRouter()
ACTION = "portal.programme.read"


def in_language(text: Any, locale: str) -> str:
    """Return a pack's text in a language: packs write {en: …, ru: …} or plain text."""
    if isinstance(text, dict):
        return str(text.get(locale) or text.get("en") or next(iter(text.values()), ""))
    return "" if text is None else str(text)


def _may_see(who: Identity, programme_id: str) -> bool:
    scopes = POLICY.scopes(ACTION, who).values()
    return "all" in scopes or programme_id in who.programmes


@router.get("/programmes", dependencies=[allowed(ACTION)])
def programmes(request: Request, who: Who, reader: Reader) -> HTMLResponse:
    rows = [row for row in storage.programme_list(reader) if _may_see(who, row["id"])]
    return render(request, "programmes.html", programmes=rows, say=in_language)


@router.get("/programmes/{programme_id}", dependencies=[allowed(ACTION)])
def programme(request: Request, programme_id: str, who: Who, reader: Reader) -> HTMLResponse:
    POLICY.role_for(ACTION, who, programme=programme_id)
    row = storage.programme_pack(reader, programme_id)
    if row is None:
        raise NotFoundError("There is no such record")
    state = row["state"]
    return render(request, "programme.html", pack=state["pack"], state=state, id=programme_id, row=row, say=in_language)
