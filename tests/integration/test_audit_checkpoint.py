"""Checkpoints that people keep: the page on which they are compared, and their announcement to the other services."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from audit_log import act, take_in
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI
from sqlalchemy import Engine, text

from services.audit.application import create_app
from services.audit.domain.note import Checkpoint, Signer
from services.audit.handlers.announcing import EVERY, announce
from services.audit.handlers.signing import sign_checkpoint
from services.audit.keys import Keys
from services.audit.signer.book import Book
from services.audit.storage import tree
from shared.checkpoints import Kept
from shared.testing.clock import StandingClock
from shared.testing.stand import Stand
from shared.testing.web import KEY, Browser, person, web_settings
from tests.conftest import UowFor

THEN, NOW = 300, 420
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def signed(engine: Engine, keys: Keys) -> Kept:
    """Sign the log as it stands, and return what a partner keeps of it."""
    with engine.begin() as connection:
        made = sign_checkpoint(connection, keys)
    assert made is not None
    return Kept(made.size, made.root.hex(), made.note)


@pytest.fixture
def engine(stand: Stand) -> Engine:
    return stand.database("audit")


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys.of(web_settings(home=tmp_path))


@pytest.fixture
def app(engine: Engine, tmp_path: Path) -> FastAPI:
    return create_app(web_settings(home=tmp_path), engine=engine, key=KEY)


@pytest.fixture
def kept(engine: Engine, keys: Keys) -> Kept:
    """Give what a partner kept, before the log went on growing."""
    take_in(engine, [act(n) for n in range(1, THEN + 1)])
    made = signed(engine, keys)
    take_in(engine, [act(n) for n in range(THEN + 1, NOW + 1)])
    return made


def asked(app: FastAPI, text: str, role: str = "finance_partner") -> tuple[int, str]:
    """Return what the page answers to something pasted."""
    answer = Browser(app, person(role)).post("/checkpoint", {"kept": text})
    return answer.status_code, answer.text


@pytest.mark.english
def test_a_partner_sees_that_the_log_has_grown_from_what_they_kept(app: FastAPI, kept: Kept) -> None:
    """The note, the header and the line of a letter all lead to a plain yes, with how many entries came since."""
    for form in (kept.note, f"audit-checkpoint: {kept.carried()}", f"Checkpoint: {kept.short()}. Whoever keeps it"):
        status, page = asked(app, form)
        assert (status, "Yes: this log has grown from that" in page) == (200, True), form
        assert "All 300 entries that were there then are there now" in page
        assert "120 came after" in page
        assert ("without a signature" in page) is (form.startswith("Checkpoint"))


@pytest.mark.english
def test_everybody_who_signed_in_may_compare(app: FastAPI, kept: Kept) -> None:
    """Whoever gets letters can check what stands in them; a stranger can't."""
    for role in ("applicant", "officer", "auditor", "operator", "reviewer"):
        assert "Yes: this log" in asked(app, kept.note, role)[1], role
    assert "sign" in Browser(app, None).get("/checkpoint").headers["location"]


@pytest.mark.english
def test_a_log_that_was_rewritten_is_told_in_plain_words(app: FastAPI, kept: Kept, stand: Stand) -> None:
    """Another log of the same length, under the same key, is not what the partner kept."""
    other = stand.database("audit")
    take_in(other, [act(n) for n in range(1, NOW + 1)])
    forged = create_app(app.state.settings, engine=other, key=KEY)
    for form in (kept.note, kept.short()):
        status, page = asked(forged, form)
        assert (status, "NO: this log has not grown from that" in page) == (200, True)
        assert "The first 300 entries are not what they were then" in page


@pytest.mark.english
def test_a_log_that_was_cut_is_told_in_plain_words(app: FastAPI, kept: Kept, stand: Stand) -> None:
    """A log with fewer entries than were signed is told with both numbers."""
    other = stand.database("audit")
    take_in(other, [act(n) for n in range(1, 101)])
    _, page = asked(create_app(app.state.settings, engine=other, key=KEY), kept.note)
    assert "NO: this log has not grown from that" in page
    assert "It speaks of 300 entries, and the log has 100" in page


@pytest.mark.english
def test_what_this_log_never_signed_says_nothing_about_it(app: FastAPI, kept: Kept, keys: Keys) -> None:
    """A changed note, one by another key, and one of another house are told from a log that was rewritten."""
    stranger = Signer(keys.origin, Ed25519PrivateKey.generate())
    forged = stranger.sign(Checkpoint(keys.origin, kept.size, bytes.fromhex(kept.root)).text())
    elsewhere = Signer("other.example/audit", stranger.key).sign(Checkpoint("other.example/audit", 9, bytes(32)).text())
    for form in (kept.note.replace("\n300\n", "\n301\n"), forged, elsewhere):
        _, page = asked(app, form)
        assert "This is no checkpoint of this log" in page, form
        assert "NO: this log" not in page


