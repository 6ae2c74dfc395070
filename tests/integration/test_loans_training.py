"""Courses from the plan to readiness, attendance out of a file, the test; diagnostics over time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from loans_world import World, call, drafted
from sqlalchemy import event

from shared.testing.stand import Stand

COURSE = {"course": "financial-literacy", "starts": "2026-02-02", "ends": "2026-02-20", "place": "Bitola"}
RIGHT = {"profit-and-cash": "falls", "flat-rate": "flat", "cover": "short", "break-even": "c75", "own-share": "risk"}
QUESTIONS = ("plan", "roles", "books", "cash-plan", "private", "buyers", "price", "quality", "equipment")
LEVELS = {name: {"level": 2} for name in (*QUESTIONS, "contracts", "training")}


@pytest.fixture
def world(stand: Stand, tmp_path: Path) -> World:
    return World(stand.database("loans"), tmp_path)


def enrolled(world: World) -> str:
    """Return a course that the chamber holds, with the firm's owner enrolled."""
    reference: str = call(world.applicant, "POST", "/courses", 201, **COURSE)["reference"]
    known = call(world.msme, "GET", "/firms/msme/people")
    if not known:
        known = [call(world.msme, "POST", "/firms/msme/people", 201, name="Vera Stojanova", role="owner")]
    person = known[0]["number"]
    call(world.msme, "POST", f"/courses/{reference}/seats", 201, firm="msme", person=person)
    return reference


def literacy(world: World, proposal: str) -> str | None:
    """Return what is still to do for the rule on training."""
    todos = call(world.msme, "GET", f"/proposals/{proposal}/readiness")["todos"]
    return next((item["why"] for item in todos if item["code"] == "financial-literacy"), None)


def test_training_counts_towards_readiness_at_once(world: World) -> None:
    """Hours, then the test: each is seen in the to-do list as soon as it is recorded, and the rule is met."""
    proposal, reference = drafted(world), enrolled(world)
    assert "0 so far" in (literacy(world, proposal) or "")
    assert call(world.msme, "GET", f"/proposals/{proposal}/readiness")["ready"] is True
    lines = [{"firm": "msme", "person": 1, "hours": "12"}]
    call(world.applicant, "PUT", f"/courses/{reference}/attendance", lines=lines)
    assert "the test is not passed yet" in (literacy(world, proposal) or "")
    wrong = RIGHT | {"cover": "spare", "flat-rate": "equal", "own-share": "tax"}
    call(world.msme, "POST", f"/courses/{reference}/tests/1", answers=wrong)
    assert literacy(world, proposal) is not None
    found = call(world.msme, "POST", f"/courses/{reference}/tests/1", answers=RIGHT)
    assert (found["seats"][0]["percent"], found["seats"][0]["attempts"]) == ("100.00", 2)
    assert literacy(world, proposal) is None
    done = call(world.msme, "GET", f"/proposals/{proposal}/readiness")["done"]
    assert "financial-literacy" in done
    closed = call(world.applicant, "POST", f"/courses/{reference}/closing")
    assert closed["seats"][0]["certificate"] == f"{reference}-01"
    assert closed["seats"][0]["valid_until"] == "2028-03-02"
    call(world.applicant, "POST", f"/courses/{reference}/closing", 409)
    call(world.msme, "POST", f"/courses/{reference}/tests/1", 409, answers=RIGHT)
    assert [name for name in world.events(reference) if "attempt" not in name] == [
        f"loans.training.{verb}" for verb in ("planned", "enrolled", "attended", "tested", "tested", "closed")
    ]


def test_who_may_do_what_of_a_course(world: World) -> None:
    """A firm holds no courses and keeps no list; banks see none of it; another firm's people stay unseen."""
    reference = enrolled(world)
    call(world.msme, "POST", "/courses", 403, **COURSE)
    call(world.bank_one, "GET", "/courses", 403)
    lines = [{"firm": "msme", "person": 1, "hours": "1"}]
    call(world.msme, "PUT", f"/courses/{reference}/attendance", 404, lines=lines)
    call(world.msme, "POST", f"/courses/{reference}/closing", 404)
    seen = call(world.lead_firm, "GET", f"/courses/{reference}")
    assert (seen["people"], seen["seats"]) == (1, [])
    call(world.lead_firm, "POST", f"/courses/{reference}/seats", 404, firm="msme", person=1)
    call(world.applicant, "POST", f"/courses/{reference}/tests/1", 404, answers=RIGHT)
    assert call(world.officer, "GET", f"/courses/{reference}")["seats"][0]["name"] == "Vera Stojanova"
    call(world.officer, "POST", "/courses", 422, **(COURSE | {"course": "dancing"}))
    call(world.officer, "POST", "/courses", 422, **(COURSE | {"ends": "2026-01-01"}))
    call(world.msme, "POST", f"/courses/{reference}/seats", 409, firm="msme", person=1)
    call(world.msme, "POST", f"/courses/{reference}/seats", 404, firm="msme", person=7)
    call(world.officer, "PUT", f"/courses/{reference}/attendance", 409, lines=lines, version=99)
    call(world.officer, "PUT", f"/courses/{reference}/attendance", 422, lines=[lines[0] | {"hours": "13"}])
    call(world.officer, "POST", f"/courses/{reference}/cancellation", why="No room")
    call(world.officer, "PUT", f"/courses/{reference}/attendance", 409, lines=lines)


