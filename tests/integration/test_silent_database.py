"""A database that hangs keeps nobody waiting: real servers, stopped midway, and lines that swallow everything."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import APIRouter
from fastapi.responses import RedirectResponse
from sqlalchemy import Engine, make_url, text

from services.portal.application import create_app
from services.portal.frontdoor import FrontDoor
from shared import silence
from shared.database import engine_for
from shared.testing.backbone import eventually
from shared.testing.node import PrivateDatabase, folder_for
from shared.testing.proxy import proxy_to
from shared.testing.stand import Stand
from shared.testing.web import KEY, Browser, person, web_settings
from shared.web.app import create_service_app
from shared.web.dependencies import Reader, Uow, allowed
from shared.web.policy import Policy

pytestmark = pytest.mark.slow  # a server that falls silent, and waiting for it

OPEN = [allowed("portal.case.open")]
WAITS = (silence.PATIENT, silence.STEP, silence.ANSWERING)  # in earnest


@pytest.fixture(scope="module")
def server() -> Iterator[PrivateDatabase]:
    """Give a database server that a test may stop in the middle, with one table."""
    with folder_for("postgresql") as folder:
        database = PrivateDatabase(folder)
        database.start()
        engine = engine_for(database.admin_url)
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE probe (name text)"))
        engine.dispose()
        yield database
        database.kill()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a person wait less than in earnest: the question to the server is what takes the time."""
    monkeypatch.setattr(silence, "PATIENT", 0.5)
    monkeypatch.setattr(silence, "ANSWERING", 2)
    monkeypatch.setattr(silence, "STEP", 0.1)


@pytest.fixture
def engine(server: PrivateDatabase) -> Iterator[Engine]:
    """Give an engine to it, its table empty."""
    engine = engine_for(server.admin_url)
    yield engine
    engine.dispose()


def _written(server: PrivateDatabase) -> set[str]:
    engine = engine_for(server.admin_url)
    with engine.connect() as connection:
        found = set(connection.execute(text("SELECT name FROM probe")).scalars())
    engine.dispose()
    return found


class House:
    """An app with pages that write before or while the database falls silent."""

    def __init__(self, engine: Engine) -> None:
        self.met, self.silent = threading.Barrier(3), threading.Event()
        router = APIRouter()
        router.get("/look", dependencies=OPEN)(self.look)
        router.get("/slow", dependencies=OPEN)(self.slow)
        router.post("/early", dependencies=OPEN)(self.early)
        router.post("/late", dependencies=OPEN)(self.late)
        app = create_service_app(
            service="portal",
            engine=engine,
            policy=Policy({"portal.case.open": {"officer": "all"}}),
            routers=[router],
            templates=Path("services/portal/templates"),
            settings=web_settings(),
            key=KEY,
        )
        self.officer = Browser(app, person("officer"))

    def look(self, reader: Reader) -> dict[str, Any]:
        return {"written": reader.execute(text("SELECT count(*) FROM probe")).scalar_one()}

    def slow(self, reader: Reader) -> dict[str, Any]:
        reader.execute(text("SELECT pg_sleep(1.2)"))
        return {}

    def early(self, uow: Uow) -> RedirectResponse:
        """Have a statement to make yet when the database falls silent."""
        uow.connection.execute(text("INSERT INTO probe VALUES ('early')"))
        self._meet()
        uow.connection.execute(text("INSERT INTO probe VALUES ('early again')"))
        return RedirectResponse("/done", 303)

    def late(self, uow: Uow) -> RedirectResponse:
        """Have nothing left but the COMMIT."""
        uow.connection.execute(text("INSERT INTO probe VALUES ('late')"))
        self._meet()
        return RedirectResponse("/done", 303)

    def _meet(self) -> None:
        self.met.wait(10)
        self.silent.wait(10)


def _timed(call: Callable[[], httpx.Response]) -> tuple[httpx.Response, float]:
    began = time.monotonic()
    return call(), time.monotonic() - began


def test_what_waits_is_told_and_what_is_not_known_is_not_claimed(server: PrivateDatabase, engine: Engine) -> None:
    """Before its COMMIT an act has changed nothing; after it, only looking tells: here it is there in the end."""
    house = House(engine)
    officer, others = house.officer, ThreadPoolExecutor(3)
    assert officer.get("/look").json() == {"written": 0}
    acts = [others.submit(Browser(officer.app, officer.who).post, path) for path in ("/early", "/late")]
    house.met.wait(10)
    with server.frozen():
        house.silent.set()
        looking = others.submit(_timed, lambda: officer.get("/look"))
        early, late = (act.result(10) for act in acts)
        page, _ = looking.result(10)
        assert (early.status_code, early.headers["retry-after"]) == (503, "5")
        assert "Nothing was changed" in early.text
        assert (page.status_code, "Nothing was changed" in page.text) == (503, True)
        assert late.status_code == 503
        assert "retry-after" not in late.headers, "what may have happened is not to be done again unseen"
        assert "It is not known whether this was saved" in late.text
        assert "Nothing was changed" not in late.text
        again, took = _timed(lambda: officer.get("/look"))
        assert (again.status_code, took < 1) == (503, True), "the next one does not begin to wait"
        health = officer.get("/health")
        assert (health.status_code, health.json()["database"]) == (503, "down")
    eventually(lambda: officer.get("/look").status_code == 200)
    eventually(lambda: _written(server) == {"late"})


def test_the_front_door_says_that_it_is_closed(server: PrivateDatabase) -> None:
    """Who comes with a session is told within seconds, in their language; a machine gets problem+json."""
    with Stand(server.admin_url) as own:
        engine = own.database("portal")
        silence.guard(engine)
        app = create_app(web_settings(), engine=engine, key=KEY)
        door = Browser(FrontDoor(app, settings=web_settings(), engine=engine, key=KEY))
        known = {"cookie": f"tamga={'a' * 40}", "accept-language": "ru"}
        assert door.get("/sign-in", headers=known).status_code == 200
        with server.frozen():
            page = door.get("/account", headers=known)
            api = door.send("GET", "/grants/api/calls", headers=known | {"accept": "application/json"})
        eventually(lambda: door.get("/sign-in", headers=known).status_code == 200)
    assert (page.status_code, page.headers["retry-after"]) == (503, "5")
    assert "Ничего не изменено" in page.text
    assert '<html lang="ru">' in page.text
    assert (api.status_code, api.headers["content-type"]) == (503, "application/problem+json")
    assert api.json()["type"] == "urn:tamga:problem:unavailable"


def test_a_line_that_swallows_everything_is_like_a_frozen_server(server: PrivateDatabase) -> None:
    """Bytes are taken and acknowledged and no answer comes: the page says so, and is there again with the line."""
    address = make_url(server.admin_url)
    with proxy_to("127.0.0.1", address.port or 0) as proxy:
        officer = House(engine_for(str(address.set(port=proxy.port)))).officer
        assert officer.get("/look").status_code == 200
        proxy.swallow()
        assert officer.get("/look").status_code == 503
        proxy.heal()
        eventually(lambda: officer.get("/look").status_code == 200)


def test_a_slow_statement_is_left_alone(engine: Engine) -> None:
    """A server that answers others is not silent, however long one statement takes."""
    assert House(engine).officer.get("/slow").status_code == 200


def test_nobody_waits_longer_than_ten_seconds() -> None:
    """The steps on the way to an answer at their longest: who comes when a question is under way waits for the next."""
    assert sum(WAITS) + WAITS[-1] < 10
