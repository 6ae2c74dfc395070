"""Agreements and payments: nothing is promised or paid before everybody did their part."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from grants_world import PDF, Case, Person, World

from shared.testing.stand import Stand


@pytest.fixture(scope="module")
def world(stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Give a grants service with people and a pack."""
    return World(stand.database("grants"), tmp_path_factory.mktemp("grants"))


def test_an_agreement_must_add_up_and_be_signed_by_both(world: World) -> None:
    """Tranches add up to what was approved; who drew it up does not sign; one signature concludes nothing."""
    case = Case(world).approved()
    refused = case.offer(422, ("16000", "16000"))
    assert "add up to 32,000.00\u00a0EUR" in refused["errors"][0]["rule"]
    assert case.seen()["stage"] == "approved"
    case.move(world.officer, "offer-agreement", 409)
    case.offer()
    accept = f"{case.path}/award/acceptance"
    world.officer.api("POST", accept, 403, agreement_version=1)
    world.applicant.api("POST", accept, agreement_version=1)
    assert case.seen()["stage"] == "agreement"
    world.applicant.api("POST", accept, 409, agreement_version=1)
    world.manager.api("POST", accept, 409, agreement_version=7)
    assert world.manager.api("POST", accept, agreement_version=1)["concluded_at"] is not None


def test_money_is_held_until_everybody_did_their_part(world: World) -> None:
    """No release before the milestone, by the requester, twice, or while suspended; no payment without release."""
    case = Case(world).concluded()
    case.act(world.finance, "tranches/1/request")
    held = case.act(world.finance_two, "tranches/1/release", 409)
    assert "milestone 1" in held["detail"]
    document = case.attach("other", PDF + b"seen")
    case.act(world.applicant, "milestones/1/evidence", document=document["id"])
    case.act(world.applicant, "milestones/1/verification", 403, good=True, note="Mine")
    case.act(world.officer, "milestones/1/verification", good=True, note="Seen")
    case.act(world.finance, "tranches/1/release", 403)
    case.act(world.finance, "tranches/1/payment", 409, payment_reference="A", paid_on="2026-03-02")
    case.move(world.manager, "suspend", reason="Audit")
    case.act(world.finance_two, "tranches/1/release", 409)
    case.move(world.manager, "resume", comment="Fine")
    case.act(world.finance_two, "tranches/1/release")
    case.act(world.finance_two, "tranches/1/release", 409)
    case.act(world.finance, "tranches/1/payment", 422, payment_reference="A", paid_on="2999-01-01")
    case.act(world.finance, "tranches/9/request", 404)


def test_two_releases_at_once_pay_once(world: World) -> None:
    """Two finance officers who release the same tranche at the same moment: one does, one is told."""
    case = Case(world).concluded()
    document = case.attach("other", PDF + b"once")
    case.act(world.applicant, "milestones/1/evidence", document=document["id"])
    case.act(world.officer, "milestones/1/verification", good=True, note="Seen")
    case.act(world.officer, "tranches/1/request")
    version, ready = case.award()["version"], Barrier(2)

    def act(person: Person) -> int:
        ready.wait()
        path = f"/api{case.path}/award/tranches/1/release"
        return int(person.request("POST", path, json={"version": version}).status_code)

    with ThreadPoolExecutor(2) as pool:
        codes = list(pool.map(act, [world.finance, world.finance_two]))
    assert sorted(codes) == [200, 409]
    assert world.events(case.reference).count("grants.award.tranche_released") == 1
