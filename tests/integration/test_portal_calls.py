"""Calls written in the browser: drafts, publishing as a version of the pack, and files that come afterwards."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from services.portal import bootstrap, cli
from services.portal.application import create_app
from shared.database import Context, UnitOfWork, system
from shared.settings import settings
from shared.testing.stand import Stand
from shared.testing.web import KEY, Browser, person, web_settings

PACK = Path("programmes/business-ecosystem")
PROGRAMME, CALL = "business-ecosystem", "bso-grants-2026"


@pytest.fixture(scope="module")
def engine(stand: Stand) -> Engine:
    """Give a portal with the first programme."""
    engine = stand.database("portal")
    with UnitOfWork(engine, "portal", Context(actor=system("portal"))) as uow:
        bootstrap.ensure_pack(uow, PACK, people=False)
    return engine


@pytest.fixture
def app(engine: Engine) -> Iterator[Any]:
    """Give the portal's app over drafts that nobody has begun."""
    yield create_app(web_settings(), engine=engine, key=KEY)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM call_draft"))


def _manager(app: Any, user: str = "u-1", **changes: Any) -> Browser:
    return Browser(app, person("programme_manager", user, **changes))


def _begun(browser: Browser, **form: Any) -> str:
    answer = browser.post(f"/programmes/{PROGRAMME}/calls", {"call": CALL, **form})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def _fields(page: str) -> dict[str, Any]:
    """Return what a browser would post of the page's form as it stands."""
    found: dict[str, Any] = {}
    body = page[page.index('<form method="post" novalidate') :]
    for tag in re.findall(r"<input[^>]*>", body):
        name, value = (re.search(rf'\b{attr}="([^"]*)"', tag) for attr in ("name", "value"))
        if name and name[1] != "csrf" and ("checkbox" not in tag or " checked" in tag):
            found.setdefault(name[1], []).append(value[1] if value else "")
    for name, inner in re.findall(r'<textarea[^>]*name="([^"]*)"[^>]*>(.*?)</textarea>', body, re.DOTALL):
        found[name] = [inner]
    for name, inner in re.findall(r'<select[^>]*name="([^"]*)"[^>]*>(.*?)</select>', body, re.DOTALL):
        chosen = re.search(r'value="([^"]*)" selected', inner)
        found[name] = [chosen[1] if chosen else ""]
    return {name: [_plain(item) for item in values] for name, values in found.items()}


def _plain(value: str) -> str:
    for code, letter in {"&#34;": '"', "&#39;": "'", "&lt;": "<", "&gt;": ">", "&amp;": "&"}.items():
        value = value.replace(code, letter)
    return value


def _draft(browser: Browser, place: str) -> dict[str, Any]:
    found: dict[str, Any] = browser.get("/api" + place, headers={"accept": "application/json"}).json()
    return found


def test_a_call_is_changed_and_published_as_a_version(app: Any, engine: Engine) -> None:
    """Pages saved as they stand change nothing; wrong weights keep it from being published; then it is version 2."""
    browser = _manager(app)
    place = _begun(browser)
    assert _begun(browser) == place
    for name in ("texts", "window", "money", "eligibility", "documents", "scoring", "workflow"):
        page = browser.get(f"{place}/parts/{name}")
        assert page.status_code == 200, page.text
        browser.post(f"{place}/parts/{name}", _fields(page.text) | {"go": "save"})
    assert _draft(browser, place)["differences"] == {}
    fields = _fields(browser.get(f"{place}/parts/scoring").text)
    browser.post(f"{place}/parts/scoring", fields | {"scoring.criteria.0.weight": "24", "go": "done"})
    refused = browser.post(f"{place}/publication", {"version": _draft(browser, place)["version"]})
    assert refused.status_code == 422
    assert "weights add up to 99, not to 100" in refused.text
    fields = _fields(browser.get(f"{place}/parts/scoring").text)
    fields |= {"scoring.criteria.0.weight": "30", "scoring.criteria.1.weight": "20", "go": "done"}
    browser.post(f"{place}/parts/scoring", fields)
    assert "30" in browser.get(f"{place}/differences").text
    done = browser.post(f"{place}/publication", {"version": _draft(browser, place)["version"]})
    assert done.status_code == 303, done.text
    assert "Published as version 2" in browser.get(place).text
    assert "criteria.relevance.weight" in browser.get(f"/programmes/{PROGRAMME}/versions/2").text
    with engine.connect() as connection:
        kinds = connection.execute(text("SELECT type FROM outbox WHERE programme = :p"), {"p": PROGRAMME}).scalars()
        assert {"portal.programme.loaded", "portal.call_draft.published"} <= set(kinds)
