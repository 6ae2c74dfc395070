"""How matches spread over time: exact where all can be counted, else an estimate that says so and keeps its word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from audit_log import MORNING
from sqlalchemy import Connection, Engine, func, select, text

from services.audit.application import create_app
from services.audit.storage import spread as module
from services.audit.storage.conditions import acting, conditions
from services.audit.storage.search import Filters
from services.audit.storage.spread import Spread, spread
from services.audit.storage.tables import events
from shared.testing.stand import Stand
from shared.testing.web import KEY, Browser, person, web_settings

LEAVES = 20_000
# More and more a day over a hundred days; about a fourth of another kind, one in 200 refused, one in 100 has a word.
FILL = text("""
INSERT INTO event (leaf_index, event_id, source, position, type, version, entity, sequence, occurred_at, recorded_at,
  actor_id, actor_kind, actor_name, role, organisation, programme, "case", outcome, correlation_id, summary, body, leaf,
  leaf_hash)
SELECT i, gen_random_uuid(), 'grants', i,
  CASE WHEN hashint4(i) % 4 = 0 THEN 'grants.award.offered' ELSE 'grants.review.saved' END, 1,
  'application:' || i, 1, at, at + interval '1 second', 'user:' || i % 50, 'user', '', 'officer', 'office',
  'small', 'BSO-' || i / 10, CASE WHEN i % 200 = 7 THEN 'refused' ELSE 'success' END, gen_random_uuid(),
  'Crafts of valley' || CASE WHEN i % 100 = 9 THEN ' and a tractor' ELSE '' END,
  '{"actor":{"id":"user:1","kind":"user","name":"Ana"},"changes":{},"data":{},"reason":""}', '',
  sha256(CAST(CAST(i AS text) AS bytea))
FROM generate_series(0, :leaves - 1) AS made(i),
  LATERAL (SELECT CAST(:start AS timestamptz) + sqrt(CAST(i AS float) / :leaves) * interval '100 days') AS timed(at)
""")


@pytest.fixture(scope="module")
def filled(stand: Stand) -> Engine:
    """Give a log of twenty thousand entries over a hundred days."""
    engine = stand.database("audit")
    with engine.begin() as connection:
        connection.execute(FILL, {"leaves": LEAVES, "start": MORNING})
    return engine


@pytest.fixture
def log(filled: Engine) -> Iterator[Connection]:
    """Give a connection to it."""
    with filled.connect() as connection:
        yield connection


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave no time but for the first round: a fifth of these leaves, as if the log had millions."""
    monkeypatch.setattr(module, "BUDGET", 0.0)


def counted(connection: Connection, filters: Filters) -> int:
    """Return how many matches there are."""
    wanted = conditions(filters, acting(connection, filters))
    return int(connection.execute(select(func.count()).select_from(events).where(*wanted)).scalar_one())


def found(connection: Connection, filters: Filters) -> Spread:
    """Return the spread of a search that has one."""
    made = spread(connection, filters)
    assert made
    return made


@pytest.mark.parametrize(
    "filters",
    [Filters(), Filters(kind="grants.award.offered"), Filters(outcome="refused"), Filters(person="user:7", size=9000)],
)
def test_with_time_enough_every_match_is_counted_in_its_bar(
    log: Connection, monkeypatch: pytest.MonkeyPatch, filters: Filters
) -> None:
    """Read to the end, the sum is that of all matches, and each bar has what happened within its time."""
    monkeypatch.setattr(module, "BUDGET", 60.0)
    monkeypatch.setattr(module, "BUDGET_OF_REFUSED", 60.0)
    made = found(log, filters)
    assert (made.exact, made.total, made.margin) == (True, counted(log, filters), 0.0)
    for bar in made.bars[::7]:
        own = replace(filters, since=bar.start, until=bar.end)
        assert (bar.count, bar.refused) == (counted(log, own), counted(log, replace(own, outcome="refused")))


@pytest.mark.usefixtures("hurried")
def test_without_conditions_the_sum_is_exact_and_the_bars_are_near(log: Connection) -> None:
    """Every leaf matches, so the strata's sizes make the sum; a bar is off by less than a twentieth of itself."""
    made = found(log, Filters())
    assert (made.exact, made.total, made.leaves, made.margin) == (False, LEAVES, LEAVES, 0.0)
    assert made.read < LEAVES / 4
    for bar in made.bars:
        true_count = counted(log, Filters(since=bar.start, until=bar.end))
        assert abs(bar.count - true_count) <= max(20, true_count / 20)


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize(
    "filters", [Filters(kind="grants.award.offered"), Filters(role="officer"), Filters(q="valley")]
)
def test_an_estimate_is_within_what_it_says(log: Connection, filters: Filters) -> None:
    """The true count lies within twice the margin that is told of what was estimated."""
    made = found(log, filters)
    assert not made.exact
    assert abs(made.total - counted(log, filters)) <= max(1, 2 * made.margin * made.total)


@pytest.mark.usefixtures("hurried")
def test_refusals_are_counted_by_themselves(log: Connection) -> None:
    """Seldom as they are, none is lost between the entries that were read: they are found by their own index."""
    made = found(log, Filters())
    assert sum(bar.refused for bar in made.bars) == LEAVES // 200
    assert sum(bar.refused for bar in found(log, Filters(outcome="success")).bars) == 0


@pytest.mark.usefixtures("hurried")
def test_of_too_few_no_picture_is_made(log: Connection) -> None:
    """One entry in a hundred by words, read here and there, tells nothing: no bars rather than wrong ones."""
    assert spread(log, Filters(q="tractor")) is None


def test_a_time_and_a_frozen_log_are_kept_to(log: Connection) -> None:
    """Bars lie within the asked time, and what came after the log that is asked for is not in them."""
    since, until = MORNING + timedelta(days=40), MORNING + timedelta(days=50)
    made = found(log, Filters(since=since, until=until))
    assert made.bars[0].start >= since - timedelta(minutes=1)
    assert made.bars[-1].start < until
    assert made.leaves < LEAVES / 5
    assert found(log, Filters(size=5000)).total == 5000
    assert spread(log, Filters(since=MORNING + timedelta(days=900))) is None


def test_the_session_is_left_as_it_was(log: Connection) -> None:
    """The ways that were closed to the planner are open to what is asked after it."""
    names = ("enable_bitmapscan", "enable_seqscan", "jit")
    before = [log.execute(text(f"SHOW {name}")).scalar() for name in names]
    spread(log, Filters())
    assert [log.execute(text(f"SHOW {name}")).scalar() for name in names] == before


@pytest.mark.english
@pytest.mark.usefixtures("hurried")
def test_the_page_says_what_the_bars_count(filled: Engine, tmp_path: Path) -> None:
    """All, estimated, or the newest: the sentence below the bars says which, and a bar of an estimate says about."""
    vera = Browser(create_app(web_settings(home=tmp_path), engine=filled, key=KEY), person("auditor"))
    whole = vera.get("/").text
    assert "20,000 matches. Estimated from" in whole
    assert "of 20,000 entries, read evenly over the whole time" in whole
    assert ": about " in whole
    assert re.search(r"about [45],\d00 matches, within \d+ %\.", vera.get("/?kind=grants.award.offered").text)
    few = vera.get("/?outcome=refused").text
    assert "100 matches. All are counted" in few
    assert ": about " not in few
