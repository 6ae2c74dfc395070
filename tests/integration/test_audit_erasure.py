"""Erasing a person from the log by destroying their key: what goes, what stays, and when it is refused."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from audit_log import ANA, GORAN, MORNING, act, body
from sqlalchemy import Engine, text

from services.audit.application import create_app
from services.audit.domain.note import Verifier, open_note
from services.audit.domain.retention import RetainedError
from services.audit.handlers import erasure, ingest
from services.audit.handlers.erasure import House
from services.audit.handlers.signing import sign_checkpoint
from services.audit.handlers.verification import verify
from services.audit.storage.archive import envelopes
from services.audit.storage.subjects import WRAPPING, Subjects
from shared.database import Context, UnitOfWork
from shared.errors import ForbiddenError, IllegalTransitionError
from shared.events import Actor, Envelope
from shared.messaging.wire import Raw, encode
from shared.settings import SettingsError
from shared.testing.stand import Stand
from shared.testing.web import KEY, Browser, person, web_settings

MILA, TOME = (Actor(id=f"user:{uuid4()}", name=name, role="auditor") for name in ("Mila Stojan", "Tome Delev"))
BILJANA = Actor(id=f"user:{uuid4()}", name="Biljana Kostova", role="applicant", organisation="chamber-of-crafts")
USER = BILJANA.id.removeprefix("user:")
LATER = MORNING + timedelta(days=365 * 12)
PLAIN = ("Biljana", "Kostova", "biljana@crafts.example")


@pytest.fixture
def engine(stand: Stand) -> Engine:
    """Give an empty log."""
    return stand.database("audit")


@pytest.fixture
def house(tmp_path: Path) -> House:
    """Give the keys of an installation whose erasures need two people."""
    return House.of(web_settings(home=tmp_path))


def told(engine: Engine, house: House, events: Iterable[Envelope]) -> int:
    """Ingest events with the keys of their people, as the worker does; returns how many leaves that made."""
    raws = [encode(event) for event in events]
    with engine.begin() as connection:
        batch = [Raw(raw.headers, raw.body, raw.routing_key, None, raw.message_id) for raw in raws]
        return ingest(connection, batch, subjects=house.subjects)


def registered(number: int = 1, **changes: Any) -> Envelope:
    """Return the event by which the portal says who Biljana is."""
    data = {"user_id": USER, "name": BILJANA.name, "email": PLAIN[2], "locale": "en", "roles": ["applicant"]}
    values: dict[str, Any] = {"source": "portal", "type": "portal.user.registered", "entity": BILJANA.id, "case": None}
    values |= {"programme": None, "sequence": number, "body": body(GORAN, changes={}, **data)}
    return act(number, **(values | changes))


def story() -> list[Envelope]:
    """Return what Biljana did in one case, a letter to her, and what others did."""
    told_by = {"history": [[], [{"by": BILJANA.id, "by_name": BILJANA.name, "stage": "submitted"}]]}
    letter: dict[str, Any] = {"recipient": USER, "recipient_name": BILJANA.name, "title": "Thank you"}
    system = Actor(id="service:notifications", kind="system", name="notifications")
    kind = {"source": "notifications", "type": "notifications.delivery.sent", "case": "BSO-2026-0001"}
    return [
        registered(),
        act(1, body=body(BILJANA, title="Crafts")),
        act(2, body=body(ANA, title="Weaving")),
        act(3, case="BSO-2026-0001", body=body(GORAN, title="Crafts")),
        act(1, **kind, body=body(system, changes={"recipient_name": [None, BILJANA.name]}, **letter)),
        act(4, case="BSO-2026-0001", body=body(GORAN, changes=told_by, entered_by_name=BILJANA.name)),
        act(5, type="grants.attempt.refused", body=body(BILJANA, detail=f"{BILJANA.name} may not", note="")),
    ]


def uow(engine: Engine, actor: Actor, now: datetime = LATER) -> UnitOfWork:
    """Return a transaction of somebody at a moment."""
    return UnitOfWork(engine, "audit", Context(actor=actor), clock=lambda: now)


def erased(engine: Engine, house: House, now: datetime = LATER) -> str:
    """Have Biljana erased by two people; returns the receipt."""
    subject = erasure.find(house, USER)
    with uow(engine, MILA, now) as one:
        erasure.request(one, house, subject, "She asked for it")
    with uow(engine, TOME, now) as two:
        done = erasure.confirm(two, house, subject)
    assert done.receipt
    return done.receipt


def everything(stand: Stand, engine: Engine) -> str:
    """Return all that stands in the log's database, in any table, as text."""
    with stand.superuser(engine).connect() as connection:
        names = connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).scalars().all()
        found = [connection.execute(text(f'SELECT t::text FROM "{name}" t')).scalars().all() for name in names]  # noqa: S608 - tables of ours
    return "\n".join(row for rows in found for row in rows)


