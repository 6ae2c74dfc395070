"""Bad input by upload: each kind is refused by name, and nothing of it is kept."""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any, Self

import pytest

from shared import virus
from shared.documents import DocumentStore
from shared.errors import InvalidError
from shared.virus import EICAR, MOST_PARTS, ScannerAwayError

PDF = b"%PDF-1.7\n1 0 obj<<>>endobj\n%%EOF\n"
DOCX = ("[Content_Types].xml", "word/document.xml")


def zipped(*parts: tuple[str, bytes]) -> bytes:
    """Return an archive with these parts."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts:
            archive.writestr(name, content)
    return out.getvalue()


def docx(*more: tuple[str, bytes]) -> bytes:
    """Return a Word document with something more inside."""
    return zipped(*((name, b"<x/>") for name in DOCX), *more)


def refused(folder: Path, name: str, content: bytes, **options: Any) -> str:
    """Return the rule by which a file is refused; nothing is kept of it."""
    with pytest.raises(InvalidError) as refusal:
        DocumentStore(folder, **options).put(name, BytesIO(content))
    assert not [path for path in folder.rglob("*") if path.is_file()]
    return refusal.value.fields["file"]


def test_bad_input_content_against_the_name(tmp_path: Path) -> None:
    """A program called plan.pdf is refused with the kind that its name promised."""
    assert refused(tmp_path, "plan.pdf", b"MZ\x90\x00program") == "its content is not that of a .pdf file"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("notes.txt", EICAR),
        ("plan.pdf", PDF + EICAR),
        ("plan.docx", docx(("word/media/a.bin", EICAR))),
        ("plan.docx", docx(("inner.zip", zipped(("deep.zip", zipped(("a.txt", EICAR))))))),
    ],
)
def test_bad_input_virus_signature(tmp_path: Path, name: str, content: bytes) -> None:
    """The test virus is found without any scanner: plain, appended, inside a document, two archives deep."""
    assert refused(tmp_path, name, content) == "has a virus: EICAR-Test-File"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (docx(("word/a.xml", b"0" * (30 * 1024 * 1024))), "unpacks to 30 MB"),
        (docx(*((f"word/{n}.xml", b"") for n in range(MOST_PARTS))), f"has {MOST_PARTS + 2} parts inside"),
        (docx(("a.zip", zipped(("b.zip", zipped(("c.zip", zipped(("d", b"x")))))))), "has archives inside archives"),
    ],
)
def test_bad_input_zip_bomb(tmp_path: Path, content: bytes, said: str) -> None:
    """An archive that bursts, has thousands of parts, or hides archives in archives is refused with its figures."""
    assert refused(tmp_path, "plan.docx", content).startswith(said)


def test_bad_input_zip_with_a_password(tmp_path: Path) -> None:
    """What nobody can look into is not kept."""
    content = bytearray(docx())
    for mark in (b"PK\x03\x04", b"PK\x01\x02"):
        at = content.index(mark) + (6 if mark == b"PK\x03\x04" else 8)
        content[at] |= 1
    assert "password" in refused(tmp_path, "plan.docx", bytes(content))


@pytest.mark.parametrize("name", ["plan\r\n.pdf", "plan\x1b[2J.pdf", "annual\u202efdp.exe.pdf"])
def test_bad_input_control_characters_in_the_name(tmp_path: Path, name: str) -> None:
    """A name that breaks a line, moves a terminal's cursor or turns the direction of writing is refused."""
    assert "control characters" in refused(tmp_path, name, PDF)


class Clamd:
    """A scanner that gives one answer; `heard` is what it was sent."""

    def __init__(self, answer: bytes) -> None:
        self.answer, self.heard = answer, b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None: ...

    def sendall(self, piece: bytes) -> None:
        """Take what is to be looked at."""
        self.heard += piece

    def recv(self, _most: int) -> bytes:
        """Say what was found, or nothing any more when the line breaks."""
        answer, self.answer = self.answer, b""
        return answer


def test_bad_input_that_only_a_scanner_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a clamd each file goes there first, whole and ended as its protocol wants, and what it found is named."""
    clamd = Clamd(b"stream: Win.Test.Known FOUND\0")
    monkeypatch.setattr(virus, "_connection", lambda _address: clamd)
    assert refused(tmp_path, "plan.pdf", PDF, clamd="scanner:3310") == "has a virus: Win.Test.Known"
    assert clamd.heard == b"zINSTREAM\0" + len(PDF).to_bytes(4, "big") + PDF + bytes(4)
    clamd.answer = b"stream: OK\0"
    assert DocumentStore(tmp_path, clamd="scanner:3310").put("plan.pdf", BytesIO(PDF)).size == len(PDF)


def test_no_file_is_kept_unseen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the scanner that is to see every file says nothing, or that it could not look, none is taken."""
    for answer in (b"", b"INSTREAM size limit exceeded. ERROR\0"):
        monkeypatch.setattr(virus, "_connection", lambda _address, answer=answer: Clamd(answer))
        with pytest.raises(ScannerAwayError):
            DocumentStore(tmp_path, clamd="scanner:3310").put("plan.pdf", BytesIO(PDF))
    assert not list(tmp_path.rglob("*"))


class Endless:
    """A sender who never stops; `read_so_far` is what was taken of it."""

    def __init__(self) -> None:
        self.read_so_far = 0

    def read(self, size: int = -1) -> bytes:
        """Give as much as is asked for."""
        self.read_so_far += size
        return b"%PDF-" + b"x" * (size - 5)


def test_bad_input_too_large(tmp_path: Path) -> None:
    """Of a file of 200 MB and more, no more is read than shows that it is over the limit of 10 MB."""
    source = Endless()
    with pytest.raises(InvalidError) as refusal:
        DocumentStore(tmp_path).put("plan.pdf", source)  # type: ignore[arg-type]  # all that a store does is to read
    assert refusal.value.fields == {"file": "must be at most 10 MB"}
    assert source.read_so_far < 11 * 1024 * 1024