def test_a_name_is_erased_in_its_one_place(world: World) -> None:
    """No event ever carries it, and after the erasure no page and no table does; the hours stay."""
    reference = enrolled(world)
    assert "Vera Stojanova" in world.officer.get(f"/loans/courses/{reference}").text
    form = {"name": "Petar Petrov", "role": "manager"}
    assert world.msme.post("/loans/firms/msme/people", form).status_code == 303
    assert world.msme.post("/loans/firms/msme/people/2/erase", {}).status_code == 303
    assert world.msme.post("/loans/firms/msme/people/2/erase", {}).status_code == 409
    call(world.msme, "POST", f"/courses/{reference}/seats", 409, firm="msme", person=2)
    assert world.msme.post("/loans/firms/msme/people", {"name": "", "role": "owner"}).status_code == 422
    with world.engine.connect() as connection:
        tables = ("outbox", "firm", "training", "attendance")
        everything = "".join(str(connection.exec_driver_sql(f"SELECT * FROM {name}").all()) for name in tables)  # noqa: S608
    assert "Petar" not in everything
    assert len(call(world.msme, "GET", "/firms/msme/people")) == 2


@pytest.mark.english
def test_attendance_comes_out_of_a_file(world: World) -> None:
    """Each wrong row is named and nothing is taken; the mended file gives hours and results at once."""
    reference = enrolled(world)
    form = world.applicant.get(f"/loans/courses/{reference}/attendance.csv").text
    assert "firm,person,hours,percent,name" in form
    assert "msme,1,0,,Vera Stojanova" in form
    assert world.msme.get(f"/loans/courses/{reference}/attendance.csv").status_code == 404
    version = str(call(world.applicant, "GET", f"/courses/{reference}")["version"])

    def send(content: str) -> Any:
        files = {"file": ("list.csv", content.encode(), "text/csv")}
        return world.applicant.post(f"/loans/courses/{reference}/file", {"version": version}, files=files)

    wrong = send("firm,person,hours,percent\nmsme,1,13,\nmsme,2,3,\nmsme,1,many,140\n")
    assert wrong.status_code == 422
    for text in ("Row 2, hours", "Row 3, person", "Row 4, hours", "Row 4, percent", "Nothing of the file was taken"):
        assert text in wrong.text, text
    assert send("firm,person\nmsme,1\n").status_code == 422
    assert send("firm,person,hours\nmsme,1,3\nmsme,1,4\n").status_code == 422
    assert call(world.applicant, "GET", f"/courses/{reference}")["seats"][0]["hours"] == "0"
    assert send("firm,person,hours,percent\nmsme,1,11.5,80\n").status_code == 303
    seat = call(world.applicant, "GET", f"/courses/{reference}")["seats"][0]
    assert (seat["hours"], seat["percent"], seat["passed_on"]) == ("11.5", "80", "2026-03-02")
    assert send("firm,person,hours\nmsme,1,3\n").status_code == 409


