"""The portal behind its front door: signing in, slowing guessers, sessions that end, roles that go."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import APIRouter
from joserfc.jwk import OKPKey
from sqlalchemy import Engine, text

from services.portal.application import create_app
from services.portal.bootstrap import Credential, ensure_pack
from services.portal.frontdoor import FrontDoor
from services.portal.handlers import accounts
from shared.database import Context, UnitOfWork, engine_for, system
from shared.testing.stand import Stand
from shared.testing.web import ORIGIN, Browser, person, web_settings
from shared.web.app import create_service_app
from shared.web.dependencies import allowed
from shared.web.identity import HEADER, sign
from shared.web.policy import Policy

PACK = Path("programmes/business-ecosystem")
HEADERS = {"accept": "text/html", "sec-fetch-site": "same-origin", "origin": ORIGIN}


@dataclass
class House:
    """A portal with the demonstration people, a clock that the test moves, and its front door."""

    engine: Engine
    people: dict[str, Credential]
    key: OKPKey
    now: datetime = field(default_factory=lambda: datetime(2026, 11, 21, 9, tzinfo=UTC))
    origin: str = ORIGIN

    def __post_init__(self) -> None:
        settings = web_settings().model_copy(update={"base_url": self.origin})
        app = create_app(settings, engine=self.engine, key=self.key, clock=lambda: self.now)
        self.door = FrontDoor(app, settings=settings, engine=self.engine, key=self.key, clock=lambda: self.now)

    def browser(self) -> Browser:
        """Return a browser without cookies."""
        return Browser(self.door, origin=self.origin)

    def signed_in(self, key: str) -> Browser:
        """Return the browser of somebody who has just signed in."""
        browser = self.browser()
        assert sign_in(browser, self.people[key].email, self.people[key].password).status_code == 303
        return browser

    def unit_of_work(self) -> UnitOfWork:
        """Return a unit of work of the portal itself."""
        return UnitOfWork(self.engine, "portal", Context(actor=system("portal")), clock=lambda: self.now)

    def user_id(self, key: str) -> str:
        """Return a person's id."""
        with self.unit_of_work() as uow:
            return accounts.find_user(uow, self.people[key].email).id

    def events(self, kind: str) -> list[Any]:
        """Return the data of the events of a type, in order."""
        query = text("SELECT body->'data' FROM outbox WHERE type = :kind ORDER BY row")
        with self.engine.connect() as connection:
            return list(connection.execute(query, {"kind": kind}).scalars())


@pytest.fixture(scope="module")
def made(stand: Stand) -> tuple[Engine, dict[str, Credential], OKPKey]:
    """Give a database with the people of the first programme."""
    engine, key = stand.database("portal"), OKPKey.generate_key("Ed25519")
    with UnitOfWork(engine, "portal", Context(actor=system("portal"))) as uow:
        people = {credential.key: credential for credential in ensure_pack(uow, PACK)}
    return engine, people, key


@pytest.fixture
def house(made: tuple[Engine, dict[str, Credential], OKPKey]) -> House:
    """Give a portal whose limits are forgotten."""
    engine, people, key = made
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM sign_in_limit"))
    return House(engine, people, key)


def sign_in(browser: Browser, email: str, password: str, target: str = "/") -> httpx.Response:
    """Send the sign-in form."""
    return browser.post("/sign-in", {"email": email, "password": password, "next": target})


def token_of(page: httpx.Response) -> str:
    """Return the form token of a page."""
    found = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert found
    return found[1]


def test_a_person_signs_in_works_and_signs_out(house: House) -> None:
    """The way in, a page with the person's name, and the way out; each is on record."""
    browser = house.browser()
    assert browser.get("/").headers["location"] == "/sign-in"
    answer = sign_in(browser, house.people["applicant"].email.upper(), house.people["applicant"].password)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = next(value for value in answer.headers.get_list("set-cookie") if value.startswith("tamga="))
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    home = browser.get("/")
    assert "Ana Petrova" in home.text
    out = browser.post("/sign-out", {"csrf": token_of(home)})
    assert out.headers["location"] == "/sign-in?ended=out"
    assert browser.get("/").status_code == 303
    user = house.user_id("applicant")
    assert house.events("portal.session.opened")[-1] == {"user_id": user}
    assert house.events("portal.session.closed")[-1] == {"user_id": user, "reason": "signed out"}


