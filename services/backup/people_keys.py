"""The keys of applicants' people: kept apart from backups, for days instead of weeks, and erased again by the ledger.

A backup holds the sealed data for as long as backups are kept; the keys that open them are in files of their own, of
which only the newest few exist. Who was erased is gone from all of them within `KEEP`, and before that the ledger,
which every backup and every such file carries, destroys their key again wherever an old file is put back.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import pyrage
from sqlalchemy import Engine

from services.audit.storage import subjects
from services.audit.storage.subjects import Subjects, subjects_of
from services.portal.handlers.accounts import erase_user
from shared.clock import utc_now
from shared.database import Context, UnitOfWork
from shared.events import Actor
from shared.safekeeping import keeping
from shared.safekeeping.refusals import SafekeepingError, of_disk
from shared.settings import Settings

FOLDER, KEEP, MOST = "people", timedelta(days=7), 3
_NAMES = (subjects.WRAPPING, subjects.LEDGER)


def keep(known: Settings, key: pyrage.x25519.Identity, now: datetime | None = None) -> Path | None:
    """Write the keys of people into a sealed file of their own, and let older ones go; None where there are none."""
    store, at = subjects_of(known), now or utc_now()
    content = store.copy()
    if not content:
        return None
    parts = {subjects.STORE: content}
    parts |= {name: (store.folder / name).read_bytes() for name in _NAMES if (store.folder / name).exists()}
    plain = json.dumps({name: base64.b64encode(part).decode() for name, part in parts.items()}).encode()
    folder = known.backups_folder / FOLDER
    file = folder / f"tamga-people-{keeping.stamp(at)}.keys"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = keeping.partial(file)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as written:
            written.write(pyrage.encrypt(plain, [key.to_public()]))
            written.flush()
            os.fsync(written.fileno())
        keeping.settle(draft, file)
        _let_go(folder, at)
    except OSError as error:
        raise of_disk(folder, error) from error
    return file


def there(folder: Path) -> list[Path]:
    """Return the files with keys of people in the folder of backups, the newest first."""
    return sorted((folder / FOLDER).glob("tamga-people-*.keys"), reverse=True)


def _let_go(folder: Path, now: datetime) -> None:
    oldest = f"tamga-people-{keeping.stamp(now - KEEP)}.keys"
    for number, file in enumerate(there(folder.parent)):
        if number and (number >= MOST or file.name < oldest):  # the newest of all stays
            file.unlink()


def bring_back(known: Settings, key: pyrage.x25519.Identity, folder: Path) -> bool:
    """Put the newest kept keys of people in their place where there are none; returns whether that was done."""
    store, files = subjects_of(known), there(folder)
    if store.store.exists() or not files:
        return False
    parts = _opened(files[0], key)
    store.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in (subjects.WRAPPING, subjects.STORE):
        if name in parts and not (store.folder / name).exists():
            with os.fdopen(os.open(store.folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as put:
                put.write(parts[name])
    store.merge(parts.get(subjects.LEDGER, b"").decode())
    return True


def _opened(file: Path, key: pyrage.x25519.Identity) -> Mapping[str, bytes]:
    try:
        plain: dict[str, str] = json.loads(pyrage.decrypt(file.read_bytes(), [key]))
        return {name: base64.b64decode(part) for name, part in plain.items()}
    except (pyrage.DecryptError, ValueError) as error:
        raise SafekeepingError(f"{file.name} can't be opened with the key of backups: {error}") from error


def erase_again(store: Subjects, portal: Engine, kept: Path, by: Actor) -> int:
    """Erase in a restored house whom the ledgers name, here and in the backup; returns how many were there again."""
    if kept.exists():
        store.merge(kept.read_text(encoding="utf-8"))
    told = store.erasures()
    if not told:
        return 0
    store.replay()
    again = 0
    with UnitOfWork(portal, "portal", Context(actor=by, reason="erased before")) as uow:
        for one in told:
            again += erase_user(uow, one.who.removeprefix("user:"))
    return again
