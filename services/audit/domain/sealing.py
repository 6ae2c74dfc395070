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
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import BaseModel

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
# Of what is sealed, that by which somebody is looked for.
FINDING = frozenset({"actor/name", "data/name", "data/email", "data/editor_name", "data/recipient_name"})
# Under such a name an empty text stands for a person; elsewhere it may always have been empty.
_NAMING = re.compile(r"(^|_)(name|by|person|email|firm|detail|hash)$")
_WORD = re.compile(r"\w+")


class Named(NamedTuple):
    """A person whom an event names, and where: "actor/name", "data/email", "after_hash"."""

    who: str  # "user:<id>"
    paths: tuple[str, ...]  # within the body, as JSON Pointers without the first stroke (RFC 6901)
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
        detail = envelope.data.get("detail")  # a refusal may say to somebody what they are called
        paths: tuple[str, ...] = ("actor/name",)
        if type(detail) is str and actor.name in detail:
            paths = (*paths, "data/detail")
        found[actor.id] = Named(actor.id, paths, actor.role == APPLICANT)
    about = _TOLD if kind.startswith(_LETTER) else _ABOUT.get(kind)
    if about and isinstance(who := envelope.data.get(about[0]), str) and who:
        paths = tuple(f"data/{name}" for name in about[1] if envelope.data.get(name))
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
    part, _, name = path.partition("/")
    return body.actor.name if part == "actor" else body.data.get(name)


def blanked(envelope: Envelope, paths: set[str], changes: dict[str, Any] | None = None) -> Envelope:
    """Return the event without the values at these paths, which `named` gave; `changes` are blanked already."""
    body = envelope.body
    data = body.data | {path.removeprefix("data/"): "" for path in paths if path.startswith("data/")}
    whole: dict[str, Any] = {"data": data}
    if changes is not None:
        whole["changes"] = changes
    if "actor/name" in paths:
        whole["actor"] = changed(body.actor, name="")
    if "after_hash" in paths:
        whole["after_hash"] = None
    return changed(envelope, body=changed(body, **whole))


M = TypeVar("M", bound=BaseModel)


def changed(model: M, **values: Any) -> M:
    """Return a copy of an envelope or a part of it with other values: `model_copy` costs five times as much."""
    copy = model.__class__.__new__(model.__class__)
    for name, value in (
        ("__dict__", model.__dict__ | values),
        ("__pydantic_fields_set__", model.__pydantic_fields_set__),
        ("__pydantic_extra__", None),
        ("__pydantic_private__", None),
    ):
        object.__setattr__(copy, name, value)
    return copy


# What names people deep within an event stands under names like these; a body without them is not walked through.
_DEEP = (b'by_name"', b'_by":', b'person":', b'by_firm"', b'recipient_name"', b'"detail":')


def may_name_people(body: bytes) -> bool:
    """Say whether a message's body may have names of people deep within it."""
    return any(mark in body for mark in _DEEP)


class Names:
    """What people are called who have a key, to be found within events: {name: those who are called so}."""

    def __init__(self, called: Mapping[str, tuple[str, ...]]) -> None:
        self.called = called

    def taken_from(self, value: Any, path: str, found: dict[str, dict[str, Any]], beside: Mapping[str, Any]) -> Any:
        """Return a JSON value with the known names in it blanked, which go into `found` by person and path.

        `beside` are the members beside it: of people of one name they tell which one it is.
        """
        if type(value) is str:
            who = self.called.get(value)
            if who is None:
                return value
            found.setdefault(who[0] if len(who) == 1 else _which(who, beside), {})[path] = value
            return ""
        if type(value) is dict:
            return {k: self.taken_from(v, f"{path}/{_escaped(k)}", found, value) for k, v in value.items()}
        if type(value) is list:
            return [self.taken_from(v, f"{path}/{at}", found, beside) for at, v in enumerate(value)]
        return value


def _which(who: tuple[str, ...], beside: Mapping[str, Any]) -> str:
    near = {str(item) for item in beside.values() if type(item) is str}
    return next((one for one in who if one in near or one.removeprefix("user:") in near), who[0])


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1") if "/" in name or "~" in name else name


