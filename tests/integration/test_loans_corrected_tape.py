"""A corrected repayment tape undoes what the wrong one did to the adviser's fee."""

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


def told(world: World, loan: str, as_of: str, principal: str, interest: str) -> None:
    """Let a tape of bank one about one loan count."""
    rows = [{"loan": loan, "principal_paid": principal, "interest_paid": interest, "outstanding": "40000"}]
    tape = call(world.bank_one, "POST", "/tapes", 201, as_of=as_of, rows=rows)
    call(world.bank_one, "POST", f"/tapes/{tape['reference']}/application", version=tape["version"])


def lent(world: World) -> tuple[str, str, Browser]:
    """Return a loan with its fee, of which a half is earned and approved, and the manager."""
    now = int(world.clock().timestamp())
    manager = Browser(world.app, person("programme_manager", "u-8", confirmed_at=now))
    proposal = submitted(world)
    fee: str = call(world.officer, "POST", f"/proposals/{proposal}/adviser", 201, adviser="chamber-of-crafts")[
        "reference"
    ]
    referral = offered(world, proposal, "bank-one", world.bank_one, amount="40000")
    loan: str = call(world.msme, "POST", f"/referrals/{referral}/acceptance", 201)["reference"]
    for _ in range(2):
        call(world.bank_one, "POST", f"/loans/{loan}/disbursements", 201, amount="20000", on="2026-03-02")
    call(world.msme, "POST", f"/loans/{loan}/disbursements/1/confirmation")
    call(manager, "POST", f"/fees/{fee}/approval", version=call(manager, "GET", f"/fees/{fee}")["version"])
    return loan, fee, manager


def stands(manager: Browser, fee: str) -> tuple[Any, ...]:
    """Return the stage of a fee, what is earned, what waits for approval."""
    found = call(manager, "GET", f"/fees/{fee}")
    return found["stage"], found["earned"]["amount"], found["to_approve"]["amount"]


def test_a_correction_gives_the_fee_back(world: World) -> None:
    """What the default took is earned again, and what was confirmed meanwhile; cancelled approvals are made anew."""
    loan, fee, manager = lent(world)
    assert stands(manager, fee) == ("approved", "300.00", "0.00")
    world.clock.forward(days=150)
    told(world, loan, "2026-07-20", "0", "0")
    assert stands(manager, fee) == ("clawed_back", "300.00", "0.00")
    call(world.msme, "POST", f"/loans/{loan}/disbursements/2/confirmation")
    assert stands(manager, fee) == ("clawed_back", "300.00", "0.00")
    told(world, loan, "2026-07-20", "3800", "1600")
    assert call(manager, "GET", f"/loans/{loan}")["early_default_on"] is None
    assert stands(manager, fee) == ("accrued", "600.00", "600.00")
    assert [name for name in world.events(fee) if "attempt" not in name] == [
        f"loans.fee.{verb}" for verb in ("assigned", "accrued", "approved", "clawed_back", "restored", "accrued")
    ]


def test_a_correction_that_is_as_bad_changes_nothing(world: World) -> None:
    """A default that the correction confirms, and one that a later month has caught up with, stay taken back."""
    loan, fee, manager = lent(world)
    world.clock.forward(days=190)
    told(world, loan, "2026-07-20", "0", "0")
    told(world, loan, "2026-07-20", "1", "0")
    assert stands(manager, fee)[0] == "clawed_back"
    told(world, loan, "2026-08-20", "5000", "2500")
    assert call(manager, "GET", f"/loans/{loan}")["early_default_on"] == "2026-07-20"
    assert stands(manager, fee)[0] == "clawed_back"