def test_t16_an_erased_person_is_nowhere_and_the_log_still_verifies(stand: Stand, engine: Engine, house: House) -> None:
    """T16: after an erasure no table, search, page, API, replay or store of keys has the name; the log is sound."""
    told(engine, house, story())
    with engine.begin() as connection:
        before = sign_checkpoint(connection, house.keys)
    assert before
    assert not any(word in everything(stand, engine) for word in PLAIN)  # sealed from the first moment on

    app = create_app(web_settings(home=house.keys.folder.parent), engine=engine, key=KEY)
    auditor = Browser(app, person("auditor"))
    found = auditor.get("/api/search?q=Biljana").json()["items"]
    assert {item["actor_name"] for item in found} == {"Biljana Kostova", "Goran Ristov", "notifications"}
    assert len(found) == 5
    by_name = auditor.get("/api/search?person=kostova").json()["items"]
    assert [item["data"].get("title") for item in by_name] == [None, "Crafts"]
    assert "Biljana Kostova" in auditor.get("/?q=biljana@crafts.example").text

    receipt = erased(engine, house)

    subject = house.subjects.of(USER)
    assert subject
    assert (subject.key, subject.name, subject.erased_by) == (None, None, "Tome Delev")
    for address in ("/api/search?q=Biljana", "/api/search?person=kostova", "/api/search?q=biljana@crafts.example"):
        assert auditor.get(address).json()["items"] == []
    for address in (
        "/?q=Crafts",
        "/cases/BSO-2026-0001",
        "/api/search?q=Crafts",
        f"/api/events/{found[0]['event_id']}",
    ):
        assert not any(word in auditor.get(address).text for word in PLAIN), address
    assert "[erased on 2038-10-30 by Tome Delev]" in auditor.get("/?q=Crafts").text
    with engine.connect() as connection:
        again = list(envelopes(connection, [item["event_id"] for item in found]))
    assert len(again) == 5
    assert not any(word in item.model_dump_json() for item in again for word in PLAIN)
    assert not any(word in receipt for word in (*PLAIN, USER))
    kept = b"".join(file.read_bytes() for file in house.keys.folder.iterdir())
    assert not any(word.encode() in kept for word in PLAIN)

    report = verify(engine, house.keys, pinned=before.note)
    assert (report.ok, report.size) == (True, 7)
    said = open_note(receipt, [Verifier.parse(house.receipts.verifier.encode())]).splitlines()
    assert said[0] == "tamga-erasure/v1"
    assert {f"subject {subject.id}", "by Tome Delev", "entries 5", "proven 5 of 5"} <= set(said)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT type, body::text AS body FROM outbox ORDER BY row")).all()
    [event] = [json.loads(row.body)["data"] for row in rows if row.type == "audit.erasure.completed"]
    assert (event["subject"], event["entries"], event["proven"]) == (subject.id, 5, 5)
    assert not any(word in row.body for row in rows if row.type.startswith("audit.erasure") for word in (*PLAIN, USER))


