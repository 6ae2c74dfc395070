"""Pages of guarantees: forms that come back as typed, conflicts on the page, figures for each side, few queries."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from guarantee_world import AGREED, FUND, PDF, TERMS, asked, attach, fund, held, lent, opened, permitted, tape
from loans_world import World, call
from sqlalchemy import event

from shared.testing.stand import Stand
from shared.testing.web import Browser, person


@pytest.fixture
def world(stand: Stand, tmp_path: Path) -> World:
    return World(stand.database("loans"), tmp_path)


def form_of(**changed: Any) -> dict[str, Any]:
    """Return the form of a facility."""
    plain = {name: value for name, value in TERMS.items() if isinstance(value, str)}
    return plain | {"name-en": "Small", "rule-size": "micro, small", "banks": "bank-one", **changed}


def test_a_facility_by_its_form(world: World) -> None:
    """A wrong form comes back as typed with the rule at its field; a second person reads what differs and approves."""
    rade, sonja = fund(world, "rade"), fund(world, "sonja")
    assert rade.get("/loans/facilities").status_code == rade.get("/loans/facilities/new").status_code == 200
    wrong = rade.post("/loans/facilities/new", form_of(**{"single_max": "300000", "rule-size": "huge"}))
    assert (wrong.status_code, wrong.text.count('aria-invalid="true"')) == (422, 2)
    assert 'value="300000"' in wrong.text
    made = rade.post("/loans/facilities/new", form_of())
    assert made.status_code == 303
    address = made.headers["location"]
    version = str(call(rade, "GET", address.removeprefix("/loans"))["version"])
    assert f'action="{address}/approve"' not in rade.get(address).text
    assert f'action="{address}/approve"' in sonja.get(address).text
    assert sonja.post(f"{address}/approve", {"version": version}).status_code == 303
    assert sonja.post(f"{address}/approve", {"version": version}).status_code == 409
    version = str(call(rade, "GET", address.removeprefix("/loans"))["version"])
    changed = rade.post(f"{address}/edit", form_of(ceiling="300000", version=version, why="It has grown."))
    assert changed.status_code == 303, changed.text
    assert rade.post(f"{address}/edit", form_of(ceiling="310000", version=version)).status_code == 409
    assert '/loans/facilities"><b class="num">1</b>' in sonja.get("/loans/fragments/home").text
    page = sonja.get(address).text
    assert "<del>250000.00</del>" in page
    assert "<ins>300000.00</ins>" in page
    version = str(call(rade, "GET", address.removeprefix("/loans"))["version"])
    assert sonja.post(f"{address}/refuse", {"version": version, "why": ""}).status_code == 422
    assert sonja.post(f"{address}/refuse", {"version": version, "why": "No."}).status_code == 303
    assert world.bank_one.get(address).status_code == 200
    assert world.bank_one.get(f"{address}?as_of=x").status_code == 422
    assert world.bank_one.get(f"{address}/edit").status_code == 403
    closed = sonja.post(f"{address}/close", {"version": str(int(version) + 1), "why": "Done."})
    assert closed.status_code == 303


def test_consent_request_and_issue_by_forms(world: World) -> None:
    """The firm agrees on the loan's page, the bank asks there, the guarantor sees each rule and issues."""
    facility, loan = opened(world), lent(world, paid="40000")
    address = f"/loans/agreements/{loan}"
    assert f"{address}/guarantees" in world.msme.get(address).text
    assert f'action="{address}/guarantees"' not in world.bank_one.get(f"{address}/guarantees").text
    given = {name: AGREED[name] for name in ("guarantor", "purpose", "until", "text_version")} | {"language": "en"}
    wrong = world.msme.post(f"{address}/permissions", given | {"until": "2030-01-01", "blocks": ["owners"]})
    assert (wrong.status_code, 'value="2030-01-01"' in wrong.text) == (422, True)
    agreed = given | {"blocks": ["applicant", "request", "project"]}
    assert world.msme.post(f"{address}/permissions", agreed).status_code == 303
    assert world.msme.post(f"{address}/permissions", agreed).status_code == 409
    page = world.bank_one.get(f"{address}/guarantees").text
    assert f'value="{facility}"' in page
    refused = world.bank_one.post(f"{address}/guarantees", {"facility": facility, "coverage_percent": "61"})
    assert (refused.status_code, 'value="61"' in refused.text) == (422, True)
    made = world.bank_one.post(
        f"{address}/guarantees", {"facility": facility, "coverage_percent": "50", "note": "New."}
    )
    item = made.headers["location"]
    rade = fund(world, "rade")
    page = rade.get(item).text
    assert "Pelagonia Preserves" in page
    assert f'action="{item}/issue"' in page
    assert f'action="{item}/issue"' not in world.bank_one.get(item).text
    assert rade.post(f"{item}/decline", {"version": "1", "why": ""}).status_code == 422
    unsure = fund(world, "rade", confirmed=False).post(f"{item}/issue", {"version": "1"})
    assert (unsure.status_code, 'type="password"' in unsure.text) == (403, True)
    assert rade.post(f"{item}/issue", {"version": "1"}).status_code == 303
    assert rade.post(f"{item}/issue", {"version": "1"}).status_code == 409
    version = str(call(rade, "GET", item.removeprefix("/loans"))["version"])
    late = rade.post(f"{item}/dues/1", {"version": version, "on": "2026-03-03", "payment": "F-1"})
    assert (late.status_code, 'value="F-1"' in late.text) == (422, True)
    for browser in (world.msme, world.bank_one, rade, world.officer, world.auditor):
        assert browser.get(item).status_code == 200
        assert FUND not in browser.get(item).text.replace(f"{FUND}.example", "")
    for stranger in (world.bank_two, Browser(world.app, person("guarantor", "x", organisation="other-fund"))):
        assert stranger.get(item).status_code == 404
    for page_of in ("/loans/guarantees", "/loans/guarantees?stage=issued&q=Pelagonia", "/loans/facilities"):
        for browser in (world.bank_one, rade, world.officer):
            assert browser.get(page_of).status_code == 200
    assert rade.get("/loans/fragments/home").status_code == 200


