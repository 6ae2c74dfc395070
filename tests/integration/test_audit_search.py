"""Searching the log: by changes, by two things that hardly meet, with counts and bars that narrow it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from audit_log import ANA, GORAN, MORNING, act, body, take_in
from fastapi import FastAPI
from sqlalchemy import Engine, text

from services.audit.application import create_app
from services.audit.handlers.verification import verify
from services.audit.keys import Keys
from services.audit.storage.facets import overview
from services.audit.storage.search import Filters, look, search
from shared.testing.stand import Stand
from shared.testing.web import KEY, Browser, person, web_settings

EUR = {"currency": "EUR"}


@pytest.fixture
def engine(stand: Stand) -> Engine:
    """Give a log without entries."""
    return stand.database("audit")


@pytest.fixture
def auditor(engine: Engine, tmp_path: Path) -> Browser:
    """Give an auditor's browser."""
    app: FastAPI = create_app(web_settings(home=tmp_path), engine=engine, key=KEY)
    return Browser(app, person("auditor"))


def found(engine: Engine, **filters: Any) -> list[int]:
    """Return the leaves that a search finds, the oldest first."""
    with engine.connect() as connection:
        looked = look(connection, Filters(**filters), before=None, limit=100)
        whole = search(connection, Filters(**filters), before=None, limit=100)
    assert [row.leaf_index for row in looked.rows] == [row.leaf_index for row in whole]
    return sorted(row.leaf_index for row in looked.rows)


def changes() -> list[Any]:
    """Return acts that changed amounts in each form in which an amount is written, and a stage."""
    pairs: list[dict[str, list[Any]]] = [
        {"amount": ["45000.00", "60000.00"]},
        {"amount": [{"amount": "45000.00", **EUR}, {"amount": "52000.50", **EUR}]},
        {"amount": [60000, 45000], "stage": ["draft", "submitted"]},
        {"stage": ["submitted", "due_diligence"]},
        {"paused": [False, True], "note": [None, "a\x00b"]},
        {"data": [{"amount": "1"}, {"changes": {"amount": ["45000", "1"]}}]},
    ]
    return [act(n, body=body(ANA, changes=pair)) for n, pair in enumerate(pairs, 1)]


@pytest.mark.parametrize(
    ("filters", "leaves"),
    [
        ({"changed": "amount"}, [0, 1, 2]),
        ({"changed": "amount", "old": "45000"}, [0, 1]),
        ({"changed": "amount", "old": "45,000.0"}, [0, 1]),
        ({"changed": "amount", "new": "45000"}, [2]),
        ({"changed": "amount", "new": "52000.5"}, [1]),
        ({"changed": "amount", "old": "45000", "new": "60000"}, [0]),
        ({"changed": "amount", "old": "4500"}, []),
        ({"changed": "stage", "new": "due_diligence"}, [3]),
        ({"changed": "paused", "new": "true"}, [4]),
        ({"changed": "note"}, [4]),
        ({"changed": "currency"}, []),
        ({"changed": "stage", "old": "draft", "person": "user:ana"}, [2]),
    ],
)
def test_changes_are_found_by_field_and_value(engine: Engine, filters: dict[str, str], leaves: list[int]) -> None:
    """A field that changed is found, by what it was and by what it became, however the amount is written."""
    take_in(engine, changes())
    assert found(engine, **filters) == leaves


def test_the_index_of_changes_is_used_and_says_nothing_of_its_own(engine: Engine) -> None:
    """A search for a change reads the index, which is made from the canonical body and from nothing stored beside."""
    take_in(engine, [act(n, body=body(ANA, changes={"amount": [str(n), str(n + 1)]})) for n in range(1, 1500)])
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        query = """EXPLAIN SELECT 1 FROM event WHERE log_changes(leaf_index, body) @> '{"amount": ["77"]}'"""
        plan = "\n".join(connection.execute(text(query.replace(":", r"\:"))).scalars())
        columns = {row[0] for row in connection.execute(text("SELECT column_name FROM information_schema.columns"))}
    assert "event_changes" in plan
    assert "changes" not in columns


