"""Success fees over HTTP and a real database: assigned, earned, approved, paid, and taken back by a tape."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from loans_world import World, call, offered, submitted

from shared.testing.stand import Stand
from shared.testing.web import Browser, person


@pytest.fixture
def world(stand: Stand, tmp_path: Path) -> World:
    return World(stand.database("loans"), tmp_path)


def staff(world: World, role: str, user: str, **more: Any) -> Browser:
    """Return somebody of the office who has just given their password."""
    now = int(world.clock().timestamp())
    return Browser(world.app, person(role, user, organisation="programme-office", confirmed_at=now, **more))


@pytest.mark.slow  # a long round
@pytest.mark.english
def test_a_fee_from_the_adviser_to_the_claw_back(world: World) -> None:
    """Two confirmed halves earn the whole fee once; three people act; an early default by a tape takes it back."""
    officer, manager = staff(world, "officer", "u-7"), staff(world, "programme_manager", "u-8")
    finance, adviser = staff(world, "finance_officer", "u-9"), person("applicant", "u-10")
    adviser = Browser(world.app, adviser.model_copy(update={"organisation": "chamber-of-crafts"}))
    proposal = submitted(world)
    assert 'action="/loans/proposals/' + proposal + '/adviser"' in officer.get(f"/loans/proposals/{proposal}").text
    call(officer, "POST", f"/proposals/{proposal}/adviser", 422, adviser="nobody")
    fee = call(officer, "POST", f"/proposals/{proposal}/adviser", 201, adviser="chamber-of-crafts")["reference"]
    call(manager, "POST", f"/proposals/{proposal}/adviser", 409, adviser="chamber-of-crafts")
    referral = offered(world, proposal, "bank-one", world.bank_one, amount="40000")
    loan = call(world.msme, "POST", f"/referrals/{referral}/acceptance", 201)["reference"]
    for number in (1, 2):
        call(world.bank_one, "POST", f"/loans/{loan}/disbursements", 201, amount="20000", on="2026-03-02")
        before = call(adviser, "GET", f"/fees/{fee}")["earned"]["amount"]
        assert before == ("0.00" if number == 1 else "300.00")
        call(world.msme, "POST", f"/loans/{loan}/disbursements/{number}/confirmation")
    call(world.msme, "POST", f"/loans/{loan}/disbursements/2/confirmation", 409)
    unsure = Browser(world.app, person("programme_manager", "u-11"))
    call(unsure, "POST", f"/fees/{fee}/approval", 403)
    for browser in (world.msme, world.bank_one):
        assert browser.get(f"/loans/fees/{fee}").status_code in {403, 404}
    assert "600.00" in manager.get(f"/loans/fees/{fee}").text
    seen = call(manager, "GET", f"/fees/{fee}")
    assert call(manager, "POST", f"/fees/{fee}/approval", version=seen["version"])["approved"]["amount"] == "600.00"
    call(manager, "POST", f"/fees/{fee}/approval", 409, version=seen["version"])
    form = {"version": str(seen["version"] + 1), "on": "2026-03-02", "payment": ""}
    assert finance.post(f"/loans/fees/{fee}/payments/1", form).status_code == 422
    assert finance.post(f"/loans/fees/{fee}/payments/1", form | {"payment": "P-77"}).status_code == 303
    assert call(adviser, "GET", "/fees/statements")[0]["paid"] == "600.0000"
    world.clock.forward(days=150)
    rows = [{"loan": loan, "principal_paid": "0", "interest_paid": "0", "outstanding": "40000"}]
    tape = call(world.bank_one, "POST", "/tapes", 201, as_of="2026-07-20", rows=rows)
    call(world.bank_one, "POST", f"/tapes/{tape['reference']}/application", version=tape["version"])
    found = call(adviser, "GET", f"/fees/{fee}")
    assert (found["stage"], found["due_back"]["amount"]) == ("due_back", "600.00")
    for browser in (adviser, finance, officer):
        assert "FEE-" in browser.get("/loans/fees").text
    assert [name for name in world.events(fee) if "attempt" not in name] == [
        f"loans.fee.{verb}" for verb in ("assigned", "accrued", "accrued", "approved", "paid", "clawed_back")
    ]
