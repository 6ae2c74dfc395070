"""Pages on which a bank's person has its own systems listen, and sees what reached them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from services.notifications import webhook_views as views
from services.notifications.domain.endpoint import LONGEST_DESCRIPTION, LONGEST_URL, Endpoint, catalogue
from services.notifications.domain.signing import Scheme
from services.notifications.domain.webhook import State, Webhook
from services.notifications.handlers import endpoints as act
from services.notifications.storage import webhooks as storage
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError
from shared.web.conflicts import stay
from shared.web.dependencies import Uow, Who, allowed
from shared.web.forms import FormModel
from shared.web.identity import Identity, has_confirmed
from shared.web.pages import render

router = APIRouter(include_in_schema=False)
HOME = "/notifications/webhooks"
LIST, READ = allowed("notifications.endpoint.list"), allowed(act.READ)
REGISTER, MANAGE = allowed("notifications.endpoint.register"), allowed(act.MANAGE)
Cursor = Annotated[str | None, Query(max_length=300)]


class EndpointForm(FormModel):
    """Where to listen, and to what; the rules are the domain's, so that each is said at its field."""

    url: str = ""
    description: str = ""
    types: list[str] = []


class NewForm(EndpointForm):
    """An endpoint to set up."""

    scheme: Scheme = Scheme.HMAC


class ChangeForm(EndpointForm):
    """An endpoint as it is to be."""

    version: int


class Versioned(FormModel):
    """An act on what was seen."""

    version: int


class Sent(FormModel):
    """A form with nothing to fill in."""


class ReplayForm(FormModel):
    """The first day of what is to be sent again; empty means all of it."""

    since: str = ""


def _tools(request: Request) -> act.Tools:
    return act.Tools.of(request.app.state.settings)


def _back(endpoint_id: str, rest: str = "") -> RedirectResponse:
    return RedirectResponse(f"{HOME}/{endpoint_id}{rest}", status_code=303)


def _common() -> dict[str, Any]:
    most = {"url": LONGEST_URL, "description": LONGEST_DESCRIPTION}
    return {"words": views, "catalogue": catalogue(), "most": most, "errors": {}, "typed": None, "conflict": None}


def _list(request: Request, uow: UnitOfWork, who: Identity, **more: Any) -> HTMLResponse:
    items = storage.endpoints_of(uow.connection, act.organisation_of(who))
    counts = storage.counts(uow.connection, [item.id for item in items])
    step_up = not has_confirmed(who, uow.now())
    context = _common() | {"items": items, "counts": counts, "step_up": step_up}
    return render(request, "webhooks.html", **(context | more))


@router.get("/webhooks", dependencies=[LIST])
def listed(request: Request, who: Who, uow: Uow) -> HTMLResponse:
    return _list(request, uow, who)


@router.get("/webhooks/receiver.py", dependencies=[allowed("notifications.receiver.read")])
def receiver() -> Response:
    """Download the file with which a bank's program makes sure that a message is ours."""
    name = {"content-disposition": f'attachment; filename="{views.RECEIVER.name}"'}
    return Response(views.RECEIVER.read_bytes(), media_type="text/x-python; charset=utf-8", headers=name)


def _list_stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    return _list(request, uow, who, conflict=problem, typed=request.state.typed, status_code=409)


@router.post("/webhooks", dependencies=[stay(_list_stays), REGISTER], response_model=None)
def register(request: Request, form: Annotated[NewForm, Form()], who: Who, uow: Uow) -> Response:
    given = form.model_dump(exclude={"csrf"})
    try:
        endpoint, secret = act.register(uow, who, _tools(request), **given)
    except InvalidError as error:
        uow.abandon()
        return _list(request, uow, who, errors=error.fields, typed=given, status_code=422)
    return render(request, "webhook_secret.html", item=endpoint, secret=secret, first=True)


def _page(request: Request, uow: UnitOfWork, who: Identity, endpoint_id: str, **more: Any) -> HTMLResponse:
    item = act.own(uow, who, endpoint_id, action=act.READ)
    state, cursor = more.pop("state", None), more.pop("cursor", None)
    context = _common() | {
        "item": item,
        "live": item.live_secrets(uow.now()),
        "page": views.messages(uow.connection, item.id, state, cursor),
        "state": state,
        "states": list(State),
        "counts": storage.counts(uow.connection, [item.id]).get(item.id, {}),
        "step_up": not has_confirmed(who, uow.now()),
        "replayed": None,
    }
    return render(request, "webhook_endpoint.html", **(context | more))


