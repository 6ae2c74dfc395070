"""Endpoints of a bank's systems for machines: set up, rotate, look into what was sent, send again."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.notifications import webhook_views as views
from services.notifications.domain.endpoint import LONGEST_URL, Endpoint, catalogue
from services.notifications.domain.signing import Scheme
from services.notifications.domain.webhook import State, Webhook
from services.notifications.handlers import endpoints as act
from services.notifications.storage import webhooks as storage
from shared.web.dependencies import Reader, Uow, Who, allowed

router = APIRouter(prefix="/api/webhooks", tags=["webhooks"])

LIST, READ = allowed("notifications.endpoint.list"), allowed(act.READ)
REGISTER, MANAGE = allowed("notifications.endpoint.register"), allowed(act.MANAGE)
Cursor = Annotated[str | None, Query(max_length=300)]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class EndpointIn(_In):
    """Where to listen, and to what."""

    url: str = Field(max_length=LONGEST_URL * 2, examples=["https://core.bank.example/tamga"])
    description: str = Field(default="", max_length=1000, examples=["Core banking"])
    types: list[str] = Field(max_length=200, examples=[["loans.referral.submitted", "loans.referral.accepted"]])


class NewEndpointIn(EndpointIn):
    """An endpoint to set up; `v1` signs by HMAC-SHA256, `v1a` by Ed25519."""

    scheme: Scheme = Scheme.HMAC


class ChangedEndpointIn(EndpointIn):
    """An endpoint as it is to be; `version` is the one that was read."""

    version: int = Field(ge=1)


class VersionIn(_In):
    """The version on which the act is based."""

    version: int = Field(ge=1)


class ReplayIn(_In):
    """From when on what did not arrive is sent again; nothing means all of it."""

    since: AwareDatetime | None = None


class SecretOut(BaseModel):
    """A live secret, without itself; `public` is what verifies an Ed25519 signature."""

    number: int
    public: str | None
    made_at: datetime
    until: datetime | None


class EndpointOut(BaseModel):
    """An endpoint as it stands."""

    id: str
    version: int
    url: str
    description: str
    types: list[str]
    scheme: Scheme
    enabled: bool
    off_because: str
    failing_since: datetime | None
    secrets: list[SecretOut]

    @classmethod
    def of(cls, item: Endpoint, now: datetime) -> EndpointOut:
        """Return the outside view of an endpoint."""
        same = [name for name in cls.model_fields if name != "secrets"]
        live = [SecretOut.model_validate(one.model_dump()) for one in item.live_secrets(now)]
        return cls(**{name: getattr(item, name) for name in same}, secrets=live)


class EndpointWithSecretOut(EndpointOut):
    """An endpoint with its newest secret, which is told in this answer and never again."""

    secret: str


class MessageOut(BaseModel):
    """A message to an endpoint."""

    id: str
    message_id: str
    event_id: str
    event_type: str
    state: State
    attempts: int
    code: int | None
    created_at: datetime
    due_at: datetime | None
    delivered_at: datetime | None

    @classmethod
    def of(cls, item: Webhook) -> MessageOut:
        """Return the outside view of a message."""
        other = {"state": item.state_now, "code": item.last_code}
        same = [name for name in MessageOut.model_fields if name not in other]
        return cls(**{name: getattr(item, name) for name in same}, **other)


class TriedOut(BaseModel):
    """One attempt: exactly what was sent and signed, and what came back."""

    number: int
    started_at: datetime
    ended_at: datetime | None
    url: str
    headers: dict[str, str]
    body: str
    verdict: str | None
    code: int | None
    reply: str | None
    milliseconds: int | None


class MessageDetailOut(MessageOut):
    """A message with every attempt, the newest first."""

    tries: list[TriedOut]


class MessagesOut(BaseModel):
    """A page of messages."""

    messages: list[MessageOut]
    next: str | None


class ReplayedOut(BaseModel):
    """How many messages were queued again."""

    queued: int


def _tools(request: Request) -> act.Tools:
    return act.Tools.of(request.app.state.settings)


@router.get("/catalogue", dependencies=[LIST])
def types() -> dict[str, list[str]]:
    """Return the kinds of events that an endpoint can ask for, by what they are about."""
    return catalogue()


@router.get("/endpoints", dependencies=[LIST])
def endpoints(request: Request, who: Who, reader: Reader) -> list[EndpointOut]:
    """Return my organisation's endpoints, oldest first."""
    now = request.app.state.clock()
    return [EndpointOut.of(item, now) for item in storage.endpoints_of(reader, act.organisation_of(who))]


