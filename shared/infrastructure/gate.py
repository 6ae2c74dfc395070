"""Where a process of `tamga run` waits, its imports done, until databases and topology are ready."""

from __future__ import annotations

import os
import time
from pathlib import Path

from shared.settings import Settings, runtime_file, settings

WAITING = "TAMGA_AWAIT_RUNTIME"


def settings_when_ready() -> Settings:
    """Return this process's settings; under `tamga run`, first wait for the runtime file that it writes."""
    if os.environ.get(WAITING):
        file = runtime_file(Path(os.environ.get("TAMGA_HOME", ".tamga")))
        while not file.exists():
            time.sleep(0.05)
    return settings()
