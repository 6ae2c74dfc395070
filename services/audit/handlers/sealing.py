"""Sealing what events carry of applicants' people, and opening it again for whoever may read the log."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from services.audit.domain.leaf import parts_of
from services.audit.domain.sealing import (
    Key,
    Named,
    Sealed,
    UnreadableSealError,
    blanked,
    filled,
    named,
    seal,
    taken,
)
from services.audit.storage.subjects import Subject, Subjects
from shared.events import Envelope


class Sealing:
    """Seals the events of one batch: their people's keys are fetched once, when the log is this writer's alone."""

    def __init__(self, subjects: Subjects, envelopes: Iterable[Envelope]) -> None:
        self.subjects = subjects
        self.people = {envelope.id: found for envelope in envelopes if (found := named(envelope))}
        asked: dict[str, bool] = {}
        for found in self.people.values():
            for item in found:
                asked[item.who] = asked.get(item.who, False) or item.applicant
        self.keys = subjects.keys(asked)
        self.learned: dict[tuple[str, str], tuple[Key, dict[str, Any]]] = {}

    def sealed(self, envelope: Envelope) -> tuple[Envelope, Sealed | None]:
        """Return an event as it is stored: blanked, with its seals; as it is when it carries nothing to seal."""
        found = [item for item in self.people.get(envelope.id, ()) if item.who in self.keys]
        if not found:
            return envelope, None
        seals = []
        for item in found:
            key, values = self.keys[item.who], taken(envelope.body, item.paths)
            seals.append(seal(key, envelope.id, values))
            self.learned.setdefault((key.subject, str(values)), (key, values))
        return blanked(envelope, _paths(found)), seals

    def learn(self) -> None:
        """Let these people be found by what the batch said of them."""
        self.subjects.learn(self.learned.values())


def _paths(found: Iterable[Named]) -> set[str]:
    return {path for item in found for path in item.paths}


def as_stored(envelope: Envelope, body: str, subjects: Subjects | None) -> tuple[Envelope, Sealed | None]:
    """Return a redelivered event as the stored one was written, with the stored seals.

    Where a key is there still, what was sealed must be what is delivered now: another content is returned as it came,
    and then differs. Of somebody who was erased only what is in clear can be compared.
    """
    if ',"sealed":[' not in body:
        return envelope, None
    seals: Sealed = parts_of(body)["sealed"].value if "sealed" in parts_of(body) else []
    if not seals or subjects is None:
        return envelope, None
    people = subjects.known([item["s"] for item in seals])
    there = {people[item["s"]].who: item for item in seals if item["s"] in people}
    found = [item for item in named(envelope) if item.who in there]
    for item in found:
        stored = there[item.who]
        try:
            values = subjects.values(people[stored["s"]], envelope.id, stored)
        except UnreadableSealError:
            return envelope, None
        if values is not None and values != taken(envelope.body, item.paths):
            return envelope, None
    return blanked(envelope, _paths(found)), seals


def opened(rows: Sequence[Any], subjects: Subjects, gone: str) -> list[dict[str, Any]]:
    """Return the whole bodies of stored rows (with `event_id` and `body`), in their order.

    `gone` says that somebody was erased: "%(at)s" and "%(by)s" in it become when and by whom.
    """
    bodies = [json.loads(row.body) for row in rows]
    wanted = {item["s"] for body in bodies for item in body.get("sealed", ())}
    people = subjects.known(wanted) if wanted else {}
    return [
        filled(body, lambda sealed, row=row: _values(subjects, people, row.event_id, sealed, gone))  # type: ignore[misc]
        if "sealed" in body
        else body
        for body, row in zip(bodies, rows, strict=True)
    ]


def _values(
    subjects: Subjects, people: Mapping[str, Subject], event_id: Any, sealed: Mapping[str, str], gone: str
) -> Mapping[str, Any] | str:
    """Return the values of a seal, or what stands for them: erased, or sealed under a key that is not here."""
    item = people.get(sealed["s"])
    if item is None:
        return "[sealed]"
    try:
        values = subjects.values(item, event_id, sealed)
    except UnreadableSealError:  # it came after the erasure, under a key that nobody kept
        values = None
    if values is not None:
        return values
    return gone % {"at": (item.erased_at or "")[:10], "by": item.erased_by or "–"}
