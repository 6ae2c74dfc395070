"""The watch over a real log: incremental, idempotent, reproducible; hits are decided about, each step an event."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from audit_log import GORAN, MORNING, act, body
from fastapi import FastAPI
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from services.audit.application import create_app
from services.audit.cli import commands
from services.audit.handlers import ingest, watching
from services.audit.storage import watching as watching_place
from shared.database import Context, UnitOfWork, reading, system
from shared.events import Envelope
from shared.messaging.wire import encode
from shared.testing.clock import StandingClock
from shared.testing.stand import Stand
from shared.testing.web import KEY, Browser, person, web_settings

ZONE = "Europe/Skopje"
WHY = "The bank had merged with another one; see its letter."


def take_in(engine: Engine, envelopes: Iterable[Envelope], at: timedelta = timedelta(hours=4)) -> None:
    """Append events that reach the log on the day on which they happened."""
    with engine.begin() as connection:
        ingest(connection, [encode(item) for item in envelopes], clock=lambda: MORNING + at)


def refused(first: int, count: int, **more: Any) -> list[Envelope]:
    """Return refused attempts of one officer, a second apart."""
    facts: dict[str, Any] = {"type": "grants.attempt.refused", "body": body(GORAN, action="x"), "outcome": "refused"}
    start = MORNING + timedelta(hours=1)
    return [
        act(n, **facts, entity=f"attempt:{n}", time=start + timedelta(seconds=n), **more)
        for n in range(first, first + count)
    ]


def changed_then_paid(first: int, organisation: str = "crafts") -> list[Envelope]:
    """Return bank details that were entered anew, and a release three hours later."""
    told: dict[str, Any] = {"organisation_id": organisation, "organisation_name": "Crafts"}
    return [
        act(
            first,
            type="grants.payee.entered",
            entity=f"payee:{organisation}",
            case=None,
            body=body(GORAN, number=2, changes_former=True, **told),
        ),
        act(
            first + 1,
            type="grants.award.tranche_released",
            entity="award:BSO-2026-0001",
            time=MORNING + timedelta(hours=3),
            body=body(GORAN, tranche=1, **told),
        ),
    ]


@pytest.fixture
def engine(stand: Stand) -> Engine:
    """Give a log in which two rules find something among much that is nothing."""
    engine = stand.database("audit")
    take_in(engine, [act(n) for n in range(1, 20)])
    take_in(engine, changed_then_paid(20))
    take_in(engine, refused(30, 12))
    take_in(engine, [act(n) for n in range(50, 60)])
    return engine


def run(engine: Engine, batch: int = watching.BATCH) -> int:
    """Let the watch read on to the end; returns how many hits that made."""
    with UnitOfWork(engine, "audit", Context(actor=system("audit")), clock=StandingClock()) as uow:
        return watching.advance(uow, ZONE, batch=batch)


def stored(engine: Engine) -> dict[str, dict[str, Any]]:
    """Return the state of every hit by its id."""
    with engine.connect() as connection:
        return {row.id: row.state for row in connection.execute(text("SELECT id, state FROM hit"))}


def told(engine: Engine, kind: str) -> list[dict[str, Any]]:
    """Return what the service's events of a kind say."""
    with engine.connect() as connection:
        query = text("SELECT body->'data' FROM outbox WHERE type = :kind ORDER BY \"row\"")
        return list(connection.execute(query, {"kind": kind}).scalars())


def rules(found: Iterable[dict[str, Any]]) -> list[str]:
    """Return the rules of hits, in order."""
    return sorted(item["rule"] for item in found)


def test_the_watch_finds_keeps_and_tells(engine: Engine) -> None:
    """Each hit is kept with its evidence and recorded as an event, once, whether the log grows or not."""
    assert run(engine) == 2
    found = stored(engine)
    assert rules(found.values()) == ["paid_soon_after_change", "refusals_in_a_burst"]
    assert rules(told(engine, "audit.hit.found")) == rules(found.values())
    assert run(engine) == 0
    take_in(engine, refused(70, 3))
    assert run(engine) == 0
    take_in(engine, changed_then_paid(80, "mill"))
    assert run(engine) == 1
    with engine.connect() as connection:
        ids = {str(item) for item in connection.execute(text("SELECT event_id FROM event")).scalars()}
    assert all(set(item["evidence"]) <= ids and item["evidence"] for item in stored(engine).values())


