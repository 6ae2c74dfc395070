"""The names of tiles, as C2SP's tlog-tiles writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.audit.domain.tiles import ENTRIES, TileName, TilePathError, tile_name


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("0/000", TileName(0, 0)),
        ("0/x001/x234/067", TileName(0, 1_234_067)),
        ("1/000.p/7", TileName(1, 0, 7)),
        ("entries/x001/000.p/255", TileName(ENTRIES, 1000, 255)),
    ],
)
def test_paths_of_the_specification_are_understood(path: str, name: TileName) -> None:
    """The specification's way to write level, number and width is read, and written again the same."""
    assert tile_name(path) == name
    assert name.path() == path


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("0/0", "groups of three digits"),
        ("0/1234", "groups of three digits"),
        ("0/000.p/0", "groups of three digits"),
        ("0/000.p/256", "1 to 255"),
        ("01/000", "groups of three digits"),
        ("8/000", "highest level is 7"),
        ("63/000", "highest level is 7"),
        ("0/x000/001", "no groups of zeros"),
        ("0/001/001", "groups of three digits"),
        ("0/../../etc", "groups of three digits"),
        ("-1/000", "groups of three digits"),
        ("0/٠٠٠", "groups of three digits"),
        ("0/" + "x999/" * 6 + "999", "no log so long"),
        ("", "groups of three digits"),
    ],
)
def test_a_path_that_names_no_tile_is_refused_with_the_reason(path: str, why: str) -> None:
    """Every other way to write a tile is refused, so that a tile has one name only."""
    with pytest.raises(TilePathError, match=why):
        tile_name(path)


@given(st.integers(-1, 7), st.integers(0, 10**12), st.integers(1, 256))
def test_every_tile_has_one_path(level: int, number: int, width: int) -> None:
    """Whatever tile is written as a path is read back as itself."""
    name = TileName(level, number, width)
    assert tile_name(name.path()) == name
