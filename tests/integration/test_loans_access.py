"""Who may not know of a thing is not told that it exists: every address of loans with foreign ids and roles."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from loans_world import OFFER, World, call, offered, refer, submitted
from sqlalchemy import text

from services.loans.application import create_app
from shared.testing.stand import Stand
from shared.testing.web import Browser, person, web_settings


@pytest.fixture
def world(stand: Stand, tmp_path: Path) -> World:
    return World(stand.database("loans"), tmp_path)


PROPOSAL = [
    ("GET", ""),
    ("PUT", "/sections/project"),
    ("DELETE", f"/documents/{'0' * 64}"),
    ("GET", "/readiness"),
    ("GET", "/ratios"),
    ("POST", "/submission"),
    ("POST", "/reopening"),
    ("POST", "/referrals"),
    ("GET", "/referrals"),
]
REFERRAL = ["receipt", "analysis", "question", "answer", "decline", "offer", "acceptance", "refusal", "withdrawal"]
BODIES = {
    "/sections/project": {"data": {}},
    "/referrals": {
        "bank": "bank-one",
        "fields": ["request"],
        "purpose": "x",
        "until": "2026-04-01",
        "text_version": "1",
    },
    "question": {"text": "x"},
    "answer": {"text": "x"},
    "decline": {"reasons": ["sector"]},
    "offer": OFFER,
}


def status(browser: Browser, method: str, path: str, body: object) -> int:
    """Return the status of a call of the JSON API."""
    sent = body if method in {"POST", "PUT"} else None
    return browser.json(method, f"/loans/api{path}", sent).status_code


def test_another_firm_finds_nothing(world: World) -> None:
    """For another firm every address of a proposal, referral and loan answers 404, as for an id that never was."""
    reference = submitted(world)
    referral = offered(world, reference, "bank-one", world.bank_one)
    loan = call(world.msme, "POST", f"/referrals/{referral}/acceptance", 201)["reference"]
    stranger = Browser(world.app, person("applicant", "stranger"))
    for target in (reference, "PRO-2026-9999", "x" * 300, "PRO%2F..%2F1"):
        for method, part in PROPOSAL:
            found = status(stranger, method, f"/proposals/{target}{part}", BODIES.get(part, {}))
            assert found == 404, (method, target, part)
    for target in (referral, "REF-2026-9999"):
        assert status(stranger, "GET", f"/referrals/{target}", None) == 404
        for act in ("answer", "acceptance", "refusal", "withdrawal", "revocation"):
            assert status(stranger, "POST", f"/referrals/{target}/{act}", BODIES.get(act, {})) == 404, act
    for target in (loan, "LN-2026-9999"):
        assert status(stranger, "GET", f"/loans/{target}", None) == 404
        assert status(stranger, "POST", f"/loans/{target}/disbursements/1/confirmation", {}) == 404
    for path in ("", "/edit/request", "/documents", "/consent", "/offers"):
        assert stranger.get(f"/loans/proposals/{reference}{path}").status_code == 404, path


def test_a_bank_finds_nothing_of_another_bank(world: World) -> None:
    """A bank gets 404 for another bank's referral and loan, and neither stands in its inbox."""
    reference = submitted(world)
    referral = offered(world, reference, "bank-one", world.bank_one)
    own = refer(world, reference, "bank-two")["reference"]
    other = world.bank_two
    assert status(other, "GET", f"/referrals/{referral}", None) == 404
    for act in ("receipt", "analysis", "question", "decline", "offer"):
        assert status(other, "POST", f"/referrals/{referral}/{act}", BODIES.get(act, {})) == 404, act
    assert [item["reference"] for item in call(other, "GET", "/referrals")["items"]] == [own]
    page = other.get(f"/loans/referrals/{own}").text
    assert referral not in page
    assert "First Partner Bank" not in page
    loan = call(world.msme, "POST", f"/referrals/{referral}/acceptance", 201)["reference"]
    assert status(other, "GET", f"/loans/{loan}", None) == 404
    body = {"amount": "1", "on": "2026-03-02"}
    assert status(other, "POST", f"/loans/{loan}/disbursements", body) == 404


def test_a_bank_downloads_only_consented_documents(world: World) -> None:
    """Without consent to documents their content is not there for the bank either."""
    reference = submitted(world)
    sha256 = call(world.msme, "GET", f"/proposals/{reference}")["documents"][0]["sha256"]
    referral = refer(world, reference, "bank-one", fields=["applicant", "request"])["reference"]
    assert world.bank_one.get(f"/loans/referrals/{referral}/documents/{sha256}").status_code == 404
    assert world.bank_one.get(f"/loans/proposals/{reference}/documents/{sha256}").status_code == 403


def test_roles_that_have_no_business_here(world: World) -> None:
    """A reviewer, an auditor and an operator are refused at every door, and nobody signed in gets 401."""
    reference = submitted(world)
    for browser in (world.reviewer_one, world.auditor, world.operator):
        assert status(browser, "GET", f"/proposals/{reference}", None) == 403
        assert browser.get("/loans/referrals").status_code == 403
    assert status(Browser(world.app), "GET", f"/proposals/{reference}", None) == 401
    assert status(world.officer, "POST", f"/proposals/{reference}/reopening", {}) == 403


def test_refused_attempts_are_recorded(world: World) -> None:
    """A look at a foreign referral leaves a refused attempt in the outbox."""
    referral = refer(world, submitted(world), "bank-one")["reference"]
    status(world.bank_two, "GET", f"/referrals/{referral}", None)
    with world.engine.connect() as connection:
        query = text("SELECT count(*) FROM outbox WHERE type = 'loans.attempt.refused' AND outcome = 'refused'")
        assert connection.execute(query).scalar_one() == 1


def test_events_carry_no_unconsented_field(world: World) -> None:
    """Neither data nor recorded changes of any event hold what stands in the proposal's private blocks."""
    reference = submitted(world)
    offered(world, reference, "bank-one", world.bank_one)
    with world.engine.connect() as connection:
        bodies = " ".join(connection.execute(text("SELECT body::text FROM outbox")).scalars())
    named = re.sub(r'"actor": \{[^}]*\}', "", bodies)
    for secret in ("Stojanova", "MK4030991234567", "Glass jars", "145200", "Ivan Milutinovikj"):
        assert secret not in named, secret


def test_every_address_has_an_action(world: World, tmp_path: Path) -> None:
    """The description of the JSON API lists every act of the story."""
    assert create_app(web_settings(home=tmp_path), engine=world.engine) is not None
    paths = world.msme.json("GET", "/loans/api/openapi.json").json()["paths"]
    for act in REFERRAL:
        assert any(path.endswith(f"/referrals/{{reference}}/{act}") for path in paths), act
