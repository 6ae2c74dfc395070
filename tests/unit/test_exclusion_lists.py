"""Reading a list, and how alike two names are."""

from __future__ import annotations

import pytest

from services.grants.handlers.exclusion_file import Columns, read
from shared.errors import InvalidError
from shared.screening import alike

COLUMNS = Columns(name="Entity", number="Number", aliases="Also")
HEAD = "Entity,Number,Also\n"


@pytest.mark.parametrize(
    ("key", "other", "at_least"),
    [
        ("vardar kabel vorks", "kabel vorks vardar", 100),
        ("chamber crafts", "chamber crafts skopie", 95),
        ("ana petrova", "anna petrova", 90),
    ],
)
def test_order_a_letter_and_more_words_are_forgiven(key: str, other: str, at_least: int) -> None:
    """Words in another order are the same name; a slip of the pen and a name within a name are nearly so."""
    ((place, score),) = alike(key, ["something else", other], 85)
    assert place == 1
    assert score >= at_least


def test_short_names_are_not_alike_by_chance() -> None:
    """Names of a few letters are found only when they are the same."""
    assert alike("ana", ["anna", "an"], 70) == []
    assert alike("ana", ["an", "ana"], 70) == [(1, 100)]


def test_a_file_says_what_became_of_each_row() -> None:
    """Rows without a name or with too many cells are refused by number; aliases and numbers are read; tabs too."""
    found = read((HEAD + "Neva OOO,77-01,Neva Trade;Нева\n,1,\nX,1,,,9\n").encode(), COLUMNS)
    assert (found.rows, found.taken) == (3, 1)
    assert [(item.row, item.rule) for item in found.refused] == [
        (3, "has no name"),
        (4, "has more cells than there are columns"),
    ]
    assert [(entry["key"], entry["number"]) for entry in found.entries] == [
        ("neva", "7701"),
        ("neva trade", "7701"),
        ("neva", "7701"),
    ]
    assert len({entry["fingerprint"] for entry in found.entries}) == 1
    tabbed = read(b"\xef\xbb\xbfEntity\tNumber\tAlso\nNeva\t\t\n", COLUMNS)
    assert tabbed.taken == 1


@pytest.mark.parametrize(
    ("content", "columns", "field"),
    [
        (b"Entity,Number,Also\nNeva,,\n", Columns(name="Title"), "column_name"),
        (b"Entity,Number,Also\nNeva,,\n", Columns(name=""), "column_name"),
        (b"Entity,Number,Also\n,,\n", COLUMNS, "file"),
        (b'Entity,Number,Also\n"Neva,,\n', COLUMNS, "file"),
        (b"Entity,Number,Also\n\xff\xfe,,\n", COLUMNS, "file"),
        (b"", COLUMNS, "column_name"),
    ],
)
def test_a_list_that_can_not_be_read_is_refused_whole(content: bytes, columns: Columns, field: str) -> None:
    """A wrong column, no row to take, an open quotation, another encoding: named by its field."""
    with pytest.raises(InvalidError) as refusal:
        read(content, columns)
    assert field in refusal.value.fields
