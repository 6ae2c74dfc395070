"""The Merkle tree of RFC 6962 section 2.1 (the same as RFC 9162): hashes, roots, proofs and their verification.

Hashes are 32 bytes (SHA-256). Leaves are numbered from 0. A *perfect* subtree of height h and index i
covers the leaves [i * 2**h, (i + 1) * 2**h); its hash never changes once those leaves exist.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

SIZE = 32  # bytes of a hash
EMPTY_ROOT = hashlib.sha256(b"").digest()

Node = Callable[[int, int], bytes]
"""(height, index) -> the hash of that perfect subtree."""


class ProofError(ValueError):
    """A proof that does not show what it claims; the message says where it fails."""


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf: the zero byte keeps leaves and nodes apart."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass
class CompactRange:
    """The least that is needed to append to a tree: the hashes of its perfect subtrees, largest first."""

    size: int = 0
    hashes: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.size < 0 or len(self.hashes) != self.size.bit_count() or any(len(h) != SIZE for h in self.hashes):
            raise ValueError("a compact range has one 32-byte hash for each one bit of its size")

    def append(self, leaf: bytes) -> None:
        """Append a leaf's hash; on average this computes one node."""
        _strict(leaf)
        rest = self.size
        while rest & 1:
            leaf = node_hash(self.hashes.pop(), leaf)
            rest >>= 1
        self.hashes.append(leaf)
        self.size += 1

    def append_perfect(self, root: bytes, leaves: int) -> None:
        """Append as many leaves at once, a power of two that divides the size so far, by the root over them."""
        _strict(root)
        if leaves & (leaves - 1) or self.size % leaves:
            raise ValueError("a perfect subtree begins at a multiple of its size")
        rest = self.size // leaves
        while rest & 1:
            root = node_hash(self.hashes.pop(), root)
            rest >>= 1
        self.hashes.append(root)
        self.size += leaves

    def root(self) -> bytes:
        """Return the root of the tree so far."""
        if not self.hashes:
            return EMPTY_ROOT
        result = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            result = node_hash(left, result)
        return result

    def pack(self) -> bytes:
        """Return the hashes one after another, as they are stored."""
        return b"".join(self.hashes)

    @classmethod
    def unpack(cls, size: int, packed: bytes) -> CompactRange:
        """Return the range that `pack` made; raises ValueError when size and bytes do not fit."""
        return cls(size, [packed[at : at + SIZE] for at in range(0, len(packed), SIZE)])


def perfect_root(hashes: Sequence[bytes]) -> bytes:
    """Return the root over `hashes`, whose number is a power of two."""
    row = list(hashes)
    if not row or len(row) & (len(row) - 1):
        raise ValueError("the number of hashes must be a power of two")
    while len(row) > 1:
        row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]


def root_from(hashes: Sequence[bytes]) -> bytes:
    """Return the root of the tree with these leaf hashes."""
    tree = CompactRange()
    for item in hashes:
        tree.append(item)
    return tree.root()


def range_root(first: int, last: int, node: Node) -> bytes:
    """Return the hash over the leaves [first, last), which must be a subtree of some tree."""
    count = last - first
    if count < 1:
        raise ValueError("an empty range has no node")
    height = count.bit_length() - 1
    if count == 1 << height:
        return node(height, first >> height)
    middle = first + _split(count)
    return node_hash(range_root(first, middle, node), range_root(middle, last, node))


def prove_inclusion(index: int, size: int, node: Node) -> list[bytes]:
    """Return the audit path of leaf `index` in the tree of `size` leaves, nearest the leaf first."""
    if not 0 <= index < size:
        raise ProofError(f"leaf {index} is not in a tree of {size}")
    path: list[bytes] = []
    first, last = 0, size
    while last - first > 1:
        middle = first + _split(last - first)
        if index < middle:
            path.append(range_root(middle, last, node))
            last = middle
        else:
            path.append(range_root(first, middle, node))
            first = middle
    return path[::-1]


def prove_consistency(old: int, new: int, node: Node) -> list[bytes]:
    """Return the proof that the tree of `old` leaves is the beginning of the tree of `new` leaves."""
    if not 0 < old <= new:
        raise ProofError(f"no consistency proof leads from size {old} to {new}")
    path: list[bytes] = []
    first, last, whole = 0, new, True
    while old != last:
        middle = first + _split(last - first)
        if old <= middle:
            path.append(range_root(middle, last, node))
            last = middle
        else:
            path.append(range_root(first, middle, node))
            first, whole = middle, False
    if not whole:
        path.append(range_root(first, last, node))
    return path[::-1]


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Check an audit path (RFC 9162 section 2.1.3.2); raises ProofError."""
    _strict(leaf, root, *proof)
    if not 0 <= index < size:
        raise ProofError(f"leaf {index} is not in a tree of {size}")
    place, end, result = index, size - 1, leaf
    for sibling in proof:
        if end == 0:
            raise ProofError("the proof is too long")
        if place & 1 or place == end:
            result = node_hash(sibling, result)
            while not place & 1 and place:
                place, end = place >> 1, end >> 1
        else:
            result = node_hash(result, sibling)
        place, end = place >> 1, end >> 1
    if end:
        raise ProofError("the proof is too short")
    if result != root:
        raise ProofError("the proof leads to another root")


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Check that the new tree only adds to the old one (RFC 9162 section 2.1.4.2); raises ProofError.

    Nothing can be shown about the empty tree, so `old` 0 is refused.
    """
    _strict(old_root, new_root, *proof)
    if not 0 < old <= new:
        raise ProofError(f"no consistency proof leads from size {old} to {new}")
    if old == new:
        if proof or old_root != new_root:
            raise ProofError("trees of one size must have one root and an empty proof")
        return
    path = ([old_root] if old & (old - 1) == 0 else []) + list(proof)
    if not path or not proof:
        raise ProofError("the proof is empty")
    _follow(old - 1, new - 1, path, (old_root, new_root))


def _follow(place: int, end: int, path: list[bytes], roots: tuple[bytes, bytes]) -> None:
    while place & 1:
        place, end = place >> 1, end >> 1
    before = after = path[0]
    for sibling in path[1:]:
        if end == 0:
            raise ProofError("the proof is too long")
        if place & 1 or place == end:
            before, after = node_hash(sibling, before), node_hash(sibling, after)
            while not place & 1 and place:
                place, end = place >> 1, end >> 1
        else:
            after = node_hash(after, sibling)
        place, end = place >> 1, end >> 1
    if end:
        raise ProofError("the proof is too short")
    if (before, after) != roots:
        raise ProofError("the proof leads to other roots")


def _split(count: int) -> int:
    """Return the largest power of two below `count`."""
    return 1 << (count - 1).bit_length() - 1


def _strict(*hashes: bytes) -> None:
    if any(len(item) != SIZE for item in hashes):
        raise ProofError("every hash must be exactly 32 bytes")
