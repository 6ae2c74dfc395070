"""The file of a backup: a tar archive, compressed and sealed, written and read in one pass with flat memory.

`age -d -i KEY FILE | tar xz` opens it. What has no known size comes in numbered pieces: `cat grants.dump.*` is what
pg_restore takes.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import re
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import IO, Protocol

import pyrage
from pydantic import ValidationError

from shared.safekeeping import manifest, sealing
from shared.safekeeping.manifest import About, Manifest, Part
from shared.safekeeping.refusals import DamagedBackupError, SafekeepingError

DOCUMENTS = "documents/"
_PIECE = 4 << 20
_READ = 1 << 18
_LEVEL = 3  # of compression: half the time of the usual one, a tenth more bytes
_PIECES = re.compile(r"(.+)\.\d{4,}")
_DOCUMENT = re.compile(r"[0-9a-f]{64}")
Progress = Callable[[str, int], None]
"""(part, bytes) is called after each piece."""


class Sink(Protocol):
    """What takes a part's bytes."""

    def write(self, data: bytes, /) -> object: ...


class Nowhere:
    """Takes bytes and forgets them."""

    def write(self, data: bytes, /) -> object:
        return len(data)


Receive = Callable[[str], AbstractContextManager[Sink]]


class Writer:
    """Puts parts into an open archive and writes down what they are."""

    def __init__(self, archive: tarfile.TarFile, about: About, progress: Progress) -> None:
        self._archive, self._at, self._progress = archive, int(about.at.timestamp()), progress
        self._parts: dict[str, Part] = {}
        self._documents, self._documents_bytes = 0, 0
        self.data(manifest.ABOUT, about.model_dump_json(indent=2).encode())

    def data(self, name: str, content: bytes) -> None:
        """Add a small part."""
        self._add(name, io.BytesIO(content), len(content))
        self._parts[name] = Part(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())

    def stream(self, name: str, pieces: Iterable[bytes]) -> None:
        """Add a part of which nobody knows yet how long it is."""
        digest, size = hashlib.sha256(), 0
        for number, piece in enumerate(_gathered(pieces)):
            self._add(f"{name}.{number:04d}", io.BytesIO(piece), len(piece))
            digest.update(piece)
            size += len(piece)
        self._parts[name] = Part(bytes=size, sha256=digest.hexdigest())

    def documents(self, folder: Path) -> None:
        """Add every document of a store that names them by their hash."""
        for file in sorted(folder.glob("??/*")):
            if _DOCUMENT.fullmatch(file.name):
                with _readable(file) as content:
                    size = os.fstat(content.fileno()).st_size
                    self._add(f"{DOCUMENTS}{file.name}", content, size)
                self._documents += 1
                self._documents_bytes += size

    def close(self) -> Manifest:
        """Write the manifest, which is the last part."""
        whole = Manifest(parts=self._parts, documents=self._documents, documents_bytes=self._documents_bytes)
        content = whole.model_dump_json(indent=2).encode()
        self._add(manifest.MANIFEST, io.BytesIO(content), len(content))
        return whole

    def _add(self, name: str, content: IO[bytes], size: int) -> None:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mtime, entry.mode = size, self._at, 0o600
        self._archive.addfile(entry, content)
        self._progress(name, size)


def _readable(file: Path) -> IO[bytes]:
    try:
        return file.open("rb")
    except OSError as error:
        raise SafekeepingError(f"The document {file} can't be read ({error.strerror}): run as its owner.") from error


def _gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        while len(waiting) >= _PIECE:
            yield bytes(waiting[:_PIECE])
            del waiting[:_PIECE]
    yield bytes(waiting)


@contextmanager
def writing(file: Path, key: pyrage.x25519.Identity, about: About, progress: Progress) -> Iterator[Writer]:
    """Give a writer into a new sealed file; it is on disk when the block ends. Raises SafekeepingError."""
    with (
        sealing.sealed(file, key) as stream,
        gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=stream, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as archive,
    ):
        writer = Writer(archive, about, progress)
        yield writer
        writer.close()


