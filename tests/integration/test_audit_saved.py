"""Saved searches of the log: own ones and shared ones, of the log as it grows and as it was, with their trace."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from audit_log import act, take_in
from fastapi import FastAPI
from sqlalchemy import Engine, text

from services.audit.application import create_app
from shared.testing.stand import Stand
from shared.testing.web import KEY, Browser, person, web_settings


@pytest.fixture
def engine(stand: Stand) -> Engine:
    """Give a log of three entries."""
    engine = stand.database("audit")
    take_in(engine, [act(n) for n in range(1, 4)])
    return engine


@pytest.fixture
def app(engine: Engine, tmp_path: Path) -> FastAPI:
    """Give the app over that log."""
    assert engine
    return create_app(web_settings(home=tmp_path), engine=engine, key=KEY)


def auditor(app: FastAPI, user: str = "vera") -> Browser:
    """Give an auditor's browser."""
    return Browser(app, person("auditor", user))


def links(browser: Browser) -> list[str]:
    """Return the addresses of the saved searches that somebody sees."""
    return re.findall(r'href="/audit(/searches/[^"]*)"', browser.get("/").text)


def recorded(engine: Engine, kind: str) -> list[dict[str, Any]]:
    """Return what events of a kind say: their data beside what changed."""
    with engine.connect() as connection:
        query = text('SELECT body FROM outbox WHERE type = :kind ORDER BY "row"')
        return [
            row["data"] | {"changes": row["changes"]} for row in connection.execute(query, {"kind": kind}).scalars()
        ]


def test_a_search_is_kept_opened_and_taken_away(engine: Engine, app: FastAPI) -> None:
    """A saved search opens where it was; each step is in the log, and what was looked for is not told there."""
    vera = auditor(app)
    kept = vera.post("/searches", {"name": "What Ana did", "q": "person:Ana valley"})
    assert (kept.status_code, kept.headers["location"]) == (303, "/audit/?q=person%3AAna+valley")
    [link] = links(vera)
    opened = vera.get(link)
    assert (opened.status_code, opened.headers["location"]) == (303, "/audit/?q=person%3AAna+valley")
    assert vera.post(f"{link}/removal").status_code == 303
    assert links(vera) == []
    assert vera.get(link).status_code == 404
    [stored] = recorded(engine, "audit.saved_search.kept")
    assert (stored["shared"], stored["leaves"]) == (False, None)
    assert stored["changes"]["query"] == ["[private]", "[private]"]
    assert "Ana" not in str(stored)
    assert recorded(engine, "audit.record.viewed")[0]["what"] == "saved search"
    assert len(recorded(engine, "audit.saved_search.dropped")) == 1


def test_a_frozen_search_sees_the_log_as_it_was(engine: Engine, app: FastAPI) -> None:
    """What came after a search was frozen does not come into it."""
    vera = auditor(app)
    vera.post("/searches", {"name": "Then", "q": "valley", "frozen": "true"})
    vera.post("/searches", {"name": "Now", "q": "valley"})
    take_in(engine, [act(n) for n in range(10, 15)])
    found = {}
    for link in links(vera):
        address = vera.get(link).headers["location"].removeprefix("/audit/")
        found[address] = len(vera.json("GET", f"/api/search{address}").json()["items"])
    assert found == {"?q=valley": 8, "?q=valley+leaves%3A3": 3}


def test_a_shared_search_is_every_auditors_and_its_owner_drops_it(app: FastAPI) -> None:
    """Another auditor sees and opens a shared search and can't take it away; one's own is nobody else's."""
    vera, olga = auditor(app), auditor(app, "olga")
    vera.post("/searches", {"name": "For all", "q": "valley", "shared": "true"})
    vera.post("/searches", {"name": "Mine", "q": "crafts"})
    own = set(links(vera))
    [shared] = links(olga)
    assert shared in own
    assert olga.get(shared).status_code == 303
    assert olga.post(f"{shared}/removal").status_code == 403
    [private] = own - {shared}
    assert olga.get(private).status_code == 404
    assert olga.post(f"{private}/removal").status_code == 404


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"name": " ", "q": "valley"}, "name"),
        ({"name": "x" * 61, "q": "valley"}, "name"),
        ({"name": "x", "q": "rolle:officer"}, "q"),
        ({"name": "x", "q": "y" * 1001}, "q"),
    ],
)
def test_what_can_not_be_kept_is_refused_by_field(
    engine: Engine, app: FastAPI, form: dict[str, str], field: str
) -> None:
    """A search without a name, or one that is not understood, is refused with the field, and nothing is kept."""
    answer = auditor(app).post("/searches", form, headers={"accept": "application/json"})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert recorded(engine, "audit.saved_search.kept") == []


@pytest.mark.parametrize("role", ["officer", "operator", "finance_partner", "applicant"])
def test_nobody_else_keeps_searches(app: FastAPI, role: str) -> None:
    """Only auditors keep and open searches of the log."""
    browser = Browser(app, person(role))
    assert browser.post("/searches", {"name": "x", "q": "valley"}).status_code == 403
    assert browser.get("/searches/anything").status_code == 403
