"""The relay on a real broker in ordinary times: the form of a message, undo windows, what is too large, its end."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from shared.messaging import relay as relaying
from shared.messaging.publisher import Publisher, PublishError, Result
from shared.testing.backbone import Backbone, eventually


def _ids(messages: list[object]) -> list[UUID]:
    return [UUID(message.properties["message_id"]) for message in messages]  # type: ignore[attr-defined]


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


class _Dying(Publisher):
    """Dies when the broker has everything, before anybody is told."""

    def publish(self, *args: Any, **options: Any) -> Result:
        super().publish(*args, **options)
        raise PublishError("killed")


def _numbers(messages: list[Any]) -> dict[str, int]:
    return {item.properties["message_id"]: int(item.headers["cloudEvents_position"]) for item in messages}


def test_what_went_out_before_a_crash_goes_out_again_under_its_number(backbone: Backbone) -> None:
    """A relay dies between publishing and marking: the next one repeats ids and positions, and counts on from there."""
    committed = [backbone.commit(entity)[0] for entity in "abc"]
    relay = backbone.relay()
    dying = _Dying(backbone.amqp_url, exchange=backbone.exchange)
    with relay._session() as db, pytest.raises(PublishError):
        relay.relay_batch(db, dying)
    dying.close()
    before = _numbers(backbone.take(3))
    assert before == {str(event_id): number for number, event_id in enumerate(committed, 1)}
    [later] = backbone.commit("d")
    with backbone.relaying():
        assert _numbers(backbone.take(4)) == before | {str(later): 4}
        eventually(lambda: backbone.unpublished() == 0)
    assert backbone.count("SELECT count(DISTINCT position) + max(position) FROM outbox", at="source") == 4 + 4


def test_a_relay_asked_to_end_publishes_what_is_committed(backbone: Backbone) -> None:
    """Events committed just before the end are out when the relay is gone."""
    with backbone.relaying() as relay:
        eventually(lambda: relay.state == "leading")
        for number in range(20):
            backbone.commit(f"e{number}")
    assert backbone.unpublished() == 0
    assert relay.state == "stopped"
