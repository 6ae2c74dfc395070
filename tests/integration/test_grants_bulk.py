"""Acts on many cases: tried out, done row by row, each exactly once, whatever dies in the middle."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from grants_world import PROGRAMME, START, Case, Person, World, counted
from sqlalchemy import text

from services.grants.handlers.bulk import Runner
from services.grants.handlers.moving import MoveApplication, move
from services.grants.storage.tables import application
from shared.database import Context, UnitOfWork
from shared.events.portal import UserChanged
from shared.testing.language import word
from shared.testing.stand import Stand

COPIES = """
INSERT INTO application ({names}) SELECT {values} FROM application a, generate_series(1, :copies) n WHERE a.id = :model
"""


@pytest.fixture(scope="module")
def world(stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Give a grants service with one case in screening."""
    world = World(stand.database("grants"), tmp_path_factory.mktemp("grants"))
    world.model = Case(world).submitted()  # type: ignore[attr-defined]
    return world


def copied(world: World, mark: str, copies: int) -> list[str]:
    """Multiply the case in screening; returns the copies' references."""
    own = {"id": f"'{mark}-' || lpad(n::text, 4, '0')"}
    own["state"] = f"a.state || jsonb_build_object('id', {own['id']})"
    names = [column.name for column in application.c]
    values = ", ".join(own.get(name, f'a."{name}"') for name in names)
    statement = COPIES.format(names=", ".join(f'"{name}"' for name in names), values=values)
    with world.engine.begin() as connection:
        connection.execute(text(statement), {"copies": copies, "model": world.model.reference})  # type: ignore[attr-defined]
    return [f"{mark}-{n:04d}" for n in range(1, copies + 1)]


def planned(person: Person, act: str, references: list[str], expect: int = 201, **words: Any) -> dict[str, Any]:
    """Try an act out."""
    return dict(person.api("POST", "/bulk", expect, programme=PROGRAMME, act=act, references=references, **words))


def started(person: Person, plan: dict[str, Any]) -> None:
    """Let a plan be done."""
    person.api("POST", f"/bulk/{plan['id']}/start", 202, version=plan["version"])


