"""Events of a firm's profile: that something was stated, by which side and from which source; never what."""

from __future__ import annotations

from datetime import date

from shared.events.base import Event


class FirmRecorded(Event):
    """Somebody entered or corrected a fact of a firm's profile. Entity firm:<organisation>."""

    TYPE = "loans.firm.recorded"
    AUDIENCE = "record"
    firm_id: str
    organisation_name: str
    number: int
    topic: str
    as_of: date
    basis: str
    side: str
    corrects: int | None
    notify: list[str] = []


class FirmPersonNamed(Event):
    """A firm named one of its people, who is known elsewhere by the number alone."""

    TYPE = "loans.firm.person_named"
    AUDIENCE = "record"
    firm_id: str
    organisation_name: str
    person: int
    role: str
    notify: list[str] = []


class FirmPersonErased(Event):
    """The name of one of a firm's people was erased; what the number has attended stays."""

    TYPE = "loans.firm.person_erased"
    AUDIENCE = "record"
    firm_id: str
    organisation_name: str
    person: int
    notify: list[str] = []


class DiagnosticTaken(Event):
    """A questionnaire was answered for a firm; answers and scores stay in the loans service."""

    TYPE = "loans.diagnostic.taken"
    AUDIENCE = "record"
    diagnostic_id: str
    firm_id: str
    organisation_name: str
    questionnaire: str
    number: int
    taken_on: date
    side: str
    notify: list[str] = []


class _TrainingFact(Event):
    training_id: str
    organisation_id: str
    organisation_name: str
    course: str
    course_title: str
    starts: date
    notify: list[str] = []


class TrainingPlanned(_TrainingFact):
    """A course will be held. Entity training:<TRN-…>."""

    TYPE = "loans.training.planned"
    AUDIENCE = "record"
    ends: date


class TrainingEnrolled(_TrainingFact):
    """Somebody of a firm was enrolled; `people` are enrolled in all."""

    TYPE = "loans.training.enrolled"
    AUDIENCE = "record"
    firm_id: str
    firm_name: str
    people: int


class TrainingLeft(_TrainingFact):
    """Somebody of a firm was taken out before it began."""

    TYPE = "loans.training.left"
    AUDIENCE = "record"
    firm_id: str
    firm_name: str
    people: int


class TrainingAttended(_TrainingFact):
    """The attendance list was kept; so many people have hours."""

    TYPE = "loans.training.attended"
    AUDIENCE = "record"
    people: int


class TrainingTested(_TrainingFact):
    """Somebody of a firm took the test."""

    TYPE = "loans.training.tested"
    AUDIENCE = "record"
    firm_id: str
    firm_name: str
    passed: bool


class TrainingClosed(_TrainingFact):
    """It was held and its certificates were given."""

    TYPE = "loans.training.closed"
    people: int
    certificates: int


class TrainingCancelled(_TrainingFact):
    """It is not held after all."""

    TYPE = "loans.training.cancelled"
    why: str


class _AdviceFact(Event):
    advice_id: str
    firm_id: str
    firm_name: str
    adviser_id: str
    adviser_name: str
    notify: list[str] = []


class AdviceContacted(_AdviceFact):
    """An adviser noted a contact with a firm and, perhaps, agreed on a next step; never what was said."""

    TYPE = "loans.advice.contacted"
    on: date
    how: str
    step_due: date | None
    step_side: str | None


class AdviceStepDone(_AdviceFact):
    """The next step that was agreed on is done."""

    TYPE = "loans.advice.step_done"
    AUDIENCE = "record"
