"""Events of anonymised teasers. None that a bank takes part in says anything of the firm, nor which proposal it is."""

from __future__ import annotations

from datetime import date

from shared.events.base import Event
from shared.events.loans.proposal import _ProposalFact


class _TeaserFact(Event):
    teaser_id: str
    bank_id: str
    bank_name: str
    notify: list[str] = []


class TeaserShown(_TeaserFact):
    """A bank may see an anonymised teaser until that day. Entity teaser:<TSR-…>."""

    TYPE = "loans.teaser.shown"
    until: date


class TeaserAnswered(_TeaserFact):
    """The bank wants to see more, or not and why."""

    TYPE = "loans.teaser.answered"
    AUDIENCE = "record"
    interested: bool
    reasons: list[str]


class TeaserEnded(_TeaserFact):
    """The bank sees the teaser no more."""

    TYPE = "loans.teaser.ended"
    AUDIENCE = "record"
    why: str


class ProposalTeased(_ProposalFact):
    """The firm shows an anonymised teaser of its proposal to banks; `left_out` was too rare to be said."""

    TYPE = "loans.proposal.teased"
    AUDIENCE = "record"
    teasers: list[str]
    banks: list[str]
    until: date
    left_out: list[str]


class TeaserReplied(_ProposalFact):
    """A bank has answered to a teaser: told to the firm, which may then consent. No bank takes part in this event."""

    TYPE = "loans.proposal.teaser_replied"
    teaser: str
    replying_bank: str
    replying_bank_name: str
    interested: bool
    reasons: list[str]
