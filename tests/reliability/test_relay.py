"""The producer's side on a real broker: what was committed goes out, in order, whatever happens in between."""

from __future__ import annotations

import json
import threading
import time
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from shared.database import Context, UnitOfWork, system
from shared.events.portal import UserDeactivated
from shared.messaging import publisher as publishing
from shared.messaging import relay as relaying
from shared.messaging.link import channel_of
from shared.testing.backbone import SOURCE, Backbone, eventually
from shared.testing.proxy import proxy_to


def _ids(messages: list[object]) -> list[UUID]:
    return [UUID(message.properties["message_id"]) for message in messages]  # type: ignore[attr-defined]


def _proxied(url: str, port: int) -> str:
    return make_url(url).set(host="127.0.0.1", port=port).render_as_string(hide_password=False)


def _address(url: str) -> tuple[str, int]:
    parsed = make_url(url)
    return parsed.host or "127.0.0.1", parsed.port or 5672


def test_a_committed_event_arrives_as_a_persistent_cloudevent(backbone: Backbone) -> None:
    """The message carries CloudEvents headers, the broker's word for its user, and the event's id."""
    [event_id] = backbone.commit("a")
    with backbone.relaying():
        [message] = backbone.take(1)
    properties = message.properties
    headers = properties["application_headers"]
    assert properties["message_id"] == str(event_id)
    assert (properties["delivery_mode"], properties["user_id"]) == (2, make_url(backbone.amqp_url).username)
    assert (headers["cloudEvents_type"], headers["cloudEvents_subject"]) == ("portal.user.deactivated", "user:a")
    assert (int(headers["cloudEvents_sequence"]), int(headers["cloudEvents_position"])) == (1, 1)
    assert json.loads(message.body)["data"] == {"user_id": "a", "reason": "ok"}


def test_rollback_publishes_nothing(backbone: Backbone) -> None:
    """An event recorded in a transaction that failed never goes out."""
    with pytest.raises(ZeroDivisionError), UnitOfWork(backbone.source, SOURCE, Context(system(SOURCE))) as uow:
        uow.record(UserDeactivated(user_id="a", reason="ok"), entity="user:a")
        uow.flush()
        raise ZeroDivisionError
    [event_id] = backbone.commit("b")
    with backbone.relaying():
        messages = backbone.take(2, seconds=1)
    assert _ids(messages) == [event_id]


def test_what_was_committed_while_no_relay_ran_goes_out_later(backbone: Backbone) -> None:
    """A crash between commit and publishing loses nothing: the next relay takes it up, numbered without a hole."""
    ids = [event_id for number in range(30) for event_id in backbone.commit(f"e{number % 4}")]
    with backbone.relaying(batch=7):
        messages = backbone.take(30)
    assert _ids(messages) == ids
    positions = [int(message.properties["application_headers"]["cloudEvents_position"]) for message in messages]
    assert positions == list(range(1, 31))
    assert backbone.unpublished() == 0


def test_sigkill_after_publishing_and_before_marking_sends_the_same_again(backbone: Backbone) -> None:
    """A relay killed after the broker's confirm leaves duplicates with the same ids and positions, and no loss."""
    ids = backbone.commit("a", "ok", "ok", "ok")
    assert backbone.process("relay", die=True).wait(timeout=20) == -9
    assert backbone.unpublished() == 3
    backbone.commit("b")
    with backbone.relaying():
        messages = backbone.take(7)
    numbered = {
        (message.properties["message_id"], message.properties["application_headers"]["cloudEvents_position"])
        for message in messages
    }
    assert _ids(messages)[:3] == ids == _ids(messages)[3:6]
    assert len(numbered) == 4
    assert backbone.unpublished() == 0


def test_two_relays_have_one_leader_and_the_other_takes_over(backbone: Backbone) -> None:
    """The second stands by while the first leads, and leads within seconds of its end."""
    with backbone.relaying() as second_to_end:
        eventually(lambda: second_to_end.state == "leading")
        with backbone.relaying() as other:
            eventually(lambda: other.state == "standby")
            with backbone.source.connect() as connection:
                connection.execute(
                    text(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = :name"
                        " AND pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted)"
                    ),
                    {"name": f"tamga relay {SOURCE}"},
                )
            backbone.commit("a")
            eventually(lambda: {second_to_end.state, other.state} == {"leading", "standby"})
            assert len(backbone.take(1)) == 1
            eventually(lambda: backbone.unpublished() == 0)


