"""The signer's book: its key, and the last state of the log that it signed, in a folder that nobody else writes.

A state is on the disk before its signature leaves: whoever has a checkpoint can't be told another past later, not
after a crash and not after the log's database was put back to last night. An operator may have the signer begin
again. That is written down, and the statement about it is signed.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.audit.domain.merkle import ProofError, verify_consistency
from services.audit.domain.note import Checkpoint, NoteError, Signer, Verifier, open_checkpoint
from services.audit.signer.wire import Asked, Beginning, State

KEY, LAST, PUBLIC = "audit.pem", "audit.checkpoint", "audit.vkey"
REFUSED, HISTORY, LOCK = "refused.json", "beginnings.jsonl", "lock"
SETTLED = 3600  # seconds
STALE = 409  # the asker took the last state to be another, or the log is shorter than it was
BEGAN = "beginning-again"  # what such a statement's key is named after the origin


# What stands before the 32 bytes of an Ed25519 key in PKCS #8 (RFC 8410); the library's reader takes 3 MB of memory.
_PKCS8 = bytes.fromhex("302e020100300506032b657004220420")


class RefusedError(RuntimeError):
    """The signer does not sign this. `status` is HTTP's; `size` what it signed, for whoever asks again from there."""

    def __init__(self, status: int, reason: str, size: int = 0) -> None:
        super().__init__(reason)
        self.status, self.size = status, size


class LockedError(RuntimeError):
    """The book lacks its key or its last page; signing on would be signing blindly."""


def written(folder: Path, name: str, content: bytes) -> None:
    """Put a file into a folder: on the disk, readable by its owner alone, whole or not at all."""
    handle, draft = tempfile.mkstemp(dir=folder)  # made with mode 0600
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    Path(draft).replace(folder / name)
    on_disk(folder)


def on_disk(folder: Path) -> None:
    """Have the names in a folder on the disk: without it a crash could undo a rename."""
    entry = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(entry)
    finally:
        os.close(entry)


def new_key() -> bytes:
    """Return a new private key (PEM)."""
    raw = base64.b64encode(_PKCS8 + Ed25519PrivateKey.generate().private_bytes_raw())
    return b"-----BEGIN PRIVATE KEY-----\n" + raw + b"\n-----END PRIVATE KEY-----\n"


def key_in(file: Path) -> Ed25519PrivateKey:
    """Return the key of a file; raises LockedError."""
    try:
        lines = file.read_text().split("\n")
        raw = base64.b64decode("".join(line for line in lines if not line.startswith("-----")), validate=True)
    except (OSError, ValueError) as error:
        raise LockedError(f"the signer's key {file.name} can't be read") from error
    if len(raw) != len(_PKCS8) + 32 or not raw.startswith(_PKCS8):
        raise LockedError(f"{file.name} holds no Ed25519 key")
    return Ed25519PrivateKey.from_private_bytes(raw[len(_PKCS8) :])


@dataclass(frozen=True)
class Kept:
    """A folder that one at a time writes."""

    folder: Path

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold it; an operator's command and the running process never write at once."""
        with (self.folder / LOCK).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


