"""Ed25519 keys as PEM files, by RFC 8032: Python's standard library has none, and an operator's openssl may be too old.

Only the public half is computed here, once, where it is made; signing is for the portal and its library.
"""

from __future__ import annotations

import base64
import hashlib
import secrets

Point = tuple[int, int, int, int]  # extended coordinates

_P = 2**255 - 19
_D = -121665 * pow(121666, _P - 2, _P) % _P
_ROOT_OF_MINUS_ONE = pow(2, (_P - 1) // 4, _P)
# PKCS #8 and SubjectPublicKeyInfo of an Ed25519 key (RFC 8410): all but the key itself is the same in each.
_PRIVATE = bytes.fromhex("302e020100300506032b657004220420")
_PUBLIC = bytes.fromhex("302a300506032b6570032100")


def _add(one: Point, other: Point) -> Point:
    a = (one[1] - one[0]) * (other[1] - other[0]) % _P
    b = (one[1] + one[0]) * (other[1] + other[0]) % _P
    c = 2 * one[3] * other[3] * _D % _P
    d = 2 * one[2] * other[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _base() -> Point:
    y = 4 * pow(5, _P - 2, _P) % _P
    squared = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(squared, (_P + 3) // 8, _P)
    if (x * x - squared) % _P:
        x = x * _ROOT_OF_MINUS_ONE % _P
    x = _P - x if x % 2 else x
    return x, y, 1, x * y % _P


def public_half(seed: bytes) -> bytes:
    """Return the public key that belongs to a private one of 32 bytes."""
    scalar = int.from_bytes(hashlib.sha512(seed).digest()[:32], "little")
    scalar = scalar & (2**254 - 8) | 2**254
    point, power = (0, 1, 1, 0), _base()
    while scalar:
        if scalar & 1:
            point = _add(point, power)
        power, scalar = _add(power, power), scalar >> 1
    inverse = pow(point[2], _P - 2, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def new_private() -> str:
    """Return a new private key as PEM."""
    return _pem("PRIVATE KEY", _PRIVATE + secrets.token_bytes(32))


def public_of(private: str) -> str:
    """Return the public half of a private key, both as PEM; raises ValueError when it is no Ed25519 key."""
    return _pem("PUBLIC KEY", _PUBLIC + public_half(_content(private, "PRIVATE KEY", _PRIVATE)))


def is_public(public: str) -> bool:
    """Say whether this is a public Ed25519 key as PEM."""
    try:
        _content(public, "PUBLIC KEY", _PUBLIC)
    except ValueError:
        return False
    return True


def _pem(kind: str, content: bytes) -> str:
    return f"-----BEGIN {kind}-----\n{base64.b64encode(content).decode()}\n-----END {kind}-----\n"


def _content(pem: str, kind: str, prefix: bytes) -> bytes:
    lines = pem.strip().splitlines()
    if len(lines) < 3 or lines[0] != f"-----BEGIN {kind}-----" or lines[-1] != f"-----END {kind}-----":
        raise ValueError(f"is not a PEM file with one {kind.lower()}")
    content = base64.b64decode("".join(lines[1:-1]), validate=True)
    if not content.startswith(prefix) or len(content) != len(prefix) + 32:
        raise ValueError("is not an Ed25519 key")
    return content[len(prefix) :]