@pytest.mark.english
def test_what_is_no_checkpoint_comes_back_with_the_rule(app: FastAPI, kept: Kept) -> None:
    """Rubbish is refused at the field and stays as typed; nothing of it is markup."""
    for typed, rule in (
        ("<b>hello</b>", "is no checkpoint"),
        ("", "is no checkpoint"),
        (f"0 {kept.short().split()[1]}", "speaks of the empty log"),
    ):
        status, page = asked(app, typed)
        assert (status, rule in page) == (422, True), typed
        assert "<b>hello</b>" not in page
    assert asked(app, "x" * 30_000)[0] == 422


def test_a_log_without_its_tiles_says_that_hashes_are_missing(app: FastAPI, kept: Kept, stand: Stand) -> None:
    """Tiles that were taken out are a finding of the comparison, and no server error."""
    with stand.superuser(app.state.engine).begin() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        connection.execute(text("DELETE FROM tile"))
    status, page = asked(app, kept.note)
    assert (status, 'role="alert"' in page) == (200, True)


def test_comparing_leaves_nothing_behind(app: FastAPI, kept: Kept, engine: Engine) -> None:
    """Who compares and what is neither stored nor recorded: a partner's doubt is the partner's."""
    before = everything(engine)
    asked(app, kept.note)
    Browser(app, person("finance_partner")).get("/checkpoint")
    assert everything(engine) == before


def everything(engine: Engine) -> list[int]:
    """Return how much stands in what a request could write to."""
    tables = ("event", "outbox", "checkpoint", "tree_head")
    with engine.connect() as connection:
        return [connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in tables]  # noqa: S608


# --- announcements ----------------------------------------------------------------


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock(NOON)


def announced(engine: Engine) -> list[int]:
    """Return the sizes that were announced, in order."""
    query = (
        "SELECT CAST(body->'data'->>'size' AS int) FROM outbox"
        " WHERE type = 'audit.checkpoint.announced' ORDER BY sequence"
    )
    with engine.connect() as connection:
        return list(connection.execute(text(query)).scalars())


def tick(engine: Engine, uow_for: UowFor, clock: StandingClock, keys: Keys) -> None:
    """Let the log take in what it published itself, sign, and let the timer look."""
    with engine.connect() as connection:
        size = tree.head(connection).size
        own = list(
            connection.execute(
                text("SELECT id, sequence FROM outbox WHERE id NOT IN (SELECT event_id FROM event) ORDER BY sequence")
            )
        )
    if own:
        kind, entity = "audit.checkpoint.announced", "checkpoint:log"
        take_in(
            engine,
            [act(size, id=row.id, source="audit", type=kind, entity=entity, sequence=row.sequence) for row in own],
        )
    signed(engine, keys)
    with uow_for(engine, "audit", clock=clock) as uow:
        announce(uow)


def test_an_announcement_never_calls_for_the_next_one(
    engine: Engine, keys: Keys, clock: StandingClock, uow_for: UowFor
) -> None:
    """Each is an entry of the log and so makes a new checkpoint; in a quiet house that one is not announced."""
    take_in(engine, [act(1)])
    for _ in range(6):
        tick(engine, uow_for, clock, keys)
        clock.now += EVERY * 2
    assert announced(engine) == [1]
    take_in(engine, [act(2)])
    for _ in range(6):
        tick(engine, uow_for, clock, keys)
        clock.now += EVERY * 2
    assert announced(engine) == [1, 3]


def test_a_busy_house_is_announced_every_five_minutes(
    engine: Engine, keys: Keys, clock: StandingClock, uow_for: UowFor
) -> None:
    """However much happens: an hour of it makes twelve announcements."""
    for minute in range(60):
        take_in(engine, [act(minute + 1)])
        tick(engine, uow_for, clock, keys)
        clock.now += timedelta(minutes=1)
    assert len(announced(engine)) == 12


def test_a_log_that_was_begun_again_is_announced(
    engine: Engine, keys: Keys, clock: StandingClock, uow_for: UowFor, stand: Stand
) -> None:
    """After a restore that somebody stood up for the log is shorter than what was announced; its news goes out."""
    take_in(engine, [act(n) for n in range(1, 6)])
    tick(engine, uow_for, clock, keys)
    with stand.superuser(engine).begin() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        for table in ("event", "tree_head", "checkpoint"):
            connection.execute(text(f"DELETE FROM {table}"))  # noqa: S608 - three names of ours
    Book(keys.folder, keys.origin).begin_again("restored from the backup of last night")
    take_in(engine, [act(9)])
    clock.now += EVERY
    signed(engine, keys)
    with uow_for(engine, "audit", clock=clock) as uow:
        announce(uow)
    assert announced(engine) == [5, 1]


def test_before_anything_is_signed_nothing_is_announced(engine: Engine, clock: StandingClock, uow_for: UowFor) -> None:
    """An empty log has no checkpoint, and says nothing."""
    with uow_for(engine, "audit", clock=clock) as uow:
        announce(uow)
    assert announced(engine) == []