def test_a_claim_by_forms(world: World) -> None:
    """The bank adds a document and claims, the guarantor pays and both see how a recovery is shared."""
    _, loan, guarantee = held(world)
    item = f"/loans/guarantees/{guarantee}"
    world.clock.forward(days=140)
    tape(world, loan, "2026-07-20")
    rade, sonja = fund(world, "rade"), fund(world, "sonja")

    def version() -> str:
        return str(call(rade, "GET", f"/guarantees/{guarantee}")["version"])

    file = {"file": ("demand.pdf", PDF, "application/pdf")}
    assert world.bank_one.post(f"{item}/documents", {"version": version()}, files=file).status_code == 303
    assert world.bank_one.post(f"{item}/documents", {"version": version()}, files=file).status_code == 409
    (document,) = call(world.bank_one, "GET", f"/guarantees/{guarantee}")["documents"]
    for browser, status in ((rade, 200), (world.bank_one, 200), (world.msme, 403), (world.bank_two, 404)):
        assert browser.get(f"{item}/documents/{document['sha256']}").status_code == status
    wrong = world.bank_one.post(f"{item}/claim", {"version": version(), "amount": "15000.01", "note": "Late."})
    assert (wrong.status_code, 'value="15000.01"' in wrong.text) == (422, True)
    claim = {"version": version(), "amount": "15000", "note": "No answer."}
    assert world.bank_one.post(f"{item}/claim", claim).status_code == 303
    assert rade.post(f"{item}/approve-claim", {"version": version()}).status_code == 303
    paid = {"version": version(), "on": "2026-07-20", "payment": "C-1"}
    assert rade.post(f"{item}/pay-claim", paid).status_code == 403
    assert sonja.post(f"{item}/pay-claim", paid | {"payment": ""}).status_code == 422
    assert sonja.post(f"{item}/pay-claim", paid).status_code == 303
    back = {"version": version(), "amount": "1000", "on": "2026-07-20", "reference": ""}
    assert world.bank_one.post(f"{item}/recoveries", back).status_code == 422
    assert world.bank_one.post(f"{item}/recoveries", back | {"reference": "R-1"}).status_code == 303
    assert sonja.post(f"{item}/claw-back", {"version": version()}).status_code == 409
    assert "R-1" in world.bank_one.get(item).text
    assert "C-1" not in world.msme.get(item).text
    assert sonja.post(f"{item}/close", {"version": version(), "why": ""}).status_code == 422
    assert sonja.post(f"{item}/close", {"version": version(), "why": "Gone."}).status_code == 303


def test_the_lists_ask_the_same_number_of_queries_however_many_rows(world: World) -> None:
    """Three guarantees cost no more queries than one: on the lists, and on the page of the facility."""
    facility = opened(world)
    rade = fund(world, "rade")
    count = [0]

    @event.listens_for(world.engine, "before_cursor_execute")
    def _count(*_: Any) -> None:
        count[0] += 1

    def queries(path: str) -> int:
        count[0] = 0
        assert rade.get(path).status_code == 200
        return count[0]

    pages = ("/loans/guarantees", "/loans/facilities", f"/loans/facilities/{facility}")
    found = []
    for _ in range(2):
        for _ in range(1 if not found else 2):
            loan = lent(world, paid="40000")
            permitted(world, loan)
            item = asked(world, facility, loan)["reference"]
            call(rade, "POST", f"/guarantees/{item}/issue")
        found.append([queries(path) for path in pages])
    assert found[0] == found[1]


def test_a_document_belongs_to_its_guarantee(world: World) -> None:
    """A file that is no document is refused at its field, and nothing is kept."""
    _, _, guarantee = held(world)
    attach(world, guarantee)
    version = str(call(fund(world, "rade"), "GET", f"/guarantees/{guarantee}")["version"])
    file = {"file": ("demand.pdf", b"MZ no document", "application/pdf")}
    answer = world.bank_one.post(f"/loans/guarantees/{guarantee}/documents", {"version": version}, files=file)
    assert answer.status_code == 422
    assert len(call(world.bank_one, "GET", f"/guarantees/{guarantee}")["documents"]) == 1
