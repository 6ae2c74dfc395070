"""The Merkle tree against the published Certificate Transparency test data, and against a naive definition."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.audit.domain import merkle

# The eight-leaf tree that CT implementations test themselves with (RFC 6962 test data): leaf, its hash,
# the root of the tree up to and including it.
LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
LEAF_HASHES = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "0298d122906dcfc10892cb53a73992fc5b9f493ea4c9badb27b791b4127a7fe7",
    "07506a85fd9dd2f120eb694f86011e5bb4662e5c415a62917033d4a9624487e7",
    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    "4271a26be0d8a84f0bd54c8c302e7cb3a3b5d1fa6780a40bcce2873477dab658",
    "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
    "46f6ffadd3d06a09ff3c5860d2755c8b9819db7df44251788c7d8e3180de8eb1",
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INNER = {
    (1, 0): "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    (1, 1): "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    (1, 2): "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
    (1, 3): "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    (2, 0): "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    (2, 1): "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
}
# Leaves 4 to 6 of the seven-leaf tree: node "l" of the worked example in RFC 9162 section 2.1.5.
RIGHT_OF_SEVEN = "837dbb152e9b079010717e84e865da4ebc0fa198a806d59d31bf15accef22d0e"
D, H = LEAF_HASHES, INNER
INCLUSION = [
    (0, 8, [D[1], H[1, 1], H[2, 1]]),
    (5, 8, [D[4], H[1, 3], H[2, 0]]),
    (2, 3, [H[1, 0]]),
    (1, 5, [D[0], H[1, 1], D[4]]),
    (0, 1, []),
    (0, 7, [D[1], H[1, 1], RIGHT_OF_SEVEN]),
    (3, 7, [D[2], H[1, 0], RIGHT_OF_SEVEN]),
    (4, 7, [D[5], D[6], H[2, 0]]),
    (6, 7, [H[1, 2], H[2, 0]]),
]
CONSISTENCY = [
    (1, 1, []),
    (1, 8, [D[1], H[1, 1], H[2, 1]]),
    (6, 8, [H[1, 2], H[1, 3], H[2, 0]]),
    (2, 5, [H[1, 1], D[4]]),
    (6, 7, [H[1, 2], D[6], H[2, 0]]),
    (3, 7, [D[2], D[3], H[1, 0], RIGHT_OF_SEVEN]),
    (4, 7, [RIGHT_OF_SEVEN]),
]
SHA_OF_NOTHING = merkle.EMPTY_ROOT
OTHER = hashlib.sha256(b"something else").digest()

Probe = Callable[[list[bytes]], list[bytes]]


def hexes(values: list[str]) -> list[bytes]:
    return [bytes.fromhex(value) for value in values]


def nodes_of(hashes: list[bytes]) -> merkle.Node:
    def node(height: int, index: int) -> bytes:
        return merkle.perfect_root(hashes[index << height : (index + 1) << height])

    return node


def naive_root(leaves: list[bytes]) -> bytes:
    """Return the root by the definition of RFC 6962 section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + naive_root(leaves[:k]) + naive_root(leaves[k:])).digest()


def test_hashes_are_those_of_the_published_vectors() -> None:
    """Empty root, leaf and node hashes agree with the RFC 6962 vectors."""
    assert merkle.EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert merkle.CompactRange().root() == merkle.EMPTY_ROOT
    assert merkle.leaf_hash(b"L123456").hex() == "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56"
    node = merkle.node_hash(b"N123", b"N456")
    assert node.hex() == "aa217fe888e47007fa15edab33c2b492a722cb106c64667fc2b044444de66bbb"
    assert [merkle.leaf_hash(bytes.fromhex(leaf)).hex() for leaf in LEAVES] == LEAF_HASHES


def test_roots_grow_as_published() -> None:
    """Appending leaf by leaf gives the published root at each of the eight sizes, also after packing."""
    tree = merkle.CompactRange()
    for leaf, root in zip(hexes(LEAF_HASHES), ROOTS, strict=True):
        tree.append(leaf)
        assert tree.root().hex() == root
        assert merkle.CompactRange.unpack(tree.size, tree.pack()) == tree


def test_inner_nodes_are_as_published() -> None:
    """Perfect subtrees have the published hashes."""
    node = nodes_of(hexes(LEAF_HASHES))
    assert {key: node(*key).hex() for key in INNER} == INNER
    assert merkle.range_root(4, 7, node).hex() == RIGHT_OF_SEVEN


@pytest.mark.parametrize(("index", "size", "proof"), INCLUSION)
def test_inclusion_proofs_are_as_published(index: int, size: int, proof: list[str]) -> None:
    """The generated audit path is the published one and verifies."""
    made = merkle.prove_inclusion(index, size, nodes_of(hexes(LEAF_HASHES)))
    assert [item.hex() for item in made] == proof
    merkle.verify_inclusion(index, size, bytes.fromhex(D[index]), made, bytes.fromhex(ROOTS[size - 1]))


@pytest.mark.parametrize(("old", "new", "proof"), CONSISTENCY)
def test_consistency_proofs_are_as_published(old: int, new: int, proof: list[str]) -> None:
    """The generated consistency proof is the published one and verifies."""
    made = merkle.prove_consistency(old, new, nodes_of(hexes(LEAF_HASHES)))
    assert [item.hex() for item in made] == proof
    merkle.verify_consistency(old, new, bytes.fromhex(ROOTS[old - 1]), bytes.fromhex(ROOTS[new - 1]), made)


