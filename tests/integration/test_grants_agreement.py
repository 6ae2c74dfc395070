"""Agreements through the service: documents, versions, amendments, what closes a grant."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from grants_world import BUDGET, Case, World

from shared.testing.language import in_words, word
from shared.testing.stand import Stand


@pytest.fixture(scope="module")
def world(stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Give a grants service with people and a pack."""
    return World(stand.database("grants"), tmp_path_factory.mktemp("grants"))


@pytest.fixture
def case(world: World) -> Case:
    """Return a case with a concluded agreement over 40,000.00 EUR."""
    return Case(world).concluded()


def lines(experts: str, events: str) -> list[dict[str, Any]]:
    """Return the two budget lines with other amounts of the grant."""
    return [
        {**row, "grant": {"amount": amount, "currency": "EUR"}}
        for row, amount in zip(BUDGET, (experts, events), strict=True)
    ]


def ask(case: Case, who: str = "applicant", expect: int = 201, **changed: Any) -> Any:
    """Ask for an amendment as somebody who has just looked."""
    body = {"why": "Prices rose", "version": case.award()["version"]} | changed
    return case.world.people[who].api("POST", f"{case.path}/award/amendments", expect=expect, **body)


def decide(case: Case, amendment: dict[str, Any], who: str, expect: int = 200, **more: Any) -> Any:
    """Decide about an amendment."""
    body = {"approve": True, "note": "Seen", "version": amendment["version"]} | more
    return case.world.people[who].api("POST", f"/amendments/{amendment['id']}/decision", expect=expect, **body)


def test_the_accepted_document_is_kept_by_its_hash(world: World) -> None:
    """The PDF is what its hash says, a new offer voids the signature on the former, both versions stay readable."""
    case = Case(world).approved()
    first = case.offer()
    stale = {"agreement_version": 1, "sha256": "0" * 64}
    world.applicant.api("POST", f"{case.path}/award/acceptance", expect=409, **stale)
    world.applicant.api("POST", f"{case.path}/award/acceptance", agreement_version=1, sha256=first["sha256"])
    case.move(world.officer, "revise-agreement", reason="Another split")
    second = case.offer(amounts=("20000", "20000"))
    assert (second["agreement_version"], second["signatures"]) == (2, {})
    versions = world.applicant.api("GET", f"{case.path}/award/versions")
    assert [item["sha256"] for item in versions] == [first["sha256"], second["sha256"]]
    assert {item["of"] for item in versions[1]["changes"]} == {"1", "2", "3"}
    answer = world.applicant.request("GET", f"/api{case.path}/award/versions/1/document")
    assert hashlib.sha256(answer.content).hexdigest() == first["sha256"]
    assert b"agreement.json" in answer.content
    world.lead_firm.api("GET", f"{case.path}/award/versions", expect=404)


def test_row_15_an_amendment_goes_by_its_class(case: Case) -> None:
    """19.8 % is the officer's; 0.5 % more is of the other class, the manager's, and both sides accept its document."""
    small = ask(case, lines=lines("20080", "19920"))
    assert (small["verdict"]["class"], small["verdict"]["percent"]) == ("budget_minor", "19.80")
    decide(case, small, "applicant", expect=403)
    decided = decide(case, small, "officer")
    assert (decided["status"], case.award()["agreement_version"]) == ("in_force", 2)
    more = ask(case, "officer", lines=lines("19880", "20120"))
    assert (more["verdict"]["class"], more["verdict"]["percent_before"], more["verdict"]["percent"]) == (
        "budget_major",
        "19.80",
        "20.30",
    )
    decide(case, more, "officer", expect=403)
    approved = decide(case, more, "manager")
    assert (approved["status"], case.award()["agreement_version"]) == ("approved", 2)
    path = f"/amendments/{more['id']}/acceptance"
    for who in ("applicant", "manager"):
        seen = case.world.officer.api("GET", f"{case.path}/award/amendments")[-1]
        body = {"version": seen["version"], "sha256": approved["sha256"]}
        case.world.people[who].api("POST", path, expect=409, **body | {"sha256": "0" * 64})
        done = case.world.people[who].api("POST", path, **body)
    assert (done["status"], case.award()["agreement_version"], case.award()["sha256"]) == (
        "in_force",
        3,
        approved["sha256"],
    )


