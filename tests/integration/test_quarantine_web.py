"""The operator's pages of the quarantine, as each consuming service serves its own."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlalchemy import Engine, text

from shared.events import Envelope
from shared.messaging import quarantine
from shared.messaging.wire import Raw, encode
from shared.testing.backbone import event_of
from shared.testing.stand import Stand
from shared.testing.web import KEY, Browser, person, web_settings
from shared.web.app import create_service_app
from shared.web.policy import Policy

PATH = "/operations/quarantine"
MORNING = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def engine(stand: Stand) -> Engine:
    """Give a consuming service's database."""
    return stand.database("loans")


@pytest.fixture
def operator(engine: Engine) -> Browser:
    """Give the operator's browser on an empty quarantine."""
    with engine.begin() as connection:
        for table in ("quarantine", "inbox_parked", "inbox_head", "inbox_gap", "outbox"):
            connection.execute(text(f"DELETE FROM {table}"))  # noqa: S608 - our own names
    app: FastAPI = create_service_app(
        service="loans",
        engine=engine,
        policy=Policy({}),
        routers=[],
        templates=Path(),
        settings=web_settings(),
        key=KEY,
    )
    return Browser(app, person("operator", name="Olga Operator"))


def _hold(engine: Engine, message: Envelope | Raw, error: Exception) -> str:
    raw = encode(message) if isinstance(message, Envelope) else message
    with engine.begin() as connection:
        return str(quarantine.hold(connection, "loans", raw, error, attempts=3, now=MORNING))


def _state(engine: Engine, row: str) -> str:
    with engine.connect() as connection:
        return str(connection.execute(text("SELECT state FROM quarantine WHERE id = :id"), {"id": row}).scalar_one())


@pytest.mark.english
def test_what_is_held_stands_in_groups_and_can_be_narrowed(engine: Engine, operator: Browser) -> None:
    """Failures of one kind are one line with their number; a search shows single events and the two decisions."""
    for entity in "abc":
        _hold(engine, event_of(entity, 1), ValueError("no such bank"))
    odd = _hold(engine, event_of("d", 1), KeyError("amount"))
    page = operator.get(PATH).text
    assert page.count("no such bank") == 1
    assert "Decide for all of these" not in page
    narrowed = operator.get(f"{PATH}?entity=user:d").text
    assert f"{PATH}/{odd}" in narrowed
    assert "no such bank" not in narrowed
    assert "Decide for all of these" in narrowed
    assert "Nothing is held" in operator.get(f"{PATH}?type=grants.").text


def test_one_event_is_shown_whole_and_its_bytes_can_be_had(engine: Engine, operator: Browser) -> None:
    """Body, headers, traceback and what waits behind it; the download is what came, byte for byte."""
    body = b'{"data": \xff broken'
    row = _hold(engine, Raw({"cloudEvents_type": "portal.user.deactivated"}, body), ValueError("<script>"))
    page = operator.get(f"{PATH}/{row}").text
    assert "&lt;script&gt;" in page
    assert "\\xff broken" in page
    download = operator.get(f"{PATH}/{row}/body")
    assert (download.content, download.headers["content-type"]) == (body, "application/octet-stream")
    assert "attachment" in download.headers["content-disposition"]


@pytest.mark.english
def test_replay_asks_nothing_and_is_on_record_with_the_person(engine: Engine, operator: Browser) -> None:
    """One click hands the event back; the record names who did it, and the page says that it waits."""
    row = _hold(engine, event_of("a", 1), ValueError("no such bank"))
    assert operator.post(f"{PATH}/replay", {"id": row}).headers["location"] == f"/loans{PATH}/{row}"
    assert _state(engine, row) == "replayed"
    page = operator.get(f"{PATH}/{row}").text
    assert "It waits for its consumer" in page
    assert "Olga Operator" in page
    with engine.connect() as connection:
        said = text("SELECT body->'actor'->>'name' FROM outbox WHERE type = 'loans.quarantine.replayed'")
        assert connection.execute(said).scalar_one() == "Olga Operator"


