"""A call written in the browser is usable at once: opened, applied to, reviewed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from grants_world import PROGRAMME, Case, World, read_pack

from services.portal.domain.draft import CallDraft
from services.portal.domain.programme import Programme
from shared.entity import canonical_hash
from shared.events.portal import ProgrammeLoaded
from shared.testing.stand import Stand

CALL = "bso-grants-2026"


def _published(**changes: Any) -> ProgrammeLoaded:
    """Return the event of a new call that is a copy of another one."""
    pack = json.loads(json.dumps(read_pack(), default=str))
    programme = Programme(id=PROGRAMME)
    programme.loaded_from(pack, canonical_hash(pack))
    draft = CallDraft.new(programme, "services-2026", CALL, id="d", by="u", by_name="Irena")
    draft.edit(draft.content | {"call": draft.content["call"] | changes}, "u")
    draft.issue(programme)
    event = programme.collect()[-1].event
    assert isinstance(event, ProgrammeLoaded)
    return event


@pytest.mark.slow
def test_a_new_call_is_usable_at_once(stand: Stand, tmp_path: Path) -> None:
    """Seen by applicants, checked, applied to and reviewed by its own sheet; cases under the old version stay there."""
    world = World(stand.database("grants"), tmp_path)
    before = Case(world).draft()
    assert world.applicant.request("GET", "/calls/services-2026", headers={"accept": "text/html"}).status_code == 404
    opens = world.clock().date().isoformat()
    world.hear(_published(opens_on=opens, closes_on=opens, closes_at="17:00"), f"programme:{PROGRAMME}")
    assert "services-2026" in world.applicant.page("/calls")
    assert "17:00" in world.applicant.page("/calls/services-2026")
    case = Case(world)
    case.reference = world.applicant.api("POST", "/applications", call="services-2026")["reference"]
    case.save()
    for kind in ("registration", "budget_quotes"):
        case.attach(kind)
    case.move(world.applicant, "submit")
    case.checks("eligibility")
    case.move(world.officer, "pass-screening")
    case.checks("due-diligence", "low")
    case.ask("reviewer_one", "reviewer_two")
    case.move(world.officer, "start-review")
    case.declare("reviewer_one")
    case.score("reviewer_one")
    assert case.seen()["call"] == "services-2026"
    assert before.seen(world.applicant)["call"] == CALL


@pytest.mark.english
def test_a_preview_shows_the_call_and_keeps_nothing(stand: Stand, tmp_path: Path) -> None:
    """A manager sees the page and tries the form; others may not, and a call that can't be read says why."""
    world = World(stand.database("grants"), tmp_path, pays=False)
    call = json.dumps(read_pack()["calls"][CALL] | {"call": "not-published"}, default=str)
    sent = {"programme": PROGRAMME, "call": call}
    assert "Grants to business support organisations" in world.manager.post("/preview/call", 200, **sent).text
    assert "a.improvement" not in world.manager.post("/preview/form", 200, **sent).text
    typed = {"version": "0", "go": "check", "title": "", "a.service_kind": "improved"}
    checked = world.manager.post("/preview/form", 200, **sent, **typed).text
    assert "a.improvement" in checked
    assert "hx-post" not in checked[checked.index("<main") :]
    world.officer.post("/preview/call", 403, **sent)
    world.manager.post("/preview/call", 404, **(sent | {"programme": "bai-alai"}))
    world.manager.post("/preview/call", 422, **(sent | {"call": "{"}))
    assert "not-published" not in world.applicant.page("/calls")
