"""A loan from the first word of the proposal to the confirmed disbursement, over HTTP and a real database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from loans_world import ALL_BLOCKS, OFFER, PLAN, World, attach, call, drafted, offered, refer, submitted

from services.loans.handlers import TIMERS
from services.loans.handlers.referrals import escalate_overdue
from shared.testing.language import in_words
from shared.testing.stand import Stand

# Everything a bank ever gets of a referral. Whatever is added here must be looked at with the applicant's eyes.
REFERRAL_MEMBERS = {
    *("reference", "version", "proposal", "stage", "organisation", "organisation_name", "bank", "bank_name", "title"),
    *("amount", "term_months", "submitted_at", "received_at", "due", "possible", "consent", "questions"),
    *("product", "product_number", "again_of", "group"),
    *("decline_reasons", "decline_note", "offer", "earlier", "counters", "loan", "fields"),
}


@pytest.fixture
def world(stand: Stand, tmp_path: Path) -> World:
    return World(stand.database("loans"), tmp_path)


def test_the_whole_story(world: World) -> None:
    """Two banks are asked, one declines, one offers; the MSME accepts, is paid, confirms; every act is an event."""
    reference = submitted(world)
    first = refer(world, reference, "bank-one")["reference"]
    second = refer(world, reference, "bank-two")["reference"]
    third = refer(world, reference, "mfi-one")["reference"]
    call(world.bank_one, "POST", f"/referrals/{first}/receipt")
    declined = call(world.bank_one, "POST", f"/referrals/{first}/decline", reasons=["cash_flow"], note="Thin.")
    assert (declined["stage"], declined["decline_reasons"]) == ("declined", ["cash_flow"])
    call(world.bank_two, "POST", f"/referrals/{second}/receipt")
    asked = call(world.bank_two, "POST", f"/referrals/{second}/question", text="Which buyers?")
    assert (asked["stage"], asked["due"]) == ("info_requested", None)
    call(world.msme, "POST", f"/referrals/{second}/answer", text="Two chains.")
    made = call(world.bank_two, "POST", f"/referrals/{second}/offer", 201, **OFFER)
    assert made["offer"]["rate"] == "0.12"
    assert float(made["offer"]["effective_rate"]) > 0.14
    loan = call(world.msme, "POST", f"/referrals/{second}/acceptance", 201)
    assert loan["amount"] == {"amount": "40000.00", "currency": "EUR"}
    assert call(world.msme, "GET", f"/referrals/{third}")["stage"] == "closed"
    path = f"/loans/{loan['reference']}"
    call(world.bank_two, "POST", f"{path}/disbursements", 201, amount="15000", on="2026-03-02")
    refused = call(world.bank_two, "POST", f"{path}/disbursements", 409, amount="25000.01", on="2026-03-02")
    assert in_words("25000") in refused["detail"]
    call(world.bank_two, "POST", f"{path}/disbursements", 201, amount="25000", on="2026-03-02")
    call(world.msme, "POST", f"{path}/disbursements/1/confirmation")
    final = call(world.msme, "POST", f"{path}/disbursements/2/confirmation")
    assert final["confirmed"] == final["disbursed"] == final["amount"]
    assert call(world.bank_two, "GET", f"/referrals/{second}")["stage"] == "disbursed"
    acts = [event for event in world.events(reference) if not event.startswith("loans.record.")]
    assert acts[-2:] == ["loans.loan.disbursement_confirmed"] * 2
    assert acts.count("loans.loan.disbursement_reported") == acts.count("loans.referral.disbursed") == 2
    assert acts.count("loans.loan.agreed") == acts.count("loans.referral.closed") == 1


def test_not_ready_says_why(world: World) -> None:
    """A proposal with unequal sources and uses and no own money can't be submitted; each reason names its figures."""
    funding = {"loan": "40000", "uses": [{"item": "Press", "amount": "41000"}]}
    reference = drafted(world, funding=funding)
    problem = call(world.msme, "POST", f"/proposals/{reference}/submission", 409)
    why = {item["code"]: item["why"] for item in problem["todos"]}
    assert "differ by 1000.00" in why["balance"]
    assert set(why) == {"balance", "own-share"}
    assert call(world.msme, "GET", f"/proposals/{reference}")["stage"] == "draft"