@pytest.mark.parametrize("batch", [1, 3, 7])
def test_the_log_may_be_cut_anywhere(engine: Engine, batch: int) -> None:
    """Batches of any size find the same hits with the same evidence as one look over the whole log."""
    with reading(engine) as connection:
        whole = {item.id: item.as_json() for item in watching.again(connection, ZONE, None)}
    run(engine, batch)
    kept = stored(engine)
    assert kept.keys() == whole.keys()
    assert all(kept[key]["evidence"] == whole[key]["evidence"] for key in whole)
    assert all(kept[key]["facts"] == whole[key]["facts"] for key in whole)


def test_a_look_since_a_moment_finds_what_happened_since(engine: Engine) -> None:
    """Reading again from a moment gives the hits of that time and not those before."""
    with reading(engine) as connection:
        later = list(watching.again(connection, ZONE, MORNING + timedelta(hours=2)))
        never = list(watching.again(connection, ZONE, MORNING + timedelta(days=9)))
    assert [item.rule for item in later] == ["paid_soon_after_change"]
    assert never == []


def test_the_watch_stops_within_its_budget_and_goes_on(engine: Engine) -> None:
    """With no time it reads nothing and loses nothing; the next time it goes on where it stopped."""
    with UnitOfWork(engine, "audit", Context(actor=system("audit"))) as uow:
        assert watching.advance(uow, ZONE, budget=0) == 0
        assert watching_place.place(uow.connection) == 0
    assert stored(engine) == {}
    assert run(engine) == 2


def test_a_programme_may_have_its_own_terms_from_then_on(stand: Stand) -> None:
    """What a pack states counts for what is recorded after it; a rule that is off finds nothing."""
    engine = stand.database("audit")
    pack = {"watch": {"refusals_in_ten_minutes": 3, "off": ["paid_soon_after_change"]}, "programme": {}}
    loaded = act(
        100,
        source="portal",
        type="portal.programme.loaded",
        entity="programme:business-ecosystem",
        body=body(GORAN, programme_id="business-ecosystem", pack=pack),
    )
    take_in(engine, [*refused(1, 4), *changed_then_paid(5)])
    take_in(engine, [loaded])
    assert run(engine) == 1
    take_in(engine, [*refused(30, 4), *changed_then_paid(40, "mill")])
    assert run(engine) == 1
    assert rules(stored(engine).values()) == ["paid_soon_after_change", "refusals_in_a_burst"]


# --- deciding ---------------------------------------------------------------------


@pytest.fixture
def app(engine: Engine, tmp_path: Path) -> FastAPI:
    """Give the app over a log that was watched."""
    run(engine)
    return create_app(web_settings(home=tmp_path), engine=engine, key=KEY)


def paid_hit(engine: Engine) -> str:
    """Return the address of the hit about a payment."""
    return next(f"/watch/{key}" for key, item in stored(engine).items() if item["rule"] == "paid_soon_after_change")


def test_an_auditor_explains_reopens_and_confirms(engine: Engine, app: FastAPI) -> None:
    """Each step is kept with who and why, is an event, and goes from the state that allows it alone."""
    vera, path = Browser(app, person("auditor", "vera")), paid_hit(engine)
    page = vera.get(path)
    assert page.status_code == 200
    assert len(re.findall(r'href="/audit/events/', page.text)) >= 2
    assert vera.post(f"{path}/explain", {"why": WHY, "version": "1"}).status_code == 303
    stale = vera.post(f"{path}/confirm", {"why": WHY, "version": "1"})
    assert stale.status_code == 409
    illegal = vera.post(f"{path}/confirm", {"why": WHY, "version": "2"})
    assert illegal.status_code == 409
    assert vera.post(f"{path}/reopen", {"why": "Another letter turned up.", "version": "2"}).status_code == 303
    assert vera.post(f"{path}/confirm", {"why": WHY, "version": "3"}).status_code == 303
    [explained], [reopened], [confirmed] = (
        told(engine, f"audit.hit.{n}") for n in ("explained", "reopened", "confirmed")
    )
    assert (explained["why"], reopened["before"], confirmed["rule"]) == (WHY, "explained", "paid_soon_after_change")
    hit = stored(engine)[path.rpartition("/")[2]]
    assert (hit["stage"], hit["decided_by"], hit["why"]) == ("confirmed", "user:vera", WHY)