def results(person: Person, plan: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the rows of an act by reference."""
    return {row["reference"]: row for row in person.api("GET", f"/bulk/{plan['id']}/rows")["items"]}


def moves(world: World, references: list[str], kind: str = "moved") -> list[str]:
    """Return the cases of which the outbox says that they moved, one entry for each event."""
    query = 'SELECT "case" FROM outbox WHERE type = :type AND "case" = ANY(:cases) ORDER BY 1'
    with world.engine.connect() as connection:
        values = {"type": f"grants.application.{kind}", "cases": references}
        return list(connection.execute(text(query), values).scalars())


def test_a_dry_run_changes_nothing_and_says_what_stands_in_the_way(world: World) -> None:
    """Of three cases one is rejected already: two can follow, one can't and says why; no case is touched."""
    names = copied(world, "DRY", 3)
    version = world.officer.api("GET", f"/applications/{names[0]}")["version"]
    body = {"transition": "reject", "version": version, "reason": "Twice"}
    world.officer.api("POST", f"/applications/{names[0]}/moves", **body)
    plan = planned(world.officer, "reject", names, reason_code="not-eligible")
    assert (plan["total"], plan["expected"], plan["status"]) == (3, 2, "planned")
    rows = results(world.officer, plan)
    assert rows[names[0]]["foreseen"] == [
        word("grants", "This move does not leave the stage %(stage)s", stage="rejected")
    ]
    assert rows[names[1]]["foreseen"] == []
    assert moves(world, names) == [names[0]]
    assert word("grants", "Nothing has happened yet.") in world.officer.page(f"/bulk/{plan['id']}")
    wrong = planned(world.officer, "reject", [*names, "BSO-1999-0001"], 422)
    assert wrong["errors"] == [
        {"field": "references", "rule": word("grants", "names %(name)s, which is not there", name="BSO-1999-0001")}
    ]


def test_row_01_each_row_commits_alone_with_its_letters_event(world: World) -> None:
    """Of four rows three move and one that changed meanwhile stays: three events, and one refusal that names who."""
    names = copied(world, "ONE", 4)
    plan = planned(world.officer, "reject", names, reason_code="below-threshold")
    changed = world.manager.api("GET", f"/applications/{names[2]}")
    body = {"officer": world.officer_two.identity.user, "version": changed["version"]}
    world.manager.api("POST", f"/applications/{names[2]}/officer", **body)
    started(world.officer, plan)
    assert Runner(world.engine, clock=world.clock).run() == 4
    rows = results(world.officer, plan)
    assert [rows[name]["state"] for name in names] == ["done", "done", "refused", "done"]
    assert "Irena Nikolova" in rows[names[2]]["said"][0]
    assert "2026-03-02" in rows[names[2]]["said"][0]
    assert moves(world, names) == [names[0], names[1], names[3]]
    done = world.officer.api("GET", f"/bulk/{plan['id']}")
    assert (done["status"], done["done"], done["refused"], done["waiting"]) == ("finished", 3, 1, 0)
    assert world.events(names[2])[-1] == "grants.attempt.refused"


def test_row_01_a_killed_process_leaves_each_row_done_once(world: World) -> None:
    """A runner that dies inside a row leaves it waiting; another carries on, and every case has one event."""
    names = copied(world, "KIL", 5)
    plan = planned(world.officer, "reject", names, reason_code="not-eligible")
    started(world.officer, plan)

    class Killed(BaseException):
        """Stands for the end of the process: nothing catches it."""

    class Dying(Runner):
        def _act(self, uow: Any, who: Any, row: Any) -> None:
            super()._act(uow, who, row)
            if row["number"] == 3:
                uow.flush()  # everything is written, and nothing committed
                raise Killed

    with pytest.raises(Killed):
        Dying(world.engine, clock=world.clock, lanes=1).run()
    assert moves(world, names) == names[:2]
    assert Runner(world.engine, clock=world.clock).run() == 3
    assert Runner(world.engine, clock=world.clock).run() == 0
    assert moves(world, names) == names


def test_row_01_two_runners_share_the_rows(world: World) -> None:
    """Two processes at the same act do every row once between them, and it finishes once."""
    names = copied(world, "TWO", 12)
    plan = planned(world.officer, "reject", names, reason_code="not-eligible")
    started(world.officer, plan)
    with ThreadPoolExecutor(2) as pool:
        done = [pool.submit(Runner(world.engine, clock=world.clock).run) for _ in range(2)]
        assert sum(future.result() for future in done) == 12
    assert moves(world, names) == names
    with world.engine.connect() as connection:
        query = "SELECT count(*) FROM outbox WHERE type = 'grants.bulk.finished' AND entity = :entity"
        assert connection.execute(text(query), {"entity": f"bulk:{plan['id']}"}).scalar_one() == 1


@pytest.mark.english  # what the loser is told is read in words
def test_row_02_accept_and_reject_at_once_have_one_winner(world: World) -> None:
    """A bulk rejection and another officer's move of the same case at once: one event, the loser is told by whom."""
    names = copied(world, "WIN", 1)
    plan = planned(world.officer, "reject", names, reason_code="not-eligible")
    started(world.officer, plan)
    version, ready = world.officer_two.api("GET", f"/applications/{names[0]}")["version"], Barrier(2)

    def ask() -> Any:
        ready.wait()
        body = {"transition": "request-information", "version": version, "reason": "Which firms?"}
        return world.officer_two.request("POST", f"/api/applications/{names[0]}/moves", json=body)

    def carry_on() -> int:
        ready.wait()
        return Runner(world.engine, clock=world.clock).run()

    with ThreadPoolExecutor(2) as pool:
        asked, ran = pool.submit(ask), pool.submit(carry_on)
        answer = asked.result()
        ran.result()
    row = results(world.officer, plan)[names[0]]
    events = [*moves(world, names), *moves(world, names, "information_requested")]
    assert len(events) == 1
    if answer.status_code == 200:
        assert row["state"] == "refused"
        assert row["said"][0].startswith("Changed by Dana Kuzmina at 2026-03-02")
    else:
        said = answer.json()
        assert (answer.status_code, row["state"], said["changed_by"]) == (409, "done", "Goran Ristov")
        assert said["changed_at"] == START.isoformat()
        assert said["changes"]["stage"] == ["screening", "rejected"]


def test_row_03_the_act_asks_who_may_at_the_moment_it_happens(world: World) -> None:
    """Somebody whose role is taken between the start and the act moves nothing; the rows and the record say so."""
    names = copied(world, "ROL", 2)
    who = world.officer_two.identity
    plan = planned(world.officer_two, "reject", names, reason_code="not-eligible")
    world.officer.api("POST", f"/bulk/{plan['id']}/start", 403, version=plan["version"])
    started(world.officer_two, plan)
    person = {"user_id": who.user, "name": who.name, "email": "dana@programme.example", "locale": "ru"}
    common = person | {"organisation": who.organisation, "programmes": [PROGRAMME]}
    world.hear(UserChanged(**common, roles=["reviewer"]), f"user:{who.user}")
    Runner(world.engine, clock=world.clock).run()
    world.hear(UserChanged(**common, roles=["officer"]), f"user:{who.user}")
    rows = results(world.officer_two, plan)
    assert {row["state"] for row in rows.values()} == {"refused"}
    assert rows[names[0]]["said"] == [word("grants", "Your role does not allow this")]
    assert moves(world, names) == []
    assert world.events(names[0])[-1] == "grants.attempt.refused"


def test_a_dry_run_foresees_what_holds_a_case(world: World) -> None:
    """A case from which the officer has stepped back is foreseen to stay, and stays, with the same words."""
    names, officer = copied(world, "HLD", 2), world.officer_two
    version = officer.api("GET", f"/applications/{names[0]}")["version"]
    officer.api("POST", f"/applications/{names[0]}/recusals", 201, nature="A cousin works there", version=version)
    plan = planned(officer, "reject", names, reason_code="not-eligible")
    foreseen = results(officer, plan)
    assert plan["expected"] == 1
    assert foreseen[names[0]]["foreseen"]
    assert foreseen[names[1]]["foreseen"] == []
    started(officer, plan)
    Runner(world.engine, clock=world.clock).run()
    rows = results(officer, plan)
    assert {name: row["state"] for name, row in rows.items()} == {names[0]: "refused", names[1]: "done"}
    assert rows[names[0]]["said"] == foreseen[names[0]]["foreseen"]


def test_a_row_costs_the_same_few_statements(world: World) -> None:
    """Each row is one transaction of seven statements; the dry run has as many for 40 rows as for 4."""
    cost = {}
    for copies in (4, 40):
        names = copied(world, f"C{copies:02d}", copies)
        with counted(world) as seen:
            plan = planned(world.officer, "reject", names, reason_code="not-eligible")
        dry = len(seen)
        started(world.officer, plan)
        with counted(world) as seen:
            Runner(world.engine, clock=world.clock).run()
        cost[copies] = (dry, len(seen))
    assert cost[4][0] == cost[40][0]
    assert cost[40][1] - cost[4][1] == 36 * 7


def test_a_move_costs_four_statements(world: World) -> None:
    """Lock and read the case, read what stands around it, write it, write its event: no more, for speed."""
    (name,), who = copied(world, "MOV", 1), world.officer.identity
    version = world.officer.api("GET", f"/applications/{name}")["version"]
    command = MoveApplication(transition="reject", version=version, reason_code="not-eligible")
    context = Context(actor=who.actor("officer"))
    with counted(world) as seen, UnitOfWork(world.engine, "grants", context, clock=world.clock) as uow:
        move(uow, who, name, command)
    assert [statement.split()[0] for statement in seen] == ["SELECT", "SELECT", "UPDATE", "WITH"]


@pytest.mark.english
def test_a_cases_page_asks_little(world: World) -> None:
    """What stands around a case comes by one statement for the page too: eight in all are enough."""
    (name,) = copied(world, "PAG", 1)
    world.officer.page(f"/applications/{name}")
    with counted(world) as seen:
        world.officer.page(f"/applications/{name}")
    assert 0 < len(seen) <= 8, seen


@pytest.mark.english
def test_everything_that_a_search_finds_can_be_chosen_in_the_browser(world: World) -> None:
    """From the queue's form through the dry run to the result, in both languages, without a script."""
    names = copied(world, "WEB", 3)
    queue = world.officer.page("/?limit=200")
    assert 'form="choose" name="reference" value="WEB-0001"' in queue
    asked = world.officer.page(f"/bulk/new?programme={PROGRAMME}&q=labour&all=true")
    assert "cases are at its stage" in asked
    page = world.officer.page(f"/bulk/new?programme={PROGRAMME}&" + "&".join(f"reference={name}" for name in names))
    assert "3 cases are at its stage" in page
    form = {"programme": PROGRAMME, "reference": names, "act": "reject", "reason_code": "incomplete"}
    wrong = world.officer.post("/bulk", 303, **form)
    path = wrong.headers["location"].removeprefix("/grants")
    assert "is required with this reason" in world.officer.page(path)
    path = world.officer.post("/bulk", **form, reason="No quotes").headers["location"].removeprefix("/grants")
    assert "Do it to 3 cases" in world.officer.page(path)
    world.officer.post(f"{path}/start", version="1")
    assert "0 of 3 tried" in world.officer.page(path)
    Runner(world.engine, clock=world.clock).run()
    assert world.officer.request("GET", f"{path}/progress").headers["hx-refresh"] == "true"
    russian = world.officer.request("GET", path, headers={"accept": "text/html", "cookie": "tamga_language=ru"}).text
    assert "Испытано 3 из 3" in russian
    assert "WEB-0003" in russian
    world.auditor.page(path)
    world.applicant.page(path, 403)
