"""The lines of a tape out of what was sent: a CSV or XLSX file, or the rows of a JSON body."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from services.loans.domain.tape_rows import COLUMNS, Line, header
from shared.errors import InvalidError, Rule
from shared.sheets import day_of, stream_rows

JSON_TYPE = "application/json"
MOST = 200_000
_DAYS = ("as_of", "paid_on")


@dataclass(frozen=True)
class TapeFile:
    """What was sent, as it is kept."""

    name: str
    media_type: str
    content: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @classmethod
    def of_rows(cls, rows: list[dict[str, str]]) -> TapeFile:
        """Return the rows of a JSON body in one form: the same rows have the same hash."""
        content = json.dumps(rows, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return cls("tape.json", JSON_TYPE, content.encode())


def lines(file: TapeFile) -> Iterator[Line]:
    """Give the lines of a tape; raises InvalidError naming each column that is wrong."""
    rows = _json(file.content) if file.media_type == JSON_TYPE else stream_rows(file.name, file.content, MOST)
    _, cells = next(rows, (0, []))
    names, wrong = header(cells)
    if wrong:
        raise InvalidError({f"file.{item.field}": item.rule for item in wrong[:10]})
    wide = len(names)
    for number, row in rows:
        given = dict(zip(names, row, strict=False))
        for name in _DAYS:
            if given.get(name):
                given[name] = day_of(given[name])
        line = Line(number, given, given.get("loan", ""))
        if len(row) > wide and any(row[wide:]):
            line.wrong("line", "has more cells than there are columns: %(n)s of %(most)s", n=len(row), most=wide)
        yield line


def _json(content: bytes) -> Iterator[tuple[int, list[str]]]:
    rows = json.loads(content)
    if len(rows) > MOST:
        raise InvalidError({"rows": Rule("has more than %(most)s rows", most=MOST)})
    yield 0, list(COLUMNS)
    for number, row in enumerate(rows, 1):
        yield number, [row.get(name, "") for name in COLUMNS]


def day_within(file: TapeFile) -> date | None:
    """Return the day that the first line of a file names."""
    first = next(lines(file), None)
    text = first.given.get("as_of", "") if first else ""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None
