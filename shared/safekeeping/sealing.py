"""Encryption of whole streams in the age format, so that the `age` program alone can open a backup in need.

The library reads from one file and writes to another; a pipe and a thread turn that into a file that one writes to
or reads from. Memory stays flat: age works in pieces of 64 KiB.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import pyrage

from shared.commands import here, in_containers
from shared.safekeeping.refusals import DamagedBackupError, SafekeepingError, of_disk

BEGINNING = b"age-encryption.org/v1\n"


def key_in(file: Path) -> pyrage.x25519.Identity:
    """Return the key in a file as `age-keygen` writes it; raises SafekeepingError."""
    try:
        lines = file.read_text().split()
    except (OSError, UnicodeDecodeError) as error:
        raise SafekeepingError(_unreadable(file, error)) from error
    secret = next((word for word in lines if word.startswith("AGE-SECRET-KEY-1")), "")
    try:
        return pyrage.x25519.Identity.from_str(secret)
    except pyrage.IdentityError as error:
        raise SafekeepingError(
            f"{_place(file)} holds no key of backups: it is one line that begins with AGE-SECRET-KEY-1; put your copy"
            " there."
        ) from error


def _place(file: Path) -> str:
    """Return where the operator finds the key: the host of containers has no /run/secrets, but the folder secrets."""
    return f"secrets/{file.name}" if in_containers() else str(file)


def _unreadable(file: Path, error: Exception) -> str:
    place = _place(file)
    if in_containers() and isinstance(error, PermissionError):
        return f"The key {place} can't be read by the containers' user: `chmod 444 {place}` (its folder stays closed)."
    reason = "is not there" if isinstance(error, FileNotFoundError) else "can't be read"
    cure = "put your copy of it there" + ("" if in_containers() else ", or name it with --key")
    return f"The key {place} {reason}: {cure}."


def _another(file: Path) -> str:
    cure = (
        "put the key of that installation in the place of secrets/backup_key"
        if in_containers()
        else "name the one of that installation with --key"
    )
    return f"{file.name} was sealed with another key: {cure}."


def make_key(file: Path) -> None:
    """Make a key that only its owner can read; raises SafekeepingError."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as made:
            made.write(f"{pyrage.x25519.Identity.generate()}\n")
    except OSError as error:
        raise of_disk(file.parent, error) from error


class _Watched:
    """A file that remembers what went wrong with it: the library would only tell it as text."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        with self._noting():
            return self._file.write(data)

    def flush(self) -> None:
        with self._noting():
            self._file.flush()

    def settle(self) -> None:
        """Wait until all of it is on the disk."""
        with self._noting():
            self._file.flush()
            os.fsync(self._file.fileno())

    @contextmanager
    def _noting(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.error = error
            raise


class _Worker:
    """The thread on the other side of the pipe."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._work()
        except Exception as error:  # noqa: BLE001 - told to whoever waits for this thread
            self.error = error

    def join(self) -> None:
        self._thread.join()


@contextmanager
def sealed(file: Path, key: pyrage.x25519.Identity) -> Iterator[BinaryIO]:
    """Give a stream whose content is encrypted into `file`, on disk when the block ends; raises SafekeepingError."""
    try:
        target = os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
    except OSError as error:
        raise of_disk(file.parent, error) from error
    reading, writing = os.pipe()
    watched = _Watched(target)

    def encrypt() -> None:
        with os.fdopen(reading, "rb") as source:
            pyrage.encrypt_io(source, watched, [key.to_public()])

    worker, stream = _Worker(encrypt), os.fdopen(writing, "wb")
    try:
        try:
            yield stream
        finally:
            with suppress(OSError):  # the thread has stopped reading, and says why
                stream.close()
            worker.join()
        if worker.error:
            raise worker.error
        watched.settle()
    except (OSError, pyrage.EncryptError) as error:
        if watched.error:
            raise of_disk(file.parent, watched.error) from error
        raise
    finally:
        with suppress(OSError):
            target.close()


@contextmanager
def opened(file: Path, key: pyrage.x25519.Identity) -> Iterator[BinaryIO]:
    """Give the decrypted content of `file` as a stream; raises SafekeepingError or DamagedBackupError.

    Who reads it to its end knows at the end of the block that all of it was as written.
    """
    _must_be_sealed(file)
    reading, writing = os.pipe()

    def decrypt() -> None:
        with file.open("rb") as source, os.fdopen(writing, "wb") as target:
            pyrage.decrypt_io(source, target, [key])

    worker, stream = _Worker(decrypt), os.fdopen(reading, "rb")
    try:
        yield stream
        while stream.read(1 << 20):
            pass
    except BaseException as error:
        stream.close()
        worker.join()
        _explain(file, worker.error, error)
        raise
    stream.close()
    worker.join()
    _explain(file, worker.error, None)


def _must_be_sealed(file: Path) -> None:
    try:
        with file.open("rb") as start:
            beginning = start.read(len(BEGINNING))
    except OSError as error:
        reason = "is not there" if isinstance(error, FileNotFoundError) else f"can't be read ({error.strerror})"
        raise SafekeepingError(f"{file} {reason}: `{here('tamga backup list')}` shows what there is.") from error
    if beginning != BEGINNING:
        raise DamagedBackupError(f"{file} is no backup of Tamga: choose one that `{here('tamga backup list')}` shows.")


def _explain(file: Path, cause: Exception | None, error: BaseException | None) -> None:
    """Raise what a failed decryption means; a reader that stopped by itself is no failure of ours."""
    if cause is None or isinstance(cause, BrokenPipeError) or "Broken pipe" in str(cause):
        return
    if "No matching keys" in str(cause):
        raise SafekeepingError(_another(file)) from error
    raise DamagedBackupError(
        f"{file.name} is damaged: it was cut short, or changed after it was written. Take another one."
    ) from cause