def test_an_expired_document_blocks(world: World) -> None:
    """A document whose day has passed makes the proposal not ready, and says which one."""
    reference = drafted(world)
    attach(world.msme, reference, "tax_clearance", expires="2026-03-01")
    found = call(world.msme, "GET", f"/proposals/{reference}/readiness")
    must = [(item["code"], item["why"]) for item in found["todos"] if item["blocking"]]
    assert must == [("documents", "Expired: tax_clearance.pdf")]


def test_a_bank_sees_what_was_consented_and_nothing_else(world: World) -> None:
    """The bank's answer holds exactly these members, and only the consented blocks and fields inside `fields`."""
    reference = submitted(world)
    chosen = ["applicant", "request", "ratios.dscr", "funding.loan"]
    referral = refer(world, reference, "bank-one", fields=chosen)["reference"]
    seen = call(world.bank_one, "GET", f"/referrals/{referral}")
    assert set(seen) == REFERRAL_MEMBERS
    assert (seen["again_of"], seen["group"]) == (None, None)
    assert {block: sorted(fields) for block, fields in seen["fields"].items()} == {
        "applicant": sorted(PLAN["applicant"]),
        "request": sorted([*PLAN["request"], "grace_principal_months", "instrument"]),
        "funding": ["loan"],
        "ratios": ["dscr"],
    }
    page = world.bank_one.get(f"/loans/referrals/{referral}").text
    assert "Stojanova" not in page
    assert "Glass jars" not in page
    assert "loans.record.viewed" in world.events(reference)


def test_what_was_seen_stays_the_locked_version(world: World) -> None:
    """Changes after a referral do not reach the bank that has the earlier version."""
    reference = submitted(world)
    referral = refer(world, reference, "bank-one")["reference"]
    call(world.msme, "POST", f"/proposals/{reference}/reopening")
    call(world.msme, "PUT", f"/proposals/{reference}/sections/project", data={"description": "Something else"})
    seen = call(world.bank_one, "GET", f"/referrals/{referral}")
    assert seen["fields"]["project"]["description"] == "A press line for ajvar."


def test_a_consent_can_be_revoked_until_the_bank_has_it(world: World) -> None:
    """Revoked before receipt the bank finds nothing; after receipt revoking is refused with what is possible."""
    reference = submitted(world)
    referral = refer(world, reference, "bank-one")["reference"]
    call(world.msme, "POST", f"/referrals/{referral}/revocation")
    call(world.bank_one, "GET", f"/referrals/{referral}", 404)
    again = refer(world, reference, "bank-one")["reference"]
    call(world.bank_one, "POST", f"/referrals/{again}/receipt")
    problem = call(world.msme, "POST", f"/referrals/{again}/revocation", 409)
    assert "withdraw" in problem["legal"]


def test_the_clock_stands_still_while_the_bank_waits(world: World) -> None:
    """Five working days, two used before the question; three are left however long the answer takes."""
    reference = submitted(world)
    referral = refer(world, reference, "bank-one")
    assert referral["due"] == "2026-03-09"  # Monday 2 March and five working days
    path = f"/referrals/{referral['reference']}"
    call(world.bank_one, "POST", f"{path}/receipt")
    world.clock.forward(days=2)
    call(world.bank_one, "POST", f"{path}/question", text="Which buyers?")
    world.clock.forward(days=12)
    answered = call(world.msme, "POST", f"{path}/answer", text="Two chains.")
    assert answered["due"] == "2026-03-19"  # Monday 16 March and three working days


def test_two_offers_accepted_at_once(world: World) -> None:
    """Of two offers accepted in the same moment exactly one becomes a loan, and the other referral is closed."""
    reference = submitted(world)
    ids = [
        offered(world, reference, "bank-one", world.bank_one),
        offered(world, reference, "bank-two", world.bank_two),
    ]

    def accept(referral: str) -> int:
        return world.msme.json("POST", f"/loans/api/referrals/{referral}/acceptance", {}).status_code

    with ThreadPoolExecutor(2) as pool:
        answers = sorted(pool.map(accept, ids))
    assert answers == [201, 409]
    stages = sorted(call(world.msme, "GET", f"/referrals/{item}")["stage"] for item in ids)
    assert stages == ["accepted", "closed"]
    assert world.events(reference).count("loans.loan.agreed") == 1


def test_an_offer_ends_on_its_last_day(world: World) -> None:
    """After its last day an offer can't be accepted, and the timer ends it."""
    reference = submitted(world)
    referral = offered(world, reference, "bank-one", world.bank_one, valid_until="2026-03-05")
    world.clock.forward(days=4)
    call(world.msme, "POST", f"/referrals/{referral}/acceptance", 409)
    with world.uow() as uow:
        assert TIMERS[0][1](uow) == 1
    assert call(world.msme, "GET", f"/referrals/{referral}")["stage"] == "expired"


