"""Secrets at rest: short values, and the keys of whole documents, sealed under the keys of this installation.

AES-256-GCM (NIST SP 800-38D) with a random nonce; each sealed value says under which key, and is bound to what it is
about: moved to another row it can't be opened. Of several keys the first seals, all open.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared.commands import in_containers
from shared.settings import SettingsError

KEY_BYTES, NONCE_BYTES = 32, 12
_LINE = re.compile(r"[A-Za-z0-9_-]{43}=?")
_SEALED = re.compile(r"v1:[0-9a-f]{8}:[A-Za-z0-9_-]+=*")


class VaultError(RuntimeError):
    """Something can't be opened; the message names the key that is missing, never what was sealed."""


def new_key() -> str:
    """Return a key that nobody has, as one line of a key file."""
    return secrets.token_urlsafe(KEY_BYTES)


def key_id(sealed: str) -> str:
    """Return which key a value is sealed under."""
    if not _SEALED.fullmatch(sealed):
        raise VaultError("This value is not sealed")
    return sealed.split(":")[1]


class _Key:
    """One key, and what is made of it for each use."""

    def __init__(self, secret: bytes) -> None:
        self.id = hashlib.sha256(b"tamga key id" + secret).hexdigest()[:8]
        self.cipher = AESGCM(_derived(secret, b"seal"))
        self.marks = _derived(secret, b"mark")


def _derived(secret: bytes, use: bytes) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=b"tamga vault " + use).derive(secret)


class Vault:
    """Seals with the newest key (the first) and opens with any; raises VaultError."""

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise VaultError("A vault needs at least one key")
        self._keys = {key.id: key for key in (_Key(base64.urlsafe_b64decode(f"{one.rstrip('=')}=")) for one in keys)}
        self.newest = next(iter(self._keys))

    @property
    def ids(self) -> tuple[str, ...]:
        """Return the names of the keys, the newest first."""
        return tuple(self._keys)

    def seal(self, content: bytes, about: str) -> str:
        """Return `content` sealed as text, to be opened as being about the same alone."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = nonce + self._keys[self.newest].cipher.encrypt(nonce, content, about.encode())
        return f"v1:{self.newest}:{base64.urlsafe_b64encode(sealed).decode()}"

    def open(self, sealed: str, about: str) -> bytes:
        """Return what was sealed."""
        key = self._keys.get(key_id(sealed))
        if key is None:
            raise VaultError(f"It is sealed with the key {key_id(sealed)}, which is not among {', '.join(self.ids)}")
        raw = base64.urlsafe_b64decode(sealed.split(":")[2])
        try:
            return key.cipher.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], about.encode())
        except InvalidTag as error:
            raise VaultError(f"What the key {key.id} sealed was changed, or stands in another place") from error

    def marks(self, content: bytes) -> tuple[str, ...]:
        """Return what stands for `content` where equal values are looked for, by each key, the newest first."""
        return tuple(hmac.new(key.marks, content, hashlib.sha256).hexdigest() for key in self._keys.values())


def seal_document(content: bytes) -> tuple[bytes, bytes]:
    """Return a document sealed under a key of its own, and that key, which a vault then seals.

    So another installation key is a matter of a few bytes: the document stays as it is.
    """
    key, nonce = AESGCM.generate_key(KEY_BYTES * 8), os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, content, None), key


def open_document(sealed: bytes, key: bytes) -> bytes:
    """Return the document; raises VaultError when it was changed."""
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], None)
    except InvalidTag as error:
        raise VaultError("The sealed document was changed") from error


def lines_of(file: Path) -> list[str]:
    """Return the keys in a file, one a line, the newest first; raises SettingsError that names file and cure."""
    place = f"secrets/{file.name}" if in_containers() else str(file)
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise SettingsError(f"The key of {_use(file)}, {place}, can't be read ({reason}): {_cure()}") from error
    wrong = next((number for number, line in enumerate(lines, 1) if not _LINE.fullmatch(line)), 0)
    if wrong or not lines:
        what = f"line {wrong} is no key: 43 letters, as `make init` makes them" if wrong else "is empty"
        raise SettingsError(f"The key of {_use(file)}, {place}: {what}; {_cure()}")
    return lines


def _use(file: Path) -> str:
    uses = {"webhook": "webhooks", "subjects": "people in the log"}
    return next((use for name, use in uses.items() if file.name.startswith(name)), "bank numbers")


def _cure() -> str:
    made = "`make init` makes the first one" if in_containers() else "`make run` makes the first one"
    return f"put your copy of it there; on a new machine {made}"


@cache
def _vault_in(file: Path) -> Vault:
    return Vault(lines_of(file))


def vault_of(file: Path | None) -> Vault:
    """Return the vault of this process, read once; raises SettingsError when there is no key."""
    if file is None:
        raise SettingsError(f"No key of bank numbers is known (TAMGA_PAYEE_KEY_FILE): {_cure()}")
    return _vault_in(file)


def ensure_key(file: Path) -> bool:
    """Make a first key that only its owner can read, unless there is one; returns whether it was made."""
    if file.exists():
        return False
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as made:
        made.write(f"{new_key()}\n")
    return True
