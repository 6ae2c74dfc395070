#!/usr/bin/env python3

"""Check a proof bundle of the Tamga audit log. Needs Python 3.9 and nothing else, no network, no trust in who made it.

    python3 verify.py bundle.zip                 what the bundle proves by the key that came with it
    python3 verify.py bundle.zip --vkey KEY      by a key that you got in another way: this is what counts
    python3 verify.py bundle.zip --checkpoint F  also against a checkpoint that you kept

Exit code 0: everything is proven. 1: something was changed; the place is named. 2: it could not be checked.
The formats are those of C2SP (signed-note, tlog-checkpoint) and RFC 6962.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import csv
import hashlib
import hmac
import io
import json
import sys
import zipfile
from typing import Any, Dict, Iterable, List, Optional, Sequence, Tuple

Point = Tuple[int, int, int, int]
Entry = Tuple[int, Any, Any, bool, bytes]  # index, leaf, body, whether something in it stays closed, hash of the leaf

FORMAT = "tamga-proof-bundle/1"
MOST_WRONG = 20
COLUMNS = (
    "index", "event_id", "time", "recorded", "what", "type", "person", "name", "role", "organisation", "programme",
    "case", "entity", "sequence", "service", "position", "outcome", "reason", "changes", "data",
)  # fmt: skip
MEMBERS = {
    "event_id": "id", "time": "time", "recorded": "rec", "type": "type", "person": "by", "role": "role",
    "organisation": "org", "programme": "prog", "case": "case", "entity": "ent", "sequence": "seq", "service": "src",
    "position": "pos", "outcome": "out",
}  # fmt: skip


class Wrong(Exception):  # noqa: N818 - what it is
    """Something is not as it was recorded."""


class Unreadable(Exception):  # noqa: N818 - what it is
    """This is no bundle, or not a whole one."""


# --- Ed25519 (RFC 8032), for verification alone ---------------------------------

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def _x(y: int, sign: int) -> int:
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P or (not x and sign):
        raise Wrong("a point is not on the curve")
    return P - x if x & 1 != sign else x


BY = 4 * pow(5, P - 2, P) % P
BASE = (_x(BY, 0), BY, 1, _x(BY, 0) * BY % P)


def _add(p: Point, q: Point) -> Point:
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(n: int, p: Point) -> Point:
    result = (0, 1, 1, 0)
    while n:
        if n & 1:
            result = _add(result, p)
        p, n = _add(p, p), n >> 1
    return result


def _point(raw: bytes) -> Point:
    y = int.from_bytes(raw, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= P:
        raise Wrong("a point is not on the curve")
    x = _x(y, sign)
    return x, y, 1, x * y % P


def ed25519(public: bytes, signature: bytes, text: bytes) -> bool:
    """Say whether this is the signature of the text by that key."""
    if len(public) != 32 or len(signature) != 64:
        return False
    s = int.from_bytes(signature[32:], "little")
    if s >= L:
        return False
    try:
        a, r = _point(public), _point(signature[:32])
    except Wrong:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + text).digest(), "little") % L
    left, right = _times(s, BASE), _add(r, _times(h, a))
    return not ((left[0] * right[2] - right[0] * left[2]) % P or (left[1] * right[2] - right[1] * left[2]) % P)


# --- signed notes ----------------------------------------------------------------


def _b64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Wrong("bad base64") from None


def key_of(vkey: str) -> Tuple[str, bytes, bytes]:
    """Return (name, id, public key) of a verifier key."""
    parts = vkey.strip().split("+", 2)
    raw = _b64(parts[2]) if len(parts) == 3 else b""
    if len(raw) != 33 or raw[0] != 1:
        raise Wrong("this is no Ed25519 verifier key (name+id+base64)")
    identity = hashlib.sha256(parts[0].encode() + b"\n" + raw).digest()[:4]
    if identity.hex() != parts[1]:
        raise Wrong("the id of the verifier key does not belong to it")
    return parts[0], identity, raw[1:]


def opened(note: str, vkey: str) -> Tuple[int, bytes]:
    """Return (size, root) of a checkpoint that the key signed."""
    name, identity, public = key_of(vkey)
    text, split, lines = note.rpartition("\n\n")
    if not split:
        raise Wrong("the checkpoint is no signed note")
    text += "\n"
    signed = False
    for line in lines.rstrip("\n").split("\n"):
        parts = line.split(" ")
        if len(parts) != 3 or parts[0] != "\u2014":
            raise Wrong("a signature line of the checkpoint is malformed")
        raw = _b64(parts[2])
        if parts[1] == name and raw[:4] == identity:
            if not ed25519(public, raw[4:], text.encode()):
                raise Wrong("the signature of the checkpoint is not of this key")
            signed = True
    if not signed:
        raise Wrong("the checkpoint is not signed by this key")
    body = text.split("\n")
    root = _b64(body[2]) if len(body) > 3 else b""
    if len(root) != 32 or not body[1].isdigit():
        raise Wrong("the checkpoint is malformed")
    return int(body[1]), root


# --- the tree ----------------------------------------------------------------------


def leaf_hash(leaf: bytes) -> bytes:
    """Return the hash of a leaf."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def _split(count: int) -> int:
    return 1 << ((count - 1).bit_length() - 1)


