"""From an act in the grants service, over its relay, to what the watch finds in the log."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from completeness_world import Line
from grants_world import PDF, PROGRAMME, Case, Person, World, read_pack
from sqlalchemy import Engine, text

from services.audit.domain.watching import Found
from services.audit.handlers import ingest, watching
from shared.database import Context, UnitOfWork, reading, system
from shared.entity import canonical_hash
from shared.events.portal import ProgrammeLoaded
from shared.messaging.relay import Relay
from shared.testing.stand import Stand

pytestmark = pytest.mark.slow  # whole stories, of many acts each

ZONE = "Europe/Skopje"
ACCOUNT = "MK07300000000042425"
BANK = "/organisations/chamber-of-crafts/bank"


@pytest.fixture
def world(stand: Stand, tmp_path: Path) -> World:
    """Give a grants service whose applicant can be paid."""
    return World(stand.database("grants"), tmp_path)


@pytest.fixture
def log(stand: Stand, world: World) -> Engine:
    """Give an empty log that has the programme's pack."""
    engine = stand.database("audit")
    pack = read_pack() | {"people": {}}
    loaded = ProgrammeLoaded(programme_id=PROGRAMME, pack_version=1, sha256=canonical_hash(pack), pack=pack)
    portal = stand.database("portal")
    with UnitOfWork(portal, "portal", Context(actor=system("portal")), clock=world.clock) as uow:
        uow.record(loaded, entity=f"programme:{PROGRAMME}")
    carry(portal, "portal", engine, world)
    return engine


def carry(source: Engine, name: str, log: Engine, world: World) -> None:
    """Let the service's relay send what it recorded, and the log take it in the hour in which it happened."""
    line = Line(lambda _row: False)
    relay = Relay(name, source.url.render_as_string(hide_password=False), "")
    with relay._session() as db:
        while relay.relay_batch(db, line):  # type: ignore[arg-type]
            pass
    with log.begin() as connection:
        ingest(connection, line.messages, clock=world.clock)


def hits(world: World, log: Engine) -> list[Found]:
    """Return what the rules find of what the grants service did so far."""
    carry(world.engine, "grants", log, world)
    with reading(log) as connection:
        return list(watching.again(connection, ZONE, None))


def new_account(world: World) -> None:
    """Have another account entered by one person and confirmed by another."""
    version = int(world.officer.api("GET", BANK)["version"])
    answer = world.officer.request(
        "POST",
        f"/api{BANK}",
        data={"iban": ACCOUNT, "holder": "Chamber of Crafts", "version": str(version)},
        files={"file": ("letter.pdf", PDF + b"% the new account", "application/pdf")},
    )
    assert answer.status_code == 201, answer.text
    confirm(world.finance, "confirmation")


def confirm(person: Person, what: str, **body: Any) -> None:
    """Decide about the newest bank details as somebody who has just looked at them."""
    person.api("POST", f"{BANK}/2/{what}", 200, version=int(person.api("GET", BANK)["version"]), **body)


def ready_to_pay(world: World) -> Case:
    """Bring a case to a tranche that was requested."""
    case = Case(world).concluded()
    document = case.attach("other", PDF + b"seen")
    case.act(world.applicant, "milestones/1/evidence", document=document["id"])
    case.act(world.officer, "milestones/1/verification", good=True, note="Seen")
    case.act(world.officer, "tranches/1/request")
    return case


@pytest.mark.parametrize(("hours", "rules"), [(47, ["paid_soon_after_change"]), (48, [])])
def test_money_that_goes_to_another_account_at_once_is_found(
    world: World, log: Engine, hours: int, rules: list[str]
) -> None:
    """A manager lifts the waiting time and finance pays within two days: a hit with all three acts, else none."""
    case = ready_to_pay(world)
    new_account(world)
    confirm(world.manager, "lift", why="Known for years")
    world.clock.forward(hours=hours)
    case.act(world.finance, "tranches/1/release")
    found = hits(world, log)
    assert [item.rule for item in found] == rules
    if found:
        assert (found[0].about, found[0].facts["lifted"], len(found[0].evidence)) == (case.reference, "1", 3)
        with log.connect() as connection:
            query = text("SELECT type FROM event WHERE event_id = ANY(:ids) ORDER BY leaf_index")
            types = connection.execute(query, {"ids": list(found[0].evidence)}).scalars().all()
        assert types == ["grants.payee.entered", "grants.payee.lifted", "grants.award.tranche_released"]


@pytest.mark.parametrize(("tries", "rules"), [(11, ["refusals_in_a_burst"]), (10, [])])
def test_somebody_who_tries_doors_is_found(world: World, log: Engine, tries: int, rules: list[str]) -> None:
    """Eleven refused attempts within ten minutes are a hit about who tried; ten are none."""
    Case(world).submitted()
    for _ in range(tries):
        world.applicant.api("POST", f"{BANK}/1/confirmation", 403, version=1)
        world.clock.forward(seconds=5)
    found = hits(world, log)
    assert [item.rule for item in found] == rules
    assert all(item.person == f"user:{world.applicant.identity.user}" for item in found)


@pytest.mark.parametrize(
    ("at", "rules"),
    [
        ((2026, 3, 2, 21), ["off_hours_burst"]),  # 22:00 in Skopje
        ((2026, 3, 7, 9), ["off_hours_burst"]),  # a Saturday
        ((2026, 3, 2, 9), []),
    ],
)
def test_an_officer_who_works_at_odd_hours_is_found(
    world: World, log: Engine, at: tuple[int, int, int, int], rules: list[str]
) -> None:
    """A dozen acts on a Saturday or late in the evening, by the programme's calendar and clocks, are a hit."""
    case = Case(world).submitted()
    world.clock.now = datetime(*at, tzinfo=world.clock.now.tzinfo)
    for number in range(12):
        case.check("eligibility", "registered", "yes" if number % 2 else "no")
        world.clock.forward(seconds=60)
    found = hits(world, log)
    assert [item.rule for item in found] == rules
    assert all(item.programme == PROGRAMME for item in found)


def test_a_score_changed_after_its_last_day_is_found(world: World, log: Engine) -> None:
    """A reviewer changes their scores weeks after the review was due: found with the day and both scores."""
    case = Case(world).in_review("reviewer_one", "reviewer_two")
    for reviewer, points in (("reviewer_one", 5), ("reviewer_two", 1)):
        case.declare(reviewer)
        case.score(reviewer, points)
    assert hits(world, log) == []
    world.clock.forward(days=60)
    case.score("reviewer_one", 2, submit=True, why="We talked it over")
    found = hits(world, log)
    assert [item.rule for item in found] == ["score_after_deadline"]
    assert found[0].facts["before"] != found[0].facts["after"]
    assert timedelta(0) < found[0].act.at - datetime.fromisoformat(f"{found[0].facts['due']}T00:00:00+00:00")
