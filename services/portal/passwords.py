"""Passwords are kept as Argon2id hashes with the parameters that OWASP's cheat sheet gives as the least."""

from __future__ import annotations

import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# 19 MiB, two passes, one lane: ~30 ms on a small server.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_FIRST = [consonant + vowel for consonant in "bdfgklm" for vowel in "aeiou"]
_SECOND = [consonant + vowel for consonant in "nprstvz" for vowel in "aeiou"]


def hashed(password: str) -> str:
    """Return the hash to store."""
    return _HASHER.hash(password)


@cache
def _nobodys_hash() -> str:
    return _HASHER.hash(secrets.token_urlsafe(16))


def matches(password: str, stored: str | None) -> bool:
    """Return whether a password is the stored one; an unknown account costs the same time as a wrong password."""
    try:
        return _HASHER.verify(stored or _nobodys_hash(), password) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


def outdated(stored: str) -> bool:
    """Return whether a hash was made with other parameters than today's."""
    return _HASHER.check_needs_rehash(stored)


def generated() -> str:
    """Return a new password that can be read out and typed: five made-up words, 51 bits."""
    return "-".join(secrets.choice(_FIRST) + secrets.choice(_SECOND) for _ in range(5))
