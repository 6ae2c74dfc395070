"""The key that signs checkpoints, and what its holder remembers outside the database."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from services.audit.domain.note import Signer
from shared.settings import Settings


@dataclass(frozen=True)
class Keys:
    """Where the key and the newest signed checkpoint are kept; only their owner can read the key."""

    folder: Path
    origin: str

    @classmethod
    def of(cls, settings: Settings) -> Keys:
        """Return the keys of this installation; the origin names the log in every checkpoint.

        A log keeps the name under which it signed first: served from another address it is still the same log.
        """
        parts = urlsplit(settings.base_url)
        host = f"{parts.hostname or 'localhost'}" + (f":{parts.port}" if parts.port else "")
        keys = cls(settings.home / "keys", f"{host}/audit")
        signed = keys.remembered()
        return replace(keys, origin=signed.split("\n", 1)[0]) if signed else keys

    @property
    def key_file(self) -> Path:
        return self.folder / "audit.pem"

    @property
    def memory_file(self) -> Path:
        return self.folder / "audit.checkpoint"

    def signer(self) -> Signer:
        """Return the signer, making its key at the first use."""
        if not self.key_file.exists():
            self._create()
        key = load_pem_private_key(self.key_file.read_bytes(), None)
        if not isinstance(key, Ed25519PrivateKey):
            raise TypeError(f"{self.key_file} holds no Ed25519 key")
        return Signer(self.origin, key)

    def _create(self) -> None:
        pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        made = self._written(pem)
        try:
            os.link(made, self.key_file)  # fails when another process was faster: its key is the one
        except FileExistsError:
            pass
        finally:
            made.unlink()

    def remembered(self) -> str | None:
        """Return the newest checkpoint that this signer gave away, from outside the database."""
        return self.memory_file.read_text() if self.memory_file.exists() else None

    def remember(self, note: str) -> None:
        """Keep a checkpoint; the change is whole or not at all."""
        self._written(note.encode()).replace(self.memory_file)

    def _written(self, content: bytes) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=self.folder)  # made with mode 0600
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        return Path(name)
