"""What is looked at before anything is touched: each refusal is one sentence that says what to do."""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.infrastructure import system
from shared.infrastructure.system import InfrastructureError

OLDEST_PYTHON = (3, 11)
LEAST_FREE = 500 * 1024 * 1024


def check_python(version: tuple[int, ...] = sys.version_info[:3]) -> None:
    """Refuse a Python that is too old."""
    if version < OLDEST_PYTHON:
        found, wanted = ".".join(map(str, version)), ".".join(map(str, OLDEST_PYTHON))
        raise InfrastructureError(
            f"Tamga needs Python {wanted} or newer and this is {found}: set PYTHON=python{wanted}."
        )


def make_home(home: Path) -> None:
    """Make the home folder; servers' own users may pass through it, and read nothing."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        home.chmod(0o711)
        (home / "log").mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise InfrastructureError(
            f"Can't write to {home} ({error.strerror}): set TAMGA_HOME to a folder of yours."
        ) from error


def check_disk(home: Path, least: int = LEAST_FREE) -> None:
    """Refuse a disk that databases would soon fill."""
    free = shutil.disk_usage(home).free
    if free < least:
        needed, have = least // 2**20, free // 2**20
        raise InfrastructureError(
            f"Only {have} MB are free on the disk of {home.resolve()} and Tamga needs {needed} MB: make room first."
        )


def check_port(port: int) -> None:
    """Refuse a port that another program uses."""
    if not 0 < port < 2**16:
        raise InfrastructureError(f"TAMGA_PORT must be between 1 and 65535 and is {port}.")
    if not system.is_free(port):
        raise InfrastructureError(
            f"Port {port} is taken by another program: stop it, or choose another with TAMGA_PORT={port + 1}."
        )


@contextmanager
def only_one(home: Path) -> Iterator[None]:
    """Hold the home folder's lock; refuse when another Tamga holds it. The system drops it with the process."""
    with (home / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            raise InfrastructureError(
                f"Tamga is running here already (process {holder}): press Ctrl-C in its terminal first."
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
