"""Documents stored by content: checked by size and signature on the way in, by hash on the way out.

The name of a stored file is the SHA-256 of its bytes, so the same document is kept once, and a stored
byte that has changed is noticed at the next read. A transaction that fails after `put` leaves at worst
a file nobody refers to.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import unicodedata
import zipfile
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from pydantic import BaseModel, ConfigDict

from shared import virus
from shared.errors import InvalidError, NotFoundError, Rule, TamgaError

MAX_BYTES = 10 * 1024 * 1024
MAX_NAME = 150
_CHUNK = 256 * 1024

PDF, PNG, JPEG = "application/pdf", "image/png", "image/jpeg"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ODT, ODS = "application/vnd.oasis.opendocument.text", "application/vnd.oasis.opendocument.spreadsheet"
CSV, TEXT = "text/csv", "text/plain"

# Extension → media type. A document must have one of these names and the bytes that belong to it.
ALLOWED = {
    "pdf": PDF,
    "png": PNG,
    "jpg": JPEG,
    "jpeg": JPEG,
    "docx": DOCX,
    "xlsx": XLSX,
    "odt": ODT,
    "ods": ODS,
    "csv": CSV,
    "txt": TEXT,
}
_MAGIC = {b"%PDF-": PDF, b"\x89PNG\r\n\x1a\n": PNG, b"\xff\xd8\xff": JPEG}


class DamagedDocumentError(TamgaError):
    """The stored bytes are no longer those that were uploaded."""

    type = "document-damaged"
    status = 500
    title = "The stored document is damaged"


class StoredDocument(BaseModel):
    """What is known of a document's content: its clean name, media type, size in bytes and hash."""

    model_config = ConfigDict(frozen=True)

    name: str
    media_type: str
    size: int
    sha256: str


def clean_name(name: str) -> str:
    """Return `name` without folders and control characters, at most 150 characters, its extension kept."""
    last = name.replace("%22", '"').replace("\\", "/").rsplit("/", 1)[-1]  # so browsers send a quotation mark
    printable = "".join(c for c in unicodedata.normalize("NFC", last) if unicodedata.category(c)[0] != "C")
    stem, dot, extension = printable.strip(" .").rpartition(".")
    if not dot:
        return printable.strip(" .")[:MAX_NAME]
    return f"{stem[: MAX_NAME - len(extension) - 1]}.{extension}"


# Signs that turn the direction of writing: with them "fdp.exe" reads as "exe.pdf".
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")


def _check_name(name: str) -> None:
    if any(c in _TURNING or unicodedata.category(c) == "Cc" for c in name):
        rule = "its name has control characters: give it a plain name"
        raise InvalidError({"file": rule}, "The name of the file can't be taken")


def _office_type(content: bytes) -> str | None:
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            names = set(archive.namelist())
            if "mimetype" in names and archive.getinfo("mimetype").file_size < 100:
                declared = archive.read("mimetype").decode("ascii", "replace").strip()
                return declared if declared in {ODT, ODS} else None
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError):
        return None
    if "[Content_Types].xml" not in names or any(name.endswith("vbaProject.bin") for name in names):
        return None  # macros are programs, and programs are not documents
    return DOCX if "word/document.xml" in names else XLSX if "xl/workbook.xml" in names else None


def media_type_of(content: bytes) -> str | None:
    """Return the media type that the bytes themselves show, or None when it is none of the allowed."""
    for magic, media_type in _MAGIC.items():
        if content.startswith(magic):
            return media_type
    if content.startswith(b"PK\x03\x04"):
        return _office_type(content)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return TEXT if not any(ord(c) < 32 and c not in "\t\r\n\f" for c in text) else None


def _checked_type(name: str, content: bytes) -> str:
    extension = name.rpartition(".")[2].lower() if "." in name else ""
    expected = ALLOWED.get(extension)
    if expected is None:
        raise InvalidError(
            {"file": Rule("must be one of: %(names)s", names=", ".join(sorted(ALLOWED)))},
            "This kind of file is not taken",
        )
    found = media_type_of(content)
    if found == TEXT and expected == CSV:
        found = CSV  # a table in plain text has no signature of its own
    if found != expected:
        rule = Rule("its content is not that of a .%(extension)s file", extension=extension)
        raise InvalidError({"file": rule}, "The file is not what its name says")
    return expected


class DocumentStore:
    """Documents in a folder, each in `<first two digits of its hash>/<hash>`; `clamd` is asked about each first."""

    def __init__(self, folder: Path, *, max_bytes: int = MAX_BYTES, clamd: str = "") -> None:
        self.folder, self.max_bytes, self.clamd = folder, max_bytes, clamd

    def path(self, sha256: str) -> Path:
        """Return where the content of that hash lies."""
        return self.folder / sha256[:2] / sha256

    def put(self, name: str, source: BinaryIO) -> StoredDocument:
        """Store what `source` gives; raises InvalidError for an empty, too large, infected or unwanted file."""
        found, content = self.checked(name, source)
        self.keep(content)
        return found

    def checked(self, name: str, source: BinaryIO) -> tuple[StoredDocument, bytes]:
        """Return what `source` gives without storing it, for what is sealed first; raises the same."""
        _check_name(name)
        content = self._read(source)
        clean = clean_name(name)
        virus.check(content, self.clamd)
        media_type = _checked_type(clean, content)
        sha256 = hashlib.sha256(content).hexdigest()
        return StoredDocument(name=clean, media_type=media_type, size=len(content), sha256=sha256), content

    def forget(self, sha256: str) -> None:
        """Take a file out, because it is kept in another way by now."""
        self.path(sha256).unlink(missing_ok=True)

    def keep(self, content: bytes) -> str:
        """Store what was made in this house, of any kind; returns its hash."""
        sha256 = hashlib.sha256(content).hexdigest()
        if not self.path(sha256).exists():
            self._write(self.path(sha256), content)
        return sha256

    def get(self, sha256: str) -> bytes:
        """Return the content of that hash; raises DamagedDocumentError when the bytes are not the same any more."""
        try:
            content = self.path(sha256).read_bytes()
        except FileNotFoundError as error:
            raise NotFoundError("The content of this document is not in the store") from error
        if hashlib.sha256(content).hexdigest() != sha256:
            raise DamagedDocumentError("The stored bytes do not match the hash %(sha256)s", sha256=sha256)
        return content

    def _read(self, source: BinaryIO) -> bytes:
        content = bytearray()
        while chunk := source.read(_CHUNK):
            content += chunk
            if len(content) > self.max_bytes:
                limit = self.max_bytes // (1024 * 1024)
                raise InvalidError({"file": Rule("must be at most %(most)s MB", most=limit)}, "The file is too large")
        if not content:
            raise InvalidError({"file": "is empty"}, "The file can't be taken")
        return bytes(content)

    def _write(self, target: Path, content: bytes) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
