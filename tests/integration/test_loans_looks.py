"""Every look of a bank stands where the firm reads it: who, when, through which way, and which fields."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from loans_world import ALL_BLOCKS, World, call, refer, submitted
from sqlalchemy import event, text

from services.loans.domain.disclosure import ALL_FIELDS, compact, expand
from shared.testing.stand import Stand
from shared.testing.web import Browser, person


@pytest.fixture
def world(stand: Stand, tmp_path: Path) -> World:
    return World(stand.database("loans"), tmp_path)


def test_each_way_of_looking_is_told_to_the_firm(world: World) -> None:
    """Page, data interface and document are three looks, each with the fields that were shown."""
    reference = submitted(world)
    sha256 = call(world.msme, "GET", f"/proposals/{reference}")["documents"][0]["sha256"]
    referral = refer(world, reference, "bank-one", fields=["applicant", "request", "documents"])["reference"]
    bank = world.bank_one
    assert bank.get(f"/loans/referrals/{referral}").status_code == 200
    call(bank, "GET", f"/referrals/{referral}")
    call(bank, "GET", f"/referrals/{referral}/match", 404)  # no product was asked for: nothing was shown
    assert bank.get(f"/loans/referrals/{referral}/documents/{sha256}").status_code == 200
    told = call(world.msme, "GET", f"/proposals/{reference}/looks")
    assert [item["way"] for item in told["items"]] == ["document", "api", "page"]
    assert told["items"][0]["fields"] == ["documents"]
    assert told["items"][1]["fields"] == ["applicant", "request", "documents"]
    assert {(item["bank_name"], item["live"]) for item in told["items"]} == {("First Partner Bank", True)}
    assert [(row["referral"], row["looks"], row["people"]) for row in told["banks"]] == [(referral, 3, 1)]
    page = world.msme.get(f"/loans/proposals/{reference}/looks").text
    assert told["items"][0]["person_name"] in page
    assert f"/loans/proposals/{reference}/looks" in world.msme.get(f"/loans/proposals/{reference}").text
    with world.engine.connect() as connection:
        query = "SELECT body->'data' FROM outbox WHERE type = 'loans.record.viewed' ORDER BY row DESC LIMIT 1"
        assert connection.execute(text(query)).scalar_one() == {
            "way": "document",
            "fields": ["documents"],
            "record": referral,
            "what": "document registration",
        }


def test_a_look_without_consent_shows_nothing_and_is_kept_as_such(world: World) -> None:
    """After a consent's last day and after a withdrawal the bank sees no field, and the firm reads of the try."""
    reference = submitted(world)
    short = f"{world.clock().date() + timedelta(days=2):%Y-%m-%d}"
    one = refer(world, reference, "bank-one", until=short)["reference"]
    two = refer(world, reference, "bank-two")["reference"]
    call(world.msme, "POST", f"/referrals/{two}/withdrawal")
    world.clock.now += timedelta(days=3)
    for bank, referral in ((world.bank_one, one), (world.bank_two, two)):
        assert call(bank, "GET", f"/referrals/{referral}")["fields"] == {}
    told = call(world.msme, "GET", f"/proposals/{reference}/looks")
    assert [(item["live"], item["fields"]) for item in told["items"]] == [(False, []), (False, [])]
    assert [row["in_vain"] for row in told["banks"]] == [1, 1]
    only = call(world.msme, "GET", f"/proposals/{reference}/looks?referral={one}")
    assert [item["referral"] for item in only["items"]] == [one]


def test_who_may_read_of_looks(world: World) -> None:
    """The firm, who advises it, and the programme's staff; a bank is refused and other firms find nothing."""
    reference = submitted(world)
    refer(world, reference, "bank-one")
    path = f"/proposals/{reference}/looks"
    adviser = Browser(world.app, person("applicant", "adviser", organisation="chamber-of-crafts"))
    for reader in (world.msme, adviser, world.officer):
        assert call(reader, "GET", path)["items"] == []
        assert reader.get(f"/loans{path}").status_code == 200
    assert f'href="/loans/proposals/{reference}"' not in adviser.get(f"/loans{path}").text
    call(Browser(world.app, person("applicant", "stranger", organisation="another-firm")), "GET", path, 404)
    call(world.bank_one, "GET", path, 403)
    call(world.msme, "GET", "/proposals/PRO-2026-9999/looks", 404)
    call(world.msme, "GET", f"{path}?cursor=made-up", 422)


def test_looks_come_in_pages_and_cost_the_same(world: World) -> None:
    """Three looks are read in two pages without a gap; the page and the bank's own ask as often for one as for many."""
    reference = submitted(world)
    referral = refer(world, reference, "bank-one")["reference"]
    said: list[str] = []
    event.listen(world.engine, "before_cursor_execute", lambda *args: said.append(args[2]))
    counts = []
    for _ in range(3):
        world.clock.now += timedelta(minutes=1)
        said.clear()
        world.bank_one.get(f"/loans/referrals/{referral}")
        looked = len(said)
        said.clear()
        world.msme.get(f"/loans/proposals/{reference}/looks")
        counts.append((looked, len(said)))
    assert len(set(counts)) == 1
    first = call(world.msme, "GET", f"/proposals/{reference}/looks?limit=2")
    rest = call(world.msme, "GET", f"/proposals/{reference}/looks?limit=2&cursor={first['next']}")
    times = [item["at"] for item in (*first["items"], *rest["items"])]
    assert len(times) == 3
    assert times == sorted(times, reverse=True)
    assert rest["next"] is None


def test_fields_are_named_by_whole_blocks() -> None:
    """What is written short stands for the same fields again, whole blocks and single ones alike."""
    assert compact(ALL_FIELDS) == ALL_BLOCKS
    chosen = expand(["applicant", "request.amount"])
    assert compact(chosen) == ["applicant", "request.amount"]
    assert expand(compact(chosen)) == chosen
    assert compact([]) == []
