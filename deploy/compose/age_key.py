"""A new key for backups as `age-keygen` makes it: an X25519 secret is any 32 bytes, written in Bech32 (BIP 173)."""

from __future__ import annotations

import secrets
from collections.abc import Iterable

_PREFIX = "age-secret-key-"
_LETTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM_LETTERS = 6


def new() -> str:
    """Return a key that nobody has."""
    return written(secrets.token_bytes(32))


def written(secret: bytes) -> str:
    """Return 32 bytes as age writes a key."""
    bits = "".join(f"{byte:08b}" for byte in secret)
    bits += "0" * (-len(bits) % 5)
    values = [int(bits[start : start + 5], 2) for start in range(0, len(bits), 5)]
    whole = [*values, *_checksum(values)]
    return (_PREFIX + "1" + "".join(_LETTERS[value] for value in whole)).upper()


def _checksum(values: list[int]) -> list[int]:
    spread = [ord(letter) >> 5 for letter in _PREFIX] + [0] + [ord(letter) & 31 for letter in _PREFIX]
    rest = _remainder([*spread, *values, *([0] * _CHECKSUM_LETTERS)]) ^ 1
    return [rest >> 5 * (_CHECKSUM_LETTERS - 1 - place) & 31 for place in range(_CHECKSUM_LETTERS)]


def _remainder(values: Iterable[int]) -> int:
    rest = 1
    for value in values:
        top = rest >> 25
        rest = (rest & 0x1FFFFFF) << 5 ^ value
        for bit, term in enumerate(_GENERATOR):
            rest ^= term if top >> bit & 1 else 0
    return rest