def test_order_per_entity_holds_under_concurrent_writers(backbone: Backbone) -> None:
    """Four writers on three entities: each entity's events arrive in their sequence, positions without a hole."""

    def write() -> None:
        for number in range(25):
            backbone.commit(f"e{number % 3}")

    writers = [threading.Thread(target=write) for _ in range(4)]
    with backbone.relaying(batch=10):
        for writer in writers:
            writer.start()
        messages = backbone.take(100, seconds=20)
        for writer in writers:
            writer.join()
    seen: dict[str, int] = {}
    for message in messages:
        headers = message.properties["application_headers"]
        assert int(headers["cloudEvents_sequence"]) == seen.get(headers["cloudEvents_subject"], 0) + 1
        seen[headers["cloudEvents_subject"]] = int(headers["cloudEvents_sequence"])
    assert sum(seen.values()) == 100
    assert backbone.count("SELECT max(position) - count(*) FROM outbox", at="source") == 0


def test_a_long_transaction_does_not_hide_its_rows(backbone: Backbone) -> None:
    """A row that was inserted early and committed late goes out although later rows went out before it."""
    with backbone.relaying(), UnitOfWork(backbone.source, SOURCE, Context(system(SOURCE))) as uow:
        early = uow.record(UserDeactivated(user_id="a", reason="ok"), entity="user:a")
        uow.flush()
        [late] = backbone.commit("b")
        assert _ids(backbone.take(1)) == [late]
        uow.connection.commit()
        assert _ids(backbone.take(1)) == [early]


def test_an_event_in_its_undo_window_holds_back_its_entity_and_no_other(backbone: Backbone) -> None:
    """Until `not_before` the event and its entity's later ones wait; afterwards they go out in order."""
    first, second = backbone.commit("a", "ok", "ok")
    with backbone.source.begin() as connection:
        connection.execute(
            text("UPDATE outbox SET not_before = clock_timestamp() + interval '1.2 seconds' WHERE id = :id"),
            {"id": first},
        )
    [other] = backbone.commit("b")
    with backbone.relaying():
        assert _ids(backbone.take(2, seconds=0.7)) == [other]
        assert _ids(backbone.take(2)) == [first, second]


