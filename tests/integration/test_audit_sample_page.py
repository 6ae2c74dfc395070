"""The page of the sample: drawn, recomputed by hand, again, refused at the field, on record, for auditors alone."""

from __future__ import annotations

import csv
import re
import subprocess
from datetime import timedelta
from html import unescape
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from audit_log import ANA, MORNING, act, body, take_in
from fastapi import FastAPI
from sqlalchemy import Engine, text

from services.audit.application import create_app
from services.audit.domain.sampling import number
from services.audit.handlers.signing import sign_checkpoint
from services.audit.keys import Keys
from shared.settings import Settings
from shared.testing.stand import Stand
from shared.testing.web import KEY, Browser, person, web_settings

DAY = "since=2026-11-02&until=2026-11-02"
PAID = "grants.award.payment_confirmed"


@pytest.fixture
def known(tmp_path: Path) -> Settings:
    """Give the settings of the app."""
    return web_settings(home=tmp_path, time_zone="UTC")


@pytest.fixture
def engine(stand: Stand) -> Engine:
    """Give a log of twenty cases of two programmes, three to one, not signed yet."""
    engine = stand.database("audit")
    take_in(engine, [act(at, programme="small" if at % 4 == 0 else "large") for at in range(1, 21)])
    return engine


@pytest.fixture
def app(engine: Engine, known: Settings) -> FastAPI:
    """Give the app over that log."""
    return create_app(known, engine=engine, key=KEY)


@pytest.fixture
def vera(app: FastAPI) -> Browser:
    """Give an auditor's browser."""
    return Browser(app, person("auditor", "vera"))


def sign(engine: Engine, known: Settings, days: int) -> tuple[int, bytes]:
    """Sign a checkpoint so many days after the period's morning; returns its size and root."""
    with engine.begin() as connection:
        signed = sign_checkpoint(connection, Keys.of(known), clock=lambda: MORNING + timedelta(days=days))
    assert signed
    return signed.size, signed.root


def paid(at: int, amount: str) -> Any:
    """Return a confirmed payment."""
    data = body(ANA, tranche_amount={"amount": amount, "currency": "EUR"})
    return act(at, type=PAID, entity=f"award:BSO-2026-{at:04d}", body=data)


def paper(browser: Browser, query: str) -> list[dict[str, str]]:
    """Return the lines of the working paper."""
    answer = browser.get(f"/sample.csv?{query}")
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(StringIO(answer.text)))


def test_the_drawn_cases_are_linked_and_the_paper_says_the_same(vera: Browser, engine: Engine, known: Settings) -> None:
    """Page and working paper name the same cases, those with the smallest numbers; the paper carries its seed."""
    size, root = sign(engine, known, 1)
    page = vera.get(f"/sample?{DAY}&size=4").text
    shown = re.findall(r'href="/audit/cases/(BSO-2026-\d+)">BSO', page)
    lines = paper(vera, f"{DAY}&size=4")
    names = [line["name"] for line in lines]
    assert list(dict.fromkeys(shown)) == names
    large = sorted((number(root, f"BSO-2026-{at:04d}").hex(), f"BSO-2026-{at:04d}") for at in range(1, 21) if at % 4)
    assert names[:3] == [name for _, name in large[:3]]
    assert {(line["checkpoint"], line["root"]) for line in lines} == {(str(size), root.hex())}


def test_the_command_on_the_page_gives_the_number_on_the_page(vera: Browser, engine: Engine, known: Settings) -> None:
    """Whoever distrusts the program pastes the line into a shell and reads the same number of chance."""
    sign(engine, known, 1)
    [shown] = re.findall(r'<pre tabindex="0">(printf.*?)</pre>', vera.get(f"/sample?{DAY}&size=3").text, re.DOTALL)
    command, said = unescape(shown).strip().splitlines()
    answer = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert answer.stdout.split()[0] == said
    assert said == paper(vera, f"{DAY}&size=3")[0]["number"]


def test_a_named_checkpoint_gives_the_same_again(vera: Browser, engine: Engine, known: Settings) -> None:
    """While the log grows and is signed again, the checkpoint of a paper gives its sample back, told as named."""
    size, _ = sign(engine, known, 0)
    before = paper(vera, f"{DAY}&size=6")
    assert "Not final" in vera.get(f"/sample?{DAY}&size=6", headers={"Accept-Language": "en"}).text
    take_in(engine, [act(at) for at in range(21, 60)])
    sign(engine, known, 2)
    assert paper(vera, f"{DAY}&size=6") != before
    assert paper(vera, f"{DAY}&size=6&checkpoint={size}") == before
    page = vera.get(f"/sample?{DAY}&size=6&checkpoint={size}", headers={"Accept-Language": "en"}).text
    assert "Somebody named this checkpoint" in page
    assert "39 entries of the period came after this checkpoint" in page


