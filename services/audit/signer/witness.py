"""A witness: the signer's program with another key, in other hands. It signs that it saw the log do nothing but grow.

It believes the log's key alone, which it was given, and answers with a cosignature (C2SP tlog-cosignature).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from services.audit.domain.note import Checkpoint, NoteError, Signer, Verifier, open_checkpoint
from services.audit.signer.book import (
    KEY,
    LAST,
    Kept,
    LockedError,
    RefusedError,
    key_in,
    must_continue,
    new_key,
    written,
)
from services.audit.signer.wire import Asked, State


@dataclass(frozen=True)
class WitnessBook(Kept):
    """A witness's folder, its name, and the key of the log that it watches; `now` is in seconds."""

    name: str
    log: Verifier
    now: Callable[[], float] = time.time

    def open(self) -> None:
        """Make the key unless it is there."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self.alone():
            if not (self.folder / KEY).exists() and not (self.folder / LAST).exists():
                written(self.folder, LAST, b"")
                written(self.folder, KEY, new_key())

    def signer(self) -> Signer:
        """Return the key under the witness's name; raises LockedError."""
        return Signer(self.name, key_in(self.folder / KEY))

    def last(self) -> Checkpoint | None:
        """Return what was seen last; raises LockedError."""
        try:
            text = (self.folder / LAST).read_text()
            return open_checkpoint(text, self.log) if text else None
        except OSError as error:
            raise LockedError("what the witness saw last is gone: restore its folder") from error
        except NoteError as error:
            raise LockedError(f"what the witness saw last can't be read: {error}") from error

    def add(self, asked: Asked) -> str:
        """Return the line of the cosignature of a checkpoint that the log signed; raises RefusedError, LockedError."""
        with self.alone():
            signer, last = self.signer(), self.last()
            try:
                new = open_checkpoint(asked.checkpoint, self.log)
            except NoteError as error:
                raise RefusedError(403, f"this is not signed by {self.log.name}: {error}") from error
            must_continue(asked, new, last)
            if new != last:
                written(self.folder, LAST, asked.checkpoint.encode())
            return signer.cosign(new.text(), int(self.now()))

    def state(self) -> State:
        """Return what others may know."""
        try:
            signer, last = self.signer(), self.last()
        except LockedError as error:
            return State(self.name, "", 0, "", locked=str(error))
        note = (self.folder / LAST).read_text()
        return State(self.name, signer.cosigner.encode(), last.size if last else 0, note)
