"""Exclusion and sanctions lists, and who on a case was found on them. Names stand on the case, never here."""

from __future__ import annotations

from datetime import date

from shared.events.base import Event


class ListImported(Event):
    """A version of a list is in force from now on. Entity exclusion_list:<id>."""

    TYPE = "grants.exclusion_list.imported"
    AUDIENCE = "record"
    list_id: str
    list_name: str
    list_version: int
    publisher: str
    dated: date
    sha256: str
    taken: int
    refused: int
    added: int
    dropped: int


class ScreeningFact(Event):
    """Which case. Entity screening:<reference>."""

    reference: str
    title: str
    organisation_name: str
    notify: list[str] = []


class CaseScreened(ScreeningFact):
    """Everybody named on a case was looked for on the lists; by these versions."""

    TYPE = "grants.screening.done"
    AUDIENCE = "record"
    why: str
    lists: dict[str, int]
    subjects: int
    new_hits: int
    open_hits: int


class SubjectAdded(ScreeningFact):
    """An officer named somebody else to be looked for: a partner, a person, a supplier."""

    TYPE = "grants.screening.subject_added"
    AUDIENCE = "record"
    subject_kind: str


class HitDecided(ScreeningFact):
    """A person said whether the one on the case is the one on the list."""

    TYPE = "grants.screening.hit_decided"
    AUDIENCE = "record"
    hit: int
    list_id: str
    same: bool
    reason: str