def read(
    file: Path,
    key: pyrage.x25519.Identity,
    *,
    begin: Callable[[About], None] = lambda _about: None,
    receive: Receive = lambda _name: nullcontext(Nowhere()),
    progress: Progress = lambda _name, _size: None,
) -> tuple[About, Manifest]:
    """Read a backup to its end, handing each part to what `receive` gives for it; `begin` hears first whose it is.

    Raises DamagedBackupError unless all of it is as it was written.
    """
    reading = _Reading(file.name, begin, receive, progress)
    with sealing.opened(file, key) as stream, reading.parts:
        try:
            with tarfile.open(fileobj=stream, mode="r|gz") as archive:
                for entry in archive:
                    reading.take(entry.name, archive.extractfile(entry))
        except (tarfile.TarError, zlib.error, EOFError, ValidationError) as error:
            raise reading.damaged("it was cut short, or changed after it was written") from error
    return reading.whole()


class _Reading:
    """Takes the archive's entries one after the other and compares them with the manifest."""

    def __init__(self, name: str, begin: Callable[[About], None], receive: Receive, progress: Progress) -> None:
        self._name, self._begin, self._receive, self._progress = name, begin, receive, progress
        self._about: About | None = None
        self._manifest: Manifest | None = None
        self._found: dict[str, Part] = {}
        self._documents = [0, 0]
        self.parts = ExitStack()  # whoever takes the part under way
        self._current = ""
        self._sink: Sink = Nowhere()
        self._digest, self._size = hashlib.sha256(), 0

    def damaged(self, how: str) -> DamagedBackupError:
        return DamagedBackupError(f"{self._name} is damaged: {how}. Take another one.")

    def take(self, entry: str, content: IO[bytes] | None) -> None:
        if content is None or (self._about is None and entry != manifest.ABOUT):
            raise self.damaged("it does not begin as a backup does")
        if entry == manifest.ABOUT:
            self._about = self._understood(content.read())
            return
        if entry == manifest.MANIFEST:
            self._finish()
            self._manifest = Manifest.model_validate_json(content.read())
            return
        pieces = _PIECES.fullmatch(entry)
        self._turn_to(pieces[1] if pieces else entry)
        while data := content.read(_READ):
            self._sink.write(data)
            self._digest.update(data)
            self._size += len(data)
            self._progress(entry, len(data))

    def _understood(self, content: bytes) -> About:
        self._found[manifest.ABOUT] = Part(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
        about = About.model_validate_json(content)
        if about.format > manifest.FORMAT:
            raise SafekeepingError(
                f"{self._name} was written by Tamga {about.version}, in a newer format than this release reads:"
                f" install {about.version} first."
            )
        self._begin(about)
        return about

    def _turn_to(self, name: str) -> None:
        if name == self._current:
            return
        self._finish()
        self._current, self._digest, self._size = name, hashlib.sha256(), 0
        self._sink = self.parts.enter_context(self._receive(name))

    def _finish(self) -> None:
        """End the part under way: whoever takes it has all of it now."""
        if not self._current:
            return
        name, self._current = self._current, ""
        digest = self._digest.hexdigest()
        self.parts.close()
        if not name.startswith(DOCUMENTS):
            self._found[name] = Part(bytes=self._size, sha256=digest)
            return
        if digest != name.removeprefix(DOCUMENTS):
            raise self.damaged(f"the document {digest[:12]} has another name than its content")
        self._documents = [self._documents[0] + 1, self._documents[1] + self._size]

    def whole(self) -> tuple[About, Manifest]:
        """Return what was read, if it is what was written."""
        if self._about is None or self._manifest is None:
            raise self.damaged("its end is missing")
        expected = self._manifest
        if expected.parts != self._found:
            names = sorted(
                name for name in {*expected.parts, *self._found} if expected.parts.get(name) != self._found.get(name)
            )
            raise self.damaged(f"these parts are not as they were written: {', '.join(names)}")
        if [expected.documents, expected.documents_bytes] != self._documents:
            raise self.damaged(f"it has {self._documents[0]} documents of {expected.documents}")
        return self._about, expected
