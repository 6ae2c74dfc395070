"""The mail server of one machine: takes every letter and lays it into a folder where people can look at it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from email.utils import parsedate_to_datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller

from shared.clock import new_id
from shared.settings import Settings

KEPT = 2_000
MAX_SIZE = 5 * 1024 * 1024
_NAME = re.compile(r"[0-9a-f-]{36}\.eml")


def folder_of(settings: Settings) -> Path:
    """Return the folder in which this machine's catcher keeps letters."""
    return settings.home / "mail"


class Keeper:
    """What aiosmtpd calls with each letter."""

    def __init__(self, folder: Path, kept: int = KEPT) -> None:
        self.folder, self.kept = folder, kept
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: ARG002, N802 - its interface
        """Keep one letter; only what is complete ever has its final name."""
        name = f"{new_id()}.eml"  # sorts by time
        partial = self.folder / f".{name}"
        with partial.open("wb") as file:
            file.write(envelope.original_content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self.folder / name)
        self._forget_oldest()
        return f"250 kept as {name}"

    def _forget_oldest(self) -> None:
        for old in sorted(self.folder.glob("*.eml"))[: -self.kept]:
            old.unlink(missing_ok=True)


def start(port: int, folder: Path, *, host: str = "127.0.0.1", kept: int = KEPT) -> Controller:
    """Start catching mail, by default from this machine alone; the caller stops it (`controller.stop()`)."""
    controller = Controller(Keeper(folder, kept), hostname=host, port=port, data_size_limit=MAX_SIZE)
    controller.start()
    return controller


@dataclass(frozen=True)
class Caught:
    """A letter in the folder."""

    name: str
    message: EmailMessage
    _known: dict[str, str] = field(default_factory=dict, repr=False, compare=False)

    def header(self, name: str) -> str:
        """Return a header as people read it; empty when it is not there."""
        if name not in self._known:  # taking an address apart takes longer than all the rest
            self._known[name] = str(self.message.get(name, ""))
        return self._known[name]

    @property
    def text(self) -> str:
        """Return the plain text part; the HTML part is never shown."""
        part = self.message.get_body(("plain",))
        return str(part.get_content()).replace("\r\n", "\n") if part else ""

    @property
    def sent_at(self) -> datetime | None:
        """Return the letter's date, or None when it has none that can be read."""
        try:
            return parsedate_to_datetime(self.header("Date")).astimezone(UTC)
        except ValueError:
            return None


def caught(folder: Path, *, before: str | None = None, limit: int = 50, whole: bool = False) -> list[Caught]:
    """Return the newest letters, older than the one named `before`: their headers alone, unless `whole`."""
    if not folder.is_dir():
        return []
    names = sorted((name for name in os.listdir(folder) if _NAME.fullmatch(name)), reverse=True)  # noqa: PTH208 - names alone, quickly
    wanted = [name for name in names if before is None or name < before][:limit]
    look = read if whole else _headers
    return [found for name in wanted if (found := look(folder, name))]


def read(folder: Path, name: str) -> Caught | None:
    """Return one letter, or None when there is none of that name (any more)."""
    if not _NAME.fullmatch(name):
        return None
    try:
        content = (folder / name).read_bytes()
    except FileNotFoundError:
        return None
    return Caught(name, message_from_bytes(content, policy=default))


@lru_cache(maxsize=500)  # a letter never changes
def _headers(folder: Path, name: str) -> Caught | None:
    """Return what stands above a letter's first empty line: a list needs no more, and bodies take long to read."""
    try:
        with (folder / name).open("rb") as file:
            head = b""
            while (line := file.readline()).strip():
                head += line
    except FileNotFoundError:
        return None
    return Caught(name, message_from_bytes(head, policy=default))
