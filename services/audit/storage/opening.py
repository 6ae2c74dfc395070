"""Opening what was sealed of applicants' people, for whoever may read the log."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from services.audit.domain.sealing import UnreadableSealError, filled
from services.audit.storage.subjects import Subject, Subjects

SEALED = "[sealed]"
ERASED = "[erased]"


class Opener:
    """Opens stored bodies; `erased` is what stands for the values of somebody who was erased.

    In it "%(at)s" and "%(by)s" become the day and who did it. Each person is asked for once.
    """

    def __init__(self, subjects: Subjects, erased: str = ERASED) -> None:
        self.subjects, self.erased = subjects, erased
        self._people: dict[str, Subject | None] = {}

    def body(self, body: str, event_id: UUID) -> dict[str, Any]:
        """Return a stored body as it was published, as far as the keys are there."""
        whole: dict[str, Any] = json.loads(body)
        if "sealed" not in whole:
            return whole
        return filled(whole, lambda sealed: self._values(event_id, sealed))

    def _values(self, event_id: UUID, sealed: Mapping[str, str]) -> Mapping[str, Any] | str:
        item = self._person(sealed["s"])
        if item is None:
            return SEALED  # under a key that is not here
        if item.erased_at:
            return self.erased % {"at": item.erased_at[:10], "by": item.erased_by or "–"}
        try:
            return self.subjects.values(item, event_id, sealed) or SEALED
        except UnreadableSealError:
            return SEALED

    def _person(self, subject: str) -> Subject | None:
        if subject not in self._people:
            self._people |= {subject: None} | dict(self.subjects.known([subject]))
        return self._people[subject]
