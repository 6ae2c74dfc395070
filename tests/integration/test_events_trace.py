"""What one act set off is found by any of its names, with all that is not done yet."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
import typer
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from shared import telemetry
from shared.database import Context, UnitOfWork
from shared.events import Actor, Envelope
from shared.events.envelope import Body, UnknownEventError
from shared.events.loans import AttemptRefused, RecordViewed
from shared.events.notifications import DeliverySent
from shared.events.portal import UserDeactivated
from shared.messaging import cli, inbox
from shared.messaging.topology import Depth
from shared.messaging.trace_cli import duration
from shared.messaging.wire import encode
from shared.testing.backbone import CONSUMER, SOURCE, TYPE

CONSUMERS = {CONSUMER: ("portal.user.#",), "audit": ("#",)}
CASE = "BSO-2026-0007"
CONTEXT = Context(Actor(id="user:u-1", name="Ana", role="officer"), traceparent=telemetry.continued(None))
LETTER = {
    "event_id": "e",
    "event_type": "t",
    "rule": "r",
    "channel": "email",
    "recipient": "u",
    "recipient_name": "Boris",
    "category": "c",
    "template": "welcome",
    "template_version": "1",
    "locale": "en",
    "title": "x",
    "state": "sent",
    "attempt": 2,
}


def _on_event(uow: UnitOfWork, envelope: Envelope) -> None:
    if envelope.data["reason"] == "poison":
        raise UnknownEventError(envelope.type, envelope.version)
    if envelope.data["reason"] == "answer":
        uow.record(RecordViewed(record="user", what="all of it"), entity="record:1", case=CASE)
        uow.record(DeliverySent(**LETTER), entity="delivery:1")


class House:
    """A publishing and a consuming service with the operator's commands on them."""

    def __init__(self, source: Engine, consumer: Engine) -> None:
        self.source, self.consumer = source, consumer
        engines = {SOURCE: source, CONSUMER: consumer}
        self.app = typer.Typer()
        events, _, _ = cli.build(cli.Backbone(lambda: engines, lambda: CONSUMERS, lambda: {CONSUMER: Depth(0, 1)}))
        self.app.add_typer(events, name="events")

    def act(self, *reasons: str, context: Context | None = None, publish: bool = True) -> Context:
        """Commit one act with an event for each of `reasons` and, if it is to be published, let it be handled."""
        given = context or replace(CONTEXT, correlation_id=Context(CONTEXT.actor).correlation_id)
        with UnitOfWork(self.source, SOURCE, given) as uow:
            for reason in reasons:
                uow.record(UserDeactivated(user_id="a", reason=reason), entity="user:a", case=CASE)
        if publish:
            self._carry(given.correlation_id)
        return given

    def _carry(self, correlation_id: UUID) -> None:
        with self.source.begin() as connection:
            marked = "UPDATE outbox SET published_at = clock_timestamp() WHERE correlation_id = :id RETURNING *"
            rows = connection.execute(text(marked), {"id": correlation_id}).all()
        for row in sorted(rows, key=lambda row: row.row):
            names = ("id", "type", "version", "entity", "sequence", "time", "correlation_id", "traceparent", "case")
            facts = {name: getattr(row, name) for name in names}
            envelope = Envelope(source=SOURCE, body=Body.model_validate(row.body), **facts)
            inbox.handle(self.consumer, CONSUMER, {TYPE: _on_event}, envelope, encode(envelope))

    def ask(self, *words: str, code: int = 0, columns: int = 140) -> str:
        """Return what `tamga events trace` says."""
        done = CliRunner(env={"COLUMNS": str(columns)}).invoke(self.app, ["events", "trace", *words])
        assert done.exit_code == code, done.output
        return done.output

    def told(self, *words: str) -> list[dict[str, Any]]:
        """Return the acts that it tells as JSON."""
        acts: list[dict[str, Any]] = json.loads(self.ask(*words, "--json"))["acts"]
        return acts

    def ids(self, query: str) -> list[str]:
        with self.source.connect() as source, self.consumer.connect() as consumer:
            return [
                str(item) for connection in (source, consumer) for item in connection.execute(text(query)).scalars()
            ]


@pytest.fixture
def house(both: tuple[Engine, Engine]) -> House:
    """Give two empty services."""
    return House(*both)


