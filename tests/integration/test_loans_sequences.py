"""Banks are asked one after another: the clock asks the next, only by live consents, until one offer is accepted."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from loans_world import ALL_BLOCKS, OFFER, UNTIL, World, call, refer, submitted
from sqlalchemy import text

from services.loans import handlers
from services.loans.handlers.sequences import advance_sequences
from shared.testing.stand import Stand

AGREED: dict[str, Any] = {"fields": ALL_BLOCKS, "purpose": "loan_decision", "until": UNTIL, "text_version": "1"}


@pytest.fixture
def world(stand: Stand, tmp_path: Path) -> World:
    return World(stand.database("loans"), tmp_path)


def step(world: World, reference: str, bank: str, expect: int = 201, **changed: Any) -> Any:
    """Put a bank at the end of the order."""
    body = AGREED | {"bank": bank, "language": "en"} | changed
    return call(world.msme, "POST", f"/proposals/{reference}/sequence/steps", expect, **body)


def arranged(world: World, *banks: str, begin: bool = True, **changed: Any) -> str:
    """Return a proposal with an order of banks, begun unless told otherwise."""
    reference = submitted(world)
    for bank in banks:
        step(world, reference, bank, **changed)
    if begin:
        call(world.msme, "POST", f"/proposals/{reference}/sequence/start")
    return reference


def tick(world: World) -> int:
    """Let the clock do what it does now."""
    with world.uow() as uow:
        return advance_sequences(uow)


def states(world: World, reference: str) -> tuple[str, list[tuple[str, str, str]]]:
    """Return how a sequence stands: its stage, and bank, state and reason of each step."""
    found = call(world.msme, "GET", f"/proposals/{reference}/sequence")
    return found["stage"], [(item["bank"], item["state"], item["why"]) for item in found["steps"]]


def has(world: World, bank: Any) -> list[str]:
    """Return what is in a bank's inbox."""
    return [item["reference"] for item in call(bank, "GET", "/referrals")["items"]]


def test_a_decline_brings_the_next_bank(world: World) -> None:
    """Only the first bank is asked at the start; its decline asks the second, which sees what was agreed for it."""
    reference = submitted(world)
    step(world, reference, "bank-one")
    step(world, reference, "bank-two", fields=["applicant", "request"])
    assert has(world, world.bank_one) == has(world, world.bank_two) == []
    call(world.msme, "POST", f"/proposals/{reference}/sequence/start")
    [first] = has(world, world.bank_one)
    assert (has(world, world.bank_two), tick(world)) == ([], 0)
    call(world.bank_one, "POST", f"/referrals/{first}/receipt")
    call(world.bank_one, "POST", f"/referrals/{first}/decline", reasons=["sector"])
    assert tick(world) == 1
    [second] = has(world, world.bank_two)
    assert set(call(world.bank_two, "GET", f"/referrals/{second}")["fields"]) == {"applicant", "request"}
    assert states(world, reference) == (
        "running",
        [("bank-one", "over", "declined"), ("bank-two", "asked", "")],
    )
    call(world.msme, "POST", f"/referrals/{second}/withdrawal")
    assert (tick(world), tick(world)) == (1, 0)
    assert call(world.msme, "GET", f"/proposals/{reference}/sequence")["why"] == "exhausted"
    order = [name.removeprefix("loans.sequence.") for name in world.events(reference) if "sequence" in name]
    assert order == ["consented", "consented", "started", "advanced", "advanced", "finished"]


def test_a_late_answer_brings_the_next_bank_and_stays_possible(world: World) -> None:
    """Three working days after the due day the second bank is asked, not before; the first may still offer."""
    reference = arranged(world, "bank-one", "bank-two")
    [first] = has(world, world.bank_one)
    found = call(world.msme, "GET", f"/proposals/{reference}/sequence")
    assert (call(world.bank_one, "GET", f"/referrals/{first}")["due"], found["next_on"]) == ("2026-03-09", "2026-03-12")
    world.clock.now += timedelta(days=9)
    assert (tick(world), has(world, world.bank_two)) == (0, [])
    world.clock.now += timedelta(days=1)
    assert tick(world) == 1
    assert len(has(world, world.bank_two)) == 1
    call(world.bank_one, "POST", f"/referrals/{first}/receipt")
    call(world.bank_one, "POST", f"/referrals/{first}/offer", 201, **OFFER)
    assert states(world, reference)[1][0] == ("bank-one", "over", "late")


