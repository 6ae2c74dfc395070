"""Each service's pages by a process of its own: what it serves, and what the front door tells the proxy before it."""

from __future__ import annotations

import pytest
from joserfc.jwk import OKPKey
from sqlalchemy import Engine, create_engine

from services.portal.asking import telling
from services.portal.frontdoor import FrontDoor, cookie_name
from services.portal.handlers.accounts import NewUser, add_user
from services.portal.handlers.sessions import SignedIn, sign_in
from services.web import mounted
from shared.database import Context, UnitOfWork, system
from shared.testing.stand import Stand
from shared.testing.web import KEY, Browser, person, web_settings
from shared.web.identity import HEADER, sign, verify

SIGNING = OKPKey.generate_key("Ed25519")


@pytest.fixture(scope="module")
def engine(stand: Stand) -> Engine:
    """Give a portal's database."""
    return stand.database("portal")


def _asked(engine: Engine) -> Browser:
    """Return the proxy that asks the front door about a request."""
    return Browser(FrontDoor(telling, settings=web_settings(), engine=engine, key=SIGNING))


def _signed_in(engine: Engine) -> tuple[str, str]:
    with UnitOfWork(engine, "portal", Context(actor=system("portal"))) as uow:
        user, password = add_user(uow, NewUser(name="Ana", email="ana@example.org", roles=["operator"], programmes=[]))
        outcome = sign_in(uow, "ana@example.org", password, address="192.0.2.7", agent="test")
    assert isinstance(outcome, SignedIn)
    return user.id, outcome.token


def test_the_front_door_tells_the_proxy_who_asks(engine: Engine) -> None:
    """A session's cookie is answered with the statement that services verify; nobody's request with an empty one."""
    user, token = _signed_in(engine)
    proxy = _asked(engine)
    proxy.cookies.set(cookie_name(web_settings()), token)
    answer = proxy.send("GET", "/")
    assert answer.status_code == 200
    assert verify(answer.headers[HEADER], SIGNING).user == user
    stranger = _asked(engine).send("GET", "/")
    assert (stranger.status_code, stranger.headers[HEADER]) == (200, "")


def test_the_front_door_never_repeats_what_came_in(engine: Engine) -> None:
    """A statement that a request brings along, even a good one, is not given back to the proxy."""
    answer = _asked(engine).send("GET", "/", headers={HEADER: sign(person("operator"), SIGNING)})
    assert answer.headers[HEADER] == ""


def test_the_front_door_closes_when_sessions_can_not_be_read() -> None:
    """Without its database the answer is 503, which a proxy gives to the browser instead of passing the request on."""
    nowhere = create_engine("postgresql+psycopg://nobody@127.0.0.1:1/none")
    proxy = _asked(nowhere)
    proxy.cookies.set(cookie_name(web_settings()), "x" * 43)
    answer = proxy.send("GET", "/")
    assert (answer.status_code, answer.headers["retry-after"], HEADER in answer.headers) == (503, "5", False)


def test_one_service_is_served_under_its_own_path_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process of one service answers at the same addresses as the one of all, knows no others, and takes HEAD."""
    monkeypatch.setattr("shared.web.app._public_key", lambda _settings: KEY)
    nowhere = {"loans": "postgresql+psycopg://nobody@127.0.0.1:1/none"}
    browser = Browser(mounted(web_settings(database_urls=nowhere), ["loans"]), person("officer"))
    assert browser.get("/loans/health").json() == {"service": "loans", "database": "down"}
    assert browser.get("/loans/api/openapi.json").json()["info"]["title"] == "Tamga loans"
    assert {browser.get(path).status_code for path in ("/", "/health", "/grants/health", "/sign-in")} == {404}
    statement = {HEADER: sign(person("officer"), KEY)}
    assert browser.send("HEAD", "/loans/api/openapi.json", headers=statement).status_code == 200


@pytest.mark.parametrize("query", ["", "?case=LN-2026-0001"])
def test_a_service_is_found_without_the_slash(query: str) -> None:
    """Who types /loans comes to /loans/, with the question as it was asked, and to no other host."""
    nowhere = {"loans": "postgresql+psycopg://127.0.0.1:1/nowhere"}
    answer = Browser(mounted(web_settings(database_urls=nowhere), ["loans"])).send("GET", f"/loans{query}")
    assert (answer.status_code, answer.headers["location"]) == (308, f"/loans/{query}")