def test_a_reason_that_is_none_comes_back_as_typed(engine: Engine, app: FastAPI) -> None:
    """A refused form shows what was typed with the rule at the field, and nothing is decided."""
    vera, path = Browser(app, person("auditor", "vera")), paid_hit(engine)
    answer = vera.post(f"{path}/explain", {"why": "<b>ok", "version": "1"})
    assert answer.status_code == 422
    assert "&lt;b&gt;ok" in answer.text
    assert 'id="e-why' in answer.text
    assert stored(engine)[path.rpartition("/")[2]]["stage"] == "open"


def test_nobody_decides_about_their_own_acts(engine: Engine, app: FastAPI) -> None:
    """An auditor whom a hit is about is refused."""
    goran = Browser(app, person("auditor", "goran"))
    assert goran.post(f"{paid_hit(engine)}/explain", {"why": WHY, "version": "1"}).status_code == 403


@pytest.mark.parametrize("role", ["officer", "operator", "finance_partner", "applicant"])
def test_only_auditors_see_the_watch(engine: Engine, app: FastAPI, role: str) -> None:
    """Whom a hit may be about does not read or decide it; a hit that is none is not found."""
    browser = Browser(app, person(role))
    for path in ("/watch", "/watch/register", paid_hit(engine), "/api/watch"):
        assert browser.get(path).status_code == 403
    assert browser.post(f"{paid_hit(engine)}/explain", {"why": WHY, "version": "1"}).status_code == 403
    assert Browser(app, person("auditor")).get("/watch/nothing").status_code == 404


def test_the_register_says_how_often_a_rule_was_wrong(engine: Engine, app: FastAPI) -> None:
    """What was explained stands in the register with its reason, and no more among what is open."""
    vera, path = Browser(app, person("auditor", "vera")), paid_hit(engine)
    vera.post(f"{path}/explain", {"why": WHY, "version": "1"})
    assert WHY in vera.get("/watch/register").text
    assert f'href="/audit{path}"' not in vera.get("/watch").text
    assert f'href="/audit{path}"' in vera.get("/watch?stage=explained").text
    items = vera.json("GET", "/api/watch?stage=explained").json()["items"]
    assert [(item["rule"], item["why"]) for item in items] == [("paid_soon_after_change", WHY)]


def test_hits_are_paged_by_key(stand: Stand, tmp_path: Path) -> None:
    """Sixty hits come on three pages, each once, with the same number of queries a page."""
    engine = stand.database("audit")
    take_in(engine, [item for n in range(60) for item in changed_then_paid(1 + 2 * n, f"firm-{n}")])
    assert run(engine, 50) == 60
    browser = Browser(create_app(web_settings(home=tmp_path), engine=engine, key=KEY), person("auditor"))
    seen, path = [], "/api/watch"
    while path:
        page = browser.json("GET", path).json()
        seen += [item["id"] for item in page["items"]]
        path = f"/api/watch?cursor={page['next']}" if page["next"] else ""
    assert len(seen) == len(set(seen)) == 60
    assert UUID(hex=seen[0])
    assert 'rel="next"' in browser.get("/watch").text
    assert browser.get("/watch?cursor=nonsense").status_code == 422
    assert browser.get("/watch?stage=closed").status_code == 422


# --- over the command line --------------------------------------------------------


def test_the_command_finds_the_same_again(engine: Engine, app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    """`tamga audit watch --dry-run --json` gives the hits that were kept, and says since when; it keeps nothing."""
    assert app
    monkeypatch.setattr("services.audit.cli.watching.log", lambda: nullcontext((engine, None)))
    before = stored(engine)
    answer = CliRunner().invoke(commands, ["watch", "--dry-run", "--json"])
    assert answer.exit_code == 1, answer.output
    found = {item["id"]: item for item in json.loads(answer.output)["hits"]}
    assert found.keys() == before.keys()
    assert all(item["kept"] and item["evidence"] == before[key]["evidence"] for key, item in found.items())
    late = CliRunner().invoke(commands, ["watch", "--dry-run", "--json", "--since", "2026-11-03"])
    assert (late.exit_code, json.loads(late.output)["hits"]) == (0, [])
    assert CliRunner().invoke(commands, ["watch", "--since", "2026-11-03"]).exit_code == 2
    assert CliRunner().invoke(commands, ["watch", "--dry-run", "--since", "soon"]).exit_code == 2
    table = CliRunner().invoke(commands, ["watch"])
    assert table.exit_code == 1
    assert stored(engine) == before
