"""A browser for tests of one service's app: signed in as whoever the test says, with the form token filled in."""

from __future__ import annotations

from typing import Any

import httpx
from joserfc.jwk import OKPKey
from starlette.types import ASGIApp

from shared.settings import Settings
from shared.testing import loop
from shared.testing.language import also_opens, language, reader
from shared.web.identity import HEADER, Identity, sign

ORIGIN = "http://127.0.0.1:8400"
KEY = OKPKey.generate_key("Ed25519")
CSRF = "the-token-of-this-session"


def web_settings(**changes: Any) -> Settings:
    """Return settings for an app under test."""
    return Settings(base_url=ORIGIN, **changes)


def person(role: str, user: str = "u-1", **changes: Any) -> Identity:
    """Return a person in one role: programme "business-ecosystem", organisation of their own."""
    values: dict[str, Any] = {
        "user": user,
        "name": user.title(),
        "roles": (role,),
        "organisation": f"org-of-{user}",
        "organisation_name": f"Organisation of {user}",
        "programmes": ("business-ecosystem",),
        "session": f"session-of-{user}",
        "csrf": CSRF,
    }
    return Identity(**(values | changes))


class Browser:
    """Calls an app as a browser with a session would: same origin, statement of identity, form token.

    `create_service_app(..., key=shared.testing.web.KEY)` makes the app trust it. `who` may be None.
    """

    def __init__(self, app: ASGIApp, who: Identity | None = None, *, origin: str = ORIGIN) -> None:
        self.app, self.who, self.origin = app, who, origin
        self.cookies = httpx.Cookies()

    def send(self, method: str, path: str, **how: Any) -> httpx.Response:
        """Make one request and keep its cookies; nothing is added to what the test gives."""

        async def call() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url=self.origin, cookies=self.cookies) as client:
                response = await client.request(method, path, **how)
                self.cookies = client.cookies
                return response

        return loop.run(call)

    def _headers(self, extra: dict[str, str] | None) -> dict[str, str]:
        headers = {"accept": "text/html", "sec-fetch-site": "same-origin", "origin": self.origin}
        headers["accept-language"] = language()
        if self.who is not None:
            headers[HEADER] = sign(reader(self.who), KEY)
        return headers | (extra or {})

    def get(self, path: str, *, headers: dict[str, str] | None = None) -> httpx.Response:
        """Open a page."""
        answer = self.send("GET", path, headers=self._headers(headers))
        if answer.status_code == 200:
            also_opens(lambda: self.send("GET", path, headers=self._headers(headers)))
        return answer

    def post(
        self,
        path: str,
        form: dict[str, Any] | None = None,
        *,
        files: Any = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """Send a form; the token is filled in unless the form has a `csrf` of its own."""
        data = ({"csrf": self.who.csrf} if self.who else {}) | (form or {})
        return self.send("POST", path, data=data, files=files, headers=self._headers(headers))

    def json(
        self, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """Call the JSON API."""
        return self.send(
            method, path, json=body, headers=self._headers({"accept": "application/json"} | (headers or {}))
        )