def test_a_change_that_was_altered_is_named(stand: Stand, engine: Engine, tmp_path: Path) -> None:
    """Somebody who makes a search find another amount is named by verification: the leaf and the column."""
    take_in(engine, changes())
    with stand.superuser(engine).begin() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        altered = "UPDATE event SET body = replace(body, '60000.00', '61000.00') WHERE leaf_index = 0"
        assert connection.execute(text(altered)).rowcount == 1
    assert found(engine, changed="amount", new="61000") == [0]
    keys = Keys(tmp_path, "log.example/audit")
    report = verify(engine, keys, clock=lambda: datetime.now(UTC) + timedelta(minutes=1))
    assert next((item.leaf_index, item.column) for item in report.findings if item.kind == "altered") == (0, "body")


def test_a_ruined_body_does_not_end_a_search(stand: Stand, engine: Engine) -> None:
    """A body that is no JSON any more is not found by its changes, and searches go on."""
    take_in(engine, changes())
    with stand.superuser(engine).begin() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        connection.execute(text("UPDATE event SET body = '{ruined' WHERE leaf_index = 0"))
    assert found(engine, changed="amount", old="45000") == [1]


def test_a_search_without_time_says_how_far_it_looked(engine: Engine) -> None:
    """When the time is up the search tells the leaf it reached, and from there it finds the rest: nothing is cut."""
    batch = [act(n, body=body(GORAN if n % 4000 == 1 else ANA, title="x")) for n in range(1, 9002)]
    for start in range(0, len(batch), 3000):
        take_in(engine, batch[start : start + 3000])
    wanted = Filters(role=GORAN.role or "", service="grants")
    seen: list[int] = []
    before, rounds = None, 0
    with engine.connect() as connection:
        while rounds < 20:
            looked = look(connection, wanted, before=before, limit=50, budget=0.0)
            seen += [row.leaf_index for row in looked.rows]
            rounds += 1
            if looked.reached is None:
                break
            before = looked.reached
    assert seen == [8000, 4000, 0]
    assert rounds == 3, "each round looked through one window"


def test_counts_are_of_every_facet(engine: Engine) -> None:
    """People, roles, organisations, kinds, things, programmes, services and outcomes are counted."""
    take_in(engine, [act(n, body=body(GORAN if n % 3 else ANA)) for n in range(1, 10)])
    with engine.connect() as connection:
        counted = overview(connection, Filters())
    assert counted.facets["person"] == [("user:goran", "Goran Ristov", 6), ("user:ana", "Ana Petrova", 3)]
    assert counted.facets["organisation"][0] == ("programme-office", "programme-office", 6)
    assert counted.facets["entity"] == [("application", "application", 9)]
    assert {name: values[0][0] for name, values in counted.facets.items()} == {
        "person": "user:goran",
        "role": "officer",
        "organisation": "programme-office",
        "kind": "grants.application.submitted",
        "entity": "application",
        "programme": "business-ecosystem",
        "service": "grants",
        "outcome": "success",
    }
    assert (counted.counted, counted.more, sum(bar.count for bar in counted.bars)) == (9, False, 9)


def test_a_bar_narrows_the_time(engine: Engine, auditor: Browser) -> None:
    """Each bar is a link that finds as many acts as the bar counts."""
    take_in(engine, [act(n, time=MORNING + timedelta(hours=n)) for n in (1, 2, 2, 2, 30)])
    page = auditor.get("/").text
    links = [unescape(link) for link in re.findall(r'<a href="/audit(/\?q=[^"]*until[^"]*)" aria-label', page)]
    counts = [len(auditor.json("GET", "/api/search" + link[1:]).json()["items"]) for link in links]
    assert sorted(counts) == [1, 1, 3]


