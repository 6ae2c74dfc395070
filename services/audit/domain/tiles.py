"""The paths by which C2SP's tlog-tiles names the pieces of a log: `tile/<L>/<N>[.p/<W>]`.

`L` is a level of tiles (0: hashes of leaves, each level above: the roots of 256 below) or `entries`; `N` the number
of a tile in groups of three digits, all but the last with an x (1234067 is `x001/x234/067`); `W` how many of its 256
hashes are there, when it is not complete.
"""

from __future__ import annotations

import re
from typing import NamedTuple

ENTRIES = -1  # the level of the entries themselves
MAX_LEVEL = 7  # 256**8 leaves are more than any number of 64 bits
WIDTH = 256
_PATH = re.compile(
    r"(?P<level>0|[1-9][0-9]?|entries)/(?P<number>(?:x[0-9]{3}/)*[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
)


class TilePathError(ValueError):
    """A path that names no tile; the message says which part of it."""


class TileName(NamedTuple):
    """A tile of `width` hashes; `level` is ENTRIES for a bundle of entries."""

    level: int
    number: int
    width: int = WIDTH

    @property
    def first(self) -> int:
        """Return the first entry of the level that the tile has."""
        return self.number * WIDTH

    @property
    def end(self) -> int:
        """Return the entry after its last."""
        return self.first + self.width

    def path(self) -> str:
        """Return the path below `tile/`."""
        groups = [f"{self.number % 1000:03d}"]
        rest = self.number // 1000
        while rest:
            groups.insert(0, f"x{rest % 1000:03d}")
            rest //= 1000
        level = "entries" if self.level == ENTRIES else str(self.level)
        return "/".join([level, *groups]) + (f".p/{self.width}" if self.width < WIDTH else "")


def tile_name(path: str) -> TileName:
    """Return the tile that a path below `tile/` names; raises TilePathError."""
    found = _PATH.fullmatch(path)
    if found is None:
        raise TilePathError("a tile is <level>/<number>, the number in groups of three digits: 0/x001/067")
    level = ENTRIES if found["level"] == "entries" else int(found["level"])
    if level > MAX_LEVEL:
        raise TilePathError(f"the highest level is {MAX_LEVEL}")
    number = int(found["number"].replace("x", "").replace("/", ""))
    if number >= 1 << 56:
        raise TilePathError("there is no log so long")
    width = int(found["width"] or WIDTH)
    if found["width"] and width >= WIDTH:
        raise TilePathError(f"a part of a tile has 1 to {WIDTH - 1} hashes")
    name = TileName(level, number, width)
    if name.path() != path:
        raise TilePathError("the number of a tile has no groups of zeros before it")
    return name
