"""Where the house asks, nobody searches the log without saying what for, and it stands in the log with the search."""

from __future__ import annotations

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
    """Give a log of one entry."""
    engine = stand.database("audit")
    take_in(engine, [act(1)])
    return engine


@pytest.fixture
def app(engine: Engine, tmp_path: Path) -> FastAPI:
    """Give the app of a house that asks."""
    return create_app(web_settings(home=tmp_path, log_asks_purpose=True), engine=engine, key=KEY)


def purposes(engine: Engine) -> list[Any]:
    """Return the purposes of the searches that were recorded."""
    with engine.connect() as connection:
        return list(
            connection.execute(text("SELECT body -> 'data' ->> 'purpose' FROM outbox ORDER BY \"row\"")).scalars()
        )


def test_a_search_waits_for_its_purpose(engine: Engine, app: FastAPI) -> None:
    """Without a purpose the page asks for it and shows nothing; with one it searches and records it, in any script."""
    auditor = Browser(app, person("auditor"))
    page = auditor.get("/?q=valley").text
    assert 'action="/audit/purpose"' in page
    assert "Crafts of valley" not in page
    assert "<table" not in page
    assert purposes(engine) == []
    said = auditor.post("/purpose", {"purpose": "Проверка 7; 2026", "q": "valley"})
    assert (said.status_code, said.headers["location"]) == (303, "/audit/?q=valley")
    assert "HttpOnly" in said.headers["set-cookie"]
    cookie = {"cookie": said.headers["set-cookie"].partition(";")[0]}
    assert "<table" in auditor.get("/?q=valley", headers=cookie).text
    assert purposes(engine) == ["Проверка 7; 2026"]


def test_a_program_says_its_purpose_in_a_header(engine: Engine, app: FastAPI) -> None:
    """A program without a purpose gets 422 naming the header; with one it is recorded."""
    auditor = Browser(app, person("auditor"))
    silent = auditor.json("GET", "/api/search")
    assert (silent.status_code, silent.json()["errors"][0]["field"]) == (422, "x-tamga-purpose")
    assert auditor.json("GET", "/api/search", headers={"x-tamga-purpose": "Sample%20of%202026"}).status_code == 200
    assert purposes(engine) == ["Sample of 2026"]


@pytest.mark.parametrize("purpose", ["", "  ", "x" * 201])
def test_a_purpose_is_a_short_sentence(engine: Engine, app: FastAPI, purpose: str) -> None:
    """No purpose and a far too long one are refused by name."""
    form = {"purpose": purpose, "q": "valley"}
    answer = Browser(app, person("auditor")).post("/purpose", form, headers={"accept": "application/json"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "purpose")
    assert purposes(engine) == []
