"""Files of exports as tests read and forge them."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from pathlib import Path
from xml.etree import ElementTree as ET

from services.audit.offline import verify

Files = dict[str, bytes]


def forged(files: Files) -> Files:
    """Return the files with hashes in the manifest that fit: whoever changes a bundle writes those anew as well."""
    facts = json.loads(files["manifest.json"])
    facts["files"] = {name: {"sha256": hashlib.sha256(files[name]).hexdigest()} for name in facts["files"]}
    return files | {"manifest.json": json.dumps(facts).encode()}


def rows_of(raw: bytes) -> list[dict[str, str]]:
    """Return the rows of a CSV file."""
    return list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline="")))


def table_of(rows: list[dict[str, str]]) -> bytes:
    """Return rows as events.csv."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, verify.COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    return ("\ufeff" + out.getvalue()).encode()


def sheet(path: Path) -> tuple[list[list[str]], int]:
    """Return the cells of a workbook's first sheet by rows, each after "'" if kept from being a formula; formulas."""
    space = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    with zipfile.ZipFile(path) as book:
        names = book.namelist()
        root = ET.fromstring(book.read("xl/worksheets/sheet1.xml"))  # noqa: S314 - a file that we made
        strings: list[str] = []
        if "xl/sharedStrings.xml" in names:
            items = ET.fromstring(book.read("xl/sharedStrings.xml"))  # noqa: S314 - a file that we made
            strings = ["".join(part.text or "" for part in item.iter(f"{space}t")) for item in items]
        styles = ET.fromstring(book.read("xl/styles.xml"))  # noqa: S314 - a file that we made
        quoted = [look.get("quotePrefix") == "1" for look in styles.find(f"{space}cellXfs") or ()]
    found = []
    for row in root.iter(f"{space}row"):
        cells = []
        for cell in row.iter(f"{space}c"):
            text = "".join(part.text or "" for part in cell.iter() if part.tag in {f"{space}v", f"{space}t"})
            text = strings[int(text)] if cell.get("t") == "s" else text
            cells.append(f"'{text}" if quoted[int(cell.get("s", "0"))] else text)
        found.append(cells)
    return found, sum(1 for _ in root.iter(f"{space}f"))