def test_over_tls_the_cookie_is_bound_to_the_host(made: tuple[Engine, dict[str, Credential], OKPKey]) -> None:
    """With TLS the cookie is Secure with the __Host- prefix, and browsers are told to stay with TLS."""
    engine, people, key = made
    browser = House(engine, people, key, origin="https://tamga.example").browser()
    answer = sign_in(browser, people["auditor"].email, people["auditor"].password)
    cookie = next(value for value in answer.headers.get_list("set-cookie") if value.startswith("__Host-tamga="))
    assert "Secure" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie
    assert "max-age=31536000" in answer.headers["strict-transport-security"]


@pytest.mark.parametrize(
    ("key", "landing"),
    [("officer", "/grants/"), ("bank_one", "/loans/referrals"), ("auditor", "/audit/"), ("operator", "/operations")],
)
def test_people_begin_at_their_work(house: House, key: str, landing: str) -> None:
    """Somebody with one role lands on that role's own list."""
    answer = sign_in(house.browser(), house.people[key].email, house.people[key].password)
    assert answer.headers["location"] == landing


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_signing_in_never_leads_to_another_site(house: House, target: str) -> None:
    """A link that asks to go on elsewhere after signing in leads home, for strangers and for those signed in."""
    credential = house.people["applicant"]
    assert sign_in(house.browser(), credential.email, credential.password, target).headers["location"] == "/"
    assert house.signed_in("applicant").get(f"/sign-in?next={target}").headers["location"] == "/"


def test_wrong_and_unknown_are_told_the_same(house: House) -> None:
    """A wrong password and an unknown address get the same page; the record knows which it was."""
    browser = house.browser()
    wrong = sign_in(browser, house.people["officer"].email, "not the password at all")
    unknown = sign_in(browser, "nobody@nowhere.example", "not the password at all")
    assert wrong.status_code == unknown.status_code == 401
    strip = re.compile(r'value="[^"]*"')
    assert strip.sub("", wrong.text) == strip.sub("", unknown.text)
    refused = house.events("portal.signin.refused")[-2:]
    assert [event["reason"] for event in refused] == ["wrong password", "unknown account"]
    assert "nobody@nowhere.example" not in str(refused)


def test_guessing_is_slowed_down_and_survives_a_restart(house: House) -> None:
    """After five wrong tries the right password waits too, with Retry-After; another portal process knows it."""
    credential = house.people["reviewer_one"]
    answers = [sign_in(house.browser(), credential.email, f"a wrong guess {number}") for number in range(5)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 401, 429]
    restarted = House(house.engine, house.people, house.key, now=house.now)
    held = sign_in(restarted.browser(), credential.email, credential.password)
    assert held.status_code == 429
    assert 1 <= int(held.headers["retry-after"]) <= 10
    other = house.people["reviewer_two"]
    assert sign_in(house.browser(), other.email, other.password).status_code == 303
    house.now += timedelta(seconds=11)
    assert sign_in(house.browser(), credential.email, credential.password).status_code == 303


def test_a_session_ends_by_rest_and_by_age(house: House) -> None:
    """Half an hour without a request ends a session; requests keep it, but not beyond eight hours."""
    browser = house.signed_in("manager")
    house.now += timedelta(minutes=31)
    assert browser.get("/").status_code == 303
    browser = house.signed_in("manager")
    for _ in range(19):
        house.now += timedelta(minutes=25)
        assert browser.get("/").status_code == 200
    house.now += timedelta(minutes=6)
    assert browser.get("/").status_code == 303


def test_a_new_sign_in_ends_the_session_of_the_same_browser(house: House) -> None:
    """Signing in again makes a new reference; the old one opens nothing, so it can't be fixed beforehand."""
    browser = house.signed_in("finance")
    old = browser.cookies.get("tamga")
    credential = house.people["finance"]
    form = {"email": credential.email, "password": credential.password, "csrf": token_of(browser.get("/account"))}
    assert browser.post("/sign-in", form).status_code == 303
    assert browser.cookies.get("tamga") != old
    thief = house.browser()
    thief.cookies.set("tamga", old or "")
    assert thief.get("/").status_code == 303


