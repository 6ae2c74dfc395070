"""The walk over the log: rows become hashes, hashes become tiles and roots, and each is compared with what is stored.

Nothing here reads a database; the caller feeds rows and gives tiles, heads and checkpoints in their order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from services.audit.domain.inspection import Finding, Stretch
from services.audit.domain.merkle import SIZE, CompactRange, perfect_root
from services.audit.domain.note import Checkpoint, NoteError, Verifier, open_checkpoint

WIDTH = 256
MAX_FINDINGS = 1000


class Findings(list[Finding]):
    """What was found so far; beyond a thousand more would help nobody."""

    def note(self, kind: str, where: str, what: str, **place: Any) -> None:
        if len(self) < MAX_FINDINGS:
            self.append(Finding(kind, where, what, **place))

    def between(self, first: int, last: int) -> bool:
        """Say whether something is known to be wrong with a leaf of [first, last)."""
        return any(item.leaf_index is not None and first <= item.leaf_index < last for item in self)


class Level:
    """The tiles of one level, compared with the hashes that come up from below."""

    def __init__(self, number: int, tiles: Callable[[int], Iterator[Any]], findings: Findings) -> None:
        self.number, self.tiles, self.findings = number, tiles, findings
        self.stored = tiles(number)
        self.tile = next(self.stored, None)
        self.entries: list[bytes] = []
        self.done = 0
        self.above: Level | None = None

    def expected(self, index: int) -> bytes | None:
        """Return the hash that the present tile has at a place, if there is that tile."""
        if self.tile is None or self.tile.number != index // WIDTH:
            return None
        at = index % WIDTH * SIZE
        return bytes(self.tile.hashes[at : at + SIZE])

    def whole(self, hashes: list[bytes]) -> bytes | None:
        """Take the entries of the next tile and return their root, if they and it are as stored; else take nothing."""
        if self.entries or self.tile is None or self.tile.number != self.done or self.tile.hashes != b"".join(hashes):
            return None
        self.entries = hashes
        return self._complete()

    def add(self, digest: bytes, index: int) -> bytes:
        """Take the next entry of this level; returns the hash with which the tree is to go on."""
        known = self.expected(index)
        if known is not None and known != digest:
            digest = self._differs(known, digest, index)
        self.entries.append(digest)
        if len(self.entries) == WIDTH:
            self._complete()
        return digest

    def _differs(self, known: bytes, digest: bytes, index: int) -> bytes:
        """Name the side that was changed: a tile that fits its own root is right, else the tile was altered."""
        tile: Any = self.tile
        if self.number == 0 and perfect_root(_cut(tile.hashes)) == tile.root:
            self.findings.note("altered", "event", "is not what its tile recorded", leaf_index=index)
            return known
        self._altered(f"hash {index % WIDTH} was altered", "hashes")
        return digest

    def _altered(self, what: str, column: str) -> None:
        self.findings.note("altered", "tile", f"tile {self.done} of level {self.number}: {what}", column=column)

    def _complete(self) -> bytes:
        root = perfect_root(self.entries)
        if self.tile is None or self.tile.number != self.done:
            self.findings.note("missing", "tile", f"tile {self.done} of level {self.number} is missing")
        else:
            if self.tile.root not in (root, perfect_root(_cut(self.tile.hashes))):
                self._altered("its root was altered", "root")
            self.tile = next(self.stored, None)
        self.entries, self.done = [], self.done + 1
        if self.above is None:
            self.above = Level(self.number + 1, self.tiles, self.findings)
        self.above.add(root, self.done - 1)
        return root

    def finish(self) -> None:
        """Report tiles beyond the last complete one."""
        for tile in filter(None, (self.tile, *self.stored)):
            self.findings.note("extra", "tile", f"tile {tile.number} of level {self.number} has no leaves")
        if self.above is not None:
            self.above.finish()


def _cut(packed: bytes) -> list[bytes]:
    return [packed[at : at + SIZE] for at in range(0, len(packed), SIZE)]


class Walk:
    """A verification under way.

    `start` is where it begins: the empty tree, or a state of the past that a signature vouches for;
    tiles are compared only by a walk from the beginning.
    """

    def __init__(
        self,
        verifiers: Sequence[Verifier],
        start: CompactRange,
        *,
        heads: Iterator[Any],
        checkpoints: Iterator[Any],
        tiles: Callable[[int], Iterator[Any]],
    ) -> None:
        self.verifiers, self.tree, self.heads, self.checkpoints = verifiers, start, heads, checkpoints
        self.findings = Findings()
        self.first = start.size
        self.level = Level(0, tiles, self.findings) if start.size == 0 else None
        self.agreed = start.size  # the last size at which the tree and a head were one
        self.signatures = 0
        self.pins: list[Checkpoint] = []
        self.rootless = False  # beyond a leaf whose hash nobody knows, roots can't be made again
        self._head, self._checkpoint = next(heads, None), next(checkpoints, None)

    def pin(self, note: str) -> None:
        """Compare the log also with a checkpoint that was kept outside the database."""
        try:
            pin = open_checkpoint(note, *self.verifiers)
        except NoteError as error:
            self.findings.note("signature", "checkpoint", f"the one kept outside the database: {error}")
            return
        if pin.size > self.first:
            self.pins.append(pin)
        elif pin.size == self.first and pin.root != self.tree.root():
            self.findings.note("tree", "checkpoint", "the one kept outside the database has another root")

    def feed(self, stretch: Stretch) -> None:
        """Take the next leaves."""
        while self.tree.size < stretch.first:
            self._miss(stretch.first)
        for index, columns in stretch.altered:
            for column in columns:
                self.findings.note("altered", "event", "was altered", leaf_index=index, column=column)
        hashes = _cut(stretch.hashes)
        at = 0
        while at < len(hashes):
            step = self._plain(hashes, at)
            if not step:
                self._add(hashes[at], self.tree.size)
            at += step or 1

    def _plain(self, hashes: list[bytes], at: int) -> int:
        """Take a whole tile at once when it is as stored and nothing is to be compared within; returns its leaves."""
        first, end = self.tree.size, self.tree.size + WIDTH
        if first % WIDTH or at + WIDTH > len(hashes) or self.level is None or self.rootless:
            return 0
        if any(place is not None and place.size <= end for place in (self._head, self._checkpoint)):
            return 0
        if any(first < pin.size <= end for pin in self.pins):
            return 0
        root = self.level.whole(hashes[at : at + WIDTH])
        if root is None:
            return 0
        self.tree.append_perfect(root, WIDTH)
        return WIDTH

    def _miss(self, index: int) -> None:
        """Report a row that is not there; where its tile knows its hash, the tree goes on with that."""
        place = self.tree.size
        known = self.level.expected(place) if self.level and not self.rootless else None
        if known is not None:
            self.findings.note("missing", "event", "was deleted", leaf_index=place)
            self._add(known, place)
            return
        what = "was deleted" if index == place + 1 else f"to {index - 1} were deleted"
        self.findings.note("missing", "event", what, leaf_index=place)
        self.rootless = True
        self.tree = CompactRange(index, [bytes(SIZE)] * index.bit_count())

    def _add(self, digest: bytes, index: int) -> None:
        if self.level and not self.rootless:
            digest = self.level.add(digest, index)
        self.tree.append(digest)
        while self._head is not None and self._head.size <= self.tree.size:
            self._compare(self._head)
            self._head = next(self.heads, None)
        while self._checkpoint is not None and self._checkpoint.size <= self.tree.size:
            self._judge(self._checkpoint)
            self._checkpoint = next(self.checkpoints, None)
        for pin in self.pins:
            if pin.size == self.tree.size and not self.rootless and pin.root != self.tree.root():
                self.findings.note("tree", "checkpoint", f"size {pin.size}, kept outside the database: another root")

    def _compare(self, head: Any) -> None:
        if self.rootless or head.size != self.tree.size:
            return
        own = {"root": self.tree.root(), "compact": self.tree.pack()}
        wrong = [name for name, value in own.items() if value != getattr(head, name)]
        if len(wrong) < len(own):
            for column in wrong:
                self.findings.note("altered", "tree_head", f"the head of size {head.size} was altered", column=column)
        else:
            self._differs(head)
        self.agreed = head.size

    def _differs(self, head: Any) -> None:
        """Blame the batch that ends here, and go on with what its head says so that later ones are judged alone."""
        if not self.findings.between(self.agreed, head.size):
            what = f"one to leaf {head.size - 1} is not what was recorded"
            self.findings.note("altered", "event", what, leaf_index=self.agreed)
        if len(head.compact) == SIZE * head.size.bit_count():
            self.tree = CompactRange.unpack(head.size, head.compact)

    def _judge(self, stored: Any) -> None:
        place = f"the checkpoint of size {stored.size}"
        try:
            signed = open_checkpoint(stored.note, *self.verifiers)
        except NoteError as error:
            self.findings.note("signature", "checkpoint", f"{place}: {error}", column="note")
            return
        self.signatures += 1
        if signed.size != stored.size:
            self.findings.note("altered", "checkpoint", f"{place} was signed for {signed.size}", column="size")
        elif signed.root != stored.root:
            self.findings.note("altered", "checkpoint", f"{place} is not what was signed", column="root")
        elif not self.rootless and stored.size == self.tree.size and signed.root != self.tree.root():
            self.findings.note("tree", "checkpoint", f"{place}: the log had another root when it was signed")

    def finish(self) -> None:
        """Compare what is left: heads, checkpoints and tiles that speak of leaves that are not there."""
        left = [item.size for item in (self._head, *self.heads, self._checkpoint, *self.checkpoints) if item]
        left += [pin.size for pin in self.pins if pin.size > self.tree.size]
        if left:
            what = f"to {max(left) - 1} were deleted: the newest entries are gone"
            self.findings.note("missing", "event", what, leaf_index=self.tree.size)
        if self.agreed < self.tree.size and not left:
            what = f"to {self.tree.size - 1} have no head of the tree"
            self.findings.note("missing", "tree_head", what, leaf_index=self.agreed)
        if self.level and not self.rootless:
            self.level.finish()
