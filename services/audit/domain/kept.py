"""Finding the checkpoint in whatever somebody kept: a note, the header of a letter or message, a letter's last line."""

from __future__ import annotations

import base64
import binascii
import re
from typing import NamedTuple

from services.audit.domain.note import DASH, Checkpoint, NoteError

MOST = 20_000  # characters of a letter that somebody pastes whole
_ROOT = "[A-Za-z0-9+/]{43}="
_SIZE = "(?:0|[1-9][0-9]{0,17})"
_NOTE = re.compile(rf"^[^\n]+\n{_SIZE}\n{_ROOT}\n(?:[^\n]+\n)*\n(?:{DASH} \S+ \S+(?:\n|\Z))+", re.MULTILINE)
_BARE = re.compile(rf"^(?P<size>{_SIZE})\n(?P<root>{_ROOT})$", re.MULTILINE)
_LINE = re.compile(rf"(?<![0-9,.])(?P<size>{_SIZE})\s+(?P<root>{_ROOT})")
_HEADER = re.compile(r"audit-checkpoint\s*:", re.IGNORECASE)
_CODED = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_QUOTED = re.compile(r"^(?:> ?)+", re.MULTILINE)


class Claim(NamedTuple):
    """What somebody kept: so many entries had this root; `note` is the signed statement, where they have it."""

    size: int
    root: bytes
    note: str | None


def claim_in(text: str) -> Claim:
    """Return the checkpoint in a text; raises NoteError when there is none."""
    plain = _QUOTED.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    plain = "\n".join(line.strip() for line in plain.strip().split("\n"))
    if note := _note(plain) or _note(_decoded(plain)):
        found = Checkpoint.parse(note)
        return Claim(found.size, found.root, note)
    if bare := _BARE.search(plain) or _LINE.search(plain):
        return Claim(int(bare["size"]), base64.b64decode(bare["root"]), None)
    raise NoteError("no number of entries with a hash of 44 characters was found in it")


def _note(text: str) -> str | None:
    found = _NOTE.search(text)
    return found[0].rstrip("\n") + "\n" if found else None


def _decoded(text: str) -> str:
    """Return what a header carries; nothing when this is no header's value."""
    packed = "".join(_HEADER.sub("", text, count=1).split())
    if not _CODED.fullmatch(packed):
        return ""
    try:
        return base64.b64decode(packed, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
