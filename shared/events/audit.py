"""Events that the audit service publishes."""

from __future__ import annotations

from datetime import date, datetime

from shared.events.base import Event, attempt_and_view

AttemptRefused, RecordViewed = attempt_and_view("audit")


class EventRejected(Event):
    """A message came that could not be recorded as an event; its bytes are kept beside the log. Entity event:<id>."""

    TYPE = "audit.event.rejected"
    AUDIENCE = "record"
    reason: str  # unreadable | spoofed | not-canonical | id-reused
    detail: str
    sha256: str  # of the message body
    headers_sha256: str
    size: int
    claimed_source: str | None
    claimed_type: str | None
    claimed_id: str | None
    user_id: str | None  # the broker's word for who sent it


class SearchPerformed(Event):
    """Somebody searched the log. Entity search:<id>."""

    TYPE = "audit.search.performed"
    AUDIENCE = "record"
    filters: dict[str, str]
    found: int  # rows on the page that was shown
    through: str  # page | api | cli
    purpose: str | None = None  # what for, where the house asks


class SavedSearchKept(Event):
    """Somebody kept a search of the log: for every auditor when `shared`. Entity saved_search:<id>."""

    TYPE = "audit.saved_search.kept"
    AUDIENCE = "record"
    search_id: str
    shared: bool
    leaves: int | None  # of the log as it had so many leaves; nothing: of the log as it is


class SavedSearchDropped(Event):
    """Somebody took away a search that they had kept. Entity saved_search:<id>."""

    TYPE = "audit.saved_search.dropped"
    AUDIENCE = "record"
    search_id: str


class _Export(Event):
    AUDIENCE = "record"
    export_id: str
    filters: dict[str, str]
    format: str  # csv | xlsx | jsonl | pdf | bundle
    purpose: str
    leaves: int  # of the log when it was asked for


class ExportRequested(_Export):
    """Somebody asked for everything that a search of the log shows, as a file. Entity export:<id>."""

    TYPE = "audit.export.requested"


class ExportCompleted(_Export):
    """The file of an export is there. Entity export:<id>."""

    TYPE = "audit.export.completed"
    rows: int
    bytes: int
    sha256: str  # of the file


class ExportFailed(_Export):
    """There will be no file of an export. Entity export:<id>."""

    TYPE = "audit.export.failed"
    problem: str


class SampleDrawn(Event):
    """Somebody drew an audit sample under a checkpoint of the log. Entity sample:<id>."""

    TYPE = "audit.sample.drawn"
    AUDIENCE = "record"
    since: date  # the first day
    until: date  # the last day
    of: str  # the kind of events; nothing for cases
    method: str  # chance | amount
    strata: str  # programme | month | none
    wanted: int
    drawn: int
    items: int  # from how many
    checkpoint: int  # how many entries the checkpoint is over
    named: bool  # somebody named the checkpoint instead of taking the rule's
    through: str  # page | file | cli


class SigningStopped(Event):
    """The log is not signed any more: its signer refuses, or has been silent for a minute. Entity signing:log."""

    TYPE = "audit.signing.stopped"
    AUDIENCE = "record"
    kind: str  # refused | silent
    problem: str
    signed: int  # up to which entry
    size: int  # of the log


class SigningResumed(Event):
    """The log is signed again; `begun_again` has an operator's reason if the signer was told so. Entity signing:log."""

    TYPE = "audit.signing.resumed"
    AUDIENCE = "record"
    signed: int
    stopped_at: datetime
    begun_again: str | None = None
    signed_before: int | None = None  # up to which entry the signer had signed before it began again


class VerificationCompleted(Event):
    """The log was read again and compared with its proofs. Entity verification:<id>."""

    TYPE = "audit.verification.completed"
    AUDIENCE = "record"
    verification_id: str
    size: int
    root: str
    ok: bool
    findings: int
    whole: bool


class CheckpointAnnounced(Event):
    """The log was signed up to here; whoever sends something out lets it travel with it. Entity checkpoint:log."""

    TYPE = "audit.checkpoint.announced"
    size: int
    root: str
    note: str  # as C2SP's signed-note and tlog-checkpoint write it


class BackupCreated(Event):
    """Everything was written into a sealed file as it was at one moment. Entity backup:installation."""

    TYPE = "audit.backup.created"
    AUDIENCE = "record"
    file: str
    at: datetime
    tamga_version: str
    bytes: int
    events: int
    milliseconds: int
    waited_ms: int  # for how long writers waited at most
    removed: list[str]  # older backups that went because of it


