"""FastStream on RabbitMQ: each publish awaited with its confirm, ten messages taken at once, one INSERT an event."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import psycopg
from common import CHANGE, STORE, message_of
from faststream import FastStream
from faststream.rabbit import Channel, RabbitBroker, RabbitQueue
from pace import FACTS, due, numbers, wait_for_go

broker = RabbitBroker(FACTS["amqp_url"], logger=None)
QUEUE = RabbitQueue("acts", durable=True)
free: list[Any] = []


async def connection() -> Any:
    return await psycopg.AsyncConnection.connect(FACTS["database_url"], autocommit=True)


if sys.argv[1] == "consume":

    @broker.subscriber(QUEUE, channel=Channel(prefetch_count=10))
    async def keep(message: dict[str, Any]) -> None:
        own = free.pop() if free else await connection()
        await own.execute(STORE, (message["id"], message["entity"], message["sent"], json.dumps(message)))
        free.append(own)


async def act(thread: int, own: Any, began: float) -> None:
    for number in numbers(thread):
        await asyncio.sleep(due(number, began))
        message = message_of(number)
        if FACTS["state"]:
            await own.execute(CHANGE, (json.dumps(message["data"]), message["entity"]))
        message["sent"] = time.time()
        await broker.publish(message, "acts", persist=True)


async def produce() -> None:
    await broker.connect()
    connections = [await connection() for _ in range(FACTS["threads"])]
    began = wait_for_go()
    await asyncio.gather(*(act(thread, own, began) for thread, own in enumerate(connections)))


if sys.argv[1] == "consume":
    asyncio.run(FastStream(broker).run())
else:
    asyncio.run(produce())