def root_of(size: int, leaves: Sequence[Tuple[int, bytes]], proof: Iterable[bytes]) -> bytes:
    """Return the root over a tree of `size` leaves of which some hashes are known, with the others' subtrees in order.

    `leaves` is [(index, hash)] in order, `proof` the hashes of the greatest subtrees without any of them.
    """
    given = iter(proof)

    def over(first: int, last: int, low: int, high: int) -> bytes:
        if low == high:
            try:
                return next(given)
            except StopIteration:
                raise Wrong("proof.txt is too short") from None
        if last - first == 1:
            return leaves[low][1]
        middle = first + _split(last - first)
        cut = low
        a, b = low, high
        while a < b:
            mid = (a + b) // 2
            a, b = (mid + 1, b) if leaves[mid][0] < middle else (a, mid)
        cut = a
        return node_hash(over(first, middle, low, cut), over(middle, last, cut, high))

    root = over(0, size, 0, len(leaves))
    if next(given, None) is not None:
        raise Wrong("proof.txt has more than belongs there")
    return root


def check_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Raise Wrong unless the tree of `old` leaves is the beginning of that of `new` (RFC 9162, 2.1.4.2)."""
    if not 0 < old <= new:
        raise Wrong("an older checkpoint is of a larger log")
    if old == new:
        if proof or old_root != new_root:
            raise Wrong("two checkpoints of one size differ")
        return
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    if not path:
        raise Wrong("a consistency proof is empty")
    first, second = old - 1, new - 1
    while first & 1:
        first, second = first >> 1, second >> 1
    a = b = path[0]
    for item in path[1:]:
        if second == 0:
            raise Wrong("a consistency proof is too long")
        if first & 1 or first == second:
            a, b = node_hash(item, a), node_hash(item, b)
            while not first & 1 and first:
                first, second = first >> 1, second >> 1
        else:
            b = node_hash(b, item)
        first, second = first >> 1, second >> 1
    if second or a != old_root or b != new_root:
        raise Wrong("an older checkpoint is not the beginning of this log")


# --- the bundle ----------------------------------------------------------------------


def _body(entry: Any, leaf: Any) -> Tuple[Any, bool]:
    """Return the body of an entry with what was opened in its places, and whether something in it stays closed."""
    body = json.loads(entry["body"])
    if hashlib.sha256(entry["body"].encode()).hexdigest() != leaf["body"]:
        raise Wrong("body")
    seals = {seal["s"]: seal for seal in body.get("sealed", [])}
    for item in entry.get("opened", []):
        seal = seals.pop(item["s"], None)
        mark = hmac.new(bytes.fromhex(item["salt"]), item["words"].encode(), hashlib.sha256).hexdigest()
        if seal is None or not hmac.compare_digest(mark, seal["cm"]):
            raise Wrong("opened")
        for path, value in json.loads(item["words"]).items():
            _put(body, path, value)
    return body, bool(seals)


def _put(body: Any, path: str, value: Any) -> None:
    """Put a value where it was taken from: steps between slashes, as in a JSON pointer."""
    way = [step.replace("~1", "/").replace("~0", "~") for step in path.split("/")]
    for step in way[:-1]:
        body = body[int(step)] if isinstance(body, list) else body[step]
    body[int(way[-1]) if isinstance(body, list) else way[-1]] = value


def _same(told: Any, known: Any, closed: bool) -> bool:
    """Say whether a cell says what the entry says; what is closed has words in place of nothing."""
    if isinstance(known, dict) and isinstance(told, dict):
        return told.keys() == known.keys() and all(_same(told[name], known[name], closed) for name in known)
    if isinstance(known, list) and isinstance(told, list):
        return len(told) == len(known) and all(_same(one, other, closed) for one, other in zip(told, known))
    return told == known or (closed and known in (None, "") and isinstance(told, str) and told.startswith("["))


def _cell(name: str, text: str, entry: Entry, labels: Any) -> bool:
    """Say whether a cell of events.csv is what the entry says; an apostrophe may keep it from being a formula."""
    return _says(name, text, entry, labels) or (text[:1] == "'" and _says(name, text[1:], entry, labels))


def _says(name: str, text: str, entry: Entry, labels: Any) -> bool:
    _, leaf, body, closed, _ = entry
    if name == "index":
        return True
    if name == "what":
        return bool(text == labels.get(leaf["type"]))
    if name in ("changes", "data"):
        try:
            return _same(json.loads(text or "{}"), body[name], closed)
        except ValueError:
            return False
    if name == "name":
        return _same(text, body["actor"]["name"] or "", closed)
    value = body["reason"] if name == "reason" else leaf[MEMBERS[name]]
    return text == ("" if value is None else str(value))


class Bundle:
    """A bundle that was read; `check` fills `claims` with (what, good, words) and `wrong` with places."""

    def __init__(self, files: Dict[str, bytes]) -> None:
        self.files = files
        self.claims: List[Tuple[str, Optional[bool], str]] = []
        self.wrong: List[str] = []
        try:
            self.manifest = json.loads(files["manifest.json"])
        except (KeyError, ValueError):
            raise Unreadable("manifest.json is missing or no JSON") from None
        if self.manifest.get("format") != FORMAT:
            raise Unreadable("this is no bundle of a kind that this program knows")

    def text(self, name: str) -> str:
        """Return a file as text."""
        if name not in self.files:
            raise Wrong("%s is missing" % name)
        return self.files[name].decode("utf-8")

    def claim(self, what: str, good: Optional[bool], words: str) -> None:
        """Say what is proven."""
        self.claims.append((what, good, words))

    def note(self, place: str) -> None:
        """Say what was changed."""
        if len(self.wrong) < MOST_WRONG:
            self.wrong.append(place)

    def check(self, vkey: Optional[str] = None, kept: Optional[str] = None) -> None:
        """Check everything; raises Wrong for what makes the rest pointless."""
        for name, facts in sorted(self.manifest["files"].items()):
            if name not in self.files:
                self.note("%s is missing" % name)
            elif hashlib.sha256(self.files[name]).hexdigest() != facts["sha256"]:
                self.note("%s was changed after the export" % name)
        given = vkey or self.text("policy.txt").split("\n")[0].partition(" ")[2]
        size, root = opened(self.text("checkpoint.txt"), given)
        entries = self._entries()
        self._rows(entries)
        self._root(entries, size, root)
        self._order(entries)
        self._time(entries)
        self._older(given, size, root, kept)
        own = (
            "the key that you gave" if vkey else "the key that came with the bundle: compare it with one got otherwise"
        )
        self.claim("signer", True, "%s, by %s" % (key_of(given)[0], own))

    def _entries(self) -> List[Entry]:
        found = []
        for number, line in enumerate(self.text("leaves.jsonl").rstrip("\n").split("\n"), 1):
            try:
                entry = json.loads(line)
                leaf = json.loads(entry["leaf"])
                body, closed = _body(entry, leaf)
            except Wrong as problem:
                self.note("leaves.jsonl, line %d: %s was changed" % (number, problem))
                leaf, body, closed = json.loads(entry["leaf"]), None, False
            except (ValueError, KeyError, TypeError, AttributeError):
                self.note("leaves.jsonl, line %d: is malformed" % number)
                continue
            found.append((entry["index"], leaf, body, closed, leaf_hash(entry["leaf"].encode())))
        if not found:
            raise Wrong("the bundle has no entries")
        return found

    def _rows(self, entries: List[Entry]) -> None:
        labels, rows = (
            self.manifest.get("labels", {}),
            csv.reader(io.StringIO(self.text("events.csv").lstrip("\ufeff"))),
        )
        known = {entry[0]: entry for entry in entries}
        if tuple(next(rows, [])) != COLUMNS:
            self.note("events.csv: the names of its columns were changed")
        last, told = -1, 0
        for number, row in enumerate(rows, 2):
            told += 1
            entry = known.get(int(row[0])) if row and row[0].isdigit() else None
            if entry is None or len(row) != len(COLUMNS):
                self.note("events.csv, row %d: there is no such entry" % number)
                continue
            if entry[0] <= last:
                self.note("events.csv, row %d: is not in its order" % number)
            last = max(last, entry[0])
            if entry[2] is None:
                continue
            for name, text in zip(COLUMNS, row):
                if not _cell(name, text, entry, labels):
                    self.note("events.csv, row %d: %s was changed" % (number, name))
        if told != len(entries) or told != self.manifest["rows"]:
            counted = (told, len(entries), self.manifest["rows"])
            self.note("events.csv has %d rows, leaves.jsonl %d, and the manifest says %d" % counted)

    def _root(self, entries: List[Entry], size: int, root: bytes) -> None:
        proof = [bytes.fromhex(line) for line in self.text("proof.txt").split()]
        leaves = [(entry[0], entry[4]) for entry in entries]
        if any(a[0] >= b[0] for a, b in zip(leaves, leaves[1:])) or not 0 <= leaves[0][0] <= leaves[-1][0] < size:
            raise Wrong("leaves.jsonl is not in its order")
        if root_of(size, leaves, proof) != root:
            raise Wrong("the entries do not lead to the root that was signed: one of them was changed")
        words = "%d entries are in the log of %d entries that was signed, as they were recorded" % (len(leaves), size)
        self.claim("content", not self.wrong, words if not self.wrong else "what is shown is not what was recorded")

    def _order(self, entries: List[Entry]) -> None:
        first, last = entries[0][0], entries[-1][0]
        self.claim("order", True, "each entry's place in the log is proven; they are told in that order")
        between = last - first + 1 - len(entries)
        if between:
            words = "%d other entries stand between the first and the last: this export has what was searched for"
            self.claim("completeness", None, words % between)
            return
        missing = []
        for source in sorted({entry[1]["src"] for entry in entries}):
            places = sorted(entry[1]["pos"] for entry in entries if entry[1]["src"] == source and entry[1]["pos"])
            lost = places[-1] - places[0] + 1 - len(set(places)) if places else 0
            if lost:
                missing.append("%s lacks %d" % (source, lost))
        words = "every entry from %d to %d is here" % (first, last)
        self.claim("completeness", None if missing else True, "; ".join([words, *missing]))

    def _time(self, entries: List[Entry]) -> None:
        times = [entry[1]["rec"] for entry in entries]
        good = all(a <= b for a, b in zip(times, times[1:]))
        words = "recorded from %s to %s by the clock of the log" % (min(times), max(times))
        self.claim("time", True if good else None, words + ("" if good else "; that clock went back in between"))

    def _older(self, vkey: str, size: int, root: bytes, kept: Optional[str]) -> None:
        older = json.loads(self.text("older.json"))
        roots = {size: root}
        for item in older:
            old, old_root = opened(item["checkpoint"], vkey)
            check_consistency(old, size, old_root, root, [bytes.fromhex(value) for value in item["proof"]])
            roots[old] = old_root
        words = "older checkpoints of which this log is the continuation: %d" % len(older)
        if kept is not None:
            own = opened(kept, vkey)
            if roots.get(own[0], own[1]) != own[1]:
                raise Wrong("the checkpoint that you kept is of another log: history was rewritten")
            words += (
                "; yours is one of them"
                if own[0] in roots
                else "; yours is not in this bundle: ask for one that has it"
            )
        self.claim("history", True, words)


def files_of(path: str) -> Dict[str, bytes]:
    """Return the files of a bundle by name."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except (OSError, zipfile.BadZipFile, RuntimeError) as problem:
        raise Unreadable("%s can't be read: %s" % (path, problem)) from None


