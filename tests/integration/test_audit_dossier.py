"""The dossier of a case on a real database: its page, its archive, its command, and who may have it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID
from zipfile import ZipFile

import pytest
from audit_log import ANA, GORAN, act, body, take_in
from fastapi import FastAPI
from sqlalchemy import Engine, text
from test_audit_exports import auditor, told

from services.audit.application import create_app
from shared.testing.stand import Stand
from shared.testing.web import KEY, Browser, person, web_settings

CASE = "BSO-2026-0041"
RELEASED = UUID(int=7)


def story() -> list[Any]:
    """Return a case whose second payment has no proof, with a document, beside another one."""
    facts: list[tuple[str, str, Any, dict[str, Any]]] = [
        ("portal.programme.loaded", "programme:business-ecosystem", GORAN, {"pack_version": 1}),
        ("grants.application.started", f"application:{CASE}", ANA, {}),
        ("grants.application.document_added", f"application:{CASE}", ANA,
         {"document_id": "d1", "name": "План <b>.pdf", "sha256": "ab" * 32}),
        ("grants.application.submitted", f"application:{CASE}", ANA, {}),
        ("grants.award.tranche_requested", f"award:{CASE}", GORAN, {"tranche": 1}),
        ("grants.award.tranche_released", f"award:{CASE}", GORAN, {"tranche": 1}),
        ("grants.award.payment_confirmed", f"award:{CASE}", GORAN, {"tranche": 1}),
        ("grants.award.tranche_released", f"award:{CASE}", GORAN, {"tranche": 2}),
    ]  # fmt: skip
    found = []
    for number, (kind, entity, who, data) in enumerate(facts, 1):
        about: dict[str, Any] = {"case": None if kind.startswith("portal.") else CASE, "entity": entity}
        if number == len(facts):
            about["id"] = RELEASED
        own = body(who, **data)
        found.append(act(number, type=kind, sequence=number, body=own, source=kind.partition(".")[0], **about))
    return [*found, act(40, case="BSO-2026-0040")]


@pytest.fixture
def engine(stand: Stand) -> Engine:
    """Give a log with the story in it."""
    engine = stand.database("audit")
    take_in(engine, story())
    return engine


@pytest.fixture
def app(engine: Engine, tmp_path: Path) -> FastAPI:
    """Give the app over that log, two months later."""
    return create_app(web_settings(home=tmp_path), engine=engine, key=KEY)


@pytest.mark.english
def test_the_page_says_what_is_missing_and_for_what(engine: Engine, app: FastAPI) -> None:
    """The checklist names the payment without a proof and links to its release; documents stand with their hashes."""
    page = auditor(app).get(f"/cases/{CASE}/dossier").text
    row = page[page.index("Proof and date of payment") :]
    row = row[: row.index("</tr>")]
    assert "missing" in row
    assert f"/audit/events/{RELEASED}" in row
    assert "1 of 2" in row
    assert "ab" * 32 in page
    assert "План &lt;b&gt;.pdf" in page
    assert page.index("Proof and date of payment") < page.index("Call and selection criteria"), "what is missing first"
    assert {item["what"] for item in told(engine, "audit.record.viewed")} == {"dossier"}


def test_the_archive_has_the_checklist_and_proves_every_act(engine: Engine, app: FastAPI, tmp_path: Path) -> None:
    """The zip holds PDF, JSON and the proof bundle of the case alone, and `verify.py` from it finds it sound."""
    vera = auditor(app)
    answer = vera.post(f"/cases/{CASE}/dossier", {"purpose": "Audit of 2026"})
    assert answer.status_code == 303
    address = answer.headers["location"].removeprefix("/audit")
    for _ in range(400):
        if 'http-equiv="refresh"' not in vera.get(address).text:
            break
        time.sleep(0.05)
    content = vera.get(f"{address}/file").content
    with ZipFile(BytesIO(content)) as archive:
        names = set(archive.namelist())
        facts = json.loads(archive.read("dossier.json"))
        leaves = [json.loads(row)["body"] for row in archive.read("leaves.jsonl").decode().splitlines()]
        (tmp_path / "verify.py").write_bytes(archive.read("verify.py"))
        assert archive.read("dossier.pdf")[:5] == b"%PDF-"
    assert {"dossier.pdf", "dossier.json", "verify.html", "events.csv", "checkpoint.txt"} <= names
    assert (facts["case"], facts["acts"], facts["complete"], len(leaves)) == (CASE, 7, False, 7)
    missing = {line["what"] for line in facts["checklist"] if line["state"] == "missing"}
    assert {"Proof and date of payment", "Payments asked for before they were released"} <= missing
    assert facts["documents"][0]["sha256"] == "ab" * 32
    (tmp_path / "dossier.zip").write_bytes(content)
    command = [sys.executable, str(tmp_path / "verify.py"), str(tmp_path / "dossier.zip")]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_a_dossier_is_asked_for_with_a_purpose_and_of_one_case(engine: Engine, app: FastAPI) -> None:
    """Without a purpose, of a case that is not there, or of another search, none is made, and nothing is on record."""
    vera = auditor(app)
    answer = vera.post(f"/cases/{CASE}/dossier", {"purpose": " "})
    assert (answer.status_code, "e-purpose" in answer.text) == (422, True)
    assert vera.get("/cases/BSO-1999-9999/dossier").status_code == 404
    other = vera.post("/exports", {"q": "service:grants", "format": "dossier", "purpose": "Audit"})
    assert (other.status_code, "e-format" in other.text or "#f-format" in other.text) == (422, True)
    assert not told(engine, "audit.export.requested")


@pytest.mark.parametrize("role", ["officer", "finance_partner", "applicant", "operator"])
def test_nobody_but_auditors_has_it(app: FastAPI, role: str) -> None:
    """Page and archive are for auditors alone."""
    who = Browser(app, person(role, "ivan"))
    assert who.get(f"/cases/{CASE}/dossier").status_code in {403, 404}
    assert who.post(f"/cases/{CASE}/dossier", {"purpose": "x"}).status_code in {403, 404}


def test_an_act_of_another_case_changes_nothing(engine: Engine, app: FastAPI) -> None:
    """What happened in another case is no evidence for this one."""
    before = auditor(app).get(f"/cases/{CASE}/dossier").text.count("/audit/events/")
    other = body(GORAN, tranche=2)
    take_in(
        engine, [act(50, type="grants.award.payment_confirmed", entity="award:X", case="BSO-2026-0040", body=other)]
    )
    assert auditor(app).get(f"/cases/{CASE}/dossier").text.count("/audit/events/") == before
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM event")).scalar_one() == 10
