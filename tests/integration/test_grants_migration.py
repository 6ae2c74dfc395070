"""Live cases and a newer version of their workflow: looked at first, moved by an act, and never by themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from grants_world import PROGRAMME, Case, World, read_pack

from services.grants.storage.reads import find_application
from shared.entity import canonical_hash
from shared.events.portal import ProgrammeLoaded
from shared.testing.stand import Stand


@pytest.fixture
def world(stand: Stand, tmp_path: Path) -> World:
    """Give a grants service with people and a pack."""
    return World(stand.database("grants"), tmp_path)


def newer(world: World, version: int = 2, *, extra: str = "") -> None:
    """Load the pack again, with a workflow in which screening is called intake and allows eight days."""
    pack = read_pack()
    pack.pop("people")
    flow: dict[str, Any] = pack["workflows"]["bso-grant"]
    text = flow | {"version": version, "migrates": {"screening": "intake"}}
    for stage in text["stages"]:
        if stage["id"] == "screening":
            stage |= {"id": "intake", "name": {"en": "Intake", "ru": "Приём"}}
            stage["sla"] |= {"working_days": 8}
    for move in text["transitions"]:
        move["from"] = ["intake" if name == "screening" else name for name in move["from"]]
        move["to"] = "intake" if move["to"] == "screening" else move["to"]
        if extra and move["id"] == "pass-screening":
            move["requires"] = [*move["requires"], extra]
    pack["workflows"]["bso-grant"] = text
    loaded = ProgrammeLoaded(programme_id=PROGRAMME, pack_version=version, sha256=canonical_hash(pack), pack=pack)
    world.hear(loaded, f"programme:{PROGRAMME}")


def put(case: Case, expect: int = 200, **more: Any) -> Any:
    """Put a case under the second version, as the manager."""
    body = {"to_version": 2, "version": case.seen()["version"], "reason": "Simpler intake"} | more
    return case.world.manager.api("POST", f"{case.path}/workflow", expect, **body)


@pytest.mark.english
def test_a_case_is_moved_by_an_act_with_a_preview(world: World) -> None:
    """The preview counts cases by stage; the act renames the stage, keeps the clock and its days, and is recorded."""
    case = Case(world).submitted()
    case.check("eligibility", "complete", "yes")
    before = case.seen()
    assert world.manager.api("GET", f"/workflows?programme={PROGRAMME}") == []
    newer(world)
    [group] = world.manager.api("GET", f"/workflows?programme={PROGRAMME}")
    told = {name: group[name] for name in ("stage", "to", "cases", "from_version", "to_version", "why")}
    assert told == {"stage": "screening", "to": "intake", "cases": 1, "from_version": 1, "to_version": 2, "why": ""}
    assert "Intake" in world.officer.page(f"/workflows?programme={PROGRAMME}")
    assert "Intake" in world.manager.page(f"/applications/{case.reference}/workflow")
    assert case.seen()["stage"] == "screening"
    after = put(case)
    assert (after["stage"], after["stage_name"]["en"]) == ("intake", "Intake")
    assert after["since"] == before["since"]
    assert after["due"] > before["due"]
    with world.engine.connect() as connection:
        kept = find_application(connection, case.reference)
    assert kept is not None
    assert set(kept.checks) == {"eligibility.complete"}
    assert world.events(case.reference)[-1] == "grants.application.migrated"
    assert world.manager.api("GET", f"/workflows?programme={PROGRAMME}") == []
    case.checks("eligibility")
    assert case.move(world.officer, "pass-screening")["stage"] == "due_diligence"


@pytest.mark.english
def test_a_moved_case_shows_its_stage_in_the_queue(world: World) -> None:
    """The list, whose rows are judged by each case's own workflow, knows the renamed stage and its next step."""
    case = Case(world).submitted()
    newer(world)
    put(case)
    row = next(row for row in world.officer.api("GET", "/applications")["items"] if row["reference"] == case.reference)
    assert row["stage"] == "intake"
    assert "Intake" in world.officer.page("/")


def test_what_the_calls_documents_do_not_carry_is_blocked(world: World) -> None:
    """A newer workflow that asks for a document which the case's call never had is refused with its name."""
    case = Case(world).submitted()
    newer(world, extra="document:audit_report")
    [group] = world.manager.api("GET", f"/workflows?programme={PROGRAMME}")
    assert "document:audit_report" in group["why"]
    assert "document:audit_report" in put(case, 409)["detail"]
    assert "document:audit_report" in world.manager.page(f"/applications/{case.reference}/workflow")
    assert case.seen()["stage"] == "screening"


@pytest.mark.english
def test_only_what_was_looked_at_is_done(world: World) -> None:
    """No reason, a stale case, another version than the one shown, another role, or nothing newer: nothing moves."""
    case = Case(world).submitted()
    assert "newest" in put(case, 409)["detail"]
    newer(world)
    assert put(case, 422, reason=" ")["errors"][0]["field"] == "reason"
    assert put(case, 409, version=1)["status"] == 409
    assert put(case, 409, to_version=3)["status"] == 409
    body = {"to_version": 2, "version": case.seen()["version"], "reason": "Mine"}
    world.officer.api("POST", f"{case.path}/workflow", 403, **body)
    world.applicant.page(f"/applications/{case.reference}/workflow", 403)
    assert case.seen()["stage"] == "screening"


@pytest.mark.english
def test_the_page_moves_one_case(world: World) -> None:
    """The manager does it in the browser, and the officer sees why it is not theirs to do."""
    case = Case(world).submitted()
    newer(world)
    assert "programme manager can do it" in world.officer.page(f"/applications/{case.reference}/workflow")
    path = f"/applications/{case.reference}/workflow"
    world.manager.post(path, version=case.seen()["version"], to_version=2, reason="Simpler")
    assert case.seen()["stage"] == "intake"