def corruptions(proof: list[bytes], root: bytes) -> list[list[bytes]]:
    """Return every way in which the published probe set spoils a proof."""
    flipped = [[*proof[:at], bytes([proof[at][0] ^ 8]) + proof[at][1:], *proof[at + 1 :]] for at in range(len(proof))]
    shortened = [[*proof[:at], proof[at][:-1], *proof[at + 1 :]] for at in range(len(proof))]
    removed = [[*proof[:at], *proof[at + 1 :]] for at in range(len(proof))]
    inserted = [[*proof[:at], OTHER, *proof[at:]] for at in range(len(proof) + 1)]
    ends = [[*proof, b""], [b"", *proof], [*proof, root], [root, *proof], proof[:-1] if proof else [OTHER]]
    return [*flipped, *shortened, *removed, *inserted, *ends]


@pytest.mark.parametrize(("index", "size", "_proof"), INCLUSION)
def test_spoiled_inclusion_proofs_fail(index: int, size: int, _proof: list[str]) -> None:
    """Every spoiled path, index, size, leaf or root of the published probe set is refused."""
    leaf, root = bytes.fromhex(D[index]), bytes.fromhex(ROOTS[size - 1])
    proof = merkle.prove_inclusion(index, size, nodes_of(hexes(LEAF_HASHES)))
    probes: list[tuple[int, int, bytes, list[bytes], bytes]] = [
        *((index, size, leaf, spoiled, root) for spoiled in corruptions(proof, root)),
        *((other, size, leaf, proof, root) for other in (index - 1, index + 1, index ^ 2, -1, size)),
        *((index, other, leaf, proof, root) for other in (size * 2, size // 2 if size > 1 else 0)),
        *((index, size, wrong, proof, root) for wrong in (OTHER, root if size > 1 else OTHER, b"", leaf[:-1])),
        *((index, size, leaf, proof, wrong) for wrong in (OTHER, b"", SHA_OF_NOTHING, root + b"\x00")),
    ]
    for probe in probes:
        with pytest.raises(merkle.ProofError):
            merkle.verify_inclusion(*probe)


@pytest.mark.parametrize(("old", "new", "_proof"), CONSISTENCY)
def test_spoiled_consistency_proofs_fail(old: int, new: int, _proof: list[str]) -> None:
    """Every spoiled proof, size or root of the published probe set is refused."""
    first, second = bytes.fromhex(ROOTS[old - 1]), bytes.fromhex(ROOTS[new - 1])
    proof = merkle.prove_consistency(old, new, nodes_of(hexes(LEAF_HASHES)))
    probes: list[tuple[int, int, bytes, bytes, list[bytes]]] = [
        *((old, new, first, second, spoiled) for spoiled in corruptions(proof, second)),
        (0, new, SHA_OF_NOTHING, second, proof),
        (0, 0, SHA_OF_NOTHING, SHA_OF_NOTHING, []),
        (new + 1, new, first, second, proof),
        (old, new, b"", second, proof),
        (old, new, first, first[:-1], proof),
        (old, new, OTHER, second, proof),
        (old, new, first, OTHER, proof),
    ]
    if old != new:
        swapped = [(old, new, second, first, proof), (new, old, first, second, proof), (old, new, first, second, [])]
        probes += [*swapped, (old - 1, new, first, second, proof), (old, new * 2, first, second, proof)]
        probes += [(old + 1, new, first, second, proof)] if old + 1 <= new else []
    for probe in probes:
        with pytest.raises(merkle.ProofError):
            merkle.verify_consistency(*probe)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (3, 3), (-1, 4)])
def test_no_path_for_a_leaf_that_is_not_there(index: int, size: int) -> None:
    """A path for a leaf outside the tree is not made up."""
    with pytest.raises(merkle.ProofError, match="is not in a tree"):
        merkle.prove_inclusion(index, size, nodes_of([]))


@pytest.mark.parametrize(("old", "new"), [(0, 4), (5, 4), (-1, 1)])
def test_no_consistency_from_nothing(old: int, new: int) -> None:
    """A consistency proof from the empty tree or to a smaller one is not made up."""
    with pytest.raises(merkle.ProofError, match="no consistency proof"):
        merkle.prove_consistency(old, new, nodes_of([]))


def test_a_compact_range_refuses_what_does_not_fit() -> None:
    """A stored range whose hashes do not fit its size is refused instead of giving a wrong root."""
    with pytest.raises(ValueError, match="compact range"):
        merkle.CompactRange.unpack(3, b"\x00" * 32)
    with pytest.raises(ValueError, match="compact range"):
        merkle.CompactRange.unpack(1, b"\x00" * 31)
    with pytest.raises(merkle.ProofError):
        merkle.CompactRange().append(b"short")
    with pytest.raises(ValueError, match="power of two"):
        merkle.perfect_root([OTHER] * 3)
    with pytest.raises(ValueError, match="empty range"):
        merkle.range_root(2, 2, nodes_of([]))


@given(st.lists(st.binary(max_size=12), min_size=1, max_size=70), st.data())
def test_any_tree_agrees_with_the_definition(leaves: list[bytes], data: st.DataObject) -> None:
    """For any tree: root by definition, each inclusion and consistency proof verifies, and no neighbour's does."""
    hashes = [merkle.leaf_hash(leaf) for leaf in leaves]
    node, size, root = nodes_of(hashes), len(leaves), merkle.root_from(hashes)
    assert root == naive_root(leaves)
    index = data.draw(st.integers(0, size - 1))
    path = merkle.prove_inclusion(index, size, node)
    merkle.verify_inclusion(index, size, hashes[index], path, root)
    with pytest.raises(merkle.ProofError):
        merkle.verify_inclusion(index, size, OTHER, path, root)
    old = data.draw(st.integers(1, size))
    old_root = merkle.root_from(hashes[:old])
    merkle.verify_consistency(old, size, old_root, root, merkle.prove_consistency(old, size, node))
