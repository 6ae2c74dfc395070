"""Events of a bankable proposal."""

from __future__ import annotations

from datetime import date

from shared.events.base import Event


class _ProposalFact(Event):
    proposal_id: str
    organisation_id: str
    organisation_name: str
    supporter_id: str
    supporter_name: str
    notify: list[str] = []


class ProposalStarted(_ProposalFact):
    """An MSME began a proposal. Entity proposal:<PRO-…>."""

    TYPE = "loans.proposal.started"
    AUDIENCE = "record"


class ProposalSaved(_ProposalFact):
    """A section of a draft was saved; what stands in it stays in the loans service."""

    TYPE = "loans.proposal.saved"
    AUDIENCE = "record"
    section: str


class ProposalDocumentAdded(_ProposalFact):
    """A document was added to a draft."""

    TYPE = "loans.proposal.document_added"
    AUDIENCE = "record"
    kind: str
    sha256: str
    expires: date | None


class ProposalDocumentRemoved(_ProposalFact):
    """A document was taken out of a draft."""

    TYPE = "loans.proposal.document_removed"
    AUDIENCE = "record"
    kind: str
    sha256: str


class ProposalSupportEnded(_ProposalFact):
    """The firm ended what its adviser may read and do; `supporter_id` is the adviser that it had chosen."""

    TYPE = "loans.proposal.support_ended"
    AUDIENCE = "record"


class ProposalSubmitted(_ProposalFact):
    """A proposal was found ready and locked; `content_sha256` is the hash of what is locked."""

    TYPE = "loans.proposal.submitted"
    number: int
    content_sha256: str


class ProposalSettled(_ProposalFact):
    """One offer for it was accepted: no other can be."""

    TYPE = "loans.proposal.settled"
    AUDIENCE = "record"
    referral_id: str


class ProposalReopened(_ProposalFact):
    """A locked proposal may be changed again; the locked version stays what banks have seen."""

    TYPE = "loans.proposal.reopened"
    AUDIENCE = "record"
    number: int
