"""What happens to a grant application: from the first word of the draft to the award.

Every event names the application (`reference`), what it is called and whose it is, so that a letter can
be written from the event alone. `notify` names the parties that the workflow wants told.
"""

from __future__ import annotations

from datetime import date

from shared.events.base import Event
from shared.money import Money


class ApplicationFact(Event):
    """What every event of an application says about it."""

    reference: str
    title: str
    call: str
    organisation_id: str
    organisation_name: str
    notify: list[str] = []


class ApplicationStarted(ApplicationFact):
    """An organisation began an application to a call. Entity application:<reference>."""

    TYPE = "grants.application.started"
    AUDIENCE = "record"
    call_title: str
    workflow: str
    workflow_version: int
    pack_version: int


class ApplicationSaved(ApplicationFact):
    """Answers or budget lines of a draft were saved; `fields` names those that changed."""

    TYPE = "grants.application.saved"
    AUDIENCE = "record"
    fields: list[str]
    amount: Money


class DocumentAdded(ApplicationFact):
    """A document was attached; its content is kept under its hash."""

    TYPE = "grants.application.document_added"
    AUDIENCE = "record"
    document_id: str
    kind: str
    name: str
    media_type: str
    size: int
    sha256: str


class DocumentRemoved(ApplicationFact):
    """A document was taken out of a draft; its content and this record stay."""

    TYPE = "grants.application.document_removed"
    AUDIENCE = "record"
    document_id: str
    kind: str
    name: str
    sha256: str


class StageFact(ApplicationFact):
    """A move along the workflow, as the act of `transition`.

    `stage_name` is what staff read, `public_name` what the applicant reads, per language; `holder` is
    whose turn it is now; `due` the day by which they should have acted, none while the clock is paused;
    `reason_names` what the coded reason says to the applicant, per language.
    """

    transition: str
    from_stage: str
    to_stage: str
    stage_name: dict[str, str]
    public_name: dict[str, str]
    holder: str
    due: date | None
    paused: bool
    amount: Money
    reason: str | None = None
    comment: str | None = None
    reason_code: str | None = None
    reason_names: dict[str, str] = {}


class ApplicationSubmitted(StageFact):
    """The applicant handed the application in."""

    TYPE = "grants.application.submitted"


class InformationRequested(StageFact):
    """Staff asked the applicant something; the clock stands still until the answer. `reason` is the question."""

    TYPE = "grants.application.information_requested"


class ApplicationMoved(StageFact):
    """Any other move: answered, sent on, recommended, approved, rejected, withdrawn, declined."""

    TYPE = "grants.application.moved"


class ApplicationMigrated(ApplicationFact):
    """The case was put under a newer version of its workflow; it keeps its answers, its history and its clock."""

    TYPE = "grants.application.migrated"
    AUDIENCE = "record"
    workflow: str
    from_version: int
    to_version: int
    from_stage: str
    to_stage: str
    stage_name: dict[str, str]
    public_name: dict[str, str]
    holder: str
    due: date | None
    reason: str
    by: str


class OfficerAssigned(ApplicationFact):
    """An officer took the case, or was given it."""

    TYPE = "grants.application.assigned"
    officer_id: str
    officer_name: str


class ReviewersInvited(ApplicationFact):
    """Reviews of the application were asked of these people."""

    TYPE = "grants.application.reviewers_invited"
    AUDIENCE = "record"
    reviewers: list[str]


class ChecklistAnswered(ApplicationFact):
    """One item of the due-diligence checklist was answered."""

    TYPE = "grants.application.checked"
    AUDIENCE = "record"
    item: str
    answer: str
    note: str
    answered: int
    of: int


class ApplicationAwarded(ApplicationFact):
    """Both sides signed the agreement: the grant is concluded. Other services learn from this whom we support."""

    TYPE = "grants.application.awarded"
    programme: str
    amount: Money


class EditorInvited(ApplicationFact):
    """A colleague of the applicant's organisation was asked to write the application too."""

    TYPE = "grants.application.editor_invited"
    editor_id: str
    editor_name: str
