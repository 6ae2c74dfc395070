"""Agreements and payments: nothing is promised or paid before everybody did their part."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from grants_world import PDF, PROGRAMME, Case, Person, World, read_pack

from services.grants.handlers import ledger
from services.grants.storage.tables import awards
from shared.database import Context, UnitOfWork, system
from shared.entity import canonical_hash
from shared.events.portal import ProgrammeLoaded
from shared.money import Money
from shared.testing.language import in_words, word
from shared.testing.stand import Stand


@pytest.fixture(scope="module")
def world(stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Give a grants service with people and a pack."""
    return World(stand.database("grants"), tmp_path_factory.mktemp("grants"))


@pytest.mark.english
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


@pytest.mark.english
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


def verified(case: Case, number: int = 1) -> Case:
    """Bring a milestone to be verified."""
    document = case.attach("other", PDF + f"{case.reference} {number}".encode())
    case.act(case.world.applicant, f"milestones/{number}/evidence", document=document["id"])
    case.act(case.world.officer, f"milestones/{number}/verification", good=True, note="Seen")
    return case


@pytest.mark.english
def test_a_payment_is_certified_split_held_paid_and_reversed(world: World) -> None:
    """Five people's acts on one tranche over JSON: each refusal names its rule, and the ledger follows every step."""
    case = verified(Case(world).concluded())
    case.act(world.finance, "tranches/1/request")
    period = {"period_from": "2026-01-01", "period_to": "2026-03-31", "purpose": "First courses"}
    part = {"amount": "10000", "currency": "EUR"}
    case.act(world.applicant, "tranches/1/certificate", 403, **period)
    wrong = case.act(world.manager, "tranches/1/certificate", 422, **period | {"period_to": "2025-01-01"})
    assert wrong["errors"][0]["field"] == "period_to"
    case.act(world.manager, "tranches/1/certificate", **period, amount=part)
    held = case.act(world.finance_two, "tranches/1/release", 409)
    assert "10,000.00 EUR of 16,000.00 EUR is certified" in held["detail"].replace("\xa0", " ")
    seen = world.officer.api("GET", f"{case.path}/award/tranches/1")
    assert (seen["releasable"]["amount"], len(seen["held_by"])) == ("10000.00", 1)
    done = case.act(world.finance_two, "tranches/1/release", amount=part)
    assert [item["amount"]["amount"] for item in done["tranches"]] == ["10000.00", "16000.00", "8000.00", "6000.00"]
    case.act(world.officer, "tranches/1/hold", 422, code="nonsense", why="A letter came")
    case.act(world.officer, "tranches/1/hold", code="inquiry", why="A letter came")
    paid = {"payment_reference": "TR-1", "paid_on": "2026-03-02"}
    case.act(world.finance, "tranches/1/payment", 409, **paid)
    case.act(world.officer, "tranches/1/unhold", 403, why="Fine")
    case.act(world.manager, "tranches/1/unhold", why="Fine")
    case.act(world.finance, "tranches/1/payment", **paid)
    case.act(world.finance, "tranches/1/reversal", 403, how="returned", why="Account closed")
    case.act(world.finance_two, "tranches/1/reversal", how="returned", why="Account closed")
    figures = world.finance.api("GET", f"{case.path}/ledger")["figures"]
    assert (figures["paid"]["amount"], figures["waiting"]["amount"]) == ("0.00", "10000.00")
    case.act(world.finance_two, "tranches/1/release", release=False, code="bank", reason="Start again")
    figures = world.finance.api("GET", f"{case.path}/ledger")["figures"]
    assert (figures["left"]["amount"], figures["waiting"]["amount"]) == ("40000.00", "0.00")


def test_a_refund_is_demanded_and_comes_back_in_parts(world: World) -> None:
    """On the pages: a wrong amount stays in its form with the rule; the demand, one receipt, and the rest dropped."""
    case = verified(Case(world).concluded())
    case.act(world.officer, "tranches/1/request")
    case.act(world.finance, "tranches/1/release")
    case.act(world.finance, "tranches/1/payment", payment_reference="TR-5", paid_on="2026-03-02")
    path, version = f"{case.path}/refunds", case.award()["version"]
    refused = world.manager.post(path, 422, amount="17000", why="Unspent", version=version, due="").text
    assert in_words("16000") in refused
    assert "Unspent" in refused
    world.manager.post(path, amount="5000", why="Unspent", version=version, due="2026-04-30")
    fields = {"amount": "4000", "reference": "IN-1", "received_on": "2026-03-02"}
    world.finance.post(f"{path}/1/receipt", version=case.award()["version"], **fields)
    world.finance.post(f"{path}/1/receipt", 409, version=version, **fields)
    world.finance.post(f"{path}/1/drop", version=case.award()["version"], why="Too little to ask for")
    for person in (world.finance, world.applicant, world.auditor):
        assert "IN-1" in person.page(f"{case.path}/money")
    figures = world.finance.api("GET", f"{case.path}/ledger")["figures"]
    assert (figures["paid"]["amount"], figures["outstanding"]["amount"]) == ("12000.00", "12000.00")
    events = [name.removeprefix("grants.award.") for name in world.events(case.reference) if "refund" in name]
    assert events == ["refund_demanded", "refund_received", "refund_dropped"]


