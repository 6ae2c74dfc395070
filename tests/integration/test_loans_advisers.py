"""An adviser reads what the firm lets it, until the firm ends it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from loans_world import World, call, submitted

from shared.testing.stand import Stand

CONTACT = {"on": "2026-02-27", "how": "visit", "note": "The cash plan is missing."}
STEP = {"text": "Bring the cash plan", "side": "firm", "due": "2026-03-10"}
ADVISER, END = "chamber-of-crafts", "/firms/msme/advisers/chamber-of-crafts/end"


@pytest.fixture
def world(stand: Stand, tmp_path: Path) -> World:
    return World(stand.database("loans"), tmp_path)


def readable(reference: str) -> tuple[str, ...]:
    """Return the addresses under which an adviser reads of a firm, data interface and pages."""
    pages = ("firms/msme", "firms/msme/people", "firms/msme/enter/staff", "cases/msme", f"proposals/{reference}/looks")
    machines = ("firms/msme", "cases/msme", f"proposals/{reference}/looks")
    return (*(f"/loans/{path}" for path in pages), *(f"/loans/api/{path}" for path in machines))


def test_from_the_end_on_an_adviser_reads_nothing(world: World) -> None:
    """Every page and address that answered is not found any more, the case leaves its list, and nothing is entered."""
    reference = submitted(world)
    call(world.applicant, "POST", "/cases/msme/contacts", 201, **CONTACT, step=STEP, version=0)
    assert [world.applicant.get(path).status_code for path in readable(reference)] == [200] * 8
    [adviser] = call(world.msme, "GET", "/firms/msme/advisers")
    assert (adviser["organisation"], adviser["proposals"]) == (ADVISER, 1)
    assert STEP["text"] in world.msme.get("/loans/firms/msme").text
    assert call(world.msme, "POST", END) == [reference]
    assert [world.applicant.get(path).status_code for path in readable(reference)] == [404] * 8
    assert call(world.applicant, "GET", "/cases")["items"] == []
    call(world.applicant, "POST", "/cases/msme/contacts", 404, **CONTACT, version=1)
    call(world.applicant, "POST", "/cases/msme/step/done", 404, version=1)
    assert call(world.msme, "GET", "/firms/msme/advisers") == []
    assert STEP["text"] not in world.msme.get("/loans/firms/msme").text
    assert "loans.proposal.support_ended" in world.events(reference)
    assert call(world.msme, "GET", f"/proposals/{reference}")["stage"] == "locked"


def test_only_the_firm_ends_it_and_once(world: World) -> None:
    """Adviser and office can't; a stranger is not found; of two who end it at once one is told; a new choice counts."""
    submitted(world)
    call(world.applicant, "POST", END, 404)
    call(world.applicant, "GET", "/firms/msme/advisers", 404)
    call(world.officer, "POST", END, 403)
    call(world.msme, "POST", "/firms/msme/advisers/nobody/end", 409)
    call(world.msme, "POST", f"/firms/msme/advisers/{'x' * 500}/end", 409)
    with ThreadPoolExecutor(2) as both:
        answers = list(both.map(lambda _: world.msme.json("POST", f"/loans/api{END}").status_code, range(2)))
    assert sorted(answers) == [200, 409]
    call(world.msme, "POST", "/proposals", 201, supporter=ADVISER, title="Another one")
    assert [item["proposals"] for item in call(world.officer, "GET", "/firms/msme/advisers")] == [1]
    assert world.applicant.get("/loans/firms/msme").status_code == 200


def test_the_page_ends_it(world: World) -> None:
    """The firm's page names its advisers and ends one; the adviser's own page does not speak of others."""
    submitted(world)
    assert f"{END}" in world.msme.get("/loans/firms/msme").text
    assert "/advisers/" not in world.applicant.get("/loans/firms/msme").text
    done = world.msme.post(f"/loans{END}", {})
    assert (done.status_code, done.headers["location"]) == (303, "/loans/firms/msme#advisers")
    assert f"{END}" not in world.msme.get("/loans/firms/msme").text
    assert world.msme.post(f"/loans{END}", {}).status_code == 409
