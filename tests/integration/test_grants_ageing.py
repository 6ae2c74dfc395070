"""Row 10: whose turn, since when, working days used, pauses; for one case and for the programme."""

from __future__ import annotations

from pathlib import Path

import pytest
from grants_world import Case, World, counted

from shared.testing.stand import Stand


@pytest.fixture
def world(stand: Stand, tmp_path: Path) -> World:
    """Give a grants service with people and a pack, on its first day: time passes in each test."""
    return World(stand.database("grants"), tmp_path)


@pytest.mark.english
def test_row_10_whose_turn_since_when_and_the_pauses(world: World) -> None:
    """Days used before a pause stay used, the pause does not count, and both are told by the case and the report."""
    case = Case(world).submitted()
    world.clock.forward(days=2)  # Monday to Wednesday: two working days of the officer's five
    case.move(world.officer, "request-information", reason="Which firms?")
    world.clock.forward(days=7)  # the applicant takes five working days
    [asked] = [item for item in world.officer.api("GET", "/ageing")["oldest"] if item["reference"] == case.reference]
    assert (asked["holder"], asked["used"], asked["given"], asked["paused"]) == ("applicant", 2, 5, True)
    case.move(world.applicant, "answer-information", comment="Four")
    world.clock.forward(days=1)
    [now] = [item for item in world.officer.api("GET", "/ageing")["oldest"] if item["reference"] == case.reference]
    assert (now["holder"], now["used"], now["given"], now["paused"]) == ("officer", 3, 5, False)
    assert [(pause["stage"], pause["working_days"]) for pause in now["pauses"]] == [("information_requested", 5)]
    page = world.officer.page(case.path)
    assert "3 of 5 working days" in page
    assert "Paused: Information requested" in page
    assert "Whose turn, since when" not in world.applicant.page(case.path)


def test_row_10_the_report_is_a_page_and_a_file(world: World) -> None:
    """The page has bars with a table beside them at the same cost for any number; the file has each case."""
    world.officer.page("/ageing")  # the pack is read once a process
    with counted(world) as few:
        world.officer.page("/ageing")
    cases = [Case(world).submitted() for _ in range(3)]
    world.clock.forward(days=30)
    with counted(world) as many:
        page = world.officer.page("/ageing")
    assert len(few) == len(many)
    assert "<svg" in page
    late = next(row for row in world.manager.api("GET", "/ageing")["rows"] if row["stage"] == "screening")
    assert late["count"] >= len(cases)
    assert late["late"] == late["classes"][-1] + late["classes"][-2] == late["count"]
    file = world.auditor.request("GET", "/ageing.csv?programme=business-ecosystem").text
    assert all(f"\n{case.reference}," in file for case in cases)
    world.applicant.page("/ageing", 403)
    world.officer.api("GET", "/ageing?programme=other", 404)