@pytest.mark.english
def test_a_dry_run_counts_and_changes_nothing(engine: Engine, operator: Browser) -> None:
    """Trying a decision out on a whole group says how many it would be; the real one takes all of them."""
    rows = [_hold(engine, event_of(entity, 1), ValueError("no such bank")) for entity in "abc"]
    group = {"fingerprint": "ValueError"}
    tried = operator.post(f"{PATH}/replay", group | {"dry_run": "true"})
    assert tried.status_code == 200
    assert "3 would be replayed" in tried.text
    assert {_state(engine, row) for row in rows} == {"held"}
    done = operator.post(f"{PATH}/replay", group)
    assert done.headers["location"].endswith("settled=replayed&count=3")
    assert {_state(engine, row) for row in rows} == {"replayed"}


@pytest.mark.english
def test_a_discard_needs_a_reason(engine: Engine, operator: Browser) -> None:
    """Without one the page says so and nothing is done; with one the reason is on the row and in the record."""
    row = _hold(engine, event_of("a", 1), ValueError("no such bank"))
    refused = operator.post(f"{PATH}/discard", {"id": row, "reason": "  "})
    assert refused.status_code == 422
    assert "say why this event may be left out" in refused.text
    assert _state(engine, row) == "held"
    operator.post(f"{PATH}/discard", {"id": row, "reason": "a test of March"})
    assert "a test of March" in operator.get(f"{PATH}/{row}").text
    with engine.connect() as connection:
        reason = text("SELECT body->>'reason' FROM outbox WHERE type = 'loans.quarantine.discarded'")
        assert connection.execute(reason).scalar_one() == "a test of March"


@pytest.mark.english
def test_what_cannot_be_read_stays_held_and_says_why(engine: Engine, operator: Browser) -> None:
    """A replay of bytes that are no event is refused with the reason; the others of the choice go on."""
    good = _hold(engine, event_of("a", 1), ValueError("no"))
    bad = _hold(engine, Raw({"cloudEvents_type": "portal.user.deactivated"}, b"{"), ValueError("no"))
    page = operator.post(f"{PATH}/replay", {"fingerprint": "ValueError"}).text
    assert "Still unreadable: 1" in page
    assert (_state(engine, good), _state(engine, bad)) == ("replayed", "held")


@pytest.mark.english
def test_missing_events_stand_above(engine: Engine, operator: Browser) -> None:
    """A gap that was alarmed shows its numbers and what the source said; the part for the portal has it too."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO inbox_gap (consumer, entity, source, first, last, since, alarmed_at, asked, answered_at,"
                " absent) VALUES ('loans', 'portal/user:a', 'portal', 3, 4, :at, :at, 2, :at, 2)"
            ),
            {"at": MORNING},
        )
    for path in (PATH, f"{PATH}/fragment"):
        page = re.sub(r"\s+", " ", operator.get(path).text)
        assert "portal/user:a" in page
        assert "does not have 2 of them" in page


@pytest.mark.parametrize("role", ["applicant", "officer", "auditor"])
def test_nobody_but_the_operator_gets_in(operator: Browser, role: str) -> None:
    """Every page and every decision is the operator's alone."""
    stranger = Browser(operator.app, person(role))
    assert stranger.get(PATH).status_code == 403
    assert stranger.post(f"{PATH}/replay", {"fingerprint": "x"}).status_code == 403
    assert stranger.post(f"{PATH}/discard", {"fingerprint": "x", "reason": "y"}).status_code == 403


@pytest.mark.parametrize(
    ("query", "said", "russian"),
    [
        (
            "state=none",
            "<b>state</b> is none of held, replayed, discarded, all",
            "<b>state</b> допустимо одно из: held",
        ),
        ("since=yesterday", "<b>since</b> is not a date: write year-month-day", "<b>since</b> не дата: пишите год"),
        ("entity=" + "x" * 400, "<b>entity</b> is too long", "<b>entity</b> слишком длинно"),
    ],
)
def test_a_made_up_search_is_refused(operator: Browser, query: str, said: str, russian: str) -> None:
    """An address that no form of ours makes is answered with the field and the rule, in the reader's language."""
    for locale, words in (("en", said), ("ru", russian)):
        operator.who = person("operator", locale=locale)
        answer = operator.get(f"{PATH}?{query}")
        assert answer.status_code == 422
        assert words in answer.text


def test_it_is_said_in_russian(engine: Engine, operator: Browser) -> None:
    """The page follows the reader's language."""
    _hold(engine, event_of("a", 1), ValueError("no such bank"))
    operator.who = person("operator", locale="ru")
    page = operator.get(f"{PATH}?entity=user:a").text
    assert "Карантин" in page
    assert "Решить обо всех этих" in page