def test_t17_who_is_held_or_kept_is_not_erased(engine: Engine, house: House) -> None:
    """T17: an erasure under legal hold, or before the end of the term, is refused with reason and day, on record."""
    told(engine, house, story())
    subject = erasure.find(house, PLAIN[2])
    early = MORNING + timedelta(days=365)
    with pytest.raises(RetainedError, match="BSO-2026-0001 has to be kept until 2029-11-02: Rule of the house: three"):
        erased(engine, house, early)
    with uow(engine, MILA) as one:
        hold = erasure.place_hold(one, house, "case", "bso-2026-0001", "Court case 12/26")
    held = "BSO-2026-0001 is under legal hold since 2038-10-30, placed by Mila Stojan: Court case 12/26"
    with pytest.raises(RetainedError, match=held):
        erased(engine, house)

    app = create_app(web_settings(home=house.keys.folder.parent), engine=engine, key=KEY, clock=lambda: LATER)
    auditor = Browser(app, person("auditor"))
    answer = auditor.post(f"/retention/people/{subject.id}/request", {"why": "She asked"})
    assert (answer.status_code, "Court case 12/26" in answer.text) == (409, True)
    with engine.connect() as connection:
        query = text("SELECT body->'data' AS data FROM outbox WHERE type = 'audit.attempt.refused'")
        [refusal] = connection.execute(query).scalars()
    assert (refusal["problem"], refusal["detail"]) == ("retained", held)

    with pytest.raises(ForbiddenError, match="Another person"), uow(engine, MILA) as one:
        erasure.release_hold(one, house, hold.id, "It is over")
    with uow(engine, TOME) as two:
        erasure.release_hold(two, house, hold.id, "It is over")
    assert "proven 5 of 5" in erased(engine, house)


def test_an_award_is_kept_from_the_day_on_which_it_was_settled(engine: Engine, house: House) -> None:
    """The term of an award begins when it is settled, by the programme's own retention.yaml; reopened, it ends."""
    pack = {"retention": {"award": {"years": 7, "basis": "Grant contract, article 9"}}}
    loaded = {"source": "portal", "type": "portal.programme.loaded", "entity": "programme:business-ecosystem"}
    case = {"case": "BSO-2026-0001", "entity": "award:BSO-2026-0001"}
    told(engine, house, [*story(), act(9, **loaded, body=body(GORAN, changes={}, pack=pack))])
    told(engine, house, [act(10, **case, sequence=1, type="grants.application.awarded", body=body(GORAN))])
    with pytest.raises(RetainedError, match=r"has not ended: its term of 7 years has not begun \(Grant contract"):
        erased(engine, house)
    settled = {"type": "grants.award.settled", "body": body(GORAN)}
    told(engine, house, [act(11, **case, sequence=2, **settled, time=LATER - timedelta(days=365 * 3))])
    with pytest.raises(RetainedError, match="until 2042-10-31: Grant contract, article 9"):
        erased(engine, house)
    told(engine, house, [act(12, **case, sequence=3, type="grants.award.reopened", body=body(GORAN))])
    with pytest.raises(RetainedError, match="has not ended"):
        erased(engine, house)
    told(engine, house, [act(13, **case, sequence=4, **settled, time=LATER)])
    assert erased(engine, house, LATER + timedelta(days=366 * 7))


def test_nobody_erases_alone_or_twice(engine: Engine, house: House) -> None:
    """Who asked for an erasure can't confirm it; what was withdrawn can be asked for again; done is done."""
    told(engine, house, story())
    subject = erasure.find(house, USER)
    with uow(engine, MILA) as one:
        erasure.request(one, house, subject, "She asked for it")
    with pytest.raises(ForbiddenError, match="Another person"), uow(engine, MILA) as one:
        erasure.confirm(one, house, subject)
    with uow(engine, TOME) as two:
        erasure.withdraw(two, subject, "She changed her mind")
    with pytest.raises(IllegalTransitionError), uow(engine, TOME) as two:
        erasure.confirm(two, house, subject)
    assert house.subjects.names([BILJANA.id]) == {BILJANA.id: BILJANA.name}
    assert erased(engine, house)
    with pytest.raises(IllegalTransitionError), uow(engine, MILA) as one:
        erasure.confirm(one, house, subject)


