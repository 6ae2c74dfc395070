"""When a process acts: in several threads, from the word "go" on, at full speed or at a given rate."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

FACTS: dict[str, Any] = json.loads(os.environ["BENCH"])


def numbers(thread: int) -> list[int]:
    """Return the acts of one thread of this process."""
    first, count, threads = FACTS["first"], FACTS["count"], FACTS["threads"]
    return list(range(first + thread, first + count, threads))


def due(number: int, began: float) -> float:
    """Return the seconds until an act is due; 0 at full speed."""
    rate = FACTS["rate"]
    return max(0.0, began + (number - FACTS["first"]) / rate - time.time()) if rate else 0.0


def wait_for_go() -> float:
    """Say that everything is imported and connected, and wait for the word to begin; returns the time."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    return time.time()


def in_threads(act_for: Callable[[], Callable[[int], object]]) -> None:
    """Do this process's acts; `act_for` gives each thread its act, connected and ready."""
    ready = threading.Barrier(FACTS["threads"] + 1)
    go = threading.Event()

    def work(thread: int) -> None:
        act = act_for()
        ready.wait()
        go.wait()
        began = time.time()
        for number in numbers(thread):
            if pause := due(number, began):
                time.sleep(pause)
            act(number)

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(FACTS["threads"])]
    for thread in threads:
        thread.start()
    ready.wait()
    wait_for_go()
    go.set()
    for thread in threads:
        thread.join()
