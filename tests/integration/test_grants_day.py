"""The officer's day: tasks in the programme's calendar, notes with names in them, and who may read which."""

from __future__ import annotations

import pytest
from grants_world import Case, World
from sqlalchemy import text

from shared.testing.stand import Stand


@pytest.fixture(scope="module")
def world(stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Give a grants service with people and a pack."""
    return World(stand.database("grants"), tmp_path_factory.mktemp("grants"))


@pytest.fixture(scope="module")
def case(world: World) -> Case:
    """Give an application that is handed in."""
    return Case(world).submitted()


@pytest.mark.english
def test_a_task_is_given_done_and_found(world: World, case: Case) -> None:
    """A task counts the programme's working days, stands on the assignee's day and is found by the queue's search."""
    dana = world.officer_two.identity.user
    world.officer.post(f"{case.path}/tasks", task="Call about the quotes", working_days="5", assignee=dana)
    task = world.officer_two.api("GET", "/tasks")["later"][0]
    assert (task["due"], task["assignee"]) == ("2026-03-09", dana), "Monday in a week: a weekend between does not count"
    assert world.officer.api("GET", "/tasks")["later"] == []
    assert "Call about the quotes" in world.officer_two.page("/day")
    for query, found in (("task:open", True), ("task:overdue", False), ("task:none", False)):
        assert (case.reference in world.officer.page(f"/?q={query}")) is found
    assert case.reference in world.officer_two.page("/?q=task:mine")
    world.clock.forward(days=8)
    assert case.reference in world.officer.page("/?q=task:overdue")
    assert len(world.officer_two.api("GET", "/tasks")["overdue"]) == 1
    world.officer_two.post(f"/tasks/{task['id']}/done", version=task["version"], to="case")
    again = world.officer.api("POST", f"/tasks/{task['id']}/done", 409, version=task["version"])
    assert again["changed_by"] == "Dana Kuzmina"
    assert case.reference not in world.officer.page("/?q=task:open")
    world.officer.api("POST", f"/tasks/{task['id']}/open", version=task["version"] + 1)
    assert "Task open again: Call about the quotes" in world.officer.page(f"{case.path}/timeline")
    assert world.applicant.request("GET", f"/api{case.path}/tasks").status_code == 403


@pytest.mark.english
def test_a_task_that_can_t_be_kept_comes_back_as_typed(world: World, case: Case) -> None:
    """A day off, a past day, both ways of saying the day and a stranger are refused by name; nothing is lost."""
    monday = "2026-05-25"
    refused = world.officer.post(f"{case.path}/tasks", 422, task="On a Sunday", due="2026-05-24").text
    assert "nobody works that day; the next working day is" in refused
    assert 'value="On a Sunday"' in refused
    ask = {"task": "X", "application": case.reference}
    for fields, name in (
        ({"due": "2026-01-05"}, "due"),
        ({"due": monday, "working_days": 2}, "due"),
        ({"working_days": 0}, "working_days"),
        ({"assignee": world.applicant.identity.user}, "assignee"),
        ({"note": "no-such-note"}, "note"),
        ({"task": ""}, "task"),
    ):
        answer = world.officer.api("POST", "/tasks", 422, **(ask | fields))
        assert answer["errors"][0]["field"] == name
    world.reviewer_one.api("POST", "/tasks", 403, **ask)


@pytest.mark.english
def test_a_note_tells_whom_it_names_and_keeps_what_it_said(world: World, case: Case) -> None:
    """Staff's notes are not for the applicant, @ names only who may read it, and a change leaves the former words."""
    told = world.officer.api("POST", f"{case.path}/notes", text="Ask @Irena Nikolova, and @dana.", audience="staff")
    assert told["mentioned"] == [world.manager.identity.user, world.officer_two.identity.user]
    refused = world.officer.post(f"{case.path}/notes", 422, text="See <b>this</b> @Ana", audience="staff").text
    assert "“@Ana” is nobody who may read this note" in refused
    assert "See &lt;b&gt;this&lt;/b&gt; @Ana</textarea>" in refused
    world.officer.api("PUT", f"/notes/{told['id']}", text="Ask @Irena Nikolova.", version=told["version"])
    page = world.manager.page(f"{case.path}/notes")
    assert "What it said before" in page
    assert "@dana." in page
    world.manager.api("PUT", f"/notes/{told['id']}", 403, text="Mine", version=told["version"] + 1)
    for body in (world.applicant.page(f"{case.path}/notes"), world.applicant.page(f"{case.path}/timeline")):
        assert "Irena" not in body
    assert told["id"] not in [note["id"] for note in world.applicant.api("GET", f"{case.path}/notes")]
    world.applicant.api("PUT", f"/notes/{told['id']}", 404, text="Mine", version=2)
    world.msme.page(f"{case.path}/notes", 404)


def test_a_shared_note_is_answered(world: World, case: Case) -> None:
    """What is shared the applicant reads and answers, always for both sides; events carry no words of notes."""
    world.officer.post(f"{case.path}/notes", text="Which firms will you train?", audience="applicant")
    world.applicant.post(f"{case.path}/notes", text="Four of them. mail@chamber.example", audience="staff")
    assert "Four of them." in world.officer.page(f"{case.path}/notes")
    assert "Which firms" in world.applicant.page(f"{case.path}/notes")
    with world.engine.connect() as connection:
        bodies = connection.execute(text("SELECT body::text FROM outbox WHERE type LIKE 'grants.note.%'")).scalars()
        words = "".join(bodies)
    assert "from_applicant" in words
    assert "Four of them" not in words
