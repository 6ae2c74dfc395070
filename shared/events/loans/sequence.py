"""Events of banks that are asked one after another. No bank takes part: who comes next, or came before, is the firm's.

A bank is told of its own referral alone, by the referral's events.
"""

from __future__ import annotations

from datetime import date

from shared.events.loans.proposal import _ProposalFact


class _SequenceFact(_ProposalFact):
    sequence_id: str


class SequenceConsented(_SequenceFact):
    """The firm agreed beforehand that this bank sees these fields once its turn has come. Entity sequence:<SEQ-…>."""

    TYPE = "loans.sequence.consented"
    AUDIENCE = "record"
    asked_bank: str
    asked_bank_name: str
    fields: list[str]
    purpose: str
    until: date
    text_version: str
    text_sha256: str
    language: str


class SequenceArranged(_SequenceFact):
    """The banks that still wait stand in this order; of one that is left out the consent is taken back."""

    TYPE = "loans.sequence.arranged"
    AUDIENCE = "record"
    banks: list[str]


class SequenceStarted(_SequenceFact):
    """From now on the banks are asked one after another."""

    TYPE = "loans.sequence.started"
    AUDIENCE = "record"
    banks: list[str]


class SequenceAdvanced(_SequenceFact):
    """The next bank was asked: `place` of `places`, because of what became of the one before (`because`)."""

    TYPE = "loans.sequence.advanced"
    AUDIENCE = "record"
    referral: str
    asked_bank: str
    asked_bank_name: str
    place: int
    places: int
    because: str


class SequenceStopped(_SequenceFact):
    """Nobody is asked until the firm has acted: a consent has expired, or the proposal was changed."""

    TYPE = "loans.sequence.stopped"
    why: str
    asked_bank_name: str


class SequenceFinished(_SequenceFact):
    """It is over: an offer was accepted (met), no bank is left (exhausted), or the firm ended it (ended)."""

    TYPE = "loans.sequence.finished"
    why: str
