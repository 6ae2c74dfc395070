"""Rows out of a table that people made: CSV in any of the usual dresses, or the first sheet of an XLSX file.

Everything is read as text, as it stands in the cells; a number that a spreadsheet keeps for a day is told by `day_of`.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import BinaryIO

from lxml import etree

from shared.errors import InvalidError, Rule

MAX_BYTES = 5 * 1024 * 1024
MAX_UNPACKED = 50 * 1024 * 1024
MAX_ROWS = 2000
MAX_STREAMED = 300 * 1024 * 1024
MAX_LINE = 10_000
MAX_COLUMNS = 60
_NS = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_REL = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_CELL = re.compile(r"([A-Z]{1,3})\d+")
_ENCODINGS = ("utf-8-sig", "cp1251")
_EPOCH = date(1899, 12, 30)


def read_rows(name: str, source: BinaryIO) -> list[list[str]]:
    """Return the rows of a table; raises InvalidError that says what is wrong with the file."""
    content = source.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise InvalidError({"file": Rule("must be at most %(most)s MB", most=MAX_BYTES // (1024 * 1024))})
    if not content.strip():
        raise InvalidError({"file": "is empty"})
    rows = _xlsx(content) if content.startswith(b"PK\x03\x04") else _csv(name, content)
    if len(rows) > MAX_ROWS:
        raise InvalidError({"file": Rule("has more than %(most)s rows", most=MAX_ROWS)})
    return rows


def stream_rows(name: str, content: bytes, most: int) -> Iterator[tuple[int, list[str]]]:
    """Give (line number, cells) of a large table one by one; memory grows with the file, not with its rows.

    Raises InvalidError, when it comes to it, that says what is wrong with the file.
    """
    if not content.strip():
        raise InvalidError({"file": "is empty"})
    rows = _xlsx_stream(content) if content.startswith(b"PK\x03\x04") else _csv_stream(name, content)
    given = 0
    for number, cells in rows:
        if not any(cells):
            continue
        given += 1
        if given > most + 1:
            raise InvalidError({"file": Rule("has more than %(most)s rows", most=most)})
        yield number, cells


def day_of(text: str) -> str:
    """Return a day as year-month-day: from 31.12.2026, 31/12/2026 or a spreadsheet's number; else the text as it is."""
    if match := re.fullmatch(r"(\d{1,2})[./](\d{1,2})[./](\d{4})", text):
        return f"{match[3]}-{int(match[2]):02}-{int(match[1]):02}"
    if match := re.fullmatch(r"(\d{4}-\d{2}-\d{2})[T ][\d:.]+Z?", text):
        return match[1]
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    return (_EPOCH + timedelta(days=int(number))).isoformat() if 20_000 <= number <= 80_000 else text


def _csv(name: str, content: bytes) -> list[list[str]]:
    if not name.lower().endswith((".csv", ".txt")):
        raise InvalidError({"file": "must be a .csv or .xlsx file"})
    text = _decoded(content)
    first = text.partition("\n")[0]
    delimiter = max(";,\t", key=first.count)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise InvalidError({"file": "is not a table of rows"}) from error
    return [[cell.strip() for cell in row[:MAX_COLUMNS]] for row in rows if any(cell.strip() for cell in row)]


def _csv_stream(name: str, content: bytes) -> Iterator[tuple[int, list[str]]]:
    if not name.lower().endswith((".csv", ".txt")):
        raise InvalidError({"file": "must be a .csv or .xlsx file"})
    first = content[:MAX_LINE].partition(b"\n")[0].decode("utf-8", "replace")
    delimiter = max(";,\t", key=first.count)
    text = io.TextIOWrapper(io.BytesIO(content), "utf-8-sig", newline="")
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    try:
        for row in reader:
            yield reader.line_num, [cell.strip() for cell in row[:MAX_COLUMNS]]
    except csv.Error as error:
        raise InvalidError({"file": "is not a table of rows"}) from error
    except UnicodeDecodeError as error:
        raise InvalidError({"file": "is not text in UTF-8"}) from error


