"""What waits for a second person reaches them by letter: calls of a programme, organisations of none."""

from __future__ import annotations

from notifications_world import GORAN, ready

from shared.events.portal import CallDraftHandedIn, OrganisationChangeProposed
from shared.testing.stand import Stand


def test_who_is_the_second_person_is_told_what_waits(stand: Stand) -> None:
    """A call that waits tells whom it names; an organisation, of no programme, every officer and manager once."""
    world = ready(stand.database("notifications"))
    asked = CallDraftHandedIn(
        draft_id="d-1", programme_id="business-ecosystem", call="services-2027", call_name={"en": "Services 2027"}
    )
    parties = {"manager": ["user:manager"]}
    world.arrive(asked, "call_draft:d-1", programme="business-ecosystem", parties=parties, actor=GORAN)
    letter = world.email_to("manager")
    assert "Services 2027" in letter.subject
    assert letter.link.endswith("/calls/drafts/d-1")
    facts = {"organisation_id": "chamber-of-crafts", "name": "Chamber of Crafts"}
    proposed = OrganisationChangeProposed(**facts, facts={"name": "Chamber"}, proposed_by=GORAN.id)
    staff = {"officer": ["role:officer"], "manager": ["role:programme_manager"]}
    envelope = world.arrive(proposed, "organisation:chamber-of-crafts", parties=staff, actor=GORAN)
    inbox = world.deliveries(channel="inbox")
    assert {item.recipient for item in inbox if item.event_id == str(envelope.id)} == {"officer_two", "manager"}
    told = [item for item in world.deliveries(channel="email") if item.event_id == str(envelope.id)]
    assert {item.rule for item in told} == {"business-ecosystem/organisation-waits"}
    assert all(item.link.endswith("/organisations/chamber-of-crafts") for item in told)
    assert world.decision(envelope.id, told[0].rule)["recipients"] == 2
