"""The end of a grant: closed by its checklist, terminated with its money settled, opened again."""

from __future__ import annotations

from typing import Any

import pytest
from grants_world import PDF, Case, World, counted
from sqlalchemy import text

from services.grants.handlers import ledger
from services.grants.storage.tables import awards
from shared.database import Context, UnitOfWork, system
from shared.money import Money
from shared.testing.stand import Stand


@pytest.fixture(scope="module")
def world(stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Give a grants service with people and a pack."""
    return World(stand.database("grants"), tmp_path_factory.mktemp("grants"))


def accept_costs(world: World, case: Case, amount: str) -> None:
    """Accept costs as a report does."""
    context = Context(actor=system("grants"))
    with UnitOfWork(world.engine, "grants", context, clock=world.clock) as uow:
        ledger.costs_accepted(uow, awards(uow).get(case.reference), Money.of(amount, "EUR"), "R1")


def paid(case: Case, *numbers: int) -> None:
    """Bring tranches to their payment."""
    world = case.world
    document = case.attach("other", PDF + case.reference.encode())
    for number in numbers:
        case.act(world.applicant, f"milestones/{number}/evidence", document=document["id"])
        case.act(world.officer, f"milestones/{number}/verification", good=True, note="Seen")
        case.act(world.officer, f"tranches/{number}/request")
        case.act(world.finance, f"tranches/{number}/release")
        reference = f"TR-{case.reference}-{number}"
        case.act(world.finance_two, f"tranches/{number}/payment", payment_reference=reference, paid_on="2026-03-02")


def figures(world: World, case: Case) -> dict[str, str]:
    """Return the figures of a case's ledger."""
    seen = world.finance.api("GET", f"{case.path}/ledger")["figures"]
    return {name: value["amount"] for name, value in seen.items()}


def points(world: World, case: Case) -> dict[str, Any]:
    """Return the checklist by its points."""
    return {item["item"]: item for item in world.officer.api("GET", f"{case.path}/closeout")["items"]}


@pytest.mark.english
def test_closing_waits_for_everything_and_nothing_moves_after_it(world: World) -> None:
    """Closing names what is missing with figures and gives the rest back; a closed grant moves only when reopened."""
    case = Case(world).concluded()
    path = f"{case.path}/closeout"
    paid(case, 1)
    accept_costs(world, case, "10000")
    refused = str(case.move(world.officer, "close", 409, comment="All done"))
    assert "16,000.00 EUR paid − 10,000.00 EUR of costs accepted" in refused
    assert "1 of 3 milestones are verified" in refused
    assert "Assets are disposed of" in refused
    with counted(world) as few:
        page = world.officer.page(path)
    assert "Money is reconciled" in page
    assert len(few) < 25
    world.applicant.page(path, 403)
    no_answer_without_a_ground(world, f"{path}/assets", path)
    accept_costs(world, case, "6000")
    for number in (2, 3):
        document = case.attach("other", PDF + str(number).encode())
        case.act(world.applicant, f"milestones/{number}/evidence", document=document["id"])
        case.act(world.officer, f"milestones/{number}/verification", good=True, note="Seen")
    assert [name for name, item in points(world, case).items() if not item["done"]] == ["reports"]
    with world.engine.begin() as connection:
        connection.execute(
            text("UPDATE report SET status = 'accepted' WHERE application = :id"), {"id": case.reference}
        )
    case.move(world.officer, "close", comment="All done")
    assert figures(world, case)["committed"] == "16000.00"
    for what, body in (("tranches/2/request", {}), ("tranches/1/reversal", {"how": "mistaken", "why": "x"})):
        case.act(world.finance, what, 409, **body)
    case.move(world.manager, "reopen", reason="An invoice was found")
    assert figures(world, case)["committed"] == "40000.00"
    assert not points(world, case)["assets"]["done"]
    told = world.events(case.reference)
    assert {"grants.award.settled", "grants.award.reopened", "grants.closeout.voided"} <= {*told}


def no_answer_without_a_ground(world: World, path: str, base: str) -> None:
    """Without a note, of what facts prove, from an older page or by the recipient no answer is taken."""
    world.officer.api("POST", path, 422, answer="done", note="", version=0)
    world.officer.api("POST", f"{base}/money", 422, answer="done", note="Trust me", version=0)
    world.officer.api("POST", f"{base}/none", 422, answer="done", note="x", version=0)
    world.applicant.api("POST", path, 403, answer="done", note="Ours", version=0)
    world.officer.api("POST", path, answer="done", note="List of 3 machines", version=0)
    world.manager.api("POST", path, 409, answer="open", note="No list", version=0)
    form = {"answer": "done", "note": " ", "version": "1"}
    assert "say what you looked at" in world.officer.post(f"{base}/audit", 422, **form).text
    world.officer.post(f"{base}/audit", answer="not_applicable", note="Below the limit", version="1")


def test_termination_demands_what_is_not_accounted_for(world: World) -> None:
    """16,000 paid and 10,000 accepted: 6,000 are demanded back, the rest of the commitment is the fund's again."""
    case = Case(world).concluded()
    paid(case, 1)
    accept_costs(world, case, "10000")
    due = world.officer.api("GET", f"{case.path}/closeout")["if_it_ended_now"]
    assert (due["refund_due"]["amount"], due["given_back"]["amount"]) == ("6000.00", "24000.00")
    case.move(world.manager, "terminate", reason="The agreement was broken")
    assert figures(world, case)["refund_due"] == "6000.00"
    assert figures(world, case)["left"] == "0.00"
    [refund] = case.award()["refunds"]
    assert (refund["amount"]["amount"], refund["due"]) == ("6000.00", "2026-04-01")
    assert "grants.award.settled" in world.events(case.reference)


def test_termination_pays_what_is_due_to_the_recipient(world: World) -> None:
    """A payment on its way is withdrawn first; what is due waits as a tranche that finance releases after the end."""
    case = Case(world).concluded()
    accept_costs(world, case, "5000")
    document = case.attach("other", PDF + b"on its way")
    case.act(world.applicant, "milestones/1/evidence", document=document["id"])
    case.act(world.officer, "milestones/1/verification", good=True, note="Seen")
    case.act(world.officer, "tranches/1/request")
    case.act(world.finance, "tranches/1/release")
    refused = case.move(world.manager, "terminate", 409, reason="Broken")
    assert "Released and not paid: tranches 1, 16,000.00 EUR" in str(refused)
    case.act(world.finance, "tranches/1/release", release=False, reason="It ends", code="other")
    case.move(world.manager, "terminate", reason="The recipient asked")
    assert figures(world, case)["left"] == "5000.00"
    owed = case.award()["tranches"][-1]
    assert (owed["settles"], owed["amount"]["amount"], owed["status"]) == (True, "5000.00", "requested")
    number = owed["number"]
    case.act(world.finance, "tranches/1/release", 409)
    case.act(world.finance, f"tranches/{number}/release")
    case.act(world.finance_two, f"tranches/{number}/payment", payment_reference="TR-S", paid_on="2026-03-02")
    assert figures(world, case)["due_to_grantee"] == "0.00"
    assert figures(world, case)["paid"] == "5000.00"
