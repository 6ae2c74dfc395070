"""What an application is made of: budget lines, documents, answered checks, moves made, versions handed in."""

from __future__ import annotations

from datetime import datetime

from shared.entity import Part
from shared.money import Money
from shared.workflow import Transition


class BudgetLine(Part):
    """What one budget line asks of the programme and what the applicant gives, in the call's currency."""

    line: str
    note: str = ""
    grant: Money
    own: Money


class Document(Part):
    """A document attached to a case; `kind` is the type that the call asks for."""

    id: str
    kind: str
    name: str
    media_type: str
    size: int
    sha256: str
    added_by: str
    added_by_name: str
    added_at: datetime


class Check(Part):
    """An answered item of the due-diligence checklist."""

    answer: str
    note: str
    by: str
    by_name: str
    at: datetime


class Done(Part):
    """A move that was made: the stage it led to is where the case has been since `at`."""

    transition: str
    from_stage: str
    to_stage: str
    by: str
    by_name: str
    role: str | None
    at: datetime
    reason: str | None = None
    comment: str | None = None
    reason_code: str | None = None

    @classmethod
    def of(
        cls, transition: Transition, before: str, by: Person, at: datetime, *, reason: str | None, comment: str | None
    ) -> Done:
        """Return what `by` does with a case whose stage was `before`."""
        return cls(
            transition=transition.id,
            from_stage=before,
            to_stage=transition.to,
            by=by.id,
            by_name=by.name,
            role=by.role,
            at=at,
            reason=reason or None,
            comment=comment or None,
        )


class Person(Part):
    """Who acts, as the case remembers them; `id` is "user:<id>".

    `as_one` are the ids of those who stand in for them, or they for those: where two persons are needed, all are one.
    """

    id: str
    name: str
    role: str | None = None
    as_one: frozenset[str] = frozenset()

    def is_one_of(self, *others: str | None) -> bool:
        """Return whether any of these actors is this person, or counts as them."""
        return self.id in others or any(other in self.as_one for other in others)


class Calendar(Part):
    """Where the programme works: its country's holidays and its time zone count for what is due."""

    country: str
    zone: str


class Handed(Part):
    """What an applicant wrote, as it stood when it was handed in; `sent` is false for what never was."""

    at: datetime
    by_name: str
    title: str
    answers: dict[str, str]
    budget: list[BudgetLine]
    documents: list[Document]
    sent: bool = True
