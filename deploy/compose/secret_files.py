"""The files in `secrets/`: what each is, how it is made, and what is wrong with one that somebody else wrote."""

from __future__ import annotations

import re
import secrets
import stat
import string
from collections.abc import Sequence
from pathlib import Path

from deploy.compose import age_key, ed25519, files

SERVICES = ("portal", "grants", "loans", "notifications", "audit")
SIGNING, IDENTITY, BACKUP = "signing_key.pem", "identity_key.pem", "backup_key"
PAYEES, WEBHOOKS = "payee_key", "webhook_key"
COOKIE, MAIL = "erlang_cookie", "smtp_password"
# Docker gives the file to the container as it is: its user must be able to read it. The folder keeps others out.
FOLDER_MODE, FILE_MODE = 0o700, 0o444
SHORTEST = 24
NAMES = (
    *(f"{service}_{kind}_password" for service in SERVICES for kind in ("database", "owner", "broker")),
    "postgres_password",
    "broker_admin_password",
    COOKIE,
    SIGNING,
    IDENTITY,
    BACKUP,
    PAYEES,
    WEBHOOKS,
    MAIL,
)
# Words that no generator writes, however often it is asked.
_PLACEHOLDER = re.compile(
    r"change.?(me|this|it)|placeholder|example|your.?(own|password|secret|key)|passw(or|d)|passphrase|^<.*>$|x{8,}|\*{3,}",
    re.IGNORECASE,
)
_KEY = re.compile(r"[A-Za-z0-9_-]{43}=?")  # 32 bytes
FEWEST_LETTERS = 8  # different ones


class SecretError(RuntimeError):
    """The secrets can't be completed; the message is one sentence with the cure."""


def wanted(named: Sequence[str]) -> list[str]:
    """Return all secrets there must be: our own, and passwords that a compose file names besides."""
    return [*NAMES, *(name for name in named if name not in NAMES and name.endswith("_password"))]


def complete(folder: Path, names: Sequence[str]) -> list[str]:
    """Make the secrets that are missing and return their names; one that is there is never touched."""
    folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
    if files.text_of(folder / IDENTITY) and not files.text_of(folder / SIGNING):
        raise SecretError(
            f"{folder}/{SIGNING} is gone and its public half is there: put it back from your copy,"
            f" or delete {IDENTITY} too and both are made anew (everybody signs in again)."
        )
    return [name for name in names if not (folder / name).exists() and _make(folder, name)]


def _make(folder: Path, name: str) -> bool:
    if name == IDENTITY:
        content = _public_half(folder / SIGNING)
    elif name == SIGNING:
        content = ed25519.new_private()
    elif name == COOKIE:
        content = "".join(secrets.choice(string.ascii_uppercase) for _ in range(32))
    elif name == BACKUP:
        content = age_key.new()
    elif name == MAIL:
        content = ""  # a mail server on one's own network often asks for none
    else:
        content = secrets.token_urlsafe(32)
    return files.add(folder / name, content, FILE_MODE)


def _public_half(private: Path) -> str:
    try:
        return ed25519.public_of(files.text_of(private))
    except ValueError as error:
        raise SecretError(f"{private} {error}: put it back from your copy.") from error


def problems(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """Return what is wrong with each secret, in words; a good one is not named."""
    found: dict[str, str] = {}
    first_with: dict[str, str] = {}
    for name in names:
        try:
            content = (folder / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            found[name] = "is missing"
            continue
        except (OSError, UnicodeDecodeError) as error:
            found[name] = f"can't be read ({getattr(error, 'strerror', None) or 'it is not text'})"
            continue
        if wrong := _wrong(name, content.strip(), folder):
            found[name] = wrong
        elif content.strip() and content.strip() in first_with:
            found[name] = f"is the same as {first_with[content.strip()]}"
        first_with.setdefault(content.strip(), name)
    return found


def _wrong(name: str, content: str, folder: Path) -> str:
    if not content:
        return "" if name == MAIL else "is empty"
    if name.endswith(".pem"):
        return _wrong_key(name, content, folder)
    if name in {PAYEES, WEBHOOKS}:  # one key a line, the newest first
        return "" if all(_KEY.fullmatch(line.strip()) for line in content.splitlines()) else "has a line that is no key"
    chosen_by_others = name == MAIL  # the mail server's owner
    if _PLACEHOLDER.search(content) or (not chosen_by_others and len(set(content)) < FEWEST_LETTERS):
        return "is a placeholder"
    if "\n" in content:
        return "has more than one line"
    is_short = not chosen_by_others and len(content) < SHORTEST
    return f"is too short ({len(content)} letters of at least {SHORTEST})" if is_short else ""


def _wrong_key(name: str, content: str, folder: Path) -> str:
    try:
        public = ed25519.public_of(files.text_of(folder / SIGNING))
    except ValueError as error:
        public, why = "", str(error)
        if name == SIGNING:
            return why
    if name == IDENTITY and not ed25519.is_public(content):
        return "is not a public Ed25519 key as PEM"
    if name == IDENTITY and public and public.strip() != content:
        return f"does not belong to {SIGNING}"
    return ""


def open_to_others(folder: Path) -> list[str]:
    """Return the folder and files that others than their owner may enter or change."""
    if not folder.is_dir():
        return []
    wide = [str(folder)] if stat.S_IMODE(folder.stat().st_mode) & 0o077 else []
    return wide + sorted(str(file) for file in folder.iterdir() if stat.S_IMODE(file.stat().st_mode) & 0o022)


def closed(folder: Path, names: Sequence[str]) -> list[str]:
    """Return the secrets that the containers' users, who own none of them, can't read."""
    there = (name for name in names if (folder / name).is_file())
    return [name for name in there if not stat.S_IMODE((folder / name).stat().st_mode) & stat.S_IROTH]
