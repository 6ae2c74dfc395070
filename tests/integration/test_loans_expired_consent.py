"""After the day that the applicant named, a bank reads no field; a day that can't be is refused at its field."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from loans_world import UNTIL, World, call, refer, submitted

from shared.testing.stand import Stand


@pytest.fixture
def world(stand: Stand, tmp_path: Path) -> World:
    return World(stand.database("loans"), tmp_path)


def test_an_expired_consent_shows_the_bank_nothing(world: World) -> None:
    """On its last day the fields are there, the day after none is, over JSON and on the page alike."""
    referral = refer(world, submitted(world), "bank-one")["reference"]
    name = call(world.bank_one, "GET", f"/referrals/{referral}")["fields"]["applicant"]["registration_number"]
    last = (date.fromisoformat(UNTIL) - world.clock().date()).days
    world.clock.forward(days=last)
    assert name in world.bank_one.get(f"/loans/referrals/{referral}").text
    world.clock.forward(days=1)
    assert call(world.bank_one, "GET", f"/referrals/{referral}")["fields"] == {}
    assert name not in world.bank_one.get(f"/loans/referrals/{referral}").text


def test_a_consent_until_a_day_that_can_not_be_is_refused(world: World) -> None:
    """Yesterday, and longer than the programme allows: the field is named and nothing is referred."""
    reference, today = submitted(world), world.clock().date()
    for until in (today - timedelta(days=1), today + timedelta(days=4000)):
        refused = refer(world, reference, "bank-one", 422, until=until.isoformat())
        assert [item["field"] for item in refused["errors"]] == ["until"]
    assert call(world.bank_one, "GET", "/referrals")["items"] == []


def test_a_tape_of_a_future_day_is_refused(world: World) -> None:
    """Nobody knows today what will be paid tomorrow: the field is named and no tape is kept."""
    tomorrow = (world.clock().date() + timedelta(days=2)).isoformat()
    rows = [{"loan": "LN-2026-0001", "principal_paid": "1", "interest_paid": "0", "outstanding": "0"}]
    refused = call(world.bank_one, "POST", "/tapes", 422, as_of=tomorrow, rows=rows)
    assert [item["field"] for item in refused["errors"]] == ["as_of"]
    assert call(world.bank_one, "GET", "/tapes")["items"] == []
