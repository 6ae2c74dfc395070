"""The frame around every request: who, which trace, which language, what headers, and no answer that tells too much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

import structlog
from joserfc.jwk import OKPKey
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import telemetry
from shared.clock import new_id
from shared.errors import InvalidError
from shared.i18n import choose_locale, current_locale, current_zone
from shared.telemetry import Span
from shared.web import figures
from shared.web.csrf import SAFE, CrossSiteError, same_origin
from shared.web.errors import Answers
from shared.web.identity import HEADER, StatementError, verify

log = structlog.get_logger()
LANGUAGE_COOKIE = "tamga_language"
_UNTRACED = ("/static/", "/health")
CSP = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'; "
    "img-src 'self' data:"
)
SECURITY_HEADERS = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
MAX_BODY = 10 * 1024 * 1024
HSTS = "max-age=31536000; includeSubDomains"


@dataclass
class Frame:
    """ASGI middleware of every service; `key` is the public half of the portal's signing key."""

    app: ASGIApp
    key: OKPKey | None
    answers: Answers
    origin: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        with figures.answering(self.answers.service) as measured, self._introduce(request) as span:
            status = await self._answer(request, receive, send)
            measured.answered(request.method, _route(request), status)
            if span.recording:
                _describe(span, request, status)

    async def _answer(self, request: Request, receive: Receive, send: Send) -> int:
        """Let the app answer, and return the status of its answer."""
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._headers(request, MutableHeaders(scope=message))
            await send(message)

        try:
            self._check(request)
            await self.app(request.scope, bounded(receive), sending)
        except Exception as error:  # the last resort: whatever it is, it is logged and nothing of it is told
            if status:
                raise
            response = await self.answers.unforeseen(request, error)
            await response(request.scope, receive, sending)
        return status

    def _introduce(self, request: Request) -> Span:
        state, headers = request.state, request.headers
        state.identity = self._identity(headers)
        state.correlation_id = new_id()
        span = self._span(request)
        state.traceparent = span.traceparent
        chosen = (request.cookies.get(LANGUAGE_COOKIE), state.identity.locale if state.identity else None)
        locale = choose_locale(chosen, headers.get("accept-language", ""))
        state.locale = locale
        current_locale.set(locale)
        current_zone.set(state.identity.zone if state.identity else "")
        return span

    def _span(self, request: Request) -> Span:
        """Begin the request's span: in the trace that its caller named, if that is valid, else in a new one."""
        given, correlation_id = request.headers.get("traceparent"), request.state.correlation_id
        if _path(request).startswith(_UNTRACED):
            return Span(telemetry.continued(given), correlation_id)
        return telemetry.begin(
            self.answers.service,
            request.method,
            kind="server",
            parent=given,
            state=request.headers.get("tracestate"),
            correlation_id=correlation_id,
        )

    def _identity(self, headers: Headers) -> Any:
        statement = headers.get(HEADER)
        if not statement or self.key is None:
            return None
        try:
            return verify(statement, self.key)
        except StatementError as error:
            log.warning("a statement of identity was refused", reason=str(error))
            return None

    def _check(self, request: Request) -> None:
        length = request.headers.get("content-length", "")
        if length.isdigit() and int(length) > MAX_BODY:
            raise HTTPException(413)
        raw = unquote_to_bytes(request.scope.get("raw_path") or request.scope["path"].encode())
        if b"\x00" in raw or b"\x00" in unquote_to_bytes(request.scope.get("query_string", b"")):
            raise InvalidError({"address": "must not have a NUL character"})
        if request.method not in SAFE and same_origin(request.headers, self.origin) is False:
            raise CrossSiteError("This request was made by another site, so nothing was done")

    def _headers(self, request: Request, headers: MutableHeaders) -> None:
        for name, value in SECURITY_HEADERS.items():
            headers.setdefault(name, value)
        if self.origin.startswith("https://"):
            headers.setdefault("strict-transport-security", HSTS)
        if not request.scope["path"].startswith("/static/"):
            headers.setdefault("cache-control", "no-store")
        headers["x-correlation-id"] = str(request.state.correlation_id)


def bounded(receive: Receive) -> Receive:
    """Return `receive` that stops at the limit, for bodies that do not say how long they are."""
    seen = 0

    async def receiving() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > MAX_BODY:
            raise HTTPException(413)
        return message

    return receiving


def _path(request: Request) -> str:
    """Return the path within the service's app."""
    return str(request.scope["path"]).removeprefix(request.scope.get("root_path", ""))


def _route(request: Request) -> str:
    """Return the template of the route, never the address, which may name a person; "" when there is none."""
    return str(getattr(request.scope.get("route"), "path", ""))


def _describe(span: Span, request: Request, status: int) -> None:
    """Say what the request was: the route and the action."""
    state = request.state
    route = f"{request.scope.get('root_path', '')}{_route(request)}"
    span.rename(f"{request.method} {route}".strip())
    facts: dict[str, str | int | bool] = {
        "http.request.method": request.method,
        "http.route": route,
        "http.response.status_code": status,
        "url.scheme": request.url.scheme,
    }
    if action := getattr(state, "action", None):
        facts["tamga.action"] = action
    if role := getattr(state, "acting_role", None):
        facts["tamga.role"] = role
    span.note(facts)
    if status >= 500:
        span.fail(str(status))
