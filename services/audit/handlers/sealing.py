"""Sealing what events carry of applicants' people, before they are stored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from services.audit.domain.leaf import parts_of
from services.audit.domain.sealing import (
    Key,
    Named,
    Sealed,
    UnreadableSealError,
    blanked,
    named,
    seal,
    taken,
)
from services.audit.storage.subjects import Subjects
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
