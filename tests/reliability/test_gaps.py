"""Events out of order wait; events that never came are alarmed, asked for, and sent again by their source."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import typer
from hands import RUBBISH, asking, send_rubbish
from sqlalchemy import text
from typer.testing import CliRunner

from shared.events import Envelope
from shared.events.gaps import gap_events
from shared.messaging import cli, gaps
from shared.messaging.watching import Watch
from shared.messaging.wire import encode
from shared.testing.backbone import CONSUMER, SOURCE, Backbone, event_of, eventually
from shared.testing.messages import alarm_of, send
from shared.testing.scenario import Scenario

ALARM = gap_events(CONSUMER)[0].TYPE


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Alarm what has been missing for a moment."""
    monkeypatch.setenv("TAMGA_GAP_SECONDS", "0.5")


def _lose(backbone: Backbone, entity: str, count: int) -> None:
    """Commit events that go out and are taken off the queue by a stranger."""
    backbone.commit(entity, *["ok"] * count)
    eventually(lambda: backbone.unpublished() == 0)
    assert len(backbone.take(count)) == count


def _count(backbone: Backbone, kind: str, *, at: str = "consumer") -> int:
    return backbone.count(f"SELECT count(*) FROM outbox WHERE type LIKE '%.{kind}'", at=at)  # noqa: S608 - our own words


