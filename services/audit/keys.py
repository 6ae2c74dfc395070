"""The log's keys as the audit service knows them: the public one, and whom to ask for a signature.

Where a signer runs (`tamga run`, containers) it alone holds the private key. Without one, as in a tool or a test that
stands alone, this process is the signer itself: the same book, in the folder of keys.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from services.audit.domain.note import Signer, Verifier
from services.audit.domain.trusting import BESIDE, SIGNER
from services.audit.signer import book
from services.audit.signer.book import Book, LockedError, RefusedError
from services.audit.signer.client import Client, NotGrownError, SignerSilentError, StaleError
from services.audit.signer.wire import Asked, State, origin_of
from shared.settings import Settings


class Notary(Protocol):
    """Who signs checkpoints."""

    def state(self) -> State:
        """Return what it says of itself; raises SignerSilentError."""
        ...

    def add(self, asked: Asked) -> str:
        """Return the signed note; raises StaleError, NotGrownError or SignerSilentError."""
        ...


@dataclass(frozen=True)
class Own:
    """This process as its own signer, with the words of one that is asked from afar."""

    book: Book

    def state(self) -> State:
        return self.book.state()

    def add(self, asked: Asked) -> str:
        try:
            return self.book.add(asked)
        except RefusedError as error:
            if error.status == book.STALE:
                raise StaleError(error.size) from error
            raise NotGrownError(str(error)) from error
        except LockedError as error:
            raise SignerSilentError(str(error)) from error


@dataclass(frozen=True)
class Keys:
    """Where the log's public key and its newest signed checkpoint are kept, and where the signer is asked."""

    folder: Path
    origin: str
    address: str = ""

    @classmethod
    def of(cls, settings: Settings) -> Keys:
        """Return the keys of this installation; the origin names the log in every checkpoint.

        A log keeps the name under which it signed first: served from another address it is still the same log.
        """
        keys = cls(settings.home / "keys", origin_of(settings.base_url), settings.signer)
        signed = keys.kept()
        return replace(keys, origin=signed.split("\n", 1)[0]) if signed else keys

    @property
    def key_file(self) -> Path:
        return self.folder / book.KEY

    @property
    def memory_file(self) -> Path:
        return self.folder / book.LAST

    @property
    def notary(self) -> Notary:
        """Return who signs."""
        return Client(self.address) if self.address else Own(self._book())

    def _book(self) -> Book:
        own = Book(self.folder, self.origin)
        if not self.key_file.exists() or not self.memory_file.exists():
            own.open()
        return own

    @property
    def verifiers(self) -> list[Verifier]:
        """Return the key of the log, before those under which it was signed earlier; raises SignerSilentError."""
        told = self.folder / book.PUBLIC
        if told.exists():
            return [Verifier.parse(line) for line in told.read_text().split()]
        if self.address:
            raise SignerSilentError("The signer has not told its key yet: try again in a minute.")
        return [self.own_signer().verifier]

    @property
    def verifier(self) -> Verifier:
        """Return the key of the log; raises SignerSilentError."""
        return self.verifiers[0]

    def own_signer(self) -> Signer:
        """Return the private key where this process is the signer itself."""
        return self._book().signer()

    def kept(self) -> str | None:
        """Return the newest checkpoint that this side of the signer has kept outside the database."""
        return (self.memory_file.read_text() or None) if self.memory_file.exists() else None

    def remembered(self) -> str | None:
        """Return the newest checkpoint that the signer gave away; if it is silent, the one that was kept here."""
        if not self.address:
            return self.kept()
        try:
            return self.notary.state().note or self.kept()
        except SignerSilentError:
            return self.kept()

    def anchors(self) -> list[tuple[str, str]]:
        """Return the checkpoints that are kept outside the database, each with who keeps it."""
        try:
            signed = self.notary.state().note if self.address else ""
        except SignerSilentError:
            signed = ""
        kept = self.kept()
        if signed:
            return [(SIGNER, signed)]
        return [(BESIDE, kept)] if kept else []

    def remember(self, note: str) -> None:
        """Keep a checkpoint; the change is whole or not at all. Who signs itself has it in its book."""
        if self.address:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            book.written(self.folder, book.LAST, note.encode())
