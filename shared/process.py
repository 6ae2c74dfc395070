"""How every process of ours begins and is asked to end: its settings, its log, its figures, its signals."""

from __future__ import annotations

import gc
import signal
import sys
import threading
from types import FrameType

from shared import metrics, telemetry
from shared.infrastructure.gate import settings_when_ready
from shared.observability import configure_logging
from shared.settings import Settings, SettingsError


def begin(name: str) -> Settings:
    """Return this process's settings once they are there; from now on it writes its log and tells its figures.

    What is missing or no secret ends the process with one sentence, before it has touched anything.
    """
    try:
        settings = settings_when_ready()
    except SettingsError as error:
        sys.exit(f"{name}: {error}")
    configure_logging(name, settings.log_level)
    metrics.serve(name)
    telemetry.start(name)
    return settings


def settle() -> None:
    """Have the garbage collector pass over all that the start has made, and look less often.

    That is hundreds of thousands of objects which stay; a look at all of them stops everybody for a tenth of a second.
    What one event makes is hundreds more: with the usual thresholds a fifth of the log's time went into collecting.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 10)


def stop_when_asked() -> threading.Event:
    """Return what is set at SIGTERM or Ctrl-C."""
    stop = threading.Event()

    def asked(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, asked)
    return stop
