"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT, SECRETS, COMPOSE = ".env", "secrets", "docker-compose.yml"


@contextmanager
def _draft(path: Path, content: str, mode: int) -> Iterator[Path]:
    """Give a complete copy of the file to be under another name; it is gone afterwards, whatever happens."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # Set here: what a new file may be is also a matter of the user's umask.
        draft.chmod(mode)
        yield draft
    finally:
        with suppress(FileNotFoundError):
            draft.unlink()


def add(path: Path, content: str, mode: int) -> bool:
    """Make a file unless there is one already; returns whether it was made. Two who try at once do not mix."""
    with _draft(path, content, mode) as draft:
        try:
            os.link(draft, path)
        except FileExistsError:
            return False
        return True


def put(path: Path, content: str, mode: int) -> None:
    """Write a file in place of the one there may be."""
    with _draft(path, content, mode) as draft:
        draft.replace(path)


def text_of(path: Path) -> str:
    """Return what a file says, nothing when there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