@router.post("/endpoints", status_code=201, dependencies=[REGISTER])
def register(request: Request, given: NewEndpointIn, who: Who, uow: Uow) -> EndpointWithSecretOut:
    """Set an endpoint up; its secret stands in this answer alone."""
    endpoint, secret = act.register(uow, who, _tools(request), **given.model_dump())
    return _with_secret(uow, endpoint, secret)


def _with_secret(uow: Uow, endpoint: Endpoint, secret: str) -> EndpointWithSecretOut:
    uow.flush()
    return EndpointWithSecretOut(**EndpointOut.of(endpoint, uow.now()).model_dump(), secret=secret)


@router.get("/endpoints/{endpoint_id}", dependencies=[READ])
def endpoint(endpoint_id: UUID, who: Who, uow: Uow) -> EndpointOut:
    """Return one endpoint."""
    return EndpointOut.of(act.own(uow, who, str(endpoint_id), action=act.READ), uow.now())


@router.put("/endpoints/{endpoint_id}", dependencies=[MANAGE])
def change(request: Request, endpoint_id: UUID, given: ChangedEndpointIn, who: Who, uow: Uow) -> EndpointOut:
    """Let an endpoint listen elsewhere or to other things."""
    changed = act.change(uow, who, _tools(request), str(endpoint_id), **given.model_dump())
    uow.flush()
    return EndpointOut.of(changed, uow.now())


@router.post("/endpoints/{endpoint_id}/secrets", status_code=201, dependencies=[MANAGE])
def rotate(request: Request, endpoint_id: UUID, given: VersionIn, who: Who, uow: Uow) -> EndpointWithSecretOut:
    """Make a new secret; the one before signs beside it for 24 hours."""
    return _with_secret(uow, *act.rotate(uow, who, _tools(request), str(endpoint_id), given.version))


_PLAIN: dict[str, Any] = {"retirement": act.retire, "enabling": act.enable, "disabling": act.disable}


def _add(name: str, do: Any) -> None:
    def route(endpoint_id: UUID, given: VersionIn, who: Who, uow: Uow) -> EndpointOut:
        done = do(uow, who, str(endpoint_id), given.version)
        uow.flush()
        return EndpointOut.of(done, uow.now())

    route.__doc__, route.__name__ = do.__doc__, do.__name__
    router.post(f"/endpoints/{{endpoint_id}}/{name}", dependencies=[MANAGE])(route)


for _name, _do in _PLAIN.items():
    _add(_name, _do)


@router.post("/endpoints/{endpoint_id}/tests", status_code=201, dependencies=[MANAGE])
def try_out(endpoint_id: UUID, who: Who, uow: Uow) -> MessageOut:
    """Queue a test, which is tried once; read it to see the exact bytes that were signed."""
    return MessageOut.of(act.try_out(uow, who, str(endpoint_id)))


@router.post("/endpoints/{endpoint_id}/replays", dependencies=[MANAGE])
def replay_failed(endpoint_id: UUID, given: ReplayIn, who: Who, uow: Uow) -> ReplayedOut:
    """Send everything again that did not arrive (at most 1,000 messages at once)."""
    return ReplayedOut(queued=act.replay_failed(uow, who, str(endpoint_id), given.since))


@router.get("/endpoints/{endpoint_id}/messages", dependencies=[READ])
def messages(endpoint_id: UUID, who: Who, uow: Uow, state: State | None = None, cursor: Cursor = None) -> MessagesOut:
    """Return an endpoint's messages, newest first."""
    endpoint = act.own(uow, who, str(endpoint_id), action=act.READ)
    page = views.messages(uow.connection, endpoint.id, state, cursor)
    return MessagesOut(messages=[MessageOut.of(item) for item in page.items], next=page.next)


@router.get("/endpoints/{endpoint_id}/messages/{message_id}", dependencies=[READ])
def message(endpoint_id: UUID, message_id: UUID, who: Who, uow: Uow) -> MessageDetailOut:
    """Return one message with every attempt."""
    found = act.message_of(uow, who, str(endpoint_id), str(message_id))
    tries = [TriedOut.model_validate(row) for row in storage.attempts(uow.connection, found.id)]
    return MessageDetailOut(**MessageOut.of(found).model_dump(), tries=tries)


@router.post("/endpoints/{endpoint_id}/messages/{message_id}/replay", dependencies=[MANAGE])
def replay(endpoint_id: UUID, message_id: UUID, who: Who, uow: Uow) -> MessageOut:
    """Send one message again."""
    return MessageOut.of(act.replay(uow, who, str(endpoint_id), str(message_id)))
