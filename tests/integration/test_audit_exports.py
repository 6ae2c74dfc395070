"""Exports of the log: asked for on a page or by a program, made beside it, fetched by auditors alone, all on record."""

from __future__ import annotations

import hashlib
import re
import time
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from audit_log import act, take_in
from fastapi import FastAPI
from sqlalchemy import Engine, text

from services.audit.application import create_app
from services.audit.domain.kept import claim_in
from services.audit.handlers import exporting
from shared.testing.stand import Stand
from shared.testing.web import KEY, Browser, person, web_settings


@pytest.fixture
def engine(stand: Stand) -> Engine:
    """Give a log of some entries."""
    engine = stand.database("audit")
    take_in(engine, [act(n) for n in range(1, 30)])
    return engine


@pytest.fixture
def app(engine: Engine, tmp_path: Path) -> FastAPI:
    """Give the app over that log."""
    return create_app(web_settings(home=tmp_path), engine=engine, key=KEY)


def auditor(app: FastAPI, user: str = "vera") -> Browser:
    """Give an auditor's browser."""
    return Browser(app, person("auditor", user))


def asked(browser: Browser, **form: str) -> str:
    """Ask for an export and wait until it is no longer under way; returns its address."""
    answer = browser.post("/exports", {"q": "", "format": "csv", "purpose": "Audit of 2026"} | form)
    assert answer.status_code == 303, answer.text
    address = answer.headers["location"].removeprefix("/audit")
    for _ in range(200):
        if 'http-equiv="refresh"' not in browser.get(address).text:
            return address
        time.sleep(0.05)
    raise AssertionError("the export did not come to an end")


def told(engine: Engine, kind: str) -> list[dict[str, Any]]:
    """Return what events of a kind say."""
    with engine.connect() as connection:
        query = text("SELECT body -> 'data' FROM outbox WHERE type = :kind ORDER BY \"row\"")
        return list(connection.execute(query, {"kind": kind}).scalars())


def test_an_export_is_asked_for_made_and_fetched(engine: Engine, app: FastAPI) -> None:
    """The page shows how far it is and then the file; purpose, search, count and hash are in the log."""
    vera = auditor(app)
    address = asked(vera, format="bundle", q="service:grants")
    fetched = vera.get(f"{address}/file")
    content = fetched.content
    assert claim_in(fetched.headers["audit-checkpoint"]).size == 29, "the state of the log travels with the file"
    with ZipFile(BytesIO(content)) as bundle:
        assert {"events.csv", "leaves.jsonl", "verify.py", "verify.html", "manifest.json"} <= set(bundle.namelist())
    [request], [done] = told(engine, "audit.export.requested"), told(engine, "audit.export.completed")
    assert (request["purpose"], request["filters"]) == ("Audit of 2026", {"service": "grants"})
    assert (done["rows"], done["sha256"]) == (29, hashlib.sha256(content).hexdigest())
    viewed = told(engine, "audit.record.viewed")
    assert [item["what"] for item in viewed] == ["export"]
    assert "Audit of 2026" in vera.get("/exports").text


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"purpose": " "}, "purpose"),
        ({"format": "docx"}, "format"),
        ({"q": "persn:Ana"}, "q"),
        ({"purpose": "x" * 501}, "purpose"),
    ],
)
def test_what_is_wrong_is_named_at_its_field(engine: Engine, app: FastAPI, form: dict[str, str], field: str) -> None:
    """Without a purpose, in an unknown format, of a search that is not understood: refused at the field, as typed."""
    answer = auditor(app).post("/exports", {"q": "case:BSO-1", "format": "csv", "purpose": "Audit"} | form)
    assert answer.status_code == 422
    assert re.search(rf'href="#f-{field}"|id="e-{field}"', answer.text)
    assert not told(engine, "audit.export.requested")


def test_what_can_not_be_made_says_why(engine: Engine, app: FastAPI) -> None:
    """A search that nothing matches ends as failed with its reason, in the log as well, and can be asked for anew."""
    vera = auditor(app)
    address = asked(vera, q="case:BSO-1999-9999")
    assert vera.get(f"{address}/file").status_code == 404
    assert [item["problem"] for item in told(engine, "audit.export.failed")] == ["Nothing matches this search"]
    assert vera.post(f"{address}/again", {}).status_code == 303


def test_an_export_that_stands_still_says_so(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    """When whatever made it has ended, the page no longer waits but offers to make it anew."""
    monkeypatch.setattr(exporting, "STALE", -1.0)
    monkeypatch.setattr(exporting, "begin", lambda _engine, settings, item, _context, **_: _dead(settings, item))
    vera = auditor(app)
    address = vera.post("/exports", {"q": "", "format": "csv", "purpose": "Audit"}).headers["location"]
    page = vera.get(address.removeprefix("/audit")).text
    assert "/again" in page
    assert 'http-equiv="refresh"' not in page


def _dead(settings: Any, export_id: str) -> None:
    folder = exporting.Files(settings).folder
    folder.mkdir(parents=True)
    (folder / f"{export_id}.rows").write_text("7")


@pytest.mark.parametrize("role", ["officer", "applicant", "finance_partner", "operator", "programme_manager"])
def test_nobody_but_auditors_exports(app: FastAPI, role: str) -> None:
    """Other roles neither ask, nor see what was asked, nor fetch a file, by page or by program."""
    address = asked(auditor(app))
    other = Browser(app, person(role, "other"))
    answers = [
        other.get("/exports"),
        other.get(address),
        other.get(f"{address}/file"),
        other.get(f"/api{address}"),
        other.get(f"/api{address}/file"),
        other.post("/exports", {"q": "", "format": "csv", "purpose": "Mine"}),
    ]
    assert {answer.status_code for answer in answers} <= {403, 404}


def test_files_go_after_some_days(app: FastAPI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is taken out when its days are over; the record of the export stays."""
    vera = auditor(app)
    address = asked(vera)
    monkeypatch.setattr(exporting, "KEPT", exporting.KEPT * 0)
    time.sleep(0.02)
    exporting.Files(web_settings(home=tmp_path)).sweep()
    assert vera.get(f"{address}/file").status_code == 404
    assert "/again" in vera.get(address).text