def test_the_clock_waits_while_the_bank_waits(world: World) -> None:
    """While a question or an offer is with the firm no other bank is asked, however long that takes."""
    reference = arranged(world, "bank-one", "bank-two")
    [first] = has(world, world.bank_one)
    call(world.bank_one, "POST", f"/referrals/{first}/receipt")
    call(world.bank_one, "POST", f"/referrals/{first}/question", text="Which jars?")
    world.clock.now += timedelta(days=30)
    assert tick(world) == 0
    call(world.msme, "POST", f"/referrals/{first}/answer", text="Glass.")
    call(world.bank_one, "POST", f"/referrals/{first}/offer", 201, **OFFER)
    assert tick(world) == 0
    world.clock.now += timedelta(days=30)
    with world.uow() as uow:
        handlers.referrals.expire_offers(uow)
    assert tick(world) == 1
    assert states(world, reference)[1][0] == ("bank-one", "over", "expired")


def test_an_expired_consent_stops_and_a_new_one_goes_on(world: World) -> None:
    """With the next consent expired nothing leaves: the firm is told, consents anew, and goes on."""
    reference = submitted(world)
    step(world, reference, "bank-one")
    step(world, reference, "bank-two", until="2026-03-03")
    call(world.msme, "POST", f"/proposals/{reference}/sequence/start")
    world.clock.now += timedelta(days=2)
    call(world.msme, "POST", f"/referrals/{has(world, world.bank_one)[0]}/revocation")
    assert tick(world) == 1
    found = call(world.msme, "GET", f"/proposals/{reference}/sequence")
    assert (found["stage"], found["why"], has(world, world.bank_two)) == ("stopped", "consent_expired", [])
    with world.engine.connect() as connection:
        query = "SELECT body FROM outbox WHERE type = 'loans.sequence.stopped'"
        body = connection.execute(text(query)).scalar_one()
    assert (body["data"]["notify"], body["data"]["asked_bank_name"]) == (["applicant"], "Second Partner Bank")
    assert "partner" not in body["parties"]
    page = world.msme.get(f"/loans/proposals/{reference}/sequence")
    assert page.status_code == 200
    step(world, reference, "bank-two")
    call(world.msme, "POST", f"/proposals/{reference}/sequence/start")
    assert len(has(world, world.bank_two)) == 1


def test_an_accepted_offer_ends_it(world: World) -> None:
    """The accepted offer ends the sequence in the same act; who still waits is never asked and never told."""
    reference = arranged(world, "bank-one", "bank-two")
    [first] = has(world, world.bank_one)
    call(world.bank_one, "POST", f"/referrals/{first}/receipt")
    call(world.bank_one, "POST", f"/referrals/{first}/offer", 201, **OFFER)
    call(world.msme, "POST", f"/referrals/{first}/acceptance", 201)
    found = call(world.msme, "GET", f"/proposals/{reference}/sequence")
    assert (found["stage"], found["why"], tick(world)) == ("done", "met", 0)
    assert has(world, world.bank_two) == []
    with world.engine.connect() as connection:
        query = "SELECT count(*) FROM outbox WHERE body->'parties'->'partner' ? 'org:bank-two'"
        assert connection.execute(text(query)).scalar_one() == 0


def test_the_order_can_be_changed_while_it_runs(world: World) -> None:
    """Waiting banks change places and are left out; who was asked stays; a stale order is refused whole."""
    reference = arranged(world, "bank-one", "bank-two", "mfi-one")
    found = call(world.msme, "GET", f"/proposals/{reference}/sequence")
    put = f"/proposals/{reference}/sequence/order"
    call(world.msme, "PUT", put, banks=["mfi-one", "bank-two"], version=found["version"])
    assert [name for name, _, _ in states(world, reference)[1]] == ["bank-one", "mfi-one", "bank-two"]
    call(world.msme, "PUT", put, 409, banks=["bank-two"], version=found["version"])
    assert "banks" in str(call(world.msme, "PUT", put, 422, banks=["bank-one"]))
    page = world.msme.get(f"/loans/proposals/{reference}/sequence").text
    assert page.count(f'action="/loans/proposals/{reference}/sequence/order"') == 3  # two may go, one may go up
    call(world.msme, "PUT", put, banks=["bank-two"])
    assert [name for name, _, _ in states(world, reference)[1]] == ["bank-one", "bank-two"]
    call(world.msme, "POST", f"/proposals/{reference}/sequence/end")
    call(world.msme, "PUT", put, 409, banks=[])
    assert len(has(world, world.bank_one)) == 1


