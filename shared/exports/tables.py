"""One table as CSV or as XLSX: typed cells, memory that does not grow with the rows, nothing a spreadsheet executes.

A number is a number and a day is a day in both. What people wrote stays text, whatever it begins with: in CSV an
apostrophe goes before what a spreadsheet would take for a formula, in XLSX the cell is a text cell.
"""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import xlsxwriter

Kind = Literal["text", "number", "money", "day", "moment"]
Row = Sequence[Any]
CSV_TYPE = "text/csv; charset=utf-8"
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
TYPES = {"csv": CSV_TYPE, "xlsx": XLSX_TYPE}
MOST_ROWS = 1_048_575  # of one XLSX sheet, beside its heading
MOST_TEXT = 32_767  # characters of one XLSX cell
_CUT = " […]"  # a longer one; CSV has it whole
_CHUNK = 256 * 1024
_LINES = 500
# What a spreadsheet takes for a formula when a cell begins with it.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")
_WIDTHS: dict[Kind, int] = {"text": 24, "number": 12, "money": 16, "day": 12, "moment": 18}


@dataclass(frozen=True)
class Column:
    """A column: its heading in the reader's language, and of what kind its values are."""

    heading: str
    kind: Kind = "text"


@dataclass(frozen=True)
class Table:
    """A table that is read once: `rows` may come out of a cursor of the database."""

    name: str
    columns: Sequence[Column]
    rows: Iterable[Row]
    zone: ZoneInfo | None = None  # of the moments
    about: str = ""  # what a workbook says of itself among its properties, beside the rows


def harmless(value: Any) -> str:
    """Return a text that no spreadsheet executes: an apostrophe before what could be a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def pieces(table: Table, kind: str) -> Iterator[bytes]:
    """Give the file in pieces; `kind` is csv or xlsx."""
    return csv_pieces(table) if kind == "csv" else xlsx_pieces(table)


def csv_pieces(table: Table) -> Iterator[bytes]:
    """Give the table as comma-separated values, with the mark by which spreadsheets know UTF-8."""
    kinds = [column.kind for column in table.columns]
    yield ("\ufeff" + _lines([[harmless(column.heading) for column in table.columns]])).encode()
    batch: list[list[str]] = []
    for row in table.rows:
        batch.append([_in_csv(kind, value, table.zone) for kind, value in zip(kinds, row, strict=True)])
        if len(batch) == _LINES:
            yield _lines(batch).encode()
            batch = []
    if batch:
        yield _lines(batch).encode()


def _lines(rows: list[list[str]]) -> str:
    piece = io.StringIO()
    csv.writer(piece).writerows(rows)
    return piece.getvalue()


def _in_csv(kind: Kind, value: Any, zone: ZoneInfo | None) -> str:
    if value is None:
        return ""
    if kind in {"number", "money"} and isinstance(value, int | Decimal):
        return f"{value:f}" if isinstance(value, Decimal) else str(value)
    if isinstance(value, datetime):
        return value.astimezone(zone or UTC).isoformat(timespec="minutes")
    return value.isoformat() if isinstance(value, date) else harmless(value)


def xlsx_pieces(table: Table) -> Iterator[bytes]:
    """Give the table as a workbook of one sheet, which is written row by row into a folder that goes away again."""
    with tempfile.TemporaryDirectory(prefix="tamga-xlsx-") as folder:
        path = Path(folder) / "table.xlsx"
        _write(table, path, folder)
        with path.open("rb") as file:
            while piece := file.read(_CHUNK):
                yield piece


def _write(table: Table, path: Path, folder: str) -> None:
    plain = {"strings_to_formulas": False, "strings_to_numbers": False, "strings_to_urls": False}
    flat = {"constant_memory": True, "tmpdir": folder, "default_date_format": "yyyy-mm-dd"}
    with xlsxwriter.Workbook(str(path), plain | flat) as book:
        born = datetime(2000, 1, 1, tzinfo=UTC).replace(tzinfo=None)
        book.set_properties({"created": born, "comments": table.about})
        bold = book.add_format({"bold": True})
        formats = {
            "money": book.add_format({"num_format": "#,##0.00"}),
            "day": book.add_format({"num_format": "yyyy-mm-dd"}),
            "moment": book.add_format({"num_format": "yyyy-mm-dd hh:mm"}),
            # The apostrophe of spreadsheets themselves: such a cell stays text when somebody edits it, and is exact.
            "harmless": book.add_format({"quote_prefix": True}),
        }
        sheet = _sheet(book, table, 1, bold)
        for number, row in enumerate(table.rows):
            at = number % MOST_ROWS + 1
            if number and at == 1:
                sheet = _sheet(book, table, number // MOST_ROWS + 1, bold)
            for column, value in enumerate(row):
                risky = isinstance(value, str) and harmless(value) != value
                kind = "harmless" if risky else table.columns[column].kind
                _put(sheet, (at, column), value, formats.get(kind), table.zone)


def _sheet(book: Any, table: Table, number: int, bold: Any) -> Any:
    """Return a new sheet with its headings; more rows than one sheet holds go on in the next."""
    sheet = book.add_worksheet(table.name[:28] + (f" {number}" if number > 1 else ""))
    sheet.freeze_panes(1, 0)
    for index, column in enumerate(table.columns):
        sheet.set_column(index, index, _WIDTHS[column.kind])
        sheet.write_string(0, index, column.heading, bold)
    return sheet


def _put(sheet: Any, cell: tuple[int, int], value: Any, look: Any, zone: ZoneInfo | None) -> None:
    if value is None or value == "":
        return
    if isinstance(value, datetime):
        sheet.write_datetime(*cell, value.astimezone(zone or UTC).replace(tzinfo=None), look)
    elif isinstance(value, date):
        sheet.write_datetime(*cell, datetime(value.year, value.month, value.day), look)  # noqa: DTZ001 - a day
    elif isinstance(value, int | Decimal) and _fits(value):
        sheet.write_number(*cell, float(value), look)
    else:
        sheet.write_string(*cell, _held(str(value)), look if isinstance(value, str) else None)


def _held(text: str) -> str:
    """Return as much of a text as a cell holds; one that is longer says so at its end."""
    return text if len(text) <= MOST_TEXT else f"{text[: MOST_TEXT - len(_CUT)]}{_CUT}"


def _fits(value: int | Decimal) -> bool:
    """Return whether a spreadsheet's number holds this exactly; what it does not stays text and exact."""
    return Decimal(repr(float(value))) == Decimal(value)
