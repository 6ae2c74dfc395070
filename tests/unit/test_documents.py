"""The document store: what gets in, and that what comes out is what went in."""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from shared.documents import DOCX, PDF, DamagedDocumentError, DocumentStore, clean_name
from shared.errors import InvalidError, NotFoundError

A_PDF = b"%PDF-1.7\n1 0 obj<<>>endobj\n%%EOF\n"


def office(*names: str) -> bytes:
    """Return a ZIP with files of those names."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return out.getvalue()


def test_a_document_comes_out_as_it_went_in(tmp_path: Path) -> None:
    """Stored bytes are found again under the hash that `put` returned, with the type that they show."""
    store = DocumentStore(tmp_path)
    stored = store.put("Budget.pdf", BytesIO(A_PDF))
    assert (stored.media_type, stored.size) == (PDF, len(A_PDF))
    assert store.get(stored.sha256) == A_PDF


def test_the_same_content_is_kept_once(tmp_path: Path) -> None:
    """Two documents with the same bytes are one file in the store."""
    store = DocumentStore(tmp_path)
    hashes = {store.put(name, BytesIO(A_PDF)).sha256 for name in ("a.pdf", "b.pdf")}
    assert len(hashes) == 1
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1


def test_a_changed_byte_is_noticed(tmp_path: Path) -> None:
    """A stored file whose bytes changed is refused instead of handed out."""
    store = DocumentStore(tmp_path)
    stored = store.put("a.pdf", BytesIO(A_PDF))
    store.path(stored.sha256).write_bytes(A_PDF.replace(b"1.7", b"1.6"))
    with pytest.raises(DamagedDocumentError):
        store.get(stored.sha256)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("virus.exe", b"MZ\x90"),
        ("no-extension", A_PDF),
        ("page.html", b"<script>"),
        ("budget.pdf", b"MZ\x90 not a pdf"),
        ("photo.png", A_PDF),
        ("notes.txt", b"nul\x00byte"),
        ("table.csv", b"\xff\xfe\x00"),
        ("macro.docx", office("[Content_Types].xml", "word/document.xml", "word/vbaProject.bin")),
        ("archive.docx", office("anything.exe")),
        ("broken.xlsx", b"PK\x03\x04 cut off"),
        ("empty.pdf", b""),
    ],
)
def test_unwanted_files_are_refused(tmp_path: Path, name: str, content: bytes) -> None:
    """A file outside the allow-list, empty, or whose bytes are not what its name says, is refused and not kept."""
    with pytest.raises(InvalidError) as refusal:
        DocumentStore(tmp_path).put(name, BytesIO(content))
    assert "file" in refusal.value.fields
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_office_documents_are_known_by_their_parts(tmp_path: Path) -> None:
    """A ZIP with a Word document's parts is taken as one."""
    content = office("[Content_Types].xml", "word/document.xml")
    assert DocumentStore(tmp_path).put("plan.docx", BytesIO(content)).media_type == DOCX


def test_a_file_over_the_limit_is_refused(tmp_path: Path) -> None:
    """Reading stops at the limit, whatever size the sender announced."""
    with pytest.raises(InvalidError, match="too large"):
        DocumentStore(tmp_path, max_bytes=10).put("a.pdf", BytesIO(A_PDF))


def test_an_unknown_hash_is_not_found(tmp_path: Path) -> None:
    """Content that was never stored is a clear answer, not a crash."""
    with pytest.raises(NotFoundError):
        DocumentStore(tmp_path).get("0" * 64)


@pytest.mark.parametrize(
    ("given", "clean"),
    [
        ("../../etc/passwd.txt", "passwd.txt"),
        ("C:\\Users\\ana\\plan.pdf", "plan.pdf"),
        ("bad\x00\r\nname.pdf", "badname.pdf"),
        ("отчёт.pdf", "отчёт.pdf"),
        ("Устав %22новый%22.pdf", 'Устав "новый".pdf'),
        ("x" * 300 + ".pdf", "x" * 146 + ".pdf"),
    ],
)
def test_names_lose_folders_and_control_characters(given: str, clean: str) -> None:
    """What a browser sends as a file name can't reach another folder or break a header."""
    assert clean_name(given) == clean
