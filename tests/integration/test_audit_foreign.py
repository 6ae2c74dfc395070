"""What a person of limited scope gets of the log: of other programmes, other banks and other people nothing at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from audit_log import ANA, act, take_in
from fastapi import FastAPI
from sqlalchemy import Engine, text

from services.audit.application import create_app
from services.audit.domain.note import Verifier, open_checkpoint
from shared.events import Actor
from shared.events.envelope import Body
from shared.testing.stand import Stand
from shared.testing.web import KEY, Browser, person, web_settings

OWN, OTHER = "BSO-2026-0041", "OPQ-2026-0007"
BANKER = Actor(id="user:bela", name="Bela Banker", role="finance_partner", organisation="bank-one")
SECRET = "Weaving mill of the upper valley"
FIRM = "chamber-of-crafts"
ONE, TWO, THREE = (UUID(int=n) for n in range(11, 14))


def referral(number: int, sequence: int, act_: str, bank: str, actor: Actor = ANA, **more: Any) -> Any:
    """Return an act of a referral to a bank; the event names the bank as partner unless it is told otherwise."""
    partner = {"partner": [f"org:{bank}"]} if more.pop("named", True) else {}
    data = {"bank_id": bank, "title": SECRET, "organisation_id": FIRM, "amount": {"amount": "81234.00"}}
    body = Body(
        data=data,
        actor=actor,
        changes={"stage": ["draft", act_], "amount": [None, "81234.00"]},
        after_hash="cd" * 32,
        parties={"applicant": [f"org:{FIRM}"], **partner},
    )
    values = {
        "source": "loans",
        "type": f"loans.referral.{act_}",
        "entity": f"referral:REF-2026-{number:04d}",
        "sequence": sequence,
        "case": f"LN-2026-{number:04d}",
        "body": body,
    }
    return act(number * 10 + sequence, **(values | more))


@pytest.fixture
def engine(stand: Stand) -> Engine:
    """Give a log of two programmes' cases and of referrals to two banks."""
    engine = stand.database("audit")
    take_in(
        engine,
        [
            act(1, case=OWN, id=uuid4()),
            act(2, case=OTHER, programme="other-programme", id=THREE),
            referral(1, 1, "consented", "bank-one", named=False),
            referral(1, 2, "submitted", "bank-one", id=ONE),
            referral(1, 3, "received", "bank-one", BANKER),
            referral(2, 1, "submitted", "bank-two", id=TWO),
            referral(3, 1, "consented", "bank-one", named=False),
        ],
    )
    return engine


@pytest.fixture
def app(engine: Engine, tmp_path: Path) -> FastAPI:
    """Give the app over that log."""
    assert engine
    return create_app(web_settings(home=tmp_path), engine=engine, key=KEY)


def bank(app: FastAPI, name: str = "bank-one") -> Browser:
    """Give the browser of somebody of a bank."""
    return Browser(app, person("finance_partner", organisation=name, programmes=()))


def addresses(case: str, event: UUID, reference: str) -> list[str]:
    """Return every address of the log that tells of a case, an event or a referral, and every search."""
    return [
        *("/", f"/?q=case:{case}", "/?q=valley", f"/events/{event}", f"/cases/{case}", f"/timeline/{case}"),
        *("/api/search", f"/api/search?q=case:{case}", f"/api/events/{event}", f"/api/events/{event}/proof"),
        *(f"/referrals/{reference}", f"/api/referrals/{reference}/events/{event}/proof"),
        *("/verification", "/api/verification", "/api/checkpoint", "/referrals"),
    ]


STRANGERS = {
    "applicant": set(),
    "reviewer": set(),
    "officer": {f"/cases/{OWN}", f"/timeline/{OWN}"},
    "programme_manager": {f"/cases/{OWN}", f"/timeline/{OWN}"},
    "finance_officer": {f"/cases/{OWN}", f"/timeline/{OWN}"},
    "operator": {"/verification", "/api/checkpoint"},
    "finance_partner": {"/referrals"},
}


@pytest.mark.parametrize("role", STRANGERS)
def test_t20_nobody_gets_more_than_their_scope(app: FastAPI, role: str) -> None:
    """Every address of the log, asked by every role: what is not theirs is 403 or 404, and says nothing of it."""
    browser = Browser(app, person(role))
    opened = set()
    for case, event, reference in ((OWN, ONE, "REF-2026-0001"), (OTHER, THREE, "REF-2026-0002")):
        for path in addresses(case, event, reference):
            answer = browser.get(path)
            if answer.status_code == 200:
                opened.add(path)
            else:
                assert answer.status_code in {403, 404}, (path, answer.status_code)
            assert SECRET not in answer.text, path
            assert "81234" not in answer.text, path
            assert "Crafts of valley 2" not in answer.text, path
    assert opened == STRANGERS[role]