def test_taking_a_role_works_on_the_next_request(house: House) -> None:
    """A role given counts on the next request and one taken is gone on the next, in the same session."""
    operator, officer = house.signed_in("operator"), house.signed_in("officer_two")
    user = house.user_id("officer_two")
    assert officer.get("/people").status_code == 403
    page = operator.get(f"/people/{user}")
    version = re.search(r'name="version" value="(\d+)"', page.text)
    assert version
    form = {"csrf": token_of(page), "role": "operator", "version": version[1]}
    assert operator.post(f"/people/{user}/roles", form).status_code == 303
    assert officer.get("/people").status_code == 200
    stale = operator.post(f"/people/{user}/roles/revoke", form)
    assert stale.status_code == 409
    assert "Oleg Danev" in stale.text
    fresh = form | {"version": str(int(version[1]) + 1)}
    assert operator.post(f"/people/{user}/roles/revoke", fresh).status_code == 303
    assert officer.get("/people").status_code == 403


def test_deactivation_ends_sessions_at_once(house: House) -> None:
    """Who is deactivated is out on the next request and does not come in again."""
    operator = house.signed_in("operator")
    page = operator.get("/people/new")
    form = {"csrf": token_of(page), "name": "Temporary", "email": "temp@programme.example", "roles": ["auditor"]}
    added = operator.post("/people", form)
    assert added.status_code == 201
    password = re.search(r"<code>([^<]+)</code>", added.text)
    assert password
    browser = house.browser()
    assert sign_in(browser, "temp@programme.example", password[1]).status_code == 303
    with house.unit_of_work() as uow:
        accounts.deactivate_user(uow, accounts.find_user(uow, "temp@programme.example").id, "left the house")
    assert browser.get("/account").status_code == 303
    assert sign_in(house.browser(), "temp@programme.example", password[1]).status_code == 401
    assert house.events("portal.user.deactivated")[-1]["reason"] == "left the house"


def test_a_statement_from_outside_is_stripped(house: House) -> None:
    """Nobody walks in with a statement of their own, not even one signed by the right key."""
    forged = sign(person("operator"), house.key)
    for name in (HEADER, HEADER.upper(), "X-Tamga-Identity"):
        answer = house.browser().send("GET", "/people", headers=HEADERS | {name: forged})
        assert answer.headers["location"].startswith("/sign-in")
    applicant = house.signed_in("applicant")
    assert applicant.get("/people", headers={HEADER: forged}).status_code == 403


@pytest.mark.parametrize(
    "cookie", ["tamga=", "tamga=short", "tamga=" + "x" * 43, 'tamga="; drop', "=;=;tamga", "a" * 8000]
)
def test_made_up_cookies_open_nothing(house: House, cookie: str) -> None:
    """Whatever the cookie says, only a live session opens the door."""
    assert house.browser().send("GET", "/", headers=HEADERS | {"cookie": cookie}).status_code == 303


def test_a_key_works_for_programs_until_it_is_revoked(house: House) -> None:
    """A key opens the JSON interface as its person, is not stored, and ends when revoked."""
    browser = house.signed_in("operator")
    page = browser.post("/account/keys", {"csrf": token_of(browser.get("/account")), "label": "nightly report"})
    key = re.search(r"<code>(tmg_[^<]+)</code>", page.text)
    assert key
    bearer = {"authorization": f"Bearer {key[1]}", "accept": "application/json"}
    me = house.browser().send("GET", "/api/me", headers=bearer).json()
    assert (me["name"], me["csrf"]) == ("Oleg Danev", "")
    with house.engine.connect() as connection:
        assert key[1] not in str(connection.execute(text("SELECT * FROM api_key")).all())
    number = re.search(r'name="key" value="([^"]+)"', page.text)
    assert number
    browser.post("/account/keys/revoke", {"csrf": token_of(page), "key": number[1]})
    assert house.browser().send("GET", "/api/me", headers=bearer).status_code == 401


def _loans(house: House, action: str, headers: dict[str, str]) -> int:
    """Return how another service behind the front door answers a key."""
    router = APIRouter()

    @router.get("/", dependencies=[allowed(action)])
    def read() -> str:
        return "here it is"

    policy = Policy({action: {"finance_partner": "all"}})
    places = {"templates": Path("services/loans/templates"), "settings": web_settings(), "key": house.key}
    app = create_service_app(service="loans", engine=None, policy=policy, routers=[router], **places)
    door = FrontDoor(app, settings=web_settings(), engine=house.engine, key=house.key, clock=lambda: house.now)
    return Browser(door).send("GET", "/", headers=headers).status_code