@pytest.mark.english
def test_a_course_by_forms(world: World) -> None:
    """Plan, enrol, keep the list, test and close by pages alone; wrong cells come back as typed."""
    assert world.applicant.post("/loans/courses", COURSE | {"ends": ""}).status_code == 422
    made = world.applicant.post("/loans/courses", COURSE)
    assert made.status_code == 303
    address = made.headers["location"]
    reference = address.rsplit("/", 1)[1]

    def version() -> str:
        return str(call(world.officer, "GET", f"/courses/{reference}")["version"])

    world.msme.post("/loans/firms/msme/people", {"name": "Vera", "role": "owner"})
    assert "Vera (owner), Pelagonia Preserves" in world.msme.get(address).text
    assert "Vera (owner)" not in world.applicant.get(address).text
    drafted(world)
    assert "Vera (owner)" in world.applicant.get(address).text, "the firm has chosen the chamber as its adviser"
    seat = {"firm": "msme", "person": "1"}
    assert world.msme.post(f"{address}/seats", {"seat": "1", "version": version()}).status_code == 422
    assert world.applicant.post(f"{address}/seats", {"seat": "msme 1", "version": version()}).status_code == 303
    assert world.msme.post(f"{address}/seats/leave", seat | {"version": version()}).status_code == 303
    assert world.msme.post(f"{address}/seats", {"seat": "msme 1", "version": version()}).status_code == 303
    bad = world.applicant.post(f"{address}/attendance", {"hours-msme-1": "much", "version": version()})
    assert bad.status_code == 422
    assert 'value="much"' in bad.text
    good = {"hours-msme-1": "12", "version": version()}
    assert world.applicant.post(f"{address}/attendance", good).status_code == 303
    assert world.applicant.post(f"{address}/attendance", good).status_code == 409
    assert world.msme.get(f"{address}/test/1").status_code == 200
    assert world.msme.get(f"{address}/test/4").status_code == 404
    half = world.msme.post(f"{address}/test/1", {"cover": "short", "version": version()})
    assert half.status_code == 422
    assert world.msme.post(f"{address}/test/1", RIGHT | {"version": version()}).status_code == 303
    assert world.applicant.post(f"{address}/close", {"version": version()}).status_code == 303
    assert f"{reference}-01" in world.msme.get(address).text
    people = world.msme.get("/loans/firms/msme/people").text
    assert "12.0 of 12" in people or "12,0" in people
    assert world.officer.get("/loans/courses").status_code == 200
    cancelled = world.officer.post("/loans/courses", COURSE).headers["location"]
    assert world.officer.post(f"{cancelled}/cancel", {"version": "1"}).status_code == 422
    assert world.officer.post(f"{cancelled}/cancel", {"version": "1", "why": "No room"}).status_code == 303


@pytest.mark.english
def test_a_diagnostic_is_repeated_over_time(world: World) -> None:
    """The second taking shows what has changed since the first, and the weak section what helps."""
    drafted(world)
    address = "/firms/msme/diagnostics/business-health"
    first = call(world.applicant, "POST", address, 201, taken_on="2025-09-01", answers=LEVELS)
    assert (first["score"], first["side"]) == ("0.5000", "adviser")
    better = LEVELS | {"plan": {"level": 4, "evidence": "The plan of this year"}}
    call(world.msme, "POST", address, 201, taken_on="2026-03-01", answers=better)
    page = world.msme.get(f"/loans{address}").text
    assert "▲" in page
    assert "What would help" in page
    assert "Financial literacy for firms" in page
    assert "<polygon" in page
    assert [item["taken_on"] for item in call(world.officer, "GET", address)] == ["2026-03-01", "2025-09-01"]
    missing = {name: item for name, item in LEVELS.items() if name != "cash-plan"}
    refused = call(world.msme, "POST", address, 422, taken_on="2026-03-01", answers=missing)
    assert [item["field"] for item in refused["errors"]] == ["cash-plan"]
    call(world.msme, "POST", address, 422, taken_on="2026-03-01", answers=LEVELS | {"plan": {"level": 5}})
    call(world.msme, "POST", address, 422, taken_on="2027-03-01", answers=LEVELS)
    call(world.msme, "POST", "/firms/msme/diagnostics/other", 404, taken_on="2026-03-01", answers=LEVELS)
    call(world.bank_one, "POST", address, 403, taken_on="2026-03-01", answers=LEVELS)
    call(world.bank_one, "GET", address, 403)
    call(world.lead_firm, "GET", address, 404)
    typed = {name: "2" for name in LEVELS if name != "plan"} | {"taken_on": "2026-03-01", "books.evidence": "Ledger"}
    form = world.msme.post(f"/loans{address}", typed)
    assert form.status_code == 422
    assert 'value="Ledger"' in form.text
    assert world.msme.post(f"/loans{address}", typed | {"plan": "1"}).status_code == 303
    assert world.msme.post(f"/loans{address}", typed | {"plan": "1"}).status_code == 409
    assert [item["code"] for item in call(world.msme, "GET", "/questionnaires")] == ["business-health"]


def test_lists_ask_the_database_as_often_for_many(world: World) -> None:
    """Courses and a firm's people need as many statements for three courses as for one."""
    said: list[str] = []
    event.listen(world.engine, "before_cursor_execute", lambda *args: said.append(args[2]))
    counts = []
    for more in (1, 2):
        for _ in range(more):
            enrolled(world)
        said.clear()
        assert world.msme.get("/loans/courses").status_code == 200
        assert world.msme.get("/loans/firms/msme/people").status_code == 200
        counts.append(len(said))
    assert counts[0] == counts[1]
