"""One request is one transaction: an answer never says that something happened which was not committed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter
from fastapi.responses import RedirectResponse
from sqlalchemy import Engine, text

from shared.database import Context, UnitOfWork, system
from shared.errors import NotFoundError
from shared.events.portal import SessionOpened
from shared.testing.stand import Stand
from shared.testing.web import KEY, Browser, person, web_settings
from shared.web.app import create_service_app
from shared.web.dependencies import Uow, allowed
from shared.web.policy import Policy

router = APIRouter()
OPEN = [allowed("portal.case.open")]


@router.post("/deferred", dependencies=OPEN)
def break_at_commit(uow: Uow) -> RedirectResponse:
    """Do what the database refuses only at COMMIT."""
    uow.connection.execute(text("INSERT INTO probe (id, parent) VALUES (2, 99)"))
    return RedirectResponse("/done", 303)


@router.post("/bug", dependencies=OPEN)
def break_after_commit_is_due(uow: Uow) -> RedirectResponse:
    """Leave a row that the outbox can't take, which shows when the unit of work ends."""
    uow.record(SessionOpened(user_id="u"), entity="x" * 500)
    return RedirectResponse("/done", 303)


@router.post("/fine", dependencies=OPEN)
def fine(uow: Uow) -> RedirectResponse:
    """Write a row."""
    uow.connection.execute(text("INSERT INTO probe (id, parent) VALUES (1, NULL)"))
    return RedirectResponse("/done", 303)


@router.post("/cases/{reference}/open", dependencies=OPEN)
def foreign(reference: str, uow: Uow) -> None:
    """Write a row and then find that the person may not know of the case."""
    uow.connection.execute(text("INSERT INTO probe (id, parent) VALUES (3, NULL)"))
    raise NotFoundError("There is no such record")


@pytest.fixture(scope="module")
def engine(stand: Stand) -> Engine:
    """Give a portal database with one more table, whose foreign key is checked at COMMIT."""
    engine = stand.database("portal")
    owner = stand.owner(engine.url.database or "", "portal")
    with owner.begin() as connection:
        connection.execute(
            text(
                "CREATE TABLE probe (id int PRIMARY KEY, parent int REFERENCES probe (id)"
                " DEFERRABLE INITIALLY DEFERRED)"
            )
        )
        connection.execute(text(f'GRANT ALL ON probe TO "{engine.url.username}"'))
    return engine


@pytest.fixture
def officer(engine: Engine) -> Browser:
    """Give an officer's browser."""
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM probe"))
    app = create_service_app(
        service="portal",
        engine=engine,
        policy=Policy({"portal.case.open": {"officer": "all"}}),
        routers=[router],
        templates=Path("services/portal/templates"),
        settings=web_settings(),
        key=KEY,
    )
    return Browser(app, person("officer"))


def _rows(engine: Engine, query: str) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(text(query)).all())


def test_a_commit_that_fails_is_no_success(officer: Browser, engine: Engine) -> None:
    """A constraint that breaks at COMMIT gives 409, never the redirect that the handler had ready."""
    answer = officer.post("/deferred")
    assert answer.status_code == 409
    assert "location" not in answer.headers
    assert _rows(engine, "SELECT id FROM probe WHERE id = 2") == []


def test_events_that_cant_be_written_fail_the_request(officer: Browser) -> None:
    """When the outbox does not take the event, the act did not happen and the answer says so."""
    answer = officer.post("/bug")
    assert answer.status_code >= 400
    assert "location" not in answer.headers


def test_an_answer_is_sent_after_its_commit(officer: Browser, engine: Engine) -> None:
    """What the redirect leads to is already there for everybody when the redirect arrives."""
    assert officer.post("/fine").status_code == 303
    assert _rows(engine, "SELECT id FROM probe WHERE id = 1") == [(1,)]


def test_a_refused_attempt_is_recorded_and_leaves_nothing_else(officer: Browser, engine: Engine) -> None:
    """A refusal is recorded under its case in a transaction of its own; what was begun is rolled back."""
    assert officer.post("/cases/BSO-2026-0007/open").status_code == 404
    assert _rows(engine, "SELECT id FROM probe WHERE id = 3") == []
    query = """SELECT type, outcome, "case", body->'data', body->'actor' FROM outbox ORDER BY row DESC LIMIT 1"""
    kind, outcome, case, data, actor = _rows(engine, query)[0]
    assert (kind, outcome, case) == ("portal.attempt.refused", "refused", "BSO-2026-0007")
    assert (data["action"], data["problem"]) == ("portal.case.open", "not-found")
    assert (actor["id"], actor["role"]) == ("user:u-1", "officer")


def test_refusals_by_role_and_by_token_are_recorded(officer: Browser, engine: Engine) -> None:
    """A role that may not, and a form that is not ours, are attempts worth keeping; a stranger's are not."""
    before = len(_rows(engine, "SELECT 1 FROM outbox"))
    assert Browser(officer.app, person("applicant")).post("/fine").status_code == 403
    assert officer.post("/fine", {"csrf": "forged"}).status_code == 403
    assert Browser(officer.app).post("/fine").status_code == 303
    problems = _rows(engine, "SELECT body->'data'->>'problem' FROM outbox ORDER BY row DESC LIMIT 2")
    assert {problem for (problem,) in problems} == {"forbidden", "cross-site"}
    assert len(_rows(engine, "SELECT 1 FROM outbox")) == before + 2


def test_the_same_key_twice_is_a_conflict(officer: Browser) -> None:
    """Two people who make the same row at once: the second gets 409 and nothing half done."""
    assert officer.post("/fine").status_code == 303
    assert officer.post("/fine").status_code == 409


def test_health_gives_figures_to_the_operator_alone(officer: Browser, engine: Engine) -> None:
    """Anybody learns that a service is alive; what waits in it is for the operator."""
    with UnitOfWork(engine, "portal", Context(actor=system("portal"))) as uow:
        uow.record(SessionOpened(user_id="u"), entity="session:x")
    assert Browser(officer.app).get("/health").json() == {"service": "portal", "database": "ok"}
    figures = Browser(officer.app, person("operator")).get("/health").json()
    assert figures["outbox_unpublished"] > 0
    assert figures["outbox_oldest_seconds"] >= 0