def test_a_limited_key_opens_what_its_scopes_permit(house: House) -> None:
    """A bank's program reads loans with its key and is refused all else; making a key asks for a fresh password."""
    browser = house.signed_in("bank_one")
    given = {"label": "core banking", "scopes": ["loans:read"], "days": 30}
    wrong = browser.post("/account/keys", {"csrf": token_of(browser.get("/account"))} | given | {"days": 366})
    assert (wrong.status_code, "must be 1 to 365 days" in wrong.text) == (422, True)
    page = browser.post("/account/keys", {"csrf": token_of(browser.get("/account"))} | given)
    [key] = re.findall(r"<code>(tmg_[A-Za-z0-9_-]{40,})</code>", page.text)
    bearer = {"authorization": f"Bearer {key}", "accept": "application/json"}
    assert _loans(house, "loans.loan.read", bearer) == 200
    assert _loans(house, "loans.loan.disburse", bearer) == 403
    assert house.events("portal.key.issued")[-1]["scopes"] == ["loans:read"]
    for path in ("/api/me", "/account"):
        refused = house.browser().send("GET", path, headers=bearer)
        assert (refused.status_code, "loans:read" in refused.text) == (403, True)
    assert house.browser().send("POST", "/api/confirm", json={"password": "x"}, headers=bearer).status_code == 403
    assert f"{key[:10]}…" in browser.get("/account").text
    assert ">never<" not in browser.get("/account").text
    house.now += timedelta(minutes=31)
    late = house.signed_in("bank_one")
    house.now += timedelta(minutes=6)
    asked = late.post("/account/keys", {"csrf": token_of(late.get("/account"))} | given)
    assert "tmg_" not in asked.text.replace(key[:10], "")
    assert [event["label"] for event in house.events("portal.key.issued")].count("core banking") == 1
    house.now += timedelta(days=30)
    assert house.browser().send("GET", "/api/me", headers=bearer).status_code == 401


def test_a_person_ends_their_own_sessions_and_nobody_elses(house: House) -> None:
    """The account page ends another session of one's own at once; another person's session is not found."""
    first, second, other = house.signed_in("finance_two"), house.signed_in("finance_two"), house.signed_in("bank_two")
    page = second.get("/account")
    number = re.search(r'name="session" value="([0-9a-f]{64})"', page.text)
    assert number
    foreign = other.post("/account/sessions/close", {"csrf": token_of(other.get("/account")), "session": number[1]})
    assert foreign.status_code == 404
    assert first.get("/").status_code == 200
    assert second.post("/account/sessions/close", {"csrf": token_of(page), "session": number[1]}).status_code == 303
    assert first.get("/").status_code == 303


@pytest.mark.english
def test_changing_the_password_needs_the_present_one(house: House) -> None:
    """Without the present password nothing changes; with it other sessions end and the new one opens."""
    browser, other = house.signed_in("mfi_one"), house.signed_in("mfi_one")
    token = token_of(browser.get("/account"))
    new = {"csrf": token, "password": "lanterns over the canal", "again": "lanterns over the canal"}
    wrong = browser.post("/account/password", new | {"present": "a guess"})
    assert wrong.status_code == 422
    assert "is not your present password" in wrong.text
    present = house.people["mfi_one"].password
    assert browser.post("/account/password", new | {"present": present, "again": "x"}).status_code == 422
    assert browser.post("/account/password", new | {"present": present}).status_code == 303
    assert other.get("/").status_code == 303
    assert sign_in(house.browser(), house.people["mfi_one"].email, "lanterns over the canal").status_code == 303
    assert sign_in(house.browser(), house.people["mfi_one"].email, present).status_code == 401


def test_without_the_database_the_door_says_so(house: House) -> None:
    """When sessions can't be read nobody is let in, nobody is told to sign in again, and the answer is 503."""
    gone = engine_for("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    broken = House(gone, house.people, house.key)
    answer = broken.browser().send("GET", "/", headers=HEADERS | {"cookie": "tamga=" + "x" * 43})
    assert answer.status_code == 503
    assert "retry-after" in answer.headers
    assert "127.0.0.1" not in answer.text
    gone.dispose()
