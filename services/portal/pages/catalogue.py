"""The catalogue of events, for whoever builds on them: who says what, who acts on it, and what each field means.

It holds no secrets, but names what the house is made of, so that it is for everybody who has signed in and for
machines with a key.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from shared import i18n
from shared.errors import NotFoundError
from shared.events.catalogue import Catalogue, asyncapi, drawing
from shared.web.dependencies import allowed
from shared.web.pages import render

router = APIRouter(prefix="/docs/events")
ACTION = "portal.catalogue.read"


def _catalogue(request: Request) -> Catalogue:
    """Return the catalogue that was given to the app; raises NotFoundError where the portal runs without it."""
    found: Catalogue | None = request.app.state.catalogue
    if found is None:
        raise NotFoundError("There is no such record")
    return found


@router.get("", dependencies=[allowed(ACTION)])
def events(
    request: Request,
    q: Annotated[str, Query(max_length=200)] = "",
    service: Annotated[str, Query(max_length=40)] = "",
) -> HTMLResponse:
    catalogue = _catalogue(request)
    chosen = [card for card in catalogue.cards if service in {"", card.service}]
    found = catalogue.search(q)
    groups = [(card, [entry for entry in found if entry.source == card.service]) for card in chosen]
    locale = request.state.locale
    drawn = drawing.svg(catalogue, lambda words: i18n.translate("portal", words, locale=locale))
    picture = Markup(drawn)  # noqa: S704 - the names in it are escaped where it is drawn
    return render(
        request,
        "catalogue.html",
        groups=[group for group in groups if group[1]],
        cards=catalogue.cards,
        number=sum(len(entries) for _, entries in groups),
        q=q,
        service=service,
        picture=picture,
        flow=drawing.mermaid(catalogue),
    )


@router.get("/asyncapi.json", dependencies=[allowed(ACTION)])
def as_json(request: Request) -> Response:
    """Return the AsyncAPI 3.0 document as JSON."""
    return Response(asyncapi.as_json(_catalogue(request)), media_type="application/json")


@router.get("/asyncapi.yaml", dependencies=[allowed(ACTION)])
def as_yaml(request: Request) -> Response:
    """Return the AsyncAPI 3.0 document as YAML."""
    return Response(asyncapi.as_yaml(_catalogue(request)), media_type="application/yaml")


@router.get("/{name}", dependencies=[allowed(ACTION)])
def event(request: Request, name: str) -> HTMLResponse:
    entry = _catalogue(request).entries.get(name)
    if entry is None:
        raise NotFoundError("There is no such record")
    headers, body = asyncapi.example(entry)
    return render(request, "catalogue_event.html", entry=entry, headers=headers, body=body)