def _xlsx_stream(content: bytes) -> Iterator[tuple[int, list[str]]]:
    """Read the first sheet while it is unpacked; of a part no more is unpacked than its archive declares."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(item.file_size for item in archive.infolist()) > MAX_STREAMED:
                raise InvalidError({"file": "is too large when unpacked"})
            texts = [
                "".join(text.text or "" for text in item.iter(f"{_NS}t"))
                for item in _elements(archive, "xl/sharedStrings.xml", "si")
            ]
            for place, row in enumerate(_elements(archive, _first_sheet(archive), "row"), 1):
                yield int(row.get("r") or place), _cells(row, texts)
    except (zipfile.BadZipFile, KeyError, etree.XMLSyntaxError, ValueError, IndexError, EOFError) as error:
        raise InvalidError({"file": "is not an .xlsx file that can be read"}) from error


def _elements(archive: zipfile.ZipFile, name: str, tag: str) -> Iterator[etree._Element]:
    """Give the elements of that name one by one, each forgotten when the next is asked for."""
    if tag == "si" and name not in archive.namelist():
        return
    safe = {"resolve_entities": False, "no_network": True, "load_dtd": False, "huge_tree": False}
    with archive.open(name) as part:
        for _, element in etree.iterparse(part, events=("end",), tag=f"{_NS}{tag}", **safe):
            yield element
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]


def _decoded(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace")
    for encoding in _ENCODINGS:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise InvalidError({"file": "is not text in UTF-8"})


def _xlsx(content: bytes) -> list[list[str]]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(item.file_size for item in archive.infolist()) > MAX_UNPACKED:
                raise InvalidError({"file": "is too large when unpacked"})
            texts = _shared(archive)
            return list(_rows(_parsed(archive, _first_sheet(archive)), texts))
    except (zipfile.BadZipFile, KeyError, etree.XMLSyntaxError, ValueError, IndexError) as error:
        raise InvalidError({"file": "is not an .xlsx file that can be read"}) from error


def _parsed(archive: zipfile.ZipFile, name: str) -> etree._Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    return etree.fromstring(archive.read(name), parser)


def _first_sheet(archive: zipfile.ZipFile) -> str:
    sheet = next(_parsed(archive, "xl/workbook.xml").iter(f"{_NS}sheet"))
    wanted = sheet.get(_REL)
    for item in _parsed(archive, "xl/_rels/workbook.xml.rels"):
        if item.get("Id") == wanted:
            target = str(item.get("Target"))
            return target.lstrip("/") if target.startswith("/") else f"xl/{target}"
    raise KeyError(wanted)


def _shared(archive: zipfile.ZipFile) -> list[str]:
    if "xl/sharedStrings.xml" not in archive.namelist():
        return []
    items = _parsed(archive, "xl/sharedStrings.xml").iter(f"{_NS}si")
    return ["".join(text.text or "" for text in item.iter(f"{_NS}t")) for item in items]


def _rows(sheet: etree._Element, texts: list[str]) -> Iterator[list[str]]:
    for row in sheet.iter(f"{_NS}row"):
        cells = _cells(row, texts)
        if any(cells):
            yield cells


def _cells(row: etree._Element, texts: list[str]) -> list[str]:
    cells: dict[int, str] = {}
    for place, cell in enumerate(row.iter(f"{_NS}c")):
        named = _CELL.fullmatch(cell.get("r") or "")
        index = _column(named[1]) if named else place
        if index < MAX_COLUMNS:
            cells[index] = _value(cell, texts).strip()
    return [cells.get(index, "") for index in range(max(cells, default=-1) + 1)]


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1


def _value(cell: etree._Element, texts: list[str]) -> str:
    if cell.get("t") == "inlineStr":
        return "".join(text.text or "" for text in cell.iter(f"{_NS}t"))
    value = cell.findtext(f"{_NS}v") or ""
    if cell.get("t") == "s":
        return texts[int(value)]
    return _plain(value) if cell.get("t") in {None, "n"} else value


def _plain(value: str) -> str:
    """Return a number as people write it: a spreadsheet keeps 0.1 as 0.10000000000000001 and 10 as 10.0 or 1E1."""
    try:
        number = Decimal(repr(float(value)))
    except ValueError:
        return value
    return f"{number.to_integral_value():f}" if number == number.to_integral_value() else f"{number:f}"