@pytest.mark.english
def test_a_release_asks_for_the_password_again(world: World) -> None:
    """Five minutes after it a release waits for it, with what was typed; to machines it is a code; then it is done."""
    case = verified(Case(world).concluded())
    case.act(world.officer, "tranches/1/request")
    long_ago = int(world.clock().timestamp()) - 301
    world.finance.confirmed_at = long_ago
    refused = case.act(world.finance, "tranches/1/release", 403)
    assert refused["type"] == "urn:tamga:problem:step-up-required"
    assert "You will be asked for your password" in world.finance.page(f"{case.path}/money")
    fields = {"release": "true", "reason": "As agreed with them", "version": case.award()["version"]}
    page = world.finance.post(f"{case.path}/tranches/1/release", 403, **fields).text
    assert 'action="/confirm"' in page
    assert 'name="f.reason" value="As agreed with them"' in page
    assert f'name="to" value="/grants{case.path}/tranches/1/release"' in page
    world.finance.confirmed_at = long_ago + 2
    world.finance.post(f"{case.path}/tranches/1/release", **fields)
    world.finance.confirmed_at = 0
    assert case.award()["tranches"][0]["status"] == "released"


def test_row_09_a_stand_in_does_not_release_what_was_requested_by_whom_they_stand_for(world: World) -> None:
    """Finance requests, and lends the role: the stand-in is the same person for the release, another one is not."""
    case = verified(Case(world).concluded())
    case.act(world.finance, "tranches/1/request")
    today = world.clock().date().isoformat()
    span = {"first_day": today, "last_day": today, "role": "finance_officer"}
    world.finance.api("POST", "/delegations", 201, **span, delegate=world.officer_two.identity.user)
    refused = case.act(world.officer_two, "tranches/1/release", 403)
    assert refused["detail"] == word("grants", "You requested this tranche; another person must release it")
    assert case.award()["tranches"][0]["status"] == "requested"
    case.act(world.finance_two, "tranches/1/release")
    assert case.award()["tranches"][0]["status"] == "released"


@pytest.mark.english
def test_row_08_a_release_ahead_of_the_evidenced_match_is_refused_with_the_arithmetic(
    stand: Stand, tmp_path: Path
) -> None:
    """Own share of 6,080 on 16,000 is 38 %, less than 50 %: 3,840 are held, and 12,160 go when they are asked for."""
    world = World(stand.database("grants"), tmp_path)
    pack = read_pack()
    pack["payments"]["match_percent"] = "50"
    pack.pop("people")
    loaded = ProgrammeLoaded(programme_id=PROGRAMME, pack_version=2, sha256=canonical_hash(pack), pack=pack)
    world.hear(loaded, f"programme:{PROGRAMME}")
    case = verified(Case(world).concluded())
    with UnitOfWork(world.engine, "grants", Context(actor=system("grants")), clock=world.clock) as uow:
        award = awards(uow).get(case.reference)
        ledger.costs_accepted(uow, award, Money.of(0, "EUR"), "a report", Money.of(6080, "EUR"))
    case.act(world.officer, "tranches/1/request")
    refused = case.act(world.finance, "tranches/1/release", 409)["detail"].replace("\xa0", " ")
    assert "Evidenced match 38.0 % < 50 %: 3,840.00 EUR held" in refused
    assert case.award()["tranches"][0]["status"] == "requested"
    part = {"amount": "12160.01", "currency": "EUR"}
    case.act(world.finance, "tranches/1/release", 409, amount=part)
    done = case.act(world.finance, "tranches/1/release", amount=part | {"amount": "12160.00"})
    assert [item["amount"]["amount"] for item in done["tranches"]] == ["12160.00", "16000.00", "8000.00", "3840.00"]