INEXACT: list[tuple[dict[str, object], str]] = [
    ({"fields": ["ratios"]}, "fields"),
    ({"fields": [*ALL_BLOCKS, "salaries"]}, "fields"),
    ({"until": "2027-06-01"}, "until"),
    ({"until": "2026-03-01"}, "until"),
    ({"purpose": "marketing"}, "purpose"),
    ({"text_version": "0"}, "text_version"),
    ({"bank": "lead-firm"}, "bank"),
    ({"language": "xx"}, "language"),
]


def test_a_consent_must_be_exact(world: World) -> None:
    """A consent for unknown fields, another purpose, an old text, too long or nobody is refused by name."""
    reference = submitted(world)
    for change, field in INEXACT:
        problem = refer(world, reference, "bank-one", 422, **change)
        assert [item["field"] for item in problem["errors"]] == [field]


IMPOSSIBLE: list[tuple[dict[str, object], str]] = [
    ({"amount": "40000.01"}, "amount"),
    ({"amount": "0"}, "amount"),
    ({"amount": "1.005"}, "amount"),
    ({"amount": "1e400"}, "amount"),
    ({"fee": "40000"}, "fee"),
    ({"rate_percent": "101"}, "rate_percent"),
    ({"term_months": 0}, "term_months"),
    ({"valid_until": "2026-03-01"}, "valid_until"),
    ({"surprise": "x"}, "surprise"),
]


def test_an_offer_that_can_not_be_made(world: World) -> None:
    """Wrong terms are refused by the field's name and leave the referral where it was."""
    reference = submitted(world)
    referral = refer(world, reference, "bank-one")["reference"]
    call(world.bank_one, "POST", f"/referrals/{referral}/receipt")
    for change, field in IMPOSSIBLE:
        problem = call(world.bank_one, "POST", f"/referrals/{referral}/offer", 422, **(OFFER | change))
        assert problem["errors"][0]["field"] == field
    assert call(world.bank_one, "GET", f"/referrals/{referral}")["stage"] == "received"


def test_declining_needs_a_reason_of_the_programme(world: World) -> None:
    """No reason and an invented reason are refused; a bank can't decline what it has not acknowledged."""
    referral = refer(world, submitted(world), "bank-one")["reference"]
    problem = call(world.bank_one, "POST", f"/referrals/{referral}/decline", 409, reasons=["sector"])
    assert problem["legal"] == ["acknowledge", "withdraw", "revoke", "close"]
    call(world.bank_one, "POST", f"/referrals/{referral}/receipt")
    call(world.bank_one, "POST", f"/referrals/{referral}/decline", 422, reasons=[])
    call(world.bank_one, "POST", f"/referrals/{referral}/decline", 422, reasons=["mood"])


def test_a_stale_page_is_told_who_changed_what(world: World) -> None:
    """Saving from an older version is refused and names who was faster."""
    reference = drafted(world)
    problem = call(world.msme, "PUT", f"/proposals/{reference}/sections/project", 409, data={}, version=1)
    assert problem["type"].endswith("stale-version")
    assert problem["changed_by"] == "Vera Stojanova"
    assert "ajvar" not in str(problem)


def test_a_bank_that_is_late_is_told_and_sees_it_first(world: World) -> None:
    """The inbox stands by due day, the late one is counted and escalated once; while the bank asks, nothing is late."""
    reference = submitted(world)
    late = refer(world, reference, "bank-one")["reference"]
    waiting = refer(world, submitted(world), "bank-one")["reference"]
    call(world.bank_one, "POST", f"/referrals/{waiting}/receipt")
    call(world.bank_one, "POST", f"/referrals/{waiting}/question", text="Which buyers?")
    world.clock.forward(days=10)
    for expected in (1, 0):
        with world.uow() as uow:
            assert escalate_overdue(uow) == expected
    assert world.events(reference).count("loans.referral.overdue") == 1
    for folder in ("turn", "overdue"):
        items = call(world.bank_one, "GET", f"/referrals?folder={folder}")["items"]
        assert [item["reference"] for item in items] == [late]
    assert late in world.bank_one.get("/loans/referrals?folder=overdue").text
    assert call(world.bank_two, "GET", "/referrals?folder=overdue")["items"] == []
