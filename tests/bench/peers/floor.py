"""What broker and database allow: publishing with 500 confirms in flight, one ack and one COPY for many messages.

No state, no order, no duplicates left out, nothing kept when a message is bad: nobody should work like this.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import amqp
from common import connect, message_of
from pace import FACTS, wait_for_go

IN_FLIGHT = 500
BATCH = 500
QUEUE = "floor"
COPY = "COPY stored (id, entity, sent, body) FROM STDIN"


def channel_of() -> Any:
    """Return a channel with the quorum queue declared."""
    url, _, vhost = FACTS["amqp_url"].removeprefix("amqp://").rpartition("/")
    credentials, _, host = url.rpartition("@")
    user, _, password = credentials.partition(":")
    link = amqp.Connection(host=host, userid=user, password=password, virtual_host=vhost)
    link.connect()
    channel = link.channel()
    channel.queue_declare(QUEUE, durable=True, auto_delete=False, arguments={"x-queue-type": "quorum"})
    return channel


def produce() -> None:
    channel = channel_of()
    channel.confirm_select()
    settled = 0

    def on_ack(tag: int, _multiple: bool) -> None:
        nonlocal settled
        settled = max(settled, tag)

    channel.events["basic_ack"].add(on_ack)
    acts = [message_of(number) for number in range(FACTS["first"], FACTS["first"] + FACTS["count"])]
    bodies = [(json.dumps(act), act["id"], act["entity"]) for act in acts]
    wait_for_go()
    for tag, (body, identity, entity) in enumerate(bodies, 1):
        message = amqp.Message(body, delivery_mode=2, message_id=identity, type=entity)
        channel.basic_publish(message, routing_key=QUEUE)
        while tag - settled >= IN_FLIGHT:
            channel.connection.drain_events(timeout=10)
    while settled < len(acts):
        channel.connection.drain_events(timeout=10)


def consume() -> None:
    channel, database = channel_of(), connect()
    channel.basic_qos(0, 2 * BATCH, False)  # noqa: FBT003 - py-amqp's signature
    waiting: list[Any] = []
    channel.basic_consume(QUEUE, callback=waiting.append)

    def keep() -> None:
        with database.cursor() as cursor, cursor.copy(COPY) as copy:
            for message in waiting:
                copy.write_row((message.properties["message_id"], message.properties["type"], None, message.body))
        channel.basic_ack(waiting[-1].delivery_tag, multiple=True)
        waiting.clear()

    while True:
        try:
            channel.connection.drain_events(timeout=0.005 if waiting else 10)
        except TimeoutError:
            if waiting:
                keep()
        if len(waiting) >= BATCH:
            keep()


consume() if sys.argv[1] == "consume" else produce()