def test_out_of_order_is_parked_then_applied(scenario: Scenario) -> None:
    """T8: many entities' events, shuffled and some twice, have their effects in the order of their entities."""
    backbone = scenario.backbone
    entities = scenario.many(10)
    events = [event_of(f"e{entity}", number) for entity in range(entities) for number in range(1, 11)]
    scenario.sent(event.id for event in events)
    shuffled = [*events, *scenario.random.sample(events, len(events) // 5)]
    scenario.random.shuffle(shuffled)
    send(backbone, shuffled)
    with backbone.working():
        scenario.settle()
    assert len(backbone.effects()) == len(events)
    assert backbone.count("SELECT count(*) FROM inbox_gap") == 0


def test_missing_event_raises_gap_alarm(scenario: Scenario) -> None:
    """What a stranger took off the queue is alarmed, goes out again by itself, and its followers come after it."""
    backbone = scenario.backbone
    with backbone.relaying(), asking(backbone):
        _lose(backbone, "a", 2)
        with backbone.working():
            backbone.commit("a", *["ok"] * 5)
            backbone.commit("b", *["ok"] * scenario.many(20))
            eventually(
                lambda: backbone.count("SELECT count(*) FROM effect WHERE entity = 'user:b'") == scenario.many(20)
            )
            assert backbone.count("SELECT count(*) FROM effect WHERE entity = 'user:a'") == 0
            scenario.fault_over()
            eventually(lambda: _count(backbone, "gap.closed") == 1)
            scenario.settle()
    assert _count(backbone, "gap.alarmed") == 1
    assert (
        backbone.count("SELECT (body->'data'->>'sent')::int FROM outbox WHERE type LIKE '%.answered'", at="source") == 2
    )
    assert backbone.count("SELECT count(*) FROM inbox_gap") == 0
    scenario.note(alarms=1, sent_again=2)


def test_an_event_that_its_source_has_not_either_stays_an_alarm(scenario: Scenario) -> None:
    """The alarm says that the source has nothing to send, the followers stay parked, and nobody else waits."""
    backbone = scenario.backbone
    with backbone.relaying(), asking(backbone):
        _lose(backbone, "a", 1)
        with backbone.source.begin() as connection:
            connection.execute(text("DELETE FROM outbox WHERE entity = 'user:a'"))
        with backbone.working():
            backbone.commit("a", "ok", "ok")
            backbone.commit("b", "ok")
            absent = "SELECT count(*) FROM inbox_gap WHERE answered_at IS NOT NULL AND absent = 1 AND sent = 0"
            eventually(lambda: backbone.count(absent) == 1)
            scenario.expects(parked=2)
            scenario.settle()
    with backbone.consumer.connect() as connection:
        [gap] = gaps.open_gaps(connection, CONSUMER)
    assert (gap.entity, gap.first, gap.last, gap.absent) == ("portal/user:a", 1, 1, 1)


def test_a_hole_in_positions_is_filled_for_a_consumer_of_whole_sources(backbone: Backbone) -> None:
    """T9: a batch consumer keeps no order of entities, yet a position that never came is alarmed and sent again."""
    with backbone.relaying(), asking(backbone):
        backbone.commit("a", "ok")
        with backbone.working("batch"):
            eventually(lambda: backbone.count("SELECT count(*) FROM effect") == 1)
        _lose(backbone, "b", 3)
        with backbone.working("batch"):
            backbone.commit("c", "ok")
            eventually(lambda: backbone.count("SELECT count(*) FROM effect WHERE entity LIKE 'user:%'") == 5)
            eventually(lambda: _count(backbone, "gap.closed") == 1)
    twice = "SELECT count(*) FROM (SELECT event_id FROM effect GROUP BY event_id HAVING count(*) > 1) AS twice"
    assert backbone.count(twice) == 0
    assert backbone.count("SELECT count(*) FROM inbox_gap") == 0
    alarm = "SELECT count(*) FROM outbox WHERE body->'data'->>'counted' = 'position' AND body->'data'->>'waiting' = '0'"
    assert backbone.count(alarm) == 1


def _alarm(data: dict[str, Any], **attributes: Any) -> Envelope:
    event = event_of("x", 1)
    body = event.body.model_copy(update={"data": data})
    asked = {"source": CONSUMER, "type": ALARM, "entity": f"gap:{event.id}", "body": body}
    return event.model_copy(update=asked | attributes)


def test_rubbish_among_the_alarms_holds_up_none_of_them(backbone: Backbone) -> None:
    """No message ends or blocks a source's ear: not bytes, facts, versions or words that it can make nothing of."""
    backbone.commit("a", "ok")
    good = alarm_of("a", 1, 1).model_dump(mode="json")
    strange = [
        _alarm({}),
        _alarm(good | {"first": "some"}),
        _alarm(good, version=99),
        _alarm(good, type="loans.other.alarmed"),
        _alarm(good | {"about": f"{SOURCE}/user:\0"}),
    ]
    with asking(backbone):
        for body, properties in RUBBISH:
            send_rubbish(backbone, body, key=ALARM, **properties)
        send(backbone, [replace(encode(event), routing_key=ALARM) for event in [*strange, _alarm(good)]])
        eventually(lambda: _answers(backbone) == [(f"service:{SOURCE}", 1, 0)])


def _seen(backbone: Backbone) -> cli.Backbone:
    """Return what reconciling works on, once everything that went out did so a minute ago."""
    with backbone.source.begin() as connection:
        connection.execute(text("UPDATE outbox SET published_at = published_at - interval '1 minute'"))
    engines = {SOURCE: backbone.source, CONSUMER: backbone.consumer}
    return cli.Backbone(lambda: engines, lambda: {CONSUMER: ("portal.user.#",)}, lambda: {CONSUMER: backbone.depth()})


def _answers(backbone: Backbone) -> list[tuple[str, int, int]]:
    """Return who had events sent again, how many, and how many the source had not."""
    with backbone.source.connect() as connection:
        rows = connection.execute(text("SELECT body FROM outbox WHERE type LIKE '%.answered' ORDER BY row")).scalars()
        return [(body["actor"]["id"], body["data"]["sent"], body["data"]["absent"]) for body in rows]


def test_last_events_are_sent_again_when_an_operator_asks(backbone: Backbone) -> None:
    """No follower betrays their loss; reconciling finds all of them, not only those it names, and each comes once."""
    app = typer.Typer()
    with backbone.relaying(), backbone.working():
        backbone.commit("a", "ok")
        eventually(lambda: len(backbone.effects()) == 1)
    with backbone.relaying():
        for number in range(25):
            backbone.commit(f"lost{number}", "ok")
        eventually(lambda: backbone.unpublished() == 0)
        assert len(backbone.take(25)) == 25
        app.command()(cli.build(_seen(backbone))[2])
        tried = CliRunner().invoke(app, ["--send-again", "--dry-run", "--json"])
        assert (tried.exit_code, json.loads(tried.output)["sent_again"][0]["sent"]) == (1, 25)
        assert _answers(backbone) == []
        with backbone.working():
            asked = CliRunner().invoke(app, ["--send-again"])
            assert asked.exit_code == 1
            assert f"25 events of {SOURCE} go out again for {CONSUMER}" in asked.output
            eventually(lambda: len(backbone.effects()) == 26)
    _seen(backbone)
    [(who, sent, absent)] = _answers(backbone)
    assert (who.partition(":")[0], sent, absent) == ("operator", 25, 0)
    again = CliRunner().invoke(app, ["--send-again"])
    assert (again.exit_code, "Nothing is missing" in again.output) == (0, True)


def test_a_last_event_that_stays_missing_is_sent_again_by_the_watch(backbone: Backbone) -> None:
    """The second look in a row that misses it asks its source; the third does not, and it has one effect."""
    with backbone.relaying():
        _lose(backbone, "a", 1)
    seen = _seen(backbone)
    watch = Watch(seen.engines(), seen.consumers(), seen.depths)
    assert watch.look().unaccounted == 1
    assert _answers(backbone) == []
    assert watch.look().unaccounted == 1
    assert _answers(backbone) == [("service:watch", 1, 0)]
    with backbone.relaying(), backbone.working():
        eventually(lambda: len(backbone.effects()) == 1)
        _seen(backbone)
        assert watch.look().unaccounted == 0
    assert len(_answers(backbone)) == 1
