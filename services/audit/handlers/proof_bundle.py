"""The proof bundle: an export that whoever gets it can check without us, against a signed checkpoint.

One proof for all entries: the hashes of the greatest subtrees that have none of them, in the order in which the tree
is walked. It grows with the gaps between the entries and not with their number: a whole log needs none, a case a few
hundred; a path for each entry would be twenty hashes for every row.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from services.audit import labels, offline
from services.audit.domain.export import Export
from services.audit.domain.leaf import leaf_from
from services.audit.domain.merkle import Node, prove_consistency, range_root
from services.audit.domain.note import Verifier
from services.audit.handlers.export_rows import Tick, say, table
from services.audit.offline.verify import FORMAT
from services.audit.storage import exports, tree
from services.audit.storage.opening import Opener
from shared.exports.tables import csv_pieces

OLDER = 12  # checkpoints of the past that go with a bundle
_HERE = Path(offline.__file__).parent
_ALONG = ("verify.py", "verify.html", "README.txt", "ПРОЧТИ.txt")


def others(indexes: Sequence[int], size: int, node: Node) -> Iterator[bytes]:
    """Give the hashes of the greatest subtrees without any of these leaves, from the first leaf to the last."""

    def under(first: int, last: int, low: int, high: int) -> Iterator[bytes]:
        if low == high:
            yield range_root(first, last, node)
        elif last - first > 1:
            middle = first + (1 << ((last - first - 1).bit_length() - 1))
            cut = bisect_left(indexes, middle, low, high)
            yield from under(first, middle, low, cut)
            yield from under(middle, last, cut, high)

    yield from under(0, size, 0, len(indexes))


class Writer:
    """A bundle on its way into a file; what is written is hashed at once."""

    def __init__(self, file: Path) -> None:
        self.archive = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6)
        self.files: dict[str, dict[str, Any]] = {}

    def add(self, name: str, pieces: Iterable[bytes]) -> None:
        """Write a file piece by piece."""
        digest, size = hashlib.sha256(), 0
        with self.archive.open(name, "w", force_zip64=True) as out:
            for piece in pieces:
                digest.update(piece)
                size += len(piece)
                out.write(piece)
        self.files[name] = {"sha256": digest.hexdigest(), "bytes": size}


def write(  # noqa: PLR0917 - what a bundle is made of
    connection: Connection, item: Export, checkpoint: tree.Signed, verifier: Verifier, opener: Opener, file: Path, *,
    rows: Any, zone: ZoneInfo, now: datetime, tick: Tick, more: Iterable[tuple[str, bytes]] = (),
) -> int:  # fmt: skip
    """Write the bundle and return its rows; `rows()` gives them anew each time, in the order of the log.

    `more` are further files, by name.
    """
    out, indexes, kinds = Writer(file), array("q"), set()

    def leaves() -> Iterator[bytes]:
        for row in rows():
            indexes.append(row.leaf_index)
            kinds.add(row.type)
            entry: dict[str, Any] = {"index": row.leaf_index, "leaf": leaf_from(row).decode(), "body": row.body}
            if opened := opener.evidence(row.body, row.event_id):
                entry["opened"] = opened
            tick()
            yield json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"

    with out.archive:
        out.add("leaves.jsonl", leaves())
        out.add("events.csv", csv_pieces(table(rows(), opener, zone, headings=False)))
        nodes = tree.Nodes(connection, checkpoint.size)
        out.add("proof.txt", (digest.hex().encode() + b"\n" for digest in others(indexes, checkpoint.size, nodes)))
        out.add("checkpoint.txt", [checkpoint.note.encode()])
        out.add("older.json", [json.dumps(_older(connection, checkpoint, nodes), indent=1).encode()])
        out.add("policy.txt", [f"log {verifier.encode()}\nquorum none\n".encode()])
        for name in _ALONG:
            out.add(name, [(_HERE / name).read_bytes()])
        for name, text in more:
            out.add(name, [text])
        facts = {
            "format": FORMAT,
            "made_at": now.isoformat(timespec="seconds"),
            "exporter": item.by_name,
            "purpose": item.purpose,
            "search": item.search,
            "rows": len(indexes),
            "leaves": checkpoint.size,
            "labels": {kind: say(labels.kind(kind)) for kind in sorted(kinds)},
            "files": dict(out.files),
        }
        out.add("manifest.json", [json.dumps(facts, ensure_ascii=False, indent=1).encode()])
    return len(indexes)


def _older(connection: Connection, newest: tree.Signed, nodes: tree.Nodes) -> list[dict[str, Any]]:
    """Return checkpoints of the past, spread over all of it, each with the proof that this log began as it."""
    found = []
    for size, note in exports.past(connection, newest.size, OLDER):
        proof = prove_consistency(size, newest.size, nodes)
        found.append({"checkpoint": note, "proof": [digest.hex() for digest in proof]})
    return found
