"""Sealing what events carry of applicants' people, before they are stored."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from services.audit.domain.sealing import (
    Key,
    Named,
    Names,
    Sealed,
    UnreadableSealError,
    blanked,
    blanked_like,
    changed,
    filled,
    may_name_people,
    named,
    seal,
    taken,
    value_at,
)
from services.audit.storage.subjects import Subjects
from shared.events import Envelope
from shared.events.envelope import Body


class Sealing:
    """Seals the events of one batch: their people's keys are fetched once, when the log is this writer's alone."""

    def __init__(self, subjects: Subjects, envelopes: Iterable[Envelope]) -> None:
        self.subjects = subjects
        self.people: dict[Any, list[Named]] = {}
        asked: dict[str, bool] = {}
        called: dict[str, tuple[str, ...]] = {}
        for envelope in envelopes:
            if found := named(envelope):
                self.people[envelope.id] = found
            for item in found:
                asked[item.who] = asked.get(item.who, False) or item.applicant
        self.keys = subjects.keys(asked)
        for envelope in envelopes:
            for item in self.people.get(envelope.id, ()):
                if item.who in self.keys and (name := _name_of(envelope, item)):
                    called[name] = tuple(dict.fromkeys((*called.get(name, ()), item.who)))
        known = dict(subjects.called())
        self.names = Names(known | {name: (*who, *known.get(name, ())) for name, who in called.items()})
        self.learned: dict[tuple[Any, ...], tuple[Key, dict[str, Any]]] = {}

    def sealed(self, envelope: Envelope, raw: bytes) -> tuple[Envelope, Sealed | None]:
        """Return an event as it is stored: blanked, with its seals; as it is when it carries nothing to seal."""
        found = [item for item in self.people.get(envelope.id, ()) if item.who in self.keys]
        deep = bool(self.names.called) and may_name_people(raw)
        if not found and not deep:
            return envelope, None
        values = {item.who: taken(envelope.body, item.paths) for item in found}
        for item in found:
            self.learned.setdefault((item.who, *values[item.who].values()), (self.keys[item.who], values[item.who]))
        if found:
            envelope = blanked(envelope, {path for item in found for path in item.paths})
        if deep:
            values = {who: dict(own) for who, own in values.items()}
            envelope = self._without_names(envelope, values)
        if not values:
            return envelope, None
        return envelope, [seal(self._key(who), envelope.id, own) for who, own in values.items()]

    def _without_names(self, envelope: Envelope, values: dict[str, dict[str, Any]]) -> Envelope:
        """Return an event with known names blanked wherever they stand in its data and changes."""
        body, before = envelope.body, sum(map(len, values.values()))
        data = self.names.taken_from(body.data, "data", values, {})
        changes = self.names.taken_from(body.changes, "changes", values, {})
        if sum(map(len, values.values())) == before:
            return envelope
        return changed(envelope, body=changed(body, data=data, changes=changes))

    def _key(self, who: str) -> Key:
        if who not in self.keys:
            self.keys |= self.subjects.keys({who: False})
        return self.keys[who]

    def learn(self) -> None:
        """Let these people be found by what the batch said of them."""
        self.subjects.learn(self.learned.values())


def _name_of(envelope: Envelope, item: Named) -> str | None:
    path = next((path for path in item.paths if path.endswith("name")), None)
    return taken(envelope.body, (path,))[path] if path else None


def as_stored(envelope: Envelope, body: str, subjects: Subjects | None) -> tuple[Envelope, Sealed | None]:
    """Return a redelivered event as the stored one was written, with the stored seals.

    Where a key is there still, what was sealed must be what is delivered now: another content is returned as it came,
    and then differs. Of somebody who was erased only what is in clear can be compared.
    """
    if ',"sealed":[' not in body:
        return envelope, None
    stored = json.loads(body)
    seals: Sealed = stored.get("sealed") or []
    if not seals or subjects is None:
        return envelope, None
    whole = envelope.body.model_dump(mode="json")
    values = [_opened(subjects, envelope, item) for item in seals]
    if None not in values:
        there = iter(values)
        if filled(json.loads(body), lambda _: next(there) or {}) != whole:
            return envelope, None
    elif any(value_at(whole, path) != value for own in values if own for path, value in own.items()):
        return envelope, None
    again = {name: blanked_like(stored.get(name), whole[name]) for name in ("actor", "data", "changes")}
    if stored.get("after_hash") is None:
        again["after_hash"] = None
    return envelope.model_copy(update={"body": Body.model_validate(whole | again)}), seals


def _opened(subjects: Subjects, envelope: Envelope, sealed: Mapping[str, str]) -> dict[str, Any] | None:
    """Return what a seal of this event holds; None when the key is gone, or was never kept."""
    person = subjects.known([sealed["s"]]).get(sealed["s"])
    try:
        return subjects.values(person, envelope.id, sealed) if person else None
    except UnreadableSealError:  # it came after the erasure
        return None
