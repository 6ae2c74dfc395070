"""Reading a list from CSV: which column is what, what each row comes to."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import StringIO
from typing import Any

from services.grants.domain.exclusion import MAX_REFUSED, RefusedRow
from services.grants.handlers.base import Command
from shared.errors import InvalidError, Rule
from shared.names import folded, number

MAX_BYTES, MAX_ROWS, MAX_NAME, MAX_ALIASES = 10 * 1024 * 1024, 100_000, 300, 30


class Columns(Command):
    """Which columns of the file are read; "" for what it does not have. Aliases stand in one cell, `;` between them."""

    name: str = "name"
    number: str = ""
    aliases: str = ""
    note: str = ""


@dataclass
class Reading:
    """What a file came to: `entries` are rows of the table without list and version."""

    sha256: str
    entries: list[dict[str, Any]] = field(default_factory=list)
    refused: list[RefusedRow] = field(default_factory=list)
    refused_count: int = 0
    rows: int = 0
    taken: int = 0

    def refuse(self, row: int, rule: str) -> None:
        """Note a row that is not taken."""
        self.refused_count += 1
        if len(self.refused) < MAX_REFUSED:
            self.refused.append(RefusedRow(row=row, rule=rule))


def read(content: bytes, columns: Columns) -> Reading:
    """Return what a CSV file (UTF-8; comma, semicolon or tab) comes to; raises InvalidError for what is no list."""
    if len(content) > MAX_BYTES:
        raise InvalidError({"file": Rule("must be at most %(most)s MB", most=MAX_BYTES // 1024 // 1024)})
    text = _text(content)
    rows = csv.DictReader(StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    found = Reading(hashlib.sha256(content + columns.model_dump_json().encode()).hexdigest())
    try:
        _check_columns(columns, [name.strip() for name in rows.fieldnames or []])
        rows.fieldnames = [name.strip() for name in rows.fieldnames or []]
        _take(found, rows, columns)
    except csv.Error as error:
        raise InvalidError(
            {"file": Rule("is not a table in row %(row)s: %(why)s", row=rows.line_num, why=error)}
        ) from error
    if not found.taken:
        raise InvalidError({"file": "has no row that could be taken"})
    return found


def _text(content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidError({"file": "is not text in UTF-8"}) from error
    if "\x00" in text:
        raise InvalidError({"file": "must not have a NUL character"})
    return text


def _delimiter(text: str) -> str:
    head = text.partition("\n")[0]
    return max(",;\t", key=head.count)


def _check_columns(columns: Columns, there: list[str]) -> None:
    if not columns.name:
        raise InvalidError({"column_name": "is required: which column has the names?"})
    wrong = {
        f"column_{field_name}": Rule("is not a column of the file; it has: %(names)s", names=", ".join(there)[:300])
        for field_name, column in columns.model_dump().items()
        if column and column not in there
    }
    if wrong:
        raise InvalidError(wrong)


def _take(found: Reading, rows: csv.DictReader[str], columns: Columns) -> None:
    for place, row in enumerate(rows, 2):
        found.rows += 1
        if found.rows > MAX_ROWS:
            raise InvalidError({"file": Rule("has more than %(most)s rows", most=MAX_ROWS)})
        name = (row.get(columns.name) or "").strip()
        if not name:
            found.refuse(place, "has no name")
        elif len(name) > MAX_NAME:
            found.refuse(place, "its name is too long")
        elif None in row:
            found.refuse(place, "has more cells than there are columns")
        else:
            found.taken += 1
            found.entries += _entries(place, name, row, columns)


def _entries(place: int, name: str, row: dict[str, str], columns: Columns) -> Iterator[dict[str, Any]]:
    aliases = [part.strip() for part in (row.get(columns.aliases) or "").split(";")] if columns.aliases else []
    given = number(row.get(columns.number) or "")[:80] if columns.number else ""
    note = (row.get(columns.note) or "").strip()[:500] if columns.note else ""
    names = [name, *(alias for alias in aliases if alias and len(alias) <= MAX_NAME)][: MAX_ALIASES + 1]
    keys = [folded(known_as)[:MAX_NAME] for known_as in names]
    # An entry that is as it was is the same entry in the next version, wherever in the file it stands.
    print_of = hashlib.sha256("|".join([*keys, given]).encode()).hexdigest()[:32]
    for variant, (known_as, key) in enumerate(zip(names, keys, strict=True)):
        about = {"row": place, "variant": variant, "name": known_as, "key": key, "number": given, "note": note}
        yield about | {"fingerprint": print_of}