def test_redelivery_stays_one_leaf_before_and_after(engine: Engine, house: House) -> None:
    """An event that comes again is known by its seals, whether or not its key is still there; a forged one is not."""
    events = story()
    assert told(engine, house, events) == 7
    assert told(engine, house, events) == 0
    forged = events[1].model_copy(update={"body": body(BILJANA.model_copy(update={"name": "Mallory"}), title="Crafts")})
    assert told(engine, house, [forged]) == 1  # the leaf of its refusal
    erased(engine, house)
    assert told(engine, house, events) == 0
    late = act(7, body=body(BILJANA, title="Late"))
    assert told(engine, house, [late]) == 1
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT body FROM event WHERE event_id = :id"), {"id": late.id}).scalars().all()
    assert "Biljana" not in rows[0]
    assert house.subjects.found_by(["biljana"]) == {}
    assert verify(engine, house.keys).ok


def test_two_people_erase_on_the_pages(engine: Engine, house: House) -> None:
    """The pages lead from an address to the dry run, the request, a second person's password and the receipt."""
    told(engine, house, story())
    app = create_app(web_settings(home=house.keys.folder.parent), engine=engine, key=KEY, clock=lambda: LATER)
    mila, tome = Browser(app, person("auditor", "mila")), Browser(app, person("operator", "tome"))
    assert "There is no such person" in mila.post("/retention/find", {"which": "nobody@nowhere.example"}).text
    found = mila.post("/retention/find", {"which": " Biljana@Crafts.example "})
    place = found.headers["location"].removeprefix("/audit")
    assert (found.status_code, PLAIN[2] in place) == (303, False)
    page = mila.get(place)
    assert all(word in page.text for word in ("Biljana Kostova", "BSO-2026-0001", "may be erased", "three years"))
    empty = mila.post(f"{place}/request", {"why": " "})
    assert (empty.status_code, "is required" in empty.text) == (422, True)
    assert mila.post(f"{place}/request", {"why": "She asked"}).status_code == 303
    assert "another person confirms it" in mila.get(place).text
    assert mila.post(f"{place}/request", {"why": "She asked"}).status_code == 409
    assert tome.post(f"{place}/confirm", {"version": "1"}).status_code == 403  # the password is too long ago
    fresh = Browser(app, person("operator", "tome", confirmed_at=int(LATER.timestamp())))
    assert fresh.post(f"{place}/confirm", {"version": "7"}).status_code == 409
    assert fresh.post(f"{place}/confirm", {"version": "1"}).status_code == 303
    after = tome.get(place)
    assert "Biljana" not in after.text
    assert all(word in after.text for word in ("Erased on", "tamga-erasure/v1", "proven 5 of 5"))
    receipt = mila.get(f"{place}/receipt")
    assert receipt.text.startswith("tamga-erasure/v1\n")
    assert fresh.post(f"{place}/confirm", {"version": "2"}).status_code == 409
    assert Browser(app, person("applicant")).get("/retention").status_code == 403
    assert Browser(app, person("officer")).get(place).status_code == 403


def test_a_hold_stands_on_a_case_without_a_number(engine: Engine, house: House) -> None:
    """A hold on what is kept under a firm's id, in small letters, is placed on that very case and not on another."""
    with uow(engine, MILA) as one:
        assert erasure.place_hold(one, house, "case", "lead-firm", "Court case 12/26").which == "lead-firm"
        assert erasure.place_hold(one, house, "case", "bso-2026-0001", "Court case 12/26").which == "BSO-2026-0001"


