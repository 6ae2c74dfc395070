"""A case as it was at any moment, on its page: rebuilt from the log, checked, and the look recorded."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from audit_log import ANA, GORAN, MORNING, act, take_in
from fastapi import FastAPI
from sqlalchemy import Engine, text

from services.audit.application import create_app
from shared.entity import Entity
from shared.events.audit import SavedSearchDropped
from shared.events.envelope import Body
from shared.testing.stand import Stand
from shared.testing.web import KEY, Browser, person, web_settings

CASE = "BSO-2026-0041"


class Award(Entity):
    """An entity as the services have them."""

    KIND = "award"
    stage: str = "draft"
    amount: dict[str, str] | None = None


def life(own_id: str, steps: list[dict[str, Any]], first: int) -> list[Any]:
    """Return the events of an award that takes these steps, an hour each from nine o'clock in Skopje."""
    award, found = Award(id=own_id), []
    for number, step in enumerate(steps, 1):
        for name, value in step.items():
            setattr(award, name, value)
        award.record(SavedSearchDropped(search_id="x"))
        [recorded] = award.collect()
        values = {
            "type": "grants.award.amended",
            "entity": f"award:{own_id}",
            "sequence": number,
            "case": CASE,
            "time": MORNING + timedelta(hours=number - 1),
            "body": Body(data={}, actor=GORAN, changes=recorded.changes, after_hash=recorded.after_hash),
        }
        found.append(act(first + number, **values))
    return found


@pytest.fixture
def engine(stand: Stand) -> Engine:
    """Give a log with an award's life, and a letter and a look beside it."""
    engine = stand.database("audit")
    steps = [{}, {"amount": {"amount": "45000.00", "currency": "EUR"}}, {"stage": "signed"}]
    letter = act(9, source="notifications", type="notifications.delivery.sent", entity="delivery:1", case=CASE)
    take_in(engine, [*life("A-1", steps, 0), letter])
    return engine


@pytest.fixture
def app(engine: Engine, tmp_path: Path) -> FastAPI:
    """Give the app over that log."""
    assert engine
    return create_app(web_settings(home=tmp_path), engine=engine, key=KEY)


@pytest.mark.english
def test_a_case_is_shown_as_it_was(engine: Engine, app: FastAPI) -> None:
    """Each moment shows the state that the events had left, with its verdict; before the first there is nothing."""
    auditor = Browser(app, person("auditor"))

    def at(moment: str) -> str:
        answer = auditor.get(f"/cases/{CASE.lower()}/as-of?at={moment}")
        assert answer.status_code == 200
        return answer.text

    assert "Nothing had happened yet" in at("2026-11-02T08:59")
    early, later = at("2026-11-02T10:30"), at("2026-11-02T11:30")
    assert "45,000.00\u00a0EUR" in early
    assert "signed" not in early
    assert "signed" in later
    assert [page.count('class="tag good">matches') for page in (early, later)] == [1, 1]
    assert "delivery" not in later
    assert f'href="/audit/cases/{CASE}/as-of"' in auditor.get(f"/cases/{CASE}").text
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT body -> 'data' ->> 'what' FROM outbox WHERE \"case\" IS NOT NULL"))
        assert "as of 2026-11-02T10:30Z" in set(rows.scalars())


@pytest.mark.english
def test_an_altered_change_no_longer_matches(stand: Stand, engine: Engine, app: FastAPI) -> None:
    """When somebody rewrites what an event changed, the state is not called proven any more."""
    with stand.superuser(engine).begin() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        connection.execute(text("UPDATE event SET body = replace(body, '45000.00', '95000.00')"))
    page = Browser(app, person("auditor")).get(f"/cases/{CASE}/as-of?at=2026-11-02T11:30").text
    assert "95,000.00" in page
    assert "not proven" in page
    assert "matches</span>" not in page


@pytest.mark.parametrize("at", ["yesterday", "0001-01-01", "2026-13-01T00:00", "9999-12-31T23:59"])
def test_what_is_no_moment_is_refused(app: FastAPI, at: str) -> None:
    """A moment that is none gets 422 naming the field."""
    answer = Browser(app, person("auditor")).json("GET", f"/cases/{CASE}/as-of?at={at}")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "at")


def test_nobody_else_sees_the_past(app: FastAPI) -> None:
    """Only auditors look at whole states; an unknown case is 404."""
    assert ANA.role == "applicant"
    for role in ("officer", "applicant", "finance_partner", "operator"):
        assert Browser(app, person(role)).get(f"/cases/{CASE}/as-of").status_code == 403
    assert Browser(app, person("auditor")).get("/cases/NO-SUCH/as-of").status_code == 404
