"""The keys of applicants' people: a store of its own beside the log's other keys, never in a database with the log.

One key a person, wrapped under the key of this store (`subjects.key`); and the words by which a person is found,
as marks that nobody can try out without that key. To erase somebody is to destroy their key, name and words here.
The ledger, a file that only grows, says who was erased: whenever it says more than the store knows, as after an old
copy of the store was put back, those keys are destroyed again before anything else is asked.
"""

from __future__ import annotations

import base64
import json
import os
import sqlite3
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.audit.domain.sealing import FINDING, Key, open_seal, words_of
from shared import vault
from shared.settings import Settings

STORE, WRAPPING, LEDGER = "subjects.db", "subjects.key", "erasures.jsonl"
_MOST = 400  # of one question
_LEARNED = 100_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS subject (
  who TEXT PRIMARY KEY, id TEXT NOT NULL UNIQUE, key TEXT, name TEXT, erased_at TEXT, erased_by TEXT
);
CREATE TABLE IF NOT EXISTS word (
  mark TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (mark, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS word_subject ON word (id);
CREATE TABLE IF NOT EXISTS applied (bytes INTEGER NOT NULL);
"""


@dataclass(frozen=True)
class Erased:
    """A line of the ledger: whose key was destroyed, when and by whom."""

    who: str
    subject: str
    at: str  # ISO 8601, UTC
    by: str
    entries: int


class Subject(NamedTuple):
    """A person as the store knows them; `key` is None once it was destroyed."""

    who: str
    id: str
    key: str | None
    name: str | None
    erased_at: str | None
    erased_by: str | None


class Subjects:
    """The store in a folder, which is made with its first key."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._vault: vault.Vault | None = None
        self._ciphers: dict[str, AESGCM] = {}
        self._learned: set[tuple[str, str]] = set()
        self._called: tuple[Any, dict[str, tuple[str, ...]]] = (None, {})
        self._own = threading.local()

    @property
    def store(self) -> Path:
        return self.folder / STORE

    @property
    def ledger(self) -> Path:
        return self.folder / LEDGER

    # --- keys ----------------------------------------------------------------

    def keys(self, people: Mapping[str, bool]) -> dict[str, Key]:
        """Return the keys of those whose values are to be sealed: of whom the store knows, and of new applicants.

        `people` says of each whether their being an applicant's is sure. Who was erased gets a key that nobody keeps.
        """
        if not people:
            return {}
        known = {item.who: item for item in self._where("who", list(people))}
        new = [who for who, sure in people.items() if sure and who not in known]
        if new:
            self._make(new)
            known |= {item.who: item for item in self._where("who", new)}
        return {who: Key(item.id, self._cipher(item) or _thrown_away()) for who, item in known.items()}

    def _make(self, people: Iterable[str]) -> None:
        made = []
        for who in people:
            subject = f"s{os.urandom(12).hex()}"  # a letter first: one word of the search
            made.append((who, subject, self._wrapping().seal(os.urandom(vault.KEY_BYTES), f"subject {subject}")))
        with self._writing() as store:
            store.executemany("INSERT OR IGNORE INTO subject (who, id, key) VALUES (?, ?, ?)", made)

    def _cipher(self, item: Subject) -> AESGCM | None:
        if item.key is None:
            self._ciphers.pop(item.id, None)
            return None
        cipher = self._ciphers.get(item.id)
        if cipher is None:
            if len(self._ciphers) >= 4096:
                self._ciphers.clear()
            cipher = self._ciphers[item.id] = AESGCM(self._wrapping().open(item.key, f"subject {item.id}"))
        return cipher

    # --- who is it -------------------------------------------------------------

    def learn(self, found: Iterable[tuple[Key, Mapping[str, Any]]]) -> None:
        """Remember by which words people are found, and what they are called."""
        rows, names = [], []
        for key, values in found:
            fresh = [(key.subject, str(value)) for path, value in values.items() if path in FINDING]
            if all(item in self._learned for item in fresh) or key.subject not in self._ciphers:
                continue
            if len(self._learned) > _LEARNED:
                self._learned.clear()
            self._learned.update(fresh)
            rows += [(self._marks(word)[0], key.subject) for word in words_of(values)]
            name = next((value for path, value in values.items() if path in FINDING and path.endswith("name")), None)
            if name:
                names.append((self._wrapped_name(key, str(name)), key.subject))
        if rows:
            self._called = (None, {})
            with self._writing() as store:
                store.executemany("INSERT OR IGNORE INTO word (mark, id) VALUES (?, ?)", rows)
                store.executemany("UPDATE subject SET name = ? WHERE id = ? AND key IS NOT NULL", names)

    def called(self) -> Mapping[str, tuple[str, ...]]:
        """Return who is called what, of all whose key is there: read anew when somebody was learnt or erased."""
        if not self.store.exists():
            return {}
        (state,) = self._ask("SELECT count(name), total(length(name)), max(rowid) FROM subject", ())
        if state != self._called[0]:
            found: dict[str, tuple[str, ...]] = {}
            people = [who for (who,) in self._ask("SELECT who FROM subject WHERE name IS NOT NULL", ())]
            for who, name in self.names(people).items():
                found[name] = (*found.get(name, ()), who)
            self._called = (state, found)
        return self._called[1]

    def names(self, people: Collection[str]) -> dict[str, str]:
        """Return what people are called ({"user:<id>": name}), those whose key is there."""
        found = {}
        for item in self._where("who", list(people)):
            cipher = self._cipher(item)
            if cipher is not None and item.name:
                raw = base64.b64decode(item.name)
                found[item.who] = cipher.decrypt(raw[:12], raw[12:], item.id.encode()).decode()
        return found

    def found_by(self, words: Iterable[str]) -> dict[str, list[Subject]]:
        """Return who is found by each word (as `words_of` cuts them), if anybody."""
        found: dict[str, list[Subject]] = {}
        if not self.store.exists():
            return found
        for word in words:
            marks = self._marks(word.casefold())
            there = self._ask(
                f"SELECT s.who, s.id, s.key, s.name, s.erased_at, s.erased_by FROM word w"  # noqa: S608 - places only
                f" JOIN subject s ON s.id = w.id WHERE w.mark IN ({_places(marks)}) LIMIT {_MOST}",
                marks,
            )
            if there:
                found[word] = [Subject(*row) for row in there]
        return found

    def of(self, which: str) -> Subject | None:
        """Return the person of a user's id, or of an opaque id; None when the store knows none."""
        column, value = ("id", which) if which.startswith("s") and len(which) == 25 else ("who", which)
        if column == "who" and ":" not in value:
            value = f"user:{value}"
        found = self._where(column, [value])
        return found[0] if found else None

    def living(self) -> Iterator[Subject]:
        """Give all whose key is there, by opaque id, some hundred at a time."""
        after = ""
        while self.store.exists():
            query = (
                "SELECT who, id, key, name, erased_at, erased_by FROM subject"  # noqa: S608 - names of ours
                f" WHERE key IS NOT NULL AND id > ? ORDER BY id LIMIT {_MOST}"
            )
            found = [Subject(*row) for row in self._ask(query, (after,))]
            if not found:
                return
            yield from found
            after = found[-1].id

    def known(self, ids: Collection[str]) -> dict[str, Subject]:
        """Return people by opaque id."""
        return {item.id: item for item in self._where("id", list(ids))}

    def values(self, item: Subject, event_id: Any, sealed: Mapping[str, str]) -> dict[str, Any] | None:
        """Return what was sealed of a person in an event; None when their key was destroyed."""
        cipher = self._cipher(item)
        return open_seal(cipher, event_id, sealed) if cipher else None

    # --- erasing ---------------------------------------------------------------

    def erase(self, item: Subject, *, at: datetime, by: str, entries: int) -> Erased:
        """Destroy somebody's key, name and words for good, on the ledger first; again it changes nothing."""
        there = next((one for one in self.erasures() if one.subject == item.id), None)
        if there is None:
            there = Erased(item.who, item.id, at.isoformat(timespec="seconds"), by, entries)
            self._note([there])
        self.replay()
        return there

    def erasures(self) -> list[Erased]:
        """Return the ledger; a last line that was cut off by a crash is none."""
        if not self.ledger.exists():
            return []
        lines = self.ledger.read_text(encoding="utf-8").split("\n")[:-1]
        return [Erased(**json.loads(line)) for line in lines if line]

    def merge(self, ledger: str) -> int:
        """Add what another copy of the ledger says beyond this one, and destroy those keys; returns how many."""
        mine = {item.subject for item in self.erasures()}
        theirs = [Erased(**json.loads(line)) for line in ledger.split("\n") if line]
        self._note(missing := [item for item in theirs if item.subject not in mine])
        self.replay()
        return len(missing)

    def _note(self, lines: list[Erased]) -> None:
        if not lines:
            return
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(self.ledger, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w") as file:
            file.write("".join(f"{json.dumps(asdict(line), sort_keys=True)}\n" for line in lines))
            file.flush()
            os.fsync(file.fileno())

    def replay(self) -> int:
        """Destroy every key that the ledger says was destroyed; returns how many of them were there again."""
        told = self.erasures()
        with self._writing(replaying=True) as store:
            again = 0
            for one in told:
                place = (one.who, one.subject)
                found = store.execute("SELECT 1 FROM subject WHERE (who = ? OR id = ?) AND key IS NOT NULL", place)
                again += len(found.fetchall())
                store.execute("DELETE FROM word WHERE id = ?", (one.subject,))
                store.execute("DELETE FROM subject WHERE who = ? OR id = ?", place)
                store.execute(
                    "INSERT INTO subject (who, id, erased_at, erased_by) VALUES (?, ?, ?, ?)",
                    (*place, one.at, one.by),
                )
            store.execute("DELETE FROM applied")
            store.execute("INSERT INTO applied VALUES (?)", (self._told(),))
        return again

    def _told(self) -> int:
        return self.ledger.stat().st_size if self.ledger.exists() else 0

    # --- the store -------------------------------------------------------------

    def copy(self) -> bytes:
        """Return the whole store as one file of SQLite, as it is at this moment; nothing where there is none."""
        if not self.store.exists():
            return b""
        return bytes(self._connection().serialize())

    def _wrapping(self) -> vault.Vault:
        if self._vault is None:
            file = self.folder / WRAPPING
            if file.exists() or not self._ask("SELECT 1 FROM subject WHERE key IS NOT NULL LIMIT 1", ()):
                vault.ensure_key(file)  # never beside keys that another one has wrapped: they could not be opened
            self._vault = vault.Vault(vault.lines_of(file))
        return self._vault

    def _marks(self, word: str) -> tuple[str, ...]:
        return self._wrapping().marks(f"word {word}".encode())

    def _wrapped_name(self, key: Key, name: str) -> str:
        nonce = os.urandom(12)
        return base64.b64encode(nonce + key.cipher.encrypt(nonce, name.encode(), key.subject.encode())).decode()

    def _where(self, column: str, values: list[str]) -> list[Subject]:
        if not self.store.exists() and not self.ledger.exists():
            return []
        found: list[Subject] = []
        for at in range(0, len(values), _MOST):
            part = values[at : at + _MOST]
            query = (
                "SELECT who, id, key, name, erased_at, erased_by FROM subject"  # noqa: S608 - names of ours
                f" WHERE {column} IN ({_places(part)})"
            )
            found += [Subject(*row) for row in self._ask(query, part)]
        return found

    def _ask(self, query: str, values: Collection[str]) -> list[Any]:
        return self._connection().execute(query, tuple(values)).fetchall()

    def _connection(self) -> sqlite3.Connection:
        """Return this thread's connection to the store, after the ledger was heeded."""
        connection = self._opened()
        applied = connection.execute("SELECT bytes FROM applied").fetchone()
        if self._told() != (applied[0] if applied else 0):
            self.replay()
        return connection

    def _opened(self) -> sqlite3.Connection:
        """Return this thread's connection; a store that was put in the place of another is opened anew."""
        place = self.store.stat().st_ino if self.store.exists() else None
        if place is not None and getattr(self._own, "place", None) == place:
            return self._own.connection  # type: ignore[no-any-return]  # what a thread keeps has no type
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if place is None:
            os.close(os.open(self.store, os.O_WRONLY | os.O_CREAT, 0o600))
        connection = sqlite3.connect(self.store, timeout=10, isolation_level=None)
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA synchronous = FULL")
        connection.executescript(_SCHEMA)
        self._own.connection, self._own.place = connection, self.store.stat().st_ino
        return connection

    @contextmanager
    def _writing(self, *, replaying: bool = False) -> Iterator[sqlite3.Cursor]:
        connection = self._opened() if replaying else self._connection()
        with closing(connection.cursor()) as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            try:
                yield cursor
            except BaseException:
                cursor.execute("ROLLBACK")
                raise
            cursor.execute("COMMIT")


def _places(values: Collection[str]) -> str:
    return ", ".join("?" * len(values))


def _thrown_away() -> AESGCM:
    return AESGCM(os.urandom(vault.KEY_BYTES))


@cache
def _in(folder: Path) -> Subjects:
    return Subjects(folder)


def subjects_of(settings: Settings) -> Subjects:
    """Return the store of this installation."""
    return _in((settings.home / "keys").absolute())