def test_the_tree_goes_from_the_act_to_what_its_handlers_recorded(house: House) -> None:
    """Who acted, the event, its handling with the time it took, and the events below it, letters with their state."""
    given = house.act("answer")
    [act] = house.told(str(given.correlation_id))
    [root] = act["steps"]
    assert act["actor"] == {"kind": "person", "role": "officer"}
    assert (root["type"], root["source"], root["case"]) == (TYPE, SOURCE, CASE)
    applied = next(effect for effect in root["effects"] if effect["consumer"] == CONSUMER)
    assert applied["state"] == "applied"
    assert applied["milliseconds"] > 0
    assert [step["type"] for step in root["because"]] == ["loans.record.viewed", "notifications.delivery.sent"]
    assert act["letters"] == {"sent": 1}
    assert "Boris" not in json.dumps(act)


def test_any_of_its_names_finds_the_act(house: House) -> None:
    """Correlation id, event id, the id of an event further down, trace id, traceparent and case, in any case."""
    given = house.act("answer")
    assert given.traceparent is not None
    names = [str(given.correlation_id), *house.ids("SELECT id FROM outbox"), given.traceparent, CASE, CASE.lower()]
    names += [given.traceparent[3:35], given.traceparent[3:35].upper(), given.correlation_id.hex]
    for name in names:
        assert [act["correlation_id"] for act in house.told(name)] == [str(given.correlation_id)], name


def test_a_quarantined_event_is_found_by_its_ids(house: House) -> None:
    """What stands in quarantine leads to its act by the event's id and by the row's."""
    given = house.act("poison")
    for name in house.ids("SELECT id FROM quarantine UNION SELECT id FROM outbox"):
        assert [act["correlation_id"] for act in house.told(name)] == [str(given.correlation_id)]


def test_what_is_not_done_is_named(house: House) -> None:
    """Held in quarantine, parked behind it, on its way to a consumer, and not published yet: each is counted."""
    given = house.act("poison", "ok")
    house.act("ok", context=given, publish=False)
    [act] = house.told(str(given.correlation_id))
    assert act["open"] == {"quarantined": 1, "parked": 1, "in flight": 2, "unpublished": 1}
    said = house.ask(str(given.correlation_id))
    assert "Not done yet: 1 quarantined, 2 in flight, 1 parked, 1 unpublished" in said
    assert "waits for its predecessor" in said
    assert "UnknownEventError" in said
    assert "not published yet" in said


def test_a_refused_attempt_says_which_action(house: House) -> None:
    """The action is known of an attempt that was refused, and its event is shown as refused."""
    with UnitOfWork(house.consumer, CONSUMER, CONTEXT) as uow:
        event = AttemptRefused(action="loans.proposal.save", target="/x", problem="forbidden", detail="no")
        uow.record(event, entity="attempt:1", outcome="refused")
    assert house.told(str(CONTEXT.correlation_id))[0]["action"] == "loans.proposal.save"
    assert "loans.attempt.refused refused" in house.ask(str(CONTEXT.correlation_id))


def test_a_case_shows_its_newest_acts_and_says_how_many_are_left_out(house: House) -> None:
    """Acts come oldest first, at most as many as asked for."""
    given = [house.act("ok").correlation_id for _ in range(4)]
    assert [act["correlation_id"] for act in house.told(CASE, "--newest", "2")] == [str(item) for item in given[2:]]
    assert "2 earlier acts are left out" in house.ask(CASE, "--newest", "2")
    assert len(house.told(CASE, "--newest", "0")) == 4


def test_a_narrow_terminal_gets_no_bars(house: House) -> None:
    """Bars are drawn where there is room for them."""
    given = str(house.act("answer").correlation_id)
    assert "▏" in house.ask(given) or "█" in house.ask(given) or "▎" in house.ask(given)
    narrow = house.ask(given, columns=80)
    assert ("█" in narrow, "+0 ms" in narrow, max(map(len, narrow.splitlines())) <= 80) == (False, True, True)


@pytest.mark.parametrize("unknown", ["BSO-1999-0001", "0190a0b0-0000-7000-8000-000000000000", "f" * 32, "nonsense'"])
def test_what_nobody_knows_is_said_in_a_sentence(house: House, unknown: str) -> None:
    """Nothing found is an exit code for scripts and a sentence for people, which names what was asked."""
    assert f"Nothing is known of {unknown}" in house.ask(unknown, code=2)


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [(0, "0 ms"), (12.4, "12 ms"), (3400, "3.4 s"), (120_000, "2 min"), (18_000_000, "5 h"), (259_200_000, "3 d")],
)
def test_lengths_of_time_are_said_as_people_say_them(milliseconds: float, words: str) -> None:
    """The unit fits the length."""
    assert duration(milliseconds) == words