def test_holds_on_the_pages(engine: Engine, house: House) -> None:
    """A hold is placed by an auditor and released by another; the refused form names its field and keeps its words."""
    told(engine, house, story())
    app = create_app(web_settings(home=house.keys.folder.parent), engine=engine, key=KEY, clock=lambda: LATER)
    mila, tome = Browser(app, person("auditor", "mila")), Browser(app, person("auditor", "tome"))
    wrong = mila.post("/retention/holds", {"scope": "person", "which": "x@y.example", "why": "Case 12/26"})
    assert (wrong.status_code, wrong.text.count("There is no such person"), "Case 12/26" in wrong.text) == (
        422,
        2,
        True,
    )
    sent = {"scope": "person", "which": PLAIN[2], "why": "Case 12/26"}
    assert mila.post("/retention/holds", sent).status_code == 303
    shown = mila.get("/retention").text
    assert ("Case 12/26" in shown, PLAIN[2] in shown, "Another person releases it" in shown) == (True, False, True)
    with engine.connect() as connection:
        hold = connection.execute(text("SELECT id FROM hold")).scalar_one()
    assert mila.post(f"/retention/holds/{hold}/release", {"version": "1", "why": "Over"}).status_code == 403
    assert tome.post(f"/retention/holds/{hold}/release", {"version": "1", "why": ""}).status_code == 422
    assert tome.post(f"/retention/holds/{hold}/release", {"version": "1", "why": "Over"}).status_code == 303
    assert tome.post(f"/retention/holds/{hold}/release", {"version": "1", "why": "Over"}).status_code == 409
    operator = Browser(app, person("operator"))
    assert operator.post("/retention/holds", sent).status_code == 403
    tome.cookies.set("tamga_language", "ru")
    russian = tome.get("/retention").text
    assert "Сроки хранения и стирание" in russian


def test_an_old_copy_of_the_keys_does_not_bring_anybody_back(engine: Engine, house: House) -> None:
    """Whoever puts yesterday's store of keys in place finds those destroyed again whom the ledger names."""
    told(engine, house, story())
    yesterday = house.subjects.copy()
    erased(engine, house)
    house.subjects.store.unlink()
    house.subjects.store.write_bytes(yesterday)
    anew = Subjects(house.keys.folder)
    subject = anew.of(USER)
    assert subject
    assert (subject.key, anew.found_by(["biljana"]), anew.names([BILJANA.id])) == (None, {}, {})
    assert anew.names([ANA.id]) == {ANA.id: ANA.name}


def test_a_lost_wrapping_key_is_told_and_none_is_made_in_its_place(engine: Engine, house: House) -> None:
    """Without the key that wraps the others nothing more is taken in, and the words name the file and the cure."""
    told(engine, house, story())
    (house.keys.folder / WRAPPING).unlink()
    lost = House(house.keys, Subjects(house.keys.folder), house.zone, house.two_people)
    with pytest.raises(SettingsError, match=r"The key of people in the log, .*subjects\.key, can't be read"):
        told(engine, lost, [act(20, body=body(ANA))])
    assert not (house.keys.folder / WRAPPING).exists()
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM event")).scalar_one() == 7


def test_a_change_of_a_seal_is_found(stand: Stand, engine: Engine, house: House) -> None:
    """T1 for sealed rows: one byte of a seal, or a seal more, makes the verification name the leaf and its body."""
    told(engine, house, story())
    with stand.superuser(engine).begin() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        cut = 'UPDATE event SET body = replace(body, \'"ct":"\', \'"ct":"A\') WHERE leaf_index = 1'
        connection.execute(text(cut))
        connection.execute(text("UPDATE event SET summary = summary || ' Biljana' WHERE leaf_index = 0"))
    findings = [(item.leaf_index, item.column) for item in verify(engine, house.keys).findings]
    assert {(0, "summary"), (1, "body")} <= set(findings)
