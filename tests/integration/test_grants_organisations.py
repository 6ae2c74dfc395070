"""One organisation across calls: what staff see of it, and who does not."""

from __future__ import annotations

from pathlib import Path

import pytest
from grants_world import Case, World

from shared.events.portal import OrganisationChanged, OrganisationRegistered
from shared.testing.stand import Stand


@pytest.mark.english
def test_staff_see_an_organisation_on_one_page(stand: Stand, tmp_path: Path) -> None:
    """Its applications and look-alikes with the reason, in a fixed number of statements; a new name is learned."""
    world = World(stand.database("grants"), tmp_path)
    case = Case(world).submitted()
    twin = {"name": "Занаетчиска комора", "kind": "bso", "country": "MK", "registration_number": "4030-995-110024"}
    world.hear(OrganisationRegistered(organisation_id="twin", **twin), "organisation:twin")
    seen = world.officer.api("GET", "/organisations/chamber-of-crafts")
    assert [row["id"] for row in seen["applications"]] == [case.reference]
    assert [(row["id"], row["by"]) for row in seen["look_alikes"]] == [("twin", "number")]
    page = world.finance.page("/organisations/chamber-of-crafts")
    assert case.reference in page
    assert "the same registration number" in page
    assert case.reference in world.auditor.page("/fragments/organisations/chamber-of-crafts")
    for person in (world.applicant, world.lead_firm, world.reviewer_one):
        person.api("GET", "/organisations/chamber-of-crafts", 403)
    world.officer.api("GET", "/organisations/nobody", 404)
    changed = OrganisationChanged(organisation_id="twin", **twin | {"name": "Chamber of Trades"})
    world.hear(changed, "organisation:twin")
    assert world.officer.api("GET", "/organisations/twin")["organisation"]["name"] == "Chamber of Trades"
