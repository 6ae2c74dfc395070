"""Forms about money that are refused: the page comes back, and what is wrong stands at the field."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shared.testing.stand import Stand
from tests.integration.grants_world import PDF, Case, World


@pytest.fixture
def world(stand: Stand, tmp_path: Path) -> World:
    return World(stand.database("grants"), tmp_path)


def linked(page: str) -> bool:
    """Return whether everything that the list of problems leads to is on the page, once each."""
    names = re.findall(r'<a href="#(f-[^"]+)"', page)
    return bool(names) and all(page.count(f'id="{name}"') == 1 for name in names)


def test_refused_words_about_a_milestone_and_a_tranche_come_back_with_the_rule_at_the_field(world: World) -> None:
    """Who forgets what they saw, or certifies no amount, keeps the page, their words and is led to the field."""
    case = Case(world).concluded()
    document = case.attach("other", PDF)["id"]
    case.act(world.applicant, "milestones/1/evidence", document=document)
    at = f"{case.path}/milestones/1/verification"
    version = case.award()["version"]
    refused = world.officer.post(at, 422, version=version, good="false", note="   ").text
    assert 'id="ve-1"' in refused
    assert refused.count('<details class="confirm" open') == 1
    assert case.award()["version"] == version
    world.officer.post(at, 303, version=version, good="true", note="Seen on site")
    case.act(world.finance, "tranches/1/request")
    at, version = f"{case.path}/tranches/1/certificate", case.award()["version"]
    words = {"amount": "12,3,4", "period_from": "2026-01-01", "period_to": "", "purpose": "Trainers of spring"}
    refused = world.manager.post(at, 422, version=version, **words).text
    assert linked(refused)
    assert 'value="Trainers of spring"' in refused
    assert case.award()["version"] == version


def test_a_refund_is_not_due_before_it_is_demanded(world: World) -> None:
    """A day that is over is refused at its field, and an empty one is none at all."""
    case = Case(world).concluded()
    case.act(world.applicant, "milestones/1/evidence", document=case.attach("other", PDF)["id"])
    case.act(world.officer, "milestones/1/verification", good=True, note="Seen")
    case.act(world.finance, "tranches/1/request")
    case.act(world.finance_two, "tranches/1/release")
    paid = {"payment_reference": "TR-1", "paid_on": world.clock().date().isoformat()}
    case.act(world.finance, "tranches/1/payment", **paid)
    form = {"amount": "100", "why": "Not spent", "version": case.award()["version"]}
    refused = world.manager.post(f"{case.path}/refunds", 422, due="2020-01-01", **form).text
    assert linked(refused)
    assert 'id="e-due"' in refused
    world.manager.post(f"{case.path}/refunds", 303, due="", **form)


def test_the_two_counts_of_a_percentage_are_called_apart_where_they_are_missing(world: World) -> None:
    """The list before a report is handed in names no two fields alike."""
    case = Case(world).concluded()
    page = world.applicant.page(f"/reports/{case.reference}-R1")
    names = re.findall(r'#f-i[^"]*">([^<]+)</a>', page)
    assert names
    assert len(names) == len(set(names))


def test_a_wrong_sum_in_an_amendment_is_named_by_its_cell_with_room_for_more_rows(world: World) -> None:
    """Letters in an amount lead to the cell of that row; what was typed stands, and empty rows wait below it."""
    case = Case(world).concluded()
    page = world.applicant.page(f"{case.path}/agreement/amendment")
    names = re.findall(r'name="([ml]\.\d+\.[a-z]+)"', page)
    typed = dict.fromkeys(names, "") | {"why": "Courses cost more", "version": case.award()["version"]}
    rows = {"m.0.number": "1", "m.0.title": "Started", "m.0.due": "2026-09-01", "m.0.amount": "40000"}
    typed |= rows | {"l.0.line": "experts", "l.0.grant": "forty", "l.0.own": "0"}
    refused = world.applicant.post(f"{case.path}/agreement/amendment", 422, **typed).text
    assert linked(refused)
    assert 'href="#f-l.0.grant"' in refused
    assert 'value="forty"' in refused
    assert 'name="l.2.grant"' in refused