@router.get("/webhooks/{endpoint_id}", dependencies=[READ])
def endpoint(  # noqa: PLR0917 - a page with filters
    request: Request,
    endpoint_id: UUID,
    who: Who,
    uow: Uow,
    cursor: Cursor = None,
    state: Annotated[str, Query(max_length=20)] = "",
    replayed: Annotated[int | None, Query(ge=0)] = None,
) -> HTMLResponse:
    wanted = State(state) if state in set(State) else None
    return _page(request, uow, who, str(endpoint_id), state=wanted, cursor=cursor, replayed=replayed)


def _stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    return _page(request, uow, who, str(request.path_params["endpoint_id"]), conflict=problem, status_code=409)


STAY = stay(_stays)


@router.post("/webhooks/{endpoint_id}", dependencies=[STAY, MANAGE], response_model=None)
def change(request: Request, endpoint_id: UUID, form: Annotated[ChangeForm, Form()], who: Who, uow: Uow) -> Response:
    given = form.model_dump(exclude={"csrf"})
    try:
        act.change(uow, who, _tools(request), str(endpoint_id), **given)
    except InvalidError as error:
        uow.abandon()
        return _page(request, uow, who, str(endpoint_id), errors=error.fields, typed=given, status_code=422)
    return _back(str(endpoint_id))


@router.post("/webhooks/{endpoint_id}/secrets", dependencies=[STAY, MANAGE])
def rotate(request: Request, endpoint_id: UUID, form: Annotated[Versioned, Form()], who: Who, uow: Uow) -> HTMLResponse:
    item, secret = act.rotate(uow, who, _tools(request), str(endpoint_id), form.version)
    return render(request, "webhook_secret.html", item=item, secret=secret, first=False)


def _add(name: str, do: Callable[[UnitOfWork, Identity, str, int], Endpoint]) -> None:
    def route(endpoint_id: UUID, form: Annotated[Versioned, Form()], who: Who, uow: Uow) -> RedirectResponse:
        do(uow, who, str(endpoint_id), form.version)
        return _back(str(endpoint_id))

    router.post(f"/webhooks/{{endpoint_id}}/{name}", dependencies=[STAY, MANAGE])(route)


_add("retirement", act.retire)
_add("enabling", act.enable)
_add("disabling", act.disable)


@router.post("/webhooks/{endpoint_id}/tests", dependencies=[STAY, MANAGE])
def try_out(endpoint_id: UUID, _form: Annotated[Sent, Form()], who: Who, uow: Uow) -> RedirectResponse:
    item = act.try_out(uow, who, str(endpoint_id))
    return _back(str(endpoint_id), f"/messages/{item.id}")


@router.post("/webhooks/{endpoint_id}/replays", dependencies=[STAY, MANAGE], response_model=None)
def replay_failed(
    request: Request, endpoint_id: UUID, form: Annotated[ReplayForm, Form()], who: Who, uow: Uow
) -> Response:
    zone = request.app.state.pages.zone
    try:
        since = datetime.combine(datetime.fromisoformat(form.since).date(), time(), zone) if form.since else None
    except ValueError:
        wrong = {"since": "is not a date: write year-month-day"}
        return _page(request, uow, who, str(endpoint_id), errors=wrong, status_code=422)
    many = act.replay_failed(uow, who, str(endpoint_id), since)
    return _back(str(endpoint_id), f"?replayed={many}")


def _shown(request: Request, uow: UnitOfWork, item: Webhook, **more: Any) -> HTMLResponse:
    endpoint = storage.endpoints(uow).get(item.endpoint, for_update=False)
    tries = storage.attempts(uow.connection, item.id)
    context: dict[str, Any] = {"item": item, "endpoint": endpoint, "tries": tries, "words": views}
    context["under_way"] = item.state_now in {State.QUEUED, State.SENDING}
    return render(request, "webhook_message.html", **(context | {"conflict": None} | more))


@router.get("/webhooks/{endpoint_id}/messages/{message_id}", dependencies=[READ])
def message(request: Request, endpoint_id: UUID, message_id: UUID, who: Who, uow: Uow) -> HTMLResponse:
    return _shown(request, uow, act.message_of(uow, who, str(endpoint_id), str(message_id)))


def _message_stays(request: Request, uow: UnitOfWork, who: Identity, problem: ConflictError) -> HTMLResponse:
    place = request.path_params
    item = act.message_of(uow, who, str(place["endpoint_id"]), str(place["message_id"]))
    return _shown(request, uow, item, conflict=problem, status_code=409)


@router.post("/webhooks/{endpoint_id}/messages/{message_id}/replay", dependencies=[stay(_message_stays), MANAGE])
def replay(endpoint_id: UUID, message_id: UUID, _form: Annotated[Sent, Form()], who: Who, uow: Uow) -> RedirectResponse:
    act.replay(uow, who, str(endpoint_id), str(message_id))
    return _back(str(endpoint_id), f"/messages/{message_id}")
