"""Appeals against rejections: once, in time, decided by somebody else."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from grants_world import Case, World

from shared.testing.stand import Stand

pytestmark = pytest.mark.slow  # whole stories, of many acts each


@pytest.fixture(scope="module")
def world(stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Give a grants service with people and a pack."""
    return World(stand.database("grants"), tmp_path_factory.mktemp("grants"))


def test_a_rejected_applicant_appeals_once_and_somebody_else_decides(world: World) -> None:
    """A granted appeal takes the case up where the workflow says; a second one is refused with the day of the first."""
    case = Case(world).submitted()
    path = f"{case.path}/appeal"
    world.applicant.api("POST", path, 409, grounds="Too early")
    assert "may appeal" not in world.applicant.page(case.path)
    case.move(world.officer, "reject", reason="The registration is missing")
    assert "may appeal" in world.applicant.page(case.path)
    world.applicant.post(path, 422, grounds=" ")
    world.officer.api("POST", path, 403, grounds="For them")
    world.applicant.post(path, grounds="It was attached")
    assert "It was attached" in world.manager.page(path)
    decision = {"outcome": "granted", "code": "facts-overlooked", "words": "It was there", "version": 1}
    world.officer.api("POST", f"{path}/decision", 403, **decision)
    world.manager.api("POST", f"{path}/decision", 422, **(decision | {"code": "nothing-new"}))
    world.manager.api("POST", f"{path}/decision", **decision)
    assert case.seen()["stage"] == "screening"
    again = world.manager.api("POST", f"{path}/decision", 409, **(decision | {"version": 2}))
    assert "The appeal was decided on 2 Mar 2026 by" in again["detail"]
    case.move(world.manager, "reject", reason="Not eligible")
    assert "was made on 2 Mar 2026" in str(world.applicant.api("POST", path, 409, grounds="Again"))
    assert {"grants.appeal.lodged", "grants.appeal.decided"} <= {*world.events(case.reference)}


def test_a_late_appeal_and_one_s_own_decision_are_refused(world: World) -> None:
    """The refusal names the last day of the programme's working days; who rejected does not decide the appeal."""
    case, late = Case(world).submitted(), Case(world).submitted()
    for one in (case, late):
        one.move(world.manager, "reject", reason="Not eligible")
    path = f"{case.path}/appeal"
    world.applicant.api("POST", path, 201, grounds="We are eligible")
    decision = {"outcome": "refused", "code": "decision-stands", "words": "It stands", "version": 1}
    world.manager.api("POST", f"{path}/decision", 403, **decision)
    until = date.fromisoformat(world.applicant.api("GET", f"{late.path}/appeal")["until"])
    world.clock.now = world.clock() + timedelta(days=40)
    assert f"until {until:%-d %b %Y}" in str(world.applicant.api("POST", f"{late.path}/appeal", 409, grounds="Late"))
    assert "could be made until" in world.applicant.page(f"{late.path}/appeal")
