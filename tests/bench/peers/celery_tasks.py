"""Celery: acks_late, a confirm for each message, one INSERT a task, two worker processes."""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import Any

sys.path.insert(0, os.path.dirname(__file__))  # noqa: PTH120 - the pool's processes import this module by name

from celery import Celery
from common import acting, connect, store
from pace import FACTS, in_threads

app = Celery("acts", broker=FACTS["amqp_url"])
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    broker_transport_options={"confirm_publish": True},
    broker_connection_retry_on_startup=True,
    worker_send_task_events=False,
)


@cache
def database() -> Any:
    """Return this worker process's connection."""
    return connect()


@app.task(name="acts.keep")
def keep(message: dict[str, Any]) -> None:
    store(database(), message)


if __name__ == "__main__":
    if sys.argv[1] == "consume":
        app.worker_main(["worker", "--concurrency=2", "--loglevel=WARNING", "--without-gossip", "--without-mingle"])
    else:
        in_threads(lambda: acting(keep.delay))
