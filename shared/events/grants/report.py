"""What happens to a grant's reports: due, handed in, returned, accepted; costs cut; late."""

from __future__ import annotations

from datetime import date

from shared.events.base import Event
from shared.money import Money


class ReportFact(Event):
    """What every event of a report says about it; `reference` is the application's."""

    report_id: str
    report: int
    report_kind: str
    reference: str
    title: str
    organisation_id: str
    organisation_name: str
    period_from: date
    period_to: date
    due: date
    notify: list[str] = []


class ReportScheduled(ReportFact):
    """The agreement asks for a report. Entity report:<id>."""

    TYPE = "grants.report.scheduled"
    AUDIENCE = "record"


class ReportRescheduled(ReportFact):
    """The days of a report that nobody has begun are others now, because the agreement is."""

    TYPE = "grants.report.rescheduled"
    AUDIENCE = "record"


class ReportCancelled(ReportFact):
    """The agreement does not ask for this report any more."""

    TYPE = "grants.report.cancelled"
    AUDIENCE = "record"


class ReportSaved(ReportFact):
    """The recipient wrote in the report; `fields` names what changed."""

    TYPE = "grants.report.saved"
    AUDIENCE = "record"
    fields: list[str]


class CostsEntered(ReportFact):
    """Costs were entered, changed or taken out; `costs` are their numbers, `claimed` is what all come to now."""

    TYPE = "grants.report.costs_entered"
    AUDIENCE = "record"
    act: str
    costs: list[int]
    claimed: Money


class ReportDocumentAdded(ReportFact):
    """A document was put behind the report."""

    TYPE = "grants.report.document_added"
    AUDIENCE = "record"
    document_id: str
    document_kind: str
    document_name: str
    sha256: str


class ReportDocumentRemoved(ReportFact):
    """A document was taken out of a report that was not handed in."""

    TYPE = "grants.report.document_removed"
    AUDIENCE = "record"
    document_id: str
    document_name: str
    sha256: str


class ReportSubmitted(ReportFact):
    """The recipient handed the report in."""

    TYPE = "grants.report.submitted"
    report_version: int
    claimed: Money
    review_due: date


class CostDecided(ReportFact):
    """An officer accepted a cost, cut it or refused it; `code` is why it is not eligible, as the programme names it."""

    TYPE = "grants.report.cost_decided"
    AUDIENCE = "record"
    cost: int
    decision: str
    claimed: Money
    accepted: Money
    code: str
    why: str


class ReportReturned(ReportFact):
    """The report goes back to the recipient, who is to mend the named parts."""

    TYPE = "grants.report.returned"
    report_version: int
    parts: list[str]
    why: str


class ReportAccepted(ReportFact):
    """The report is accepted; what it says of costs and indicators is locked."""

    TYPE = "grants.report.accepted"
    report_version: int
    claimed: Money
    accepted: Money
    comment: str


class ReportReopened(ReportFact):
    """Named parts of an accepted report may be corrected; until then what was accepted stands."""

    TYPE = "grants.report.reopened"
    report_version: int
    parts: list[str]
    why: str


class ReportReminded(ReportFact):
    """The recipient is reminded of a report that is due soon."""

    TYPE = "grants.report.reminded"
    days_left: int


class ReportOverdue(ReportFact):
    """The recipient is told that a report is late."""

    TYPE = "grants.report.overdue"
    days_late: int


class ReportReviewLate(ReportFact):
    """The programme has had the report for longer than it gives itself."""

    TYPE = "grants.report.review_late"
    review_due: date