def test_a_changed_proposal_stops_it(world: World) -> None:
    """Consents were given for one version: after a reopening nobody is asked by them, not even for a new version."""
    reference = arranged(world, "bank-one", "bank-two")
    call(world.msme, "POST", f"/proposals/{reference}/reopening")
    assert tick(world) == 1
    assert states(world, reference)[0] == "stopped"
    call(world.msme, "POST", f"/proposals/{reference}/submission")
    call(world.msme, "POST", f"/proposals/{reference}/sequence/start")
    assert (states(world, reference)[0], has(world, world.bank_two)) == ("stopped", [])
    step(world, reference, "mfi-one", 409)
    call(world.msme, "POST", f"/proposals/{reference}/sequence/end")
    assert [item["bank"] for item in step(world, reference, "mfi-one")["steps"]] == ["mfi-one"]


def test_who_was_asked_beside_it_is_passed_over(world: World) -> None:
    """A bank that got the proposal by another way is not asked twice: the one after it is."""
    reference = arranged(world, "bank-one", "bank-two", "mfi-one")
    refer(world, reference, "bank-two")
    call(world.msme, "POST", f"/referrals/{has(world, world.bank_one)[0]}/withdrawal")
    assert tick(world) == 1
    assert states(world, reference)[1][1:] == [("bank-two", "skipped", "asked_already"), ("mfi-one", "asked", "")]


def test_a_teaser_ends_as_its_bank_is_asked(world: World) -> None:
    """Banks that have a teaser are asked in their turn like others, and each teaser ends with that turn."""
    reference = arranged(world, "bank-one", "bank-two", begin=False)
    body = {"banks": ["bank-one", "bank-two"], "until": "2026-03-20"}
    call(world.msme, "POST", f"/proposals/{reference}/teasers", 201, **body)
    call(world.msme, "POST", f"/proposals/{reference}/sequence/start")
    assert states(world, reference)[1] == [("bank-one", "asked", ""), ("bank-two", "waiting", "")]
    assert [len(call(bank, "GET", "/teasers")["items"]) for bank in (world.bank_one, world.bank_two)] == [0, 1]
    call(world.msme, "POST", f"/referrals/{has(world, world.bank_one)[0]}/withdrawal")
    assert (tick(world), tick(world)) == (1, 0)
    assert states(world, reference)[1] == [("bank-one", "over", "withdrawn"), ("bank-two", "asked", "")]
    assert call(world.bank_two, "GET", "/teasers")["items"] == []


def test_others_do_not_arrange(world: World) -> None:
    """A bank and staff are refused, and without any bank there is nothing to start."""
    reference = arranged(world, "bank-one", begin=False)
    for browser in (world.bank_one, world.officer):
        call(browser, "GET", f"/proposals/{reference}/sequence", 403)
    call(world.msme, "PUT", f"/proposals/{reference}/sequence/order", banks=[])
    call(world.msme, "POST", f"/proposals/{reference}/sequence/start", 409)
    step(world, reference, "no-bank", 422)


def test_the_order_is_arranged_by_forms(world: World) -> None:
    """The page's own forms add two banks, move one up, start, and the proposal shows the picture."""
    reference = submitted(world)
    address = f"/loans/proposals/{reference}/sequence"
    version = str(call(world.msme, "GET", f"/proposals/{reference}")["version"])
    form = {"version": version, "purpose": "loan_decision", "until": UNTIL, "text_version": "1", "language": "en"}
    wrong = world.msme.post(address, form | {"bank": "bank-one", "blocks": "request"})
    assert wrong.status_code == 422
    assert 'class="problem"' in wrong.text
    for bank in ("bank-one", "bank-two"):
        assert world.msme.post(address, form | {"bank": bank, "blocks": ["applicant", "request"]}).status_code == 303
    order = {"version": str(call(world.msme, "GET", f"/proposals/{reference}/sequence")["version"])}
    assert world.msme.post(f"{address}/order", order | {"banks": ["bank-two", "bank-one"]}).status_code == 303
    assert world.msme.post(f"{address}/start", order).status_code == 409
    order = {"version": str(call(world.msme, "GET", f"/proposals/{reference}/sequence")["version"])}
    assert world.msme.post(f"{address}/start", order).status_code == 303
    assert len(has(world, world.bank_two)) == 1
    page = world.msme.get(f"/loans/proposals/{reference}").text
    assert page.index("1. Second Partner Bank") < page.index("2. First Partner Bank")
    assert "1. Second Partner Bank" in world.officer.get(f"/loans/proposals/{reference}").text
