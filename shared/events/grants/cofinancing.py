"""What happens to a co-financing with a lead firm: concept, agreement, contributions, matched releases.

Every event names the case (`reference`), what it is called and whose it is, so that a letter can be
written from the event alone. `notify` names the parties to tell.
"""

from __future__ import annotations

from datetime import date

from shared.events.base import Event
from shared.money import Money


class CofinancingFact(Event):
    """What every event of a co-financing says about it. Entity cofinancing:<reference>."""

    reference: str
    title: str
    kind: str
    organisation_id: str
    organisation_name: str
    notify: list[str] = []


class CofinancingStarted(CofinancingFact):
    """A lead firm began a concept."""

    TYPE = "grants.cofinancing.started"
    AUDIENCE = "record"
    workflow: str
    workflow_version: int
    pack_version: int


class CofinancingSaved(CofinancingFact):
    """The concept was changed; `fields` names what."""

    TYPE = "grants.cofinancing.saved"
    AUDIENCE = "record"
    fields: list[str]
    planned: Money


class CofinancingMoved(CofinancingFact):
    """A move along the workflow, as the act of `transition`; `holder` is whose turn it is now, `due` by when."""

    TYPE = "grants.cofinancing.moved"
    transition: str
    from_stage: str
    to_stage: str
    stage_name: dict[str, str]
    public_name: dict[str, str]
    holder: str
    due: date | None
    reason: str | None = None
    comment: str | None = None


class TermsFact(CofinancingFact):
    """The money of an agreement: the programme's share and the firm's, the latter in cash and in kind."""

    agreement_version: int
    total: Money
    programme_share: Money
    firm_cash: Money
    firm_in_kind: Money


class TermsDrawn(TermsFact):
    """An officer drew up the agreement's terms, or changed them."""

    TYPE = "grants.cofinancing.terms_drawn"
    AUDIENCE = "record"


class CofinancingAgreed(TermsFact):
    """Programme and firm have both accepted the agreement: contributions can be entered."""

    TYPE = "grants.cofinancing.agreed"
    programme: str
    accepted_by_programme: str
    accepted_by_firm: str


class ContributionFact(CofinancingFact):
    """What every event of a contribution says about it; contributions count from 1, `form` is cash or in_kind."""

    contribution: int
    form: str
    description: str
    value: Money


class ContributionEntered(ContributionFact):
    """The firm entered what it has paid or given."""

    TYPE = "grants.cofinancing.contribution_entered"
    given_on: date


class EvidenceAdded(CofinancingFact):
    """A document was put behind a contribution; its content is kept under its hash."""

    TYPE = "grants.cofinancing.evidence_added"
    AUDIENCE = "record"
    contribution: int
    document_id: str
    document_kind: str
    document_name: str
    sha256: str


class MatchFact(ContributionFact):
    """How the match stands after a decision about a contribution."""

    verified_match: Money
    allowed: Money


class ContributionVerified(MatchFact):
    """An officer who did not enter the contribution found it good."""

    TYPE = "grants.cofinancing.contribution_verified"
    note: str


class ContributionRefused(MatchFact):
    """An officer found that the contribution does not count, and said why."""

    TYPE = "grants.cofinancing.contribution_refused"
    why: str


class ReleaseFact(CofinancingFact):
    """What every event of a release says about it; releases count from 1."""

    release: int
    amount: Money
    released_so_far: Money
    allowed: Money


class ReleaseRequested(ReleaseFact):
    """Somebody of the programme asked for a matched release."""

    TYPE = "grants.cofinancing.release_requested"


class MatchReleased(ReleaseFact):
    """A finance officer who did not ask for it released the money."""

    TYPE = "grants.cofinancing.released"
    requested_by: str


class ReleaseRefused(ReleaseFact):
    """A finance officer did not release the money, and said why."""

    TYPE = "grants.cofinancing.release_refused"
    why: str


class MarketValueApproved(ContributionFact):
    """Somebody with that authority let property count at its market value, above its book value."""

    TYPE = "grants.cofinancing.market_value_approved"
    AUDIENCE = "record"
    note: str


class ContributionReversed(MatchFact):
    """A verification was taken back because of what was found later; `to_refund` is out above the match now."""

    TYPE = "grants.cofinancing.contribution_reversed"
    why: str
    to_refund: Money


class RefundRecorded(CofinancingFact):
    """The firm paid back what the match had not earned; refunds count from 1."""

    TYPE = "grants.cofinancing.refund_recorded"
    AUDIENCE = "record"
    refund: int
    amount: Money
    paid_on: date
    payment_reference: str
    still_owed: Money


class BankLoanRecorded(CofinancingFact):
    """A bank lent beside the co-financing: finance mobilised, never match."""

    TYPE = "grants.cofinancing.bank_loan_recorded"
    AUDIENCE = "record"
    lender: str
    amount: Money
    given_on: date


class CofinancingSettled(CofinancingFact):
    """An agreed co-financing ended: what its match earned of the agreed share, what falls away, what is owed."""

    TYPE = "grants.cofinancing.settled"
    AUDIENCE = "record"
    agreed: Money
    match: Money
    earned: Money
    released: Money
    refunded: Money
    reduction: Money
    overpaid: Money
