"""Accounts, traces and lag over two services' databases, and the operator's commands on them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NoReturn
from uuid import UUID

import pytest
import typer
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from shared.database import Context, UnitOfWork, system
from shared.events import Envelope
from shared.events.envelope import UnknownEventError
from shared.events.loans import RecordViewed
from shared.events.portal import UserDeactivated
from shared.messaging import cli, inbox, quarantine, tracing
from shared.messaging import reconcile as reconciling
from shared.messaging.reconcile import Report, reconcile
from shared.messaging.topology import Depth
from shared.messaging.wire import encode
from shared.testing.backbone import CONSUMER, SOURCE, TYPE, effect, event_of

BINDINGS = {CONSUMER: ("portal.user.#",)}


class Pair:
    """A publishing and a consuming service, and a wire that loses what it is told to."""

    def __init__(self, source: Engine, consumer: Engine) -> None:
        self.source, self.consumer = source, consumer
        self.engines = {SOURCE: source, CONSUMER: consumer}

    def publish(self, entity: str, *reasons: str, lose: frozenset[int] = frozenset()) -> UUID:
        """Record events in one act and carry them over, but for those whose sequence is in `lose`."""
        context = Context(actor=system(SOURCE))
        with UnitOfWork(self.source, SOURCE, context) as uow:
            for reason in reasons:
                uow.record(UserDeactivated(user_id=entity, reason=reason), entity=f"user:{entity}")
        with self.source.begin() as connection:
            rows = connection.execute(text("SELECT * FROM outbox WHERE published_at IS NULL ORDER BY row")).all()
            connection.execute(text("UPDATE outbox SET published_at = recorded_at"))
        for row in rows:
            event = event_of(entity, row.sequence, row.body["data"]["reason"], event_id=row.id)
            event = event.model_copy(update={"correlation_id": row.correlation_id})
            if row.sequence not in lose:
                inbox.handle(self.consumer, CONSUMER, {TYPE: self._on_event}, event, encode(event))
        return context.correlation_id

    @staticmethod
    def _on_event(uow: UnitOfWork, envelope: Envelope) -> None:
        effect(uow.connection, envelope)
        if envelope.data["reason"] == "answer":
            uow.record(RecordViewed(record="user", what="all of it"), entity="record:1")
        if envelope.data["reason"] == "poison":
            raise UnknownEventError(envelope.type, envelope.version)

    def account(self, depths: dict[str, Depth] | None = None, grace: float = 0) -> Report:
        """Return the accounts of this pair."""
        return reconcile(self.engines, BINDINGS, depths or {}, grace=grace)


@pytest.fixture
def pair(both: tuple[Engine, Engine]) -> Pair:
    """Give two empty services."""
    return Pair(*both)


def test_every_state_is_counted_and_nothing_is_unaccounted(pair: Pair) -> None:
    """Applied, parked behind a held one, and held events add up to what was recorded."""
    pair.publish("a", "ok", "ok")
    pair.publish("b", "poison", "ok")
    [account] = pair.account().accounts
    assert (account.events, account.applied, account.parked, account.quarantined) == (4, 2, 1, 1)
    assert (account.in_flight, account.unaccounted) == (0, 0)


def test_a_lost_event_is_named(pair: Pair) -> None:
    """An event that was published, is in no queue and in no table of the consumer is unaccounted for, by its id."""
    pair.publish("a", "ok", "ok", "ok", lose=frozenset({2}))
    report = pair.account()
    with pair.source.connect() as connection:
        lost = connection.execute(text("SELECT id FROM outbox WHERE sequence = 2")).scalar_one()
    assert (report.unaccounted, report.accounts[0].missing) == (1, [str(lost)])
    assert report.accounts[0].parked == 1


@pytest.mark.parametrize(("depths", "grace"), [({CONSUMER: Depth(1, 1)}, 0), ({}, 3600)])
def test_what_waits_in_the_queue_or_was_sent_just_now_is_in_flight(
    pair: Pair, depths: dict[str, Depth], grace: float
) -> None:
    """A message still in the queue, or published a moment ago, is not lost."""
    pair.publish("a", "ok", lose=frozenset({1}))
    report = pair.account(depths, grace)
    assert (report.unaccounted, report.accounts[0].in_flight, report.open) == (0, 1, 1)


def test_an_event_that_is_not_published_yet_is_in_flight(pair: Pair) -> None:
    """What the relay has still to send is in flight, however old."""
    pair.publish("a", "ok", lose=frozenset({1}))
    with pair.source.begin() as connection:
        connection.execute(text("UPDATE outbox SET published_at = NULL"))
    assert (pair.account().unaccounted, pair.account().accounts[0].in_flight) == (0, 1)


def test_events_that_nobody_is_bound_to_are_nobodys(pair: Pair) -> None:
    """Only what a consumer's bindings let through is asked for."""
    pair.publish("a", "ok")
    report = reconcile(pair.engines, {CONSUMER: ("portal.programme.#", "grants.#")}, {}, grace=0)
    assert [account.events for account in report.accounts] == [0]
    assert report.unaccounted == -0