def blanked_like(stored: Any, value: Any) -> Any:
    """Return a JSON value blanked where the stored one is: there stands an empty text instead of a text."""
    if stored == "" and type(value) is str:
        return ""
    if type(stored) is dict and type(value) is dict:
        return {name: blanked_like(stored.get(name), item) for name, item in value.items()}
    if type(stored) is list and type(value) is list and len(stored) == len(value):
        return [blanked_like(one, item) for one, item in zip(stored, value, strict=True)]
    return value


def seal(key: Key, event_id: UUID, values: Mapping[str, Any]) -> dict[str, str]:
    """Return what stands in a body for the values of one person."""
    words = canonical(dict(values))
    random = os.urandom(NONCE + SALT)
    nonce, salt = random[:NONCE], random[NONCE:]
    sealed = nonce + key.cipher.encrypt(nonce, salt + words, event_id.bytes)
    return {"cm": _commitment(salt, words), "ct": base64.b64encode(sealed).decode(), "s": key.subject}


def open_seal(cipher: AESGCM, event_id: UUID, sealed: Mapping[str, str]) -> dict[str, Any]:
    """Return the values of one person; raises UnreadableSealError."""
    try:
        raw = base64.b64decode(sealed["ct"], validate=True)
        plain = cipher.decrypt(raw[:NONCE], raw[NONCE:], event_id.bytes)
    except (InvalidTag, ValueError, KeyError) as error:
        raise UnreadableSealError("it was sealed with another key, or changed") from error
    salt, words = plain[:SALT], plain[SALT:]
    if not hmac.compare_digest(_commitment(salt, words), sealed.get("cm", "")):
        raise UnreadableSealError("it is not what was committed to")
    values: dict[str, Any] = json.loads(words)
    return values


def _commitment(salt: bytes, words: bytes) -> str:
    return hmac.digest(salt, words, "sha256").hex()


def filled(body: dict[str, Any], values_of: Callable[[Mapping[str, str]], Mapping[str, Any] | str]) -> dict[str, Any]:
    """Return a stored body with what was sealed in its places, and without the seals; the given one is used up.

    `values_of` gives the values of a seal, or a text that stands for each of them where they are gone.
    """
    seals: Sealed = body.pop("sealed", None) or []
    gone = ""
    for sealed in seals:
        values = values_of(sealed)
        if isinstance(values, str):
            gone = values
            continue
        for path, value in values.items():
            _put(body, path, value)
    return _stood_in(body, gone) if gone else body


def _put(body: Any, path: str, value: Any) -> None:
    *way, last = [step.replace("~1", "/").replace("~0", "~") for step in path.split("/")]
    for step in way:
        body = body[int(step)] if isinstance(body, list) else body[step]
    body[int(last) if isinstance(body, list) else last] = value


def value_at(body: Any, path: str) -> Any:
    """Return the value at a path within a body; None where there is none."""
    for step in path.split("/"):
        name = step.replace("~1", "/").replace("~0", "~")
        try:
            body = body[int(name)] if isinstance(body, list) else body[name]
        except (LookupError, TypeError, ValueError):
            return None
    return body


def _stood_in(body: dict[str, Any], words: str) -> dict[str, Any]:
    """Put words where something was blanked and is gone."""

    def told(value: Any, under: str) -> Any:
        if value == "":
            return words if _NAMING.search(under) else value
        if isinstance(value, dict):
            return {name: told(item, name) for name, item in value.items()}
        return [told(item, under) for item in value] if isinstance(value, list) else value

    whole = {name: told(value, name) if name in {"data", "changes"} else value for name, value in body.items()}
    return whole | {"actor": body["actor"] | {"name": body["actor"]["name"] or words}}


def words_of(values: Mapping[str, Any]) -> set[str]:
    """Return the words by which somebody is looked for: those of names and addresses, and whole addresses."""
    found: set[str] = set()
    for path, value in values.items():
        if isinstance(value, str) and path in FINDING:
            found.update(_WORD.findall(value.casefold()))
            if "@" in value:
                found.add(value.casefold())
    return found