class BackupRestored(Event):
    """What was kept in a backup took the place of what was there; written into what was restored.

    Entity backup:installation.
    """

    TYPE = "audit.backup.restored"
    AUDIENCE = "record"
    file: str
    at: datetime
    tamga_version: str
    events: int
    sent_again: int
    log_size: int
    signed_before: int  # up to where the log had been signed before; beyond `log_size`: those entries are lost
    milliseconds: int
    erased_again: int = 0  # people whom the backup still had, though they had been erased


class BackupDrilled(Event):
    """A backup was restored beside what runs, looked through, and thrown away. Entity backup:installation."""

    TYPE = "audit.backup.drilled"
    AUDIENCE = "record"
    file: str
    at: datetime
    ok: bool
    problems: list[str]
    rpo_seconds: int
    rto_seconds: int


class ManifestDisputed(Event):
    """The log has not what a source told that it has written. Entity manifest:<source>."""

    TYPE = "audit.manifest.disputed"
    AUDIENCE = "record"
    of: str  # the source
    first: int
    last: int
    verdict: str  # missing | different | deleted
    told: int  # events, by the source
    found: int  # events, in the log
    deleted: int  # recorded by the source and gone before they went out, since its manifest before


class ManifestSettled(Event):
    """What was disputed has come. Entity manifest:<source>."""

    TYPE = "audit.manifest.settled"
    AUDIENCE = "record"
    of: str
    first: int
    last: int


class ChangeFound(Event):
    """A live row is not as its last recorded act left it. Entity change:<source>/<kind:id>."""

    TYPE = "audit.change.found"
    AUDIENCE = "record"
    of: str  # the source
    about: str  # "kind:id"
    nature: str  # altered | appeared | vanished
    fields: list[str]  # by name alone: values may be somebody's
    audited_sequence: int | None  # of the last act that says what the state was after it
    row_version: int | None  # of the live row


class ComparisonCompleted(Event):
    """Every live row was compared with its last recorded act. Entity comparison:<id>."""

    TYPE = "audit.comparison.completed"
    AUDIENCE = "record"
    comparison_id: str
    rows: int
    waiting: int  # whose newest act was still on its way
    found: int
    ok: bool


class HoldPlaced(Event):
    """What is within its scope may not be erased until the hold is released. Entity hold:<id>."""

    TYPE = "audit.hold.placed"
    AUDIENCE = "record"
    hold_id: str
    scope: str  # person | case | programme | house
    which: str  # an opaque id, a reference, a programme's id; nothing for the house
    why: str


class HoldReleased(Event):
    """A legal hold has ended. Entity hold:<id>."""

    TYPE = "audit.hold.released"
    AUDIENCE = "record"
    hold_id: str
    scope: str
    which: str
    why: str
    placed_by: str


class ErasureRequested(Event):
    """Somebody asked that a person's data be erased; another person confirms it. Entity erasure:<opaque id>."""

    TYPE = "audit.erasure.requested"
    AUDIENCE = "record"
    subject: str  # the opaque id by which the log speaks of the person
    why: str
    entries: int


class ErasureWithdrawn(Event):
    """An erasure that was asked for will not be carried out. Entity erasure:<opaque id>."""

    TYPE = "audit.erasure.withdrawn"
    AUDIENCE = "record"
    subject: str
    why: str


class ErasureCompleted(Event):
    """The key of a person's data was destroyed: the entries stay and prove what they proved. Entity erasure:<id>."""

    TYPE = "audit.erasure.completed"
    AUDIENCE = "record"
    subject: str
    requested_by: str
    entries: int
    proven: int  # of how many of them the proof was made again afterwards
    receipt_sha256: str


class _Hit(Event):
    hit_id: str
    rule: str  # which rule of the watch
    of: str | None  # the programme under whose terms the rule spoke; nothing: the house's


class HitFound(_Hit):
    """A rule of the watch found acts that somebody should look at. Entity hit:<id>."""

    TYPE = "audit.hit.found"
    person: str | None  # whom it is about, by the opaque id
    about: str  # the case or thing, where it is about one
    facts: dict[str, str]  # what the rule compared
    evidence: list[str]  # ids of the events that it rests on, the first ones of a burst
    leaf: int  # of the last of them, with which it was complete
    happened_at: datetime


class HitExplained(_Hit):
    """An auditor found a good reason for a hit: it goes to the register of false alarms. Entity hit:<id>."""

    TYPE = "audit.hit.explained"
    AUDIENCE = "record"
    why: str


class HitConfirmed(_Hit):
    """An auditor confirmed what a rule found. Entity hit:<id>."""

    TYPE = "audit.hit.confirmed"
    AUDIENCE = "record"
    why: str


class HitReopened(_Hit):
    """What was decided about a hit is looked at again. Entity hit:<id>."""

    TYPE = "audit.hit.reopened"
    AUDIENCE = "record"
    why: str
    before: str  # explained | confirmed