def test_events_are_listed_newest_first_and_filtered(pair: Pair) -> None:
    """By source, beginning of the type, entity, case and time."""
    pair.publish("a", "ok", "answer")
    types = [step.type for step in tracing.list_events(pair.engines, tracing.Filters())]
    assert types == ["loans.record.viewed", TYPE, TYPE]
    assert len(tracing.list_events(pair.engines, tracing.Filters(source=SOURCE, type="portal.user", limit=1))) == 1
    assert tracing.list_events(pair.engines, tracing.Filters(entity="user:b")) == []
    assert tracing.list_events(pair.engines, tracing.Filters(case="BSO-2026-0001")) == []
    assert tracing.list_events(pair.engines, tracing.Filters(since=datetime(2100, 1, 1, tzinfo=UTC))) == []


def test_lag_says_what_waits_where(pair: Pair) -> None:
    """Unpublished events with the age of the oldest, and what is parked or held at the consumer."""
    pair.publish("a", "poison", "ok")
    with pair.source.begin() as connection:
        connection.execute(text("UPDATE outbox SET published_at = NULL"))
    source, consumer = tracing.lag(pair.engines)
    assert (source["service"], source["unpublished"]) == (SOURCE, 2)
    assert source["oldest_seconds"] > 0
    assert (consumer["quarantined"], consumer["waiting_for_predecessor"], consumer["retrying"]) == (1, 1, 0)


@pytest.fixture
def tamga(pair: Pair) -> typer.Typer:
    """Give the operator's commands on the two services."""
    return commands(pair, lambda: {CONSUMER: Depth(0, 1)})


def commands(pair: Pair, depths: Callable[[], dict[str, Depth]]) -> typer.Typer:
    """Return the operator's commands, with a broker that answers as told."""
    backbone = cli.Backbone(lambda: pair.engines, lambda: BINDINGS, depths)
    app = typer.Typer()
    events, quarantine, account = cli.build(backbone)
    app.add_typer(events, name="events")
    app.add_typer(quarantine, name="quarantine")
    app.command("reconcile")(account)
    return app


def _json(app: typer.Typer, *words: str, code: int = 0) -> Any:
    result = CliRunner().invoke(app, [*words, "--json"])
    assert result.exit_code == code, result.output
    return json.loads(result.output)


def test_the_commands_answer_in_json(pair: Pair, tamga: typer.Typer) -> None:
    """Every reading command has a form for machines."""
    correlation = pair.publish("a", "answer", "poison")
    assert len(_json(tamga, "events", "list")) == 3
    assert _json(tamga, "events", "trace", str(correlation))["acts"]
    assert {row["service"] for row in _json(tamga, "events", "lag")} == {SOURCE, CONSUMER}
    [held] = _json(tamga, "quarantine", "list", "--single")
    assert "UnknownEventError" in _json(tamga, "quarantine", "show", held["id"])["traceback"]
    told = CliRunner().invoke(tamga, ["quarantine", "show", held["id"]]).output
    assert ("Fingerprint" in told, "First traceback" in told, "Settled by" in told) == (True, False, False)
    assert _json(tamga, "reconcile")["unaccounted"] == 0


def test_the_commands_answer_in_tables(pair: Pair, tamga: typer.Typer) -> None:
    """Every reading command has a form for people, also when there is nothing."""
    correlation = pair.publish("a", "answer", "poison")
    runner = CliRunner()
    for words in (["events", "list"], ["events", "trace", str(correlation)], ["events", "lag"], ["reconcile"]):
        result = runner.invoke(tamga, words)
        assert result.exit_code == 0, result.output
        assert result.output.strip()
    later = ["events", "list", "--entity", "user:a", "--since", "2100-01-01"]
    assert "Nothing." in runner.invoke(tamga, later).output