@dataclass(frozen=True)
class Book(Kept):
    """One signer's folder. `shared` is the one in which others see its public key; `origin` names a new log."""

    origin: str
    shared: Path | None = field(default=None)

    def open(self) -> None:
        """Make the book ready: take over a key that was kept elsewhere, or make one when there never was any."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self.alone():
            if self.shared:
                self.shared.mkdir(parents=True, exist_ok=True, mode=0o700)
                if (self.shared / KEY).exists() and self._unused():
                    self._take_over(self.shared)
            if not (self.folder / KEY).exists() and not self._public():
                written(self.folder, LAST, b"")  # first: a key without a last page would be locked
                written(self.folder, KEY, new_key())
                self._publish()

    def _unused(self) -> bool:
        """Say whether nothing was signed here yet, so that another key may take this one's place."""
        return not (self.folder / KEY).exists() or (self._last_text() == "" and not self._beginning())

    def _take_over(self, former: Path) -> None:
        last = former / LAST
        written(self.folder, LAST, last.read_bytes() if last.exists() else b"")
        written(self.folder, KEY, (former / KEY).read_bytes())
        self._publish()

    def tidy(self) -> None:
        """Remove the key that was taken over from where it was, after an hour: until then a release can go back."""
        own, former = self.folder / KEY, self.shared / KEY if self.shared else None
        if former and former.exists() and own.exists() and time.time() - own.stat().st_mtime > SETTLED:
            with self.alone():
                if former.read_bytes() == own.read_bytes():
                    former.unlink()

    def give_back(self) -> None:
        """Lay key and last state where a release before looked for them; after an hour they are tidied away again."""
        if self.shared:
            with self.alone():
                written(self.shared, LAST, (self._last_text() or "").encode())
                written(self.shared, KEY, (self.folder / KEY).read_bytes())
                (self.folder / KEY).touch()

    def _publish(self) -> None:
        """Tell others the key, before those under which the log was signed earlier."""
        if self.shared:
            key = Signer(self._name(), key_in(self.folder / KEY)).verifier.encode()
            former = [line for line in self._told() if line != key]
            written(self.shared, PUBLIC, "".join(f"{line}\n" for line in [key, *former]).encode())

    def _told(self) -> list[str]:
        file = self.shared / PUBLIC if self.shared else None
        return file.read_text().split() if file and file.exists() else []

    def _public(self) -> Verifier | None:
        """Return the key under which others know the log, if they do."""
        return next(map(Verifier.parse, self._told()), None)

    def _name(self) -> str:
        """Return the log's name: the one under which it signed first, whatever its address is now."""
        if signed := self._last_text():
            return signed.split("\n", 1)[0]
        beginning, known = self._beginning(), self._public()
        if beginning and beginning.note:
            return beginning.note.split("\n", 1)[0]
        return known.name if known else self.origin

    def _last_text(self) -> str | None:
        """Return the last page: a note, empty when nothing was signed yet, None when it is gone."""
        file = self.folder / LAST
        return file.read_text() if file.exists() else None

    def signer(self) -> Signer:
        """Return the key under the log's name; raises LockedError."""
        if not (self.folder / KEY).exists():
            raise LockedError("the signer has no key, and the log is known under one: restore it, or begin again")
        signer, known = Signer(self._name(), key_in(self.folder / KEY)), self._public()
        if known and known.public != signer.verifier.public:
            raise LockedError("the signer's key is not the one under which the log is known")
        return signer

    def last(self) -> Checkpoint | None:
        """Return what was signed last, None when nothing was; raises LockedError."""
        text = self._last_text()
        if text is None:
            raise LockedError("what the signer signed last is gone: restore its folder, or begin again")
        try:
            return open_checkpoint(text, self.signer().verifier) if text else None
        except NoteError as error:
            raise LockedError(f"what the signer signed last can't be read: {error}") from error

    def add(self, asked: Asked) -> str:
        """Return the signed note of a checkpoint that continues the last one; raises RefusedError or LockedError."""
        with self.alone():
            signer, last = self.signer(), self.last()
            new = _checkpoint(asked, signer.name)
            try:
                must_continue(asked, new, last)
            except RefusedError as refusal:
                if refusal.status != STALE or _shrinks(new, last):
                    self._refuse(str(refusal))
                raise
            note = signer.sign(new.text())
            if last is None or new != last:
                written(self.folder, LAST, note.encode())
            (self.folder / REFUSED).unlink(missing_ok=True)
            return note

    def _refuse(self, reason: str) -> None:
        told = json.loads((self.folder / REFUSED).read_text()) if (self.folder / REFUSED).exists() else {}
        if told.get("reason") != reason:  # asked again every few seconds: since when is what matters
            written(self.folder, REFUSED, json.dumps({"reason": reason, "at": told.get("at") or _now()}).encode())

    def state(self) -> State:
        """Return what others may know."""
        try:
            signer, last = self.signer(), self.last()
        except LockedError as error:
            return State(self._name(), "", 0, "", locked=str(error), began=self._beginning())
        file = self.folder / REFUSED
        told = json.loads(file.read_text()) if file.exists() else {"reason": "", "at": ""}
        return State(
            signer.name,
            signer.verifier.encode(),
            last.size if last else 0,
            self._last_text() or "",
            refused=told["reason"],
            refused_at=told["at"],
            began=self._beginning(),
        )

    def begin_again(self, reason: str) -> Beginning:
        """Forget what was signed last, by an operator's will: the next checkpoint may be of any log of this name.

        The key that a restore has brought along takes the place of one that is gone or another. The statement
        about it is signed by the key that signs from now on, and stays in the book.
        """
        with self.alone():
            before = self._last_text() or ""
            if self.shared and self._brought():
                self._keep_former()
                self._take_over(self.shared)
            elif not (self.folder / KEY).exists():
                written(self.folder, KEY, new_key())
            size = Checkpoint.parse(before.rpartition("\n\n")[0] + "\n").size if before else 0
            beginning = Beginning(_now(), " ".join(reason.split()), size, before)
            self._note(beginning)
            written(self.folder, LAST, b"")
            (self.folder / REFUSED).unlink(missing_ok=True)
            self._publish()
            return beginning

    def _brought(self) -> bool:
        """Say whether there is another key than ours to take over."""
        file, own = self.shared / KEY if self.shared else self.folder / KEY, self.folder / KEY
        return file.exists() and not (own.exists() and own.read_bytes() == file.read_bytes())

    def _keep_former(self) -> None:
        if (self.folder / KEY).exists():
            (self.folder / KEY).replace(self.folder / f"{KEY}.before-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")

    def _note(self, beginning: Beginning) -> None:
        key = key_in(self.folder / KEY)
        told = json.dumps(asdict(beginning), ensure_ascii=False, sort_keys=True)
        statement = Signer(f"{self._name()}/{BEGAN}", key).sign(f"{self._name()}\n{told}\n")
        history = self._history()
        lines = [*history, {"beginning": asdict(beginning), "statement": statement}]
        written(self.folder, HISTORY, "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines).encode())

    def _history(self) -> list[dict[str, object]]:
        file = self.folder / HISTORY
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def _beginning(self) -> Beginning | None:
        history = self._history()
        return Beginning(**history[-1]["beginning"]) if history else None  # type: ignore[arg-type]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _checkpoint(asked: Asked, name: str) -> Checkpoint:
    try:
        new = Checkpoint.parse(asked.checkpoint)
    except NoteError as error:
        raise RefusedError(400, f"{error}") from error
    if new.origin != name:
        raise RefusedError(404, f"this signer signs {name}, not {new.origin}")
    if new.text() != asked.checkpoint:
        raise RefusedError(400, "a checkpoint has three lines and no more")
    return new


def _shrinks(new: Checkpoint, last: Checkpoint | None) -> bool:
    return last is not None and (new.size < last.size or (new.size == last.size and new.root != last.root))


def must_continue(asked: Asked, new: Checkpoint, last: Checkpoint | None) -> None:
    """Raise RefusedError unless `new` is what was signed last, continued."""
    size = last.size if last else 0
    if new.size < size:
        reason = f"the log had {size} entries when it was signed and has {new.size} now"
        raise RefusedError(STALE, reason, size)
    if not new.size:
        raise RefusedError(400, "an empty log is not signed")
    if asked.old != size:
        raise RefusedError(STALE, f"the last state that was signed has {size} entries, not {asked.old}", size)
    if last is None:
        if asked.proof:
            raise RefusedError(422, "nothing was signed yet, so there is nothing to prove")
    elif new.size == size:
        if new.root != last.root:
            raise RefusedError(STALE, f"the log of {size} entries has another root than when it was signed", size)
    else:
        try:
            verify_consistency(size, new.size, last.root, new.root, asked.proof)
        except ProofError as error:
            reason = f"the log is not its signed past, continued: {error}"
            raise RefusedError(422, reason, size) from error
