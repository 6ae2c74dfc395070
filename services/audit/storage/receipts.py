"""The key that signs receipts of erasures: another one than the log's, which signs checkpoints alone."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from services.audit.domain.note import Signer
from services.audit.keys import Keys

FILE = "receipts.pem"


def receipt_signer(keys: Keys) -> Signer:
    """Return the signer, making its key at the first use."""
    file = keys.folder / FILE
    if not file.exists():
        _create(file)
    key = load_pem_private_key(file.read_bytes(), None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError(f"{file} holds no Ed25519 key")
    return Signer(f"{keys.origin}/receipts", key)


def _create(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=file.parent)  # made with mode 0600
    with os.fdopen(handle, "wb") as draft:
        draft.write(Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        draft.flush()
        os.fsync(draft.fileno())
    try:
        os.link(name, file)  # fails when another process was faster: its key is the one
    except FileExistsError:
        pass
    finally:
        Path(name).unlink()
