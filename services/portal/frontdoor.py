"""The front door: exchanges a cookie or an API key for the signed statement of who a request comes from.

The session is looked up at every request, so that ending it or taking a role away works on the next one.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from http.cookies import CookieError, SimpleCookie

import structlog
from joserfc.jwk import OKPKey
from sqlalchemy import Engine, RowMapping
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from services.portal import storage
from services.portal.closed import closed
from services.portal.handlers.sessions import KEY_PREFIX, hash_of, identity_of
from shared.clock import Clock, utc_now
from shared.database import engine_for, reading
from shared.engine import ReadOnlyError
from shared.pace import Pace
from shared.settings import Settings
from shared.silence import guard
from shared.web.identity import HEADER, Identity, load_key, sign

log = structlog.get_logger()
# A signed statement is used again for so many seconds while the session's row says the same.
REUSE_SECONDS = 20
MAX_CACHED = 2000
# So many seconds a programme's time zone is believed without looking again.
ZONES_SECONDS = 60


def cookie_name(settings: Settings) -> str:
    """Return the session cookie's name: bound to host and TLS, except on a machine that is reached by plain HTTP."""
    return "__Host-tamga" if settings.base_url.startswith("https://") else "tamga"


def session_token(headers: Mapping[str, str], settings: Settings) -> str | None:
    """Return what the session cookie carries, None when there is none that could be ours."""
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(cookie_name(settings))
    except CookieError:
        return None
    return morsel.value if morsel is not None and 20 <= len(morsel.value) <= 100 else None


class TooManyRequestsError(Exception):
    """A key is used more often than one process lets it be."""


def _too_many() -> JSONResponse:
    problem = {"title": "Too many requests with this key", "status": 429}
    return JSONResponse(problem, 429, {"retry-after": "1"}, "application/problem+json")


class FrontDoor:
    """ASGI middleware around all apps; the only holder of the signing key."""

    def __init__(
        self, app: ASGIApp, *, settings: Settings, engine: Engine, key: OKPKey, clock: Clock = utc_now
    ) -> None:
        self.app, self.settings, self.engine, self.key, self.clock = app, settings, engine, key, clock
        self._pace = Pace()
        self._signed: dict[Identity, tuple[float, str]] = {}
        self._zones: tuple[float, dict[str, str]] = (-ZONES_SECONDS, {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        name = HEADER.encode()
        # Whatever came from outside under our name is not ours.
        kept = [(key, value) for key, value in scope["headers"] if key.lower() != name]
        try:
            statement = await self._statement(scope)
        except TooManyRequestsError:
            await _too_many()(scope, receive, send)
            return
        except SQLAlchemyError as error:
            log.error("the front door can't read sessions", error=type(error).__name__)  # noqa: TRY400 - no traceback
            await closed(Request(scope))(scope, receive, send)
            return
        if statement is not None:
            kept.append((name, statement.encode()))
        await self.app({**scope, "headers": kept}, receive, send)

    async def _statement(self, scope: Scope) -> str | None:
        if scope["path"].startswith("/static/"):
            return None
        headers = Headers(scope=scope)
        scheme, _, key = headers.get("authorization", "").partition(" ")
        by_key = scheme.lower() == "bearer" and key.startswith(KEY_PREFIX)
        token = key.strip() if by_key else session_token(headers, self.settings)
        if token is None:
            return None
        row = await run_in_threadpool(self._row, hash_of(token), by_key=by_key)
        if row is None:
            return None
        identity = identity_of(row)
        if by_key and not self._pace.lets(identity.session, time.monotonic()):
            raise TooManyRequestsError
        zone = await run_in_threadpool(self._zone_of, identity.programmes)
        return self._signed_statement(identity.model_copy(update={"zone": zone}))

    def _zone_of(self, programmes: tuple[str, ...]) -> str:
        """Return the one time zone of these programmes, "" where they differ."""
        looked, known = self._zones
        if time.monotonic() - looked >= ZONES_SECONDS:
            with reading(self.engine) as connection:
                known = storage.zones(connection)
            self._zones = (time.monotonic(), known)
        found = {known[name] for name in programmes if name in known}
        return found.pop() if len(found) == 1 else ""

    def _row(self, hashed: str, *, by_key: bool) -> RowMapping | None:
        now = self.clock()
        with reading(self.engine) as connection:
            row = (storage.live_key if by_key else storage.live_session)(connection, hashed, now)
        if by_key:
            if row is not None and (row["last_used_at"] is None or now - row["last_used_at"] > storage.TOUCH):
                with suppress(ReadOnlyError), self.engine.begin() as connection:
                    storage.touch_key(connection, row["session"], now)
            return row
        if row is not None and now - row["last_seen_at"] > storage.TOUCH:
            # A database that takes no changes still says who somebody is.
            with suppress(ReadOnlyError), self.engine.begin() as connection:
                storage.touch_session(connection, hashed, now)
        return row

    def _signed_statement(self, identity: Identity) -> str:
        moment = time.time()
        found = self._signed.get(identity)
        if found is not None and moment - found[0] < REUSE_SECONDS:
            return found[1]
        if len(self._signed) >= MAX_CACHED:
            self._signed.clear()
        statement = sign(identity, self.key, now=moment)
        self._signed[identity] = (moment, statement)
        return statement


def front_door(app: ASGIApp, settings: Settings) -> FrontDoor:
    """Return the front door of this installation around `app`."""
    if settings.signing_key_file is None:
        raise RuntimeError("the portal has no signing key: set TAMGA_SIGNING_KEY_FILE")
    engine = engine_for(settings.database_url("portal"), pool_size=10, application_name="tamga-front-door")
    guard(engine)
    return FrontDoor(app, settings=settings, engine=engine, key=load_key(settings.signing_key_file))