def test_by_amount_the_page_shows_the_line_of_money(vera: Browser, engine: Engine, known: Settings) -> None:
    """Five hits on a thousand euros: a tick each, the sum and the step in words, the large payment always drawn."""
    take_in(engine, [paid(30 + at, "10.00") for at in range(10)] + [paid(50, "900.00")])
    sign(engine, known, 1)
    page = vera.get(f"/sample?{DAY}&size=5&by=amount", headers={"Accept-Language": "en"}).text
    assert page.count('width="1.5" height="38"') == 5
    assert "T = 1,000,000 together" in page
    assert re.search(r"a line each 200\.00.EUR", page)
    lines = paper(vera, f"{DAY}&size=5&by=amount")
    assert sum(int(line["hits"]) for line in lines) == 5
    assert "BSO-2026-0050" in {line["case"] for line in lines}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("since=2026-11-31&until=2026-11-02&size=3", "since"),
        ("since=2026-11-03&until=2026-11-02&size=3", "until"),
        (f"{DAY}&size=many", "size"),
        (f"{DAY}&size=0", "size"),
        (f"{DAY}&size=10001", "size"),
        (f"{DAY}&size=3&by=feeling", "by"),
        (f"{DAY}&size=3&kind=grants.award.lost", "kind"),
        (f"{DAY}&size=3&strata=moon", "strata"),
        (f"{DAY}&size=3&checkpoint=7", "checkpoint"),
        (f"{DAY}&size=3&checkpoint=-1", "checkpoint"),
        ("since=9999-12-31&until=9999-12-31&size=3", "since"),
        (f"{DAY}&size=%D9%A3", "size"),
    ],
)
def test_what_is_wrong_stands_at_its_field(
    vera: Browser, engine: Engine, known: Settings, query: str, field: str
) -> None:
    """A wrong day, number, way or checkpoint comes back as it was typed with its rule, and nothing is recorded."""
    sign(engine, known, 1)
    answer = vera.get(f"/sample?{query}")
    assert (answer.status_code, f'id="e-{field}"' in answer.text) == (422, True)
    assert vera.get(f"/sample.csv?{query}").status_code == 422
    assert told(engine) == []


def told(engine: Engine) -> list[dict[str, Any]]:
    """Return what the record says of samples."""
    with engine.connect() as connection:
        query = text("SELECT body -> 'data' FROM outbox WHERE type = 'audit.sample.drawn' ORDER BY \"row\"")
        return list(connection.execute(query).scalars())


def test_every_draw_is_on_record(vera: Browser, engine: Engine, known: Settings) -> None:
    """The form alone leaves no trace; a draw and its paper do, with all that was asked."""
    size, _ = sign(engine, known, 1)
    assert vera.get("/sample").status_code == 200
    assert told(engine) == []
    vera.get(f"/sample?{DAY}&size=3&programme=large&strata=month")
    paper(vera, f"{DAY}&size=3")
    page, file = told(engine)
    assert (page["through"], page["strata"], page["items"], page["checkpoint"]) == ("page", "month", 15, size)
    assert (file["through"], file["items"], file["drawn"]) == ("file", 20, 3)


def test_currencies_are_refused_at_the_programme(vera: Browser, engine: Engine, known: Settings) -> None:
    """Payments in two currencies have no sum: the field that narrows them says so."""
    other = act(31, type=PAID, body=body(ANA, amount={"amount": "5.00", "currency": "USD"}))
    take_in(engine, [paid(30, "10.00"), other])
    sign(engine, known, 1)
    answer = vera.get(f"/sample?{DAY}&size=3&by=amount", headers={"Accept-Language": "en"})
    assert (answer.status_code, "EUR, USD" in answer.text) == (422, True)


def test_an_unsigned_log_and_an_empty_period_are_told(vera: Browser, engine: Engine, known: Settings) -> None:
    """Before the first checkpoint there is no seed: 409 and a sentence; a period without cases is an empty page."""
    assert vera.get(f"/sample?{DAY}&size=3").status_code == 409
    sign(engine, known, 1)
    empty = vera.get("/sample?since=2020-01-01&until=2020-01-31&size=3", headers={"Accept-Language": "en"})
    assert (empty.status_code, "Nothing to draw from" in empty.text) == (200, True)


@pytest.mark.parametrize("role", ["officer", "programme_manager", "finance_partner", "applicant", "operator"])
def test_nobody_but_an_auditor_draws(app: FastAPI, engine: Engine, known: Settings, role: str) -> None:
    """Other roles get neither form nor sample nor paper."""
    sign(engine, known, 1)
    browser = Browser(app, person(role))
    found = {
        browser.get(path).status_code for path in ("/sample", f"/sample?{DAY}&size=3", f"/sample.csv?{DAY}&size=3")
    }
    assert found == {403}