def main(arguments: Optional[List[str]] = None) -> int:
    """Check a bundle and say what was found; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle")
    parser.add_argument("--vkey", help="verifier key that you got in another way")
    parser.add_argument("--checkpoint", help="file with a checkpoint that you kept")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    kept = None
    try:
        bundle = Bundle(files_of(given.bundle))
        if given.checkpoint:
            with open(given.checkpoint, encoding="utf-8") as file:
                kept = file.read().rstrip("\n") + "\n"
    except (Unreadable, OSError, UnicodeDecodeError) as problem:
        print("This could not be checked: %s" % problem, file=sys.stderr)
        return 2
    try:
        bundle.check(given.vkey, kept)
    except Wrong as problem:
        bundle.wrong.insert(0, str(problem))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as problem:
        bundle.wrong.insert(0, "a part of the bundle is malformed (%s)" % type(problem).__name__)
    good = not bundle.wrong
    if given.json:
        claims = [{"what": what, "proven": state, "words": words} for what, state, words in bundle.claims]
        print(json.dumps({"ok": good, "claims": claims, "wrong": bundle.wrong}, ensure_ascii=False, indent=2))
        return 0 if good else 1
    facts = bundle.manifest
    print("Export of %s by %s, for: %s" % (facts.get("made_at"), facts.get("exporter"), facts.get("purpose")))
    print("Searched for: %s" % (facts.get("search") or "everything"))
    for what, state, words in bundle.claims:
        mark = "proven " if state and good else "open   " if state is None else "WRONG  " if not state else "       "
        print("  %s %-13s %s" % (mark, what, words))
    for place in bundle.wrong:
        print("  WRONG   %s" % place)
    print("OK: nothing was changed." if good else "NOT OK: do not rely on this export.")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