def test_an_amendment_of_a_former_version_is_refused(case: Case) -> None:
    """Two are asked for; once one is in force, the other names the version it was drawn against."""
    one = ask(case, administration="New address")
    other = ask(case, administration="Another address")
    decide(case, one, "officer")
    refused = decide(case, other, "officer", expect=409)
    said = "Amendment %(number)s changes version %(based)s, but version %(now)s is in force: ask for it anew"
    assert refused["detail"] == word("grants", said, number=2, based=1, now=2)


def test_what_is_asked_for_payment_cannot_be_amended_away(case: Case) -> None:
    """A requested tranche keeps its amount; the refusal names it."""
    case.act(case.world.finance, "tranches/1/request")
    plan = [
        {"number": n, "title": f"Milestone {n}", "due": "2026-09-01", "amount": {"amount": amount, "currency": "EUR"}}
        for n, amount in ((1, "15000"), (2, "17000"), (3, "8000"))
    ]
    refused = ask(case, expect=409, milestones=plan)
    assert in_words("16000") in refused["detail"]


def test_a_partly_released_tranche_survives_an_amendment(case: Case) -> None:
    """What was let go and what is kept of it stay under their milestone; a new milestone has a tranche of its own."""
    world, document = case.world, case.attach("other", b"%PDF-1.7\n% split\n%%EOF\n")
    case.act(world.applicant, "milestones/1/evidence", document=document["id"])
    case.act(world.officer, "milestones/1/verification", good=True, note="Seen")
    case.act(world.finance, "tranches/1/request")
    part = {"amount": {"amount": "10000", "currency": "EUR"}, "reason": "The rest later"}
    case.act(world.finance_two, "tranches/1/release", **part)
    assert case.reference in world.officer.page(f"/applications/{case.reference}")
    numbers = ((1, "16000"), (2, "16000"), (3, "3000"), (None, "5000"))
    plan = [
        {"number": n, "title": f"Milestone {n or 4}", "due": "2026-09-01", "amount": {"amount": it, "currency": "EUR"}}
        for n, it in numbers
    ]
    asked = ask(case, milestones=plan)
    done = decide(case, asked, "manager")
    for who in ("applicant", "manager"):
        body = {"version": done["version"], "sha256": done["sha256"]}
        done = world.people[who].api("POST", f"/amendments/{done['id']}/acceptance", **body)
    found = [(it["number"], it["of"], it["amount"]["amount"], it["status"]) for it in case.award()["tranches"]]
    assert found == [
        (1, None, "10000.00", "released"),
        (2, None, "16000.00", "planned"),
        (3, None, "3000.00", "planned"),
        (4, 1, "6000.00", "planned"),
        (5, 4, "5000.00", "planned"),
    ]
    assert "Milestone 4" in world.officer.page(f"/applications/{case.reference}/money")


@pytest.mark.english
def test_the_amendment_form_says_the_class_before_it_is_sent(case: Case) -> None:
    """The officer sees figures and approvers first; then the recipient finds it on the page, and a wrong sum stays."""
    world, path = case.world, f"/applications/{case.reference}/agreement"
    fields = {"version": str(case.award()["version"]), "why": "Prices rose", "conditions": "Report by quarter"}
    for n, amount in enumerate(("16000", "16000", "8000")):
        fields |= {f"m.{n}.number": str(n + 1), f"m.{n}.title": f"Milestone {n + 1}", f"m.{n}.due": "2026-09-01"}
        fields |= {f"m.{n}.amount": amount}
    rows = (("experts", "Trainers", "28000", "6000"), ("events", "Courses", "12000", "2000"))
    for n, row in enumerate(rows):
        fields |= dict(zip((f"l.{n}.line", f"l.{n}.note", f"l.{n}.grant", f"l.{n}.own"), row, strict=True))
    moved = fields | {"l.0.grant": "18000", "l.1.grant": "22000"}
    shown = world.officer.post(f"{path}/amendment", 200, check="1", **moved).text
    assert "Budget change above the limit" in shown
    assert "25 %" in shown
    wrong = world.officer.post(f"{path}/amendment", 422, **(moved | {"l.0.grant": "1"})).text
    assert "but the grant is" in wrong
    world.officer.post(f"{path}/amendment", **moved)
    assert "Prices rose" in world.applicant.page(path)