@pytest.mark.english
def test_t20_a_bank_sees_its_referrals_and_no_field_of_a_firm(app: FastAPI) -> None:
    """List, counts and timeline of a bank have acts that name it, and say who acted only of its own people."""
    listed = bank(app).get("/referrals").text
    assert "REF-2026-0001" in listed
    assert "REF-2026-0002" not in listed
    assert "REF-2026-0003" not in listed, "an applicant who still thinks about a consent is not told to the bank"
    assert '<td class="num">2</td>' in listed, "the consent before it is not counted"
    page = bank(app).get("/referrals/REF-2026-0001").text
    assert page.count("<tr><td>") == 2
    assert "Bela Banker" in page
    for hidden in (SECRET, FIRM, "Ana Petrova", "81234", "81,234", "user:ana", "LN-2026-0001"):
        assert hidden not in listed, hidden
        assert hidden not in page, hidden


@pytest.mark.english
@pytest.mark.parametrize("reference", ["REF-2026-0002", "REF-2026-0003", "REF-1999-0001", "%25", "REF-2026-0001%27"])
def test_t20_another_banks_referral_is_not_there(app: FastAPI, reference: str) -> None:
    """A referral to another bank, one that never came and one that never was get the same answer."""
    answers = [
        bank(app).get(f"/referrals/{reference}"),
        bank(app).json("GET", f"/api/referrals/{reference}/events/{TWO}/proof"),
    ]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[1].json()["detail"] == "There is no such record"


def test_a_bank_proves_an_act_without_learning_who_acted(engine: Engine, app: FastAPI) -> None:
    """The proof leads to the signed root; its leaf goes along for own acts alone, and foreign ids are 404."""
    path = "/api/referrals/REF-2026-0001/events"
    proof = bank(app).json("GET", f"{path}/{ONE}/proof").json()
    checkpoint = open_checkpoint(proof["checkpoint"], Verifier.parse(proof["verifier_key"]))
    assert (checkpoint.root.hex(), proof["leaf"], proof["leaf_index"]) == (proof["root"], None, 3)
    assert "user:ana" not in str(proof)
    assert FIRM not in str(proof)
    with engine.connect() as connection:
        query = text("SELECT event_id FROM event WHERE leaf_index = 4")
        own = connection.execute(query).scalar_one()
    assert "user:bela" in bank(app).json("GET", f"{path}/{own}/proof").json()["leaf"]
    for foreign in (TWO, THREE, uuid4()):
        assert bank(app).json("GET", f"{path}/{foreign}/proof").status_code == 404


def test_a_person_without_an_organisation_sees_no_referral(app: FastAPI) -> None:
    """Somebody of a bank whose organisation is unknown gets an empty list, not everybody's."""
    browser = Browser(app, person("finance_partner", organisation=None))
    assert "REF-2026" not in browser.get("/referrals").text
    assert browser.get("/referrals/REF-2026-0001").status_code == 404


def test_what_a_bank_looked_at_is_recorded(engine: Engine, app: FastAPI) -> None:
    """A timeline and a proof that a bank opened stand in the log with the case."""
    bank(app).get("/referrals/REF-2026-0001")
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT \"case\", body -> 'data' ->> 'record' FROM outbox"))
        assert [tuple(row) for row in rows] == [("LN-2026-0001", "referral:REF-2026-0001")]


def test_the_list_of_a_bank_costs_a_constant_number_of_queries(engine: Engine, app: FastAPI) -> None:
    """The list asks the database equally often for one referral and for thirty, and goes on where it ended."""
    from sqlalchemy import event as sa_event  # noqa: PLC0415 - `event` is a word of this module

    counts: list[int] = []

    def count(*_: Any) -> None:
        counts[-1] += 1

    browser = bank(app)
    browser.get("/referrals")
    for extra in (0, 30):
        take_in(engine, [referral(100 + n, 1, "submitted", "bank-one") for n in range(extra)]) if extra else None
        counts.append(0)
        sa_event.listen(engine, "before_cursor_execute", count)
        page = browser.get("/referrals")
        sa_event.remove(engine, "before_cursor_execute", count)
    assert abs(counts[0] - counts[1]) <= 3, "more windows of the log may be looked through, no query a row"
    assert page.text.count('<td class="num">1</td>') == 20
    assert 'rel="next"' in page.text