@pytest.mark.english
def test_a_wrong_search_is_shown_with_its_place(engine: Engine, auditor: Browser) -> None:
    """The page marks what it did not understand and links to what may have been meant; nothing is recorded."""
    take_in(engine, [act(1)])
    page = auditor.get("/?q=valley+rolle:officer")
    assert page.status_code == 200
    assert "valley <mark>rolle:officer</mark>" in page.text
    assert 'href="/audit/?q=valley+role%3Aofficer"' in page.text
    assert "<table" not in page.text
    answer = auditor.json("GET", "/api/search?q=valley+rolle:officer")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "q"
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM outbox")).scalar() == 0


@pytest.mark.english
def test_fields_and_text_are_one_language(engine: Engine, auditor: Browser) -> None:
    """The form's fields stand in the bar as text and fill the fields again; each chip takes its own part away."""
    take_in(engine, changes())
    page = unescape(auditor.get("/?q=valley&person=Ana&changed=amount&old=45000").text)
    assert 'value="valley person:Ana changed:amount from:45000"' in page
    assert 'name="person" maxlength="200" value="Ana"' in page
    assert '<input type="hidden" name="q" value="valley">' in page
    assert 'Person: Ana <a href="/audit/?q=valley+changed%3Aamount+from%3A45000"' in page


def test_the_same_search_within_a_minute_is_recorded_once(engine: Engine, auditor: Browser) -> None:
    """Searching for the same again leaves one record a minute; another search leaves its own."""
    take_in(engine, [act(1)])
    for query in ("q=valley", "q=valley", "q=crafts", "q=valley"):
        assert auditor.get(f"/?{query}").status_code == 200
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT body -> 'data' -> 'filters' FROM outbox ORDER BY \"row\"")).scalars()
        assert list(rows) == [{"q": "valley"}, {"q": "crafts"}]


def test_a_search_of_the_log_as_it_was(engine: Engine, auditor: Browser) -> None:
    """With a number of leaves the search sees the log as it was at that size, whatever came since."""
    ids = [UUID(int=n) for n in range(1, 6)]
    take_in(engine, [act(n, id=id_) for n, id_ in enumerate(ids, 1)])
    items = auditor.json("GET", "/api/search?q=valley+leaves:3").json()["items"]
    assert [UUID(item["event_id"]) for item in items] == [ids[2], ids[1], ids[0]]


def test_what_is_frequent_and_what_is_rare_are_both_found_by_stretches(engine: Engine) -> None:
    """Over several stretches of leaves a search by words or changes finds each match once, the newest first."""
    batch = [
        act(n, body=body(ANA, title="walnuts" if n in RARE else "training", changes={"amount": [str(n % 7), "9"]}))
        for n in range(1, 17_501)
    ]
    for start in range(0, len(batch), 3000):
        take_in(engine, batch[start : start + 3000])
    with engine.connect() as connection:
        before = connection.execute(text("SHOW enable_indexscan")).scalar_one()
        seldom = look(connection, Filters(q="walnuts"), before=None, limit=50, budget=9.0)
        rare = [row.leaf_index + 1 for row in seldom.rows]
        both = look(connection, Filters(q="walnuts", changed="amount", old="3"), before=None, limit=50, budget=9.0)
        never = look(connection, Filters(changed="amount", old="8"), before=None, limit=50, budget=9.0)
        frequent = look(connection, Filters(q="training"), before=17_000, limit=5)
        assert connection.execute(text("SHOW enable_indexscan")).scalar_one() == before, "the settings are as before"
    assert rare == sorted(RARE, reverse=True)
    assert [row.leaf_index + 1 for row in both.rows] == [n for n in rare if n % 7 == 3]
    assert (never.rows, never.reached) == ([], None)
    assert [row.leaf_index for row in frequent.rows] == [16_999, 16_998, 16_997, 16_996, 16_995]


RARE = (3, 16_384, 16_385, 17_100, 17_499)