def test_an_unroutable_event_is_held_with_the_reason_and_sent_later(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker's return is not taken for success, and no other entity waits for it."""
    monkeypatch.setattr(relaying, "_HOLD", 0.5)
    with channel_of(backbone.amqp_url) as channel:
        channel.queue_unbind(backbone.queue, backbone.exchange, "portal.user.#")
        channel.queue_bind(backbone.queue, backbone.exchange, "portal.user.registered")
    [event_id] = backbone.commit("a")
    with backbone.relaying():
        eventually(
            lambda: backbone.count(
                "SELECT count(*) FROM outbox WHERE held_reason LIKE '%no queue is bound%'", at="source"
            )
        )
        assert backbone.unpublished() == 1
        with channel_of(backbone.amqp_url) as channel:
            channel.queue_bind(backbone.queue, backbone.exchange, "portal.user.#")
        assert _ids(backbone.take(1)) == [event_id]
        eventually(lambda: backbone.unpublished() == 0)


def test_an_event_that_is_too_large_holds_back_its_entity_and_no_other(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the broker would refuse is not sent at all, is named with its size, and others go on."""
    monkeypatch.setattr(relaying, "LARGEST", 2000)
    backbone.commit("a", "x" * 3000, "ok")
    [other] = backbone.commit("b")
    with backbone.relaying():
        assert _ids(backbone.take(2, seconds=1)) == [other]
    assert backbone.count("SELECT count(*) FROM outbox WHERE held_reason LIKE '%more than 2000'", at="source") == 1
    assert backbone.unpublished() == 2


def test_a_full_queue_refuses_and_the_event_goes_out_when_there_is_room(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A negative confirm leaves the event unpublished; it is tried again and arrives."""
    monkeypatch.setattr(relaying, "_HOLD", 0.3)
    with channel_of(backbone.amqp_url) as channel:
        channel.queue_delete(backbone.queue)
        limited = {"x-queue-type": "quorum", "x-max-length": 1, "x-overflow": "reject-publish"}
        channel.queue_declare(backbone.queue, durable=True, auto_delete=False, arguments=limited)
        channel.queue_bind(backbone.queue, backbone.exchange, "portal.user.#")
    sent = {event_id for number in range(8) for event_id in backbone.commit(f"e{number}")}
    with backbone.relaying(batch=1):
        eventually(
            lambda: backbone.count("SELECT count(*) FROM outbox WHERE held_reason LIKE '%refused%'", at="source")
        )
        arrived: set[UUID] = set()

        def all_arrived() -> bool:
            arrived.update(_ids(backbone.take(1, seconds=0.1)))
            return arrived == sent

        assert eventually(all_arrived, seconds=30)
        eventually(lambda: backbone.unpublished() == 0)


def test_a_cut_line_to_the_broker_heals_without_loss(backbone: Backbone) -> None:
    """The line is cut and calls are refused for a moment: the relay comes back by itself and sends everything."""
    with proxy_to(*_address(backbone.amqp_url)) as line:
        with backbone.relaying(amqp_url=_proxied(backbone.amqp_url, line.port)) as relay:
            backbone.commit("a")
            eventually(lambda: backbone.unpublished() == 0)
            line.cut(refuse=True)
            ids = backbone.commit("a", "ok", "ok")
            eventually(lambda: relay.state == "broker away")
            line.heal()
            eventually(lambda: backbone.unpublished() == 0)
        assert set(_ids(backbone.take(5, seconds=1))) >= set(ids)


def test_a_black_hole_is_left_after_the_timeout(backbone: Backbone) -> None:
    """A line that takes bytes and answers nothing does not hold the relay for ever, nor keep it from ending."""
    with proxy_to(*_address(backbone.amqp_url)) as line:
        options = {"amqp_url": _proxied(backbone.amqp_url, line.port), "confirm_timeout": 0.5}
        with backbone.relaying(**options) as relay:
            backbone.commit("a")
            eventually(lambda: backbone.unpublished() == 0)
            line.swallow()
            [event_id] = backbone.commit("a")
            eventually(lambda: relay.state == "broker away")
            line.heal()
            eventually(lambda: backbone.unpublished() == 0)
        assert event_id in _ids(backbone.take(3, seconds=1))


def test_a_blocked_broker_pauses_the_relay(backbone: Backbone) -> None:
    """While the broker has us blocked nothing is sent and the state says so; afterwards everything goes out."""
    relay, stop = backbone.relay(), threading.Event()
    url = backbone.source.url.set(drivername="postgresql").render_as_string(hide_password=False)
    publisher = publishing.Publisher(backbone.amqp_url, exchange=backbone.exchange)
    backbone.commit("a")
    with psycopg.connect(url, autocommit=True, row_factory=psycopg.rows.dict_row) as db:
        publisher._on_blocked("low on memory")
        thread = threading.Thread(target=relay._publish, args=(db, publisher, stop))
        thread.start()
        eventually(lambda: relay.state == "blocked")
        time.sleep(0.2)
        assert backbone.unpublished() == 1
        publisher._on_unblocked()
        eventually(lambda: backbone.unpublished() == 0)
        stop.set()
        thread.join(timeout=5)
    publisher.close()
    assert not thread.is_alive()


def test_a_relay_asked_to_end_publishes_what_is_committed(backbone: Backbone) -> None:
    """Events committed just before the end are out when the relay is gone."""
    with backbone.relaying() as relay:
        eventually(lambda: relay.state == "leading")
        for number in range(20):
            backbone.commit(f"e{number}")
    assert backbone.unpublished() == 0
    assert relay.state == "stopped"