def test_an_id_can_be_copied_from_a_narrow_terminal(pair: Pair, tamga: typer.Typer) -> None:
    """80 columns are enough: every id is whole and in one line, and no heading is cut."""
    pair.publish("a", "poison")
    runner = CliRunner(env={"COLUMNS": "80"})
    with pair.source.begin() as connection:
        connection.execute(text("UPDATE outbox SET published_at = NULL, held_until = now(), held_reason = 'no queue'"))
        event_id = connection.execute(text("SELECT id FROM outbox")).scalar_one()
    [row] = quarantine.held(pair.consumer)
    listed = {
        ("events", "list"): str(event_id),
        ("quarantine", "list"): str(row.id),
        ("quarantine", "list", "--single"): str(row.id),
        ("events", "lag"): "Service  Unsent  Oldest  Queue  Parked  Retrying  Quarantined  Held back",
    }
    for words, shown in listed.items():
        assert shown in runner.invoke(tamga, [*words]).output, words


def test_reconcile_fails_when_an_event_is_lost(pair: Pair, tamga: typer.Typer) -> None:
    """The exit code tells a script that something is missing."""
    pair.publish("a", "ok", lose=frozenset({1}))
    with pair.source.begin() as connection:
        connection.execute(text("UPDATE outbox SET published_at = published_at - interval '1 hour'"))
    assert _json(tamga, "reconcile", code=1)["unaccounted"] == 1


def test_the_lag_has_what_waits_in_the_queue(pair: Pair) -> None:
    """Each consumer's queue is counted; with the broker away the rest is told, and that this is not known."""
    pair.publish("a", "ok")
    told = {
        row["service"]: row["queued"] for row in _json(commands(pair, lambda: {CONSUMER: Depth(3, 1)}), "events", "lag")
    }
    assert told == {SOURCE: None, CONSUMER: 3}

    def away() -> NoReturn:
        raise ConnectionRefusedError(111, "Connection refused")

    silent = CliRunner().invoke(commands(pair, away), ["events", "lag"])
    assert silent.exit_code == 1
    assert "not known: the broker does not answer (nobody answers there" in silent.stderr
    assert [line.split()[:3] for line in silent.stdout.splitlines()[1:]] == [[SOURCE, "0", "0"], [CONSUMER, "0", "?"]]


SLIPS = {
    ("events", "list", "--entity", "garbage"): "not written kind:id",
    ("events", "list", "--entity", "user:nobody"): "There is no entity user:nobody here",
    ("events", "list", "--case", "BSO-1"): "There is no case BSO-1 here",
    ("events", "list", "--type", "portal.usr"): "No type of event begins with portal.usr",
    ("events", "list", "--source", "nobody"): "There is no such service: nobody",
    ("events", "trace", "x", "--newest", "-1"): "--newest",
    ("events", "list", "--since", "yesterday"): "is neither a day (2026-11-22) nor a moment",
    ("quarantine", "show", "x"): "'x' is not an id, such as",
    ("quarantine", "list", "--entity", "user"): "not written kind:id",
    ("quarantine", "list", "--type", "a b"): "not the beginning of a type",
    ("quarantine", "list", "--type", "zoo."): "No type of event begins with zoo.",
    ("quarantine", "list", "--entity", "user:nobody"): "There is no entity user:nobody here",
    ("quarantine", "list", "--fingerprint", "x"): "Nothing has ever failed with the fingerprint x",
    ("quarantine", "replay", "--fingerprint", "x"): "Nothing has ever failed with the fingerprint x",
    ("quarantine", "discard", "--entity", "user:nobody"): "There is no entity user:nobody here",
    ("quarantine", "discard", str(UUID(int=0))): "There is no such event in quarantine",
    ("quarantine", "discard", str(UUID(int=0)), "--reason", " "): "say why",
    ("quarantine", "discard", str(UUID(int=0)), "--consumer", CONSUMER): "not together with an id",
    ("reconcile", "--dry-run"): "says what --send-again would send",
}


