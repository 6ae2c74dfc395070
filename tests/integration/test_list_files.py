"""Every list as CSV and XLSX: typed cells, nothing executed, and only for who may see the list."""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from grants_world import Case, World

from services.grants.pages.files import LISTS
from shared import i18n
from shared.exports.tables import Column, Table, csv_pieces, xlsx_pieces
from shared.testing.stand import Stand

pytestmark = pytest.mark.slow  # whole stories, of many acts each

COLUMNS = [
    Column("Name"),
    Column("Count", "number"),
    Column("Sum", "money"),
    Column("Day", "day"),
    Column("At", "moment"),
]
AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def sheet(rows: list[list[Any]]) -> tuple[str, str]:
    """Return the sheet and the strings of a workbook with these rows."""
    with zipfile.ZipFile(io.BytesIO(b"".join(xlsx_pieces(Table("t", COLUMNS, rows))))) as book:
        return book.read("xl/worksheets/sheet1.xml").decode(), "\n".join(book.namelist())


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "http://x.example", "12"])
def test_words_stay_text_in_both_formats(text: str) -> None:
    """What begins like a formula, looks like an address or like a number is a text cell, and no formula anywhere."""
    body, names = sheet([[text, None, None, None, None]])
    assert "<f>" not in body
    assert "hyperlink" not in body + names
    assert 't="inlineStr"' in body
    line = b"".join(csv_pieces(Table("t", COLUMNS, [[text, None, None, None, None]]))).decode("utf-8-sig")
    cell = list(csv.reader(io.StringIO(line)))[1][0]
    assert cell == (text if text[0] in "h1" else f"'{text}")


def test_a_text_longer_than_a_cell_says_so() -> None:
    """An XLSX cell holds 32,767 characters: of a longer text it has the beginning and says that there is more."""
    table = Table("Long", [Column("Text")], [["x" * 40_000]])
    with zipfile.ZipFile(io.BytesIO(b"".join(xlsx_pieces(table)))) as book:
        cell = book.read("xl/worksheets/sheet1.xml").decode()
    assert "x […]" in cell
    assert len(b"".join(csv_pieces(table))) > 40_000


def test_numbers_are_numbers_and_days_are_days() -> None:
    """Amounts below nothing are no formulas; a number that a spreadsheet can't hold exactly stays exact as text."""
    huge = Decimal("123456789012345678.91")
    rows = [["A", -3, Decimal("-5.50"), date(2026, 3, 2), AT], ["B", 1, huge, None, None]]
    body, _ = sheet(rows)
    for value in ("<v>-3</v>", "<v>-5.5</v>", "<v>46083</v>", "<v>46083.395833"):
        assert value in body
    assert f"<t>{huge}</t>" in body
    lines = list(csv.reader(io.StringIO(b"".join(csv_pieces(Table("t", COLUMNS, rows))).decode("utf-8-sig"))))
    assert lines[1] == ["A", "-3", "-5.50", "2026-03-02", "2026-03-02T09:30+00:00"]


def test_every_list_has_its_file_for_who_may_see_it(stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Payments, reviews, co-financing and the queue come in both formats; others get 403, unknown kinds 422."""
    world = World(stand.database("grants"), tmp_path_factory.mktemp("grants"))
    case = Case(world).concluded()
    for name in LISTS:
        who = world.reviewer_one if name == "my-reviews" else world.manager
        for kind, start in (("csv", b"\xef\xbb\xbf"), ("xlsx", b"PK")):
            answer = who.request("GET", f"/lists/{name}.{kind}")
            assert (answer.status_code, answer.content[: len(start)]) == (200, start)
    table = world.finance.request("GET", "/lists/payments.csv").content.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(table)))
    assert next((row["Case"], row["Amount"], row["Due"]) for row in rows) == (case.reference, "16000.00", "2026-09-01")
    reviews = world.manager.request("GET", "/lists/reviews.csv").content.decode("utf-8-sig")
    assert [row["Score"] for row in csv.DictReader(io.StringIO(reviews))] == ["80.00", "60.00"]
    assert world.officer.request("GET", "/queue.xlsx?q=state:all").content[:2] == b"PK"
    assert world.applicant.request("GET", "/lists/payments.csv").status_code == 403
    assert world.finance.request("GET", "/lists/reviews.csv").status_code == 403
    assert world.officer.request("GET", "/lists/contributions.pdf").status_code == 422
    assert world.officer.request("GET", "/lists/contributions.csv?programme=other").status_code == 404


def test_every_heading_has_its_russian() -> None:
    """No heading of a file reaches a Russian reader in English."""
    catalogue = i18n.catalogue("grants", "ru")
    words = {heading for item in LISTS.values() for heading, _ in item.headings}
    assert [word for word in words if catalogue.gettext(word) == word] == []
