"""What the log keeps of applicants' people under a key of each: which values those are, sealed and opened.

An event is stored with these values blanked, and beside them, as the last member of its body, what they were: sealed
under the person's own key (AES-256-GCM), bound to the event. The leaf has the hash of that body, so it commits to the
sealed bytes: they can be verified by anybody for ever, and read only while the key is there. As GCM alone lets two
keys open one text to different words, `cm` binds the words too: an HMAC whose random key is sealed with them, so
that nothing can be guessed from it once the person's key is gone.
"""

from __future__ import annotations

import base64
import hmac
import json
import os
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.events import Envelope
from shared.events.canonical import canonical
from shared.events.envelope import Body

NONCE, SALT = 12, 16
APPLICANT = "applicant"
# Event → the member of its data that says who, and the members that are that person's own.
_USER = ("user_id", ("email", "name"))
_ABOUT: dict[str, tuple[str, tuple[str, ...]]] = {
    "portal.user.registered": _USER,
    "portal.user.changed": _USER,
    "portal.signin.refused": ("user_id", ("account_hash",)),
    "grants.application.editor_invited": ("editor_id", ("editor_name",)),
}
_LETTER = "notifications.delivery."
_TOLD = ("recipient", ("recipient_name",))
_WHOLE = frozenset({"portal.user.registered", "portal.user.changed"})
_WORD = re.compile(r"\w+")


class Named(NamedTuple):
    """A person whom an event names, and where: "actor.name", "data.email", "after_hash"."""

    who: str  # "user:<id>"
    paths: tuple[str, ...]
    applicant: bool  # the event itself says that they are an applicant's; else it is so if they are known as one


class Key(NamedTuple):
    """The key of a person under the opaque id by which the log speaks of them."""

    subject: str
    cipher: AESGCM


Sealed = list[dict[str, str]]


class UnreadableSealError(ValueError):
    """What was sealed does not open to what was committed to."""


def named(envelope: Envelope) -> list[Named]:
    """Return the people whose values an event carries, each once."""
    found: dict[str, Named] = {}
    kind, actor = envelope.type, envelope.body.actor
    if actor.kind == "person" and actor.name and (actor.role is None or actor.role == APPLICANT):
        found[actor.id] = Named(actor.id, ("actor.name",), actor.role == APPLICANT)
    about = _TOLD if kind.startswith(_LETTER) else _ABOUT.get(kind)
    if about and isinstance(who := envelope.data.get(about[0]), str) and who:
        paths = tuple(f"data.{name}" for name in about[1] if envelope.data.get(name))
        if kind in _WHOLE:  # the hash of a person's whole state could be tried out against guessed names
            paths = (*(("after_hash",) if envelope.body.after_hash else ()), *paths)
        own = _only_applicant(envelope.data) if kind in _WHOLE else kind == "grants.application.editor_invited"
        there = found.get(ref := f"user:{who}")
        found[ref] = Named(ref, (*(there.paths if there else ()), *paths), own or bool(there and there.applicant))
    return [item for item in found.values() if item.paths]


def _only_applicant(data: Mapping[str, Any]) -> bool:
    roles = data.get("roles")
    return isinstance(roles, list) and bool(roles) and set(roles) == {APPLICANT}


def taken(body: Body, paths: tuple[str, ...]) -> dict[str, Any]:
    """Return the values at these paths."""
    return {path: _at(body, path) for path in paths}


def _at(body: Body, path: str) -> Any:
    if path == "after_hash":
        return body.after_hash
    part, _, name = path.partition(".")
    return body.actor.name if part == "actor" else body.data.get(name)


def blanked(envelope: Envelope, paths: set[str]) -> Envelope:
    """Return the event without the values at these paths."""
    body = envelope.body
    data = body.data | {path.removeprefix("data."): None for path in paths if path.startswith("data.")}
    changes: dict[str, Any] = {"data": data}
    if "actor.name" in paths:
        changes["actor"] = body.actor.model_copy(update={"name": ""})
    if "after_hash" in paths:
        changes["after_hash"] = None
    return envelope.model_copy(update={"body": body.model_copy(update=changes)})


def seal(key: Key, event_id: UUID, values: Mapping[str, Any]) -> dict[str, str]:
    """Return what stands in a body for the values of one person."""
    words = canonical(dict(values))
    random = os.urandom(NONCE + SALT)
    nonce, salt = random[:NONCE], random[NONCE:]
    sealed = nonce + key.cipher.encrypt(nonce, salt + words, event_id.bytes)
    return {"cm": _commitment(salt, words), "ct": base64.b64encode(sealed).decode(), "s": key.subject}


def open_seal(cipher: AESGCM, event_id: UUID, sealed: Mapping[str, str]) -> dict[str, Any]:
    """Return the values of one person; raises UnreadableSealError."""
    values: dict[str, Any] = json.loads(unsealed(cipher, event_id, sealed)[1])
    return values


def unsealed(cipher: AESGCM, event_id: UUID, sealed: Mapping[str, str]) -> tuple[bytes, bytes]:
    """Return what was sealed of one person as (key of the commitment, canonical words); raises UnreadableSealError.

    With both anybody can see that these words are the ones that the log committed to.
    """
    try:
        raw = base64.b64decode(sealed["ct"], validate=True)
        plain = cipher.decrypt(raw[:NONCE], raw[NONCE:], event_id.bytes)
    except (InvalidTag, ValueError, KeyError) as error:
        raise UnreadableSealError("it was sealed with another key, or changed") from error
    salt, words = plain[:SALT], plain[SALT:]
    if not hmac.compare_digest(_commitment(salt, words), sealed.get("cm", "")):
        raise UnreadableSealError("it is not what was committed to")
    return salt, words


def _commitment(salt: bytes, words: bytes) -> str:
    return hmac.digest(salt, words, "sha256").hex()


def filled(body: dict[str, Any], values_of: Callable[[Mapping[str, str]], Mapping[str, Any] | str]) -> dict[str, Any]:
    """Return a stored body with what was sealed in its places, and without the seals.

    `values_of` gives the values of a seal, or a text that stands for each of them where they are gone.
    """
    seals: Sealed = body.get("sealed") or []
    whole = {name: value for name, value in body.items() if name != "sealed"}
    whole["data"], whole["actor"] = dict(whole["data"]), dict(whole["actor"])
    for sealed in seals:
        values = values_of(sealed)
        if isinstance(values, str):
            _stand_in(whole, values)
            continue
        for path, value in values.items():
            part, _, name = path.partition(".")
            if name:
                whole[part][name] = value
            else:
                whole[part] = value
    return whole


def _stand_in(body: dict[str, Any], words: str) -> None:
    """Put words where a name is missing: which values were sealed is itself sealed."""
    for name in ("name", "editor_name", "recipient_name", "email"):
        if name in body["data"] and body["data"][name] is None:
            body["data"][name] = words
    body["actor"]["name"] = body["actor"]["name"] or words


def words_of(values: Mapping[str, Any]) -> set[str]:
    """Return the words by which somebody is looked for: those of names and addresses, and whole addresses."""
    found: set[str] = set()
    for path, value in values.items():
        if isinstance(value, str) and not path.endswith("hash"):
            found.update(_WORD.findall(value.casefold()))
            if "@" in value:
                found.add(value.casefold())
    return found