@pytest.mark.parametrize(("words", "said"), SLIPS.items())
def test_a_slip_of_the_pen_is_no_good_news(pair: Pair, tamga: typer.Typer, words: tuple[str, ...], said: str) -> None:
    """What is written wrongly or was never heard of is refused by its name, before anything is asked or done."""
    pair.publish("a", "ok")
    result = CliRunner(env={"COLUMNS": "200"}).invoke(tamga, words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


def test_what_is_known_and_not_there_is_nothing(pair: Pair, tamga: typer.Typer) -> None:
    """An entity that never failed, named with its source or without, is told from one that never was."""
    pair.publish("a", "ok")
    for words in (["events", "list", "--entity", "portal/user:a"], ["quarantine", "list", "--entity", "portal/user:a"]):
        assert CliRunner().invoke(tamga, words).exit_code == 0, words
    assert "Nothing." in CliRunner().invoke(tamga, ["quarantine", "list", "--entity", "user:a"]).stdout


def test_discard_asks_for_the_reason_once_the_event_is_there(pair: Pair, tamga: typer.Typer) -> None:
    """It asks until something is said, and not at all for a dry run."""
    pair.publish("a", "poison")
    [held] = _json(tamga, "quarantine", "list", "--single")
    assert _json(tamga, "quarantine", "discard", held["id"], "--dry-run")["discarded"] == [held["id"]]
    done = CliRunner().invoke(tamga, ["quarantine", "discard", held["id"]], input="\n \na test's poison\n")
    assert (done.exit_code, held["id"] in done.stdout) == (0, True)
    assert done.stderr.count("Reason:") == 3
    assert quarantine.show(pair.consumer, UUID(held["id"]))["settled_reason"] == "a test's poison"


def test_what_an_error_says_is_shown_as_it_is(pair: Pair, tamga: typer.Typer) -> None:
    """Brackets in a message from anywhere are neither colours nor a reason to fail."""
    with pair.consumer.begin() as connection:
        error = ValueError("[/red] and [bold]")
        quarantine.hold(connection, CONSUMER, encode(event_of("b", 1)), error, attempts=1, now=datetime.now(UTC))
    listed = CliRunner(env={"COLUMNS": "120"}).invoke(tamga, ["quarantine", "list"])
    assert "ValueError: [/red] and [bold]" in listed.stdout


def test_replay_and_discard_from_the_command_line(pair: Pair, tamga: typer.Typer) -> None:
    """A dry run changes nothing; discard asks for a reason and releases the followers; both leave an event."""
    pair.publish("a", "poison", "ok")
    [held] = _json(tamga, "quarantine", "list", "--single")
    dry = _json(tamga, "quarantine", "replay", "--fingerprint", held["fingerprint"], "--dry-run")
    assert dry["replayed"] == [held["id"]]
    assert len(_json(tamga, "quarantine", "list")) == 1
    _json(tamga, "quarantine", "replay", "--id", held["id"])
    inbox.sweep(pair.consumer, CONSUMER, {TYPE: pair._on_event})
    result = CliRunner().invoke(tamga, ["quarantine", "discard", held["id"], "--reason", "a test's poison"])
    assert result.exit_code == 0, result.output
    inbox.sweep(pair.consumer, CONSUMER, {TYPE: pair._on_event})
    types = [step["type"] for step in _json(tamga, "events", "list", "--source", CONSUMER)]
    assert types == ["loans.quarantine.discarded", "loans.quarantine.replayed"]
    with pair.consumer.connect() as connection:
        assert connection.execute(text("SELECT sequence FROM effect")).scalars().all() == [2]


@pytest.mark.parametrize(
    "words",
    [
        ["quarantine", "replay"],
        ["quarantine", "discard", str(UUID(int=0)), "--reason", "x"],
        ["quarantine", "show", str(UUID(int=0))],
    ],
)
def test_commands_that_find_nothing_say_so(tamga: typer.Typer, words: list[str]) -> None:
    """A wrong id or a missing choice is one sentence and exit code 2, not a traceback."""
    result = CliRunner().invoke(tamga, words)
    assert result.exit_code == 2
    assert isinstance(result.exception, SystemExit)


def test_an_event_in_two_states_is_a_contradiction(pair: Pair, tamga: typer.Typer) -> None:
    """Exactly one state means one: what was applied and is held as well is named, and the command fails."""
    pair.publish("a", "ok", "ok")
    with pair.source.connect() as connection:
        row = connection.execute(text("SELECT id FROM outbox WHERE sequence = 1")).one()
    with pair.consumer.begin() as connection:
        again = encode(event_of("a", 1, event_id=row.id))
        quarantine.hold(connection, CONSUMER, again, ValueError("no"), attempts=1, now=datetime.now(UTC))
    [account] = pair.account().accounts
    assert (account.contradictory, account.twice, account.unaccounted) == (1, [str(row.id)], 0)
    assert _json(tamga, "reconcile", code=1)["contradictory"] == 1


def test_what_no_source_has_recorded_is_counted(pair: Pair) -> None:
    """An effect of an event that its source does not know is said, and is no loss."""
    stranger = event_of("z", 1)
    inbox.handle(pair.consumer, CONSUMER, {TYPE: pair._on_event}, stranger, encode(stranger))
    pair.publish("a", "ok")
    [account] = pair.account().accounts
    assert (account.events, account.applied, account.unrecorded, account.unaccounted) == (1, 2, 1, 0)


def test_the_quarantine_is_filtered_from_the_command_line(pair: Pair, tamga: typer.Typer) -> None:
    """Groups with their number and an example; filters narrow replay and discard, and nobody means everything."""
    for entity in "abc":
        pair.publish(entity, "poison")
    [group] = _json(tamga, "quarantine", "list", "--type", "portal.user.")
    assert (group["count"], group["consumers"], group["types"]) == (3, [CONSUMER], [TYPE])
    slip = CliRunner().invoke(tamga, ["quarantine", "list", "--consumer", "grnts"])
    assert (slip.exit_code, "is one of loans" in slip.output) == (2, True)
    assert _json(tamga, "quarantine", "list", "--type", "grants.") == []
    tried = _json(tamga, "quarantine", "replay", "--entity", "user:a", "--dry-run")
    assert len(tried["replayed"]) == 1
    newest = CliRunner().invoke(tamga, ["quarantine", "list", "--single", "--limit", "2", "--json"])
    assert [row["entity"] for row in json.loads(newest.stdout)] == ["portal/user:c", "portal/user:b"]
    assert newest.stderr == "There may be more: see --limit.\n"
    _json(tamga, "quarantine", "discard", "--reason", "a drill", "--entity", "user:b")
    assert [row["entity"] for row in _json(tamga, "quarantine", "list", "--single")] == [
        "portal/user:c",
        "portal/user:a",
    ]
    assert CliRunner().invoke(tamga, ["quarantine", "replay"]).exit_code == 2


def test_gaps_are_listed_with_what_the_source_says(pair: Pair, tamga: typer.Typer) -> None:
    """An alarmed gap stands in the list with its numbers and how many the source has not."""
    with pair.consumer.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO inbox_gap (consumer, entity, source, first, last, since, alarmed_at, asked, absent)"
                " VALUES (:consumer, 'portal/user:a', 'portal', 2, 3, now(), now(), 1, 2)"
            ),
            {"consumer": CONSUMER},
        )
    [gap] = _json(tamga, "events", "gaps")
    assert (gap["entity"], gap["first"], gap["last"], gap["absent"]) == ("portal/user:a", 2, 3, 2)


def test_who_looks_often_sums_up_only_what_is_new(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Positions that were well below a settled one are not asked for again; a loss above them is seen all the same."""
    monkeypatch.setattr(reconciling, "BLOCK", 2)
    floors: dict[tuple[str, str], int] = {}

    def look() -> Report:
        with pair.source.begin() as connection:
            connection.execute(text("UPDATE outbox SET position = row, published_at = now() - interval '1 min'"))
        with pair.consumer.begin() as connection:
            connection.execute(text("UPDATE inbox SET position = sequence"))
        return reconcile(pair.engines, BINDINGS, {}, floors=floors)

    pair.publish("a", "ok", "ok", "ok", "ok", "ok")
    assert (look().accounts[0].events, floors) == (5, {(CONSUMER, SOURCE): 4})
    assert look().accounts[0].events == 2
    pair.publish("a", "ok", lose=frozenset({6}))
    assert (look().unaccounted, floors[CONSUMER, SOURCE]) == (1, 4)
