"""Reads of sequences: a proposal's newest, and those in which something has come to its end."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import Connection, Integer, Row, and_, case, cast, func, literal, or_, select

from services.loans.domain.sequence import OVER, Sequence
from services.loans.storage.repositories import sequences
from services.loans.storage.tables import programme, proposal, referral, sequence
from shared.database import UnitOfWork
from shared.events.round_rules import SequenceRules


def sequence_of(uow: UnitOfWork, reference: str) -> Sequence | None:
    """Return the newest sequence of a proposal."""
    found = sequences(uow).where(sequence.c.proposal == reference, order_by=sequence.c.id.desc(), limit=1)
    return found[0] if found else None


def sequence_id(connection: Connection, reference: str) -> str | None:
    """Return the id of the newest sequence of a proposal."""
    query = select(sequence.c.id).where(sequence.c.proposal == reference).order_by(sequence.c.id.desc()).limit(1)
    return connection.execute(query).scalar_one_or_none()


def sequences_due(connection: Connection, today: date, limit: int = 200) -> list[Row[Any]]:
    """Return the running sequences (id, proposal) whose present bank is done or perhaps too late, oldest first.

    Of working days the database knows nothing: as many calendar days are the least.
    """
    patience = func.coalesce(
        cast(programme.c.finance["sequence"]["patience_days"].astext, Integer), SequenceRules().patience_days
    )
    late = literal(today) - referral.c.due >= case((patience < 1, 1), else_=patience)
    changed = or_(
        proposal.c.accepted_referral.is_not(None),
        proposal.c.stage != "locked",
        proposal.c.number != sequence.c.number,
    )
    query = (
        select(sequence.c.id, sequence.c.proposal)
        .join(proposal, proposal.c.id == sequence.c.proposal)
        .join(programme, programme.c.id == sequence.c.programme)
        .outerjoin(referral, referral.c.id == sequence.c.referral)
        .where(
            sequence.c.stage == "running",
            or_(changed, sequence.c.referral.is_(None), referral.c.stage.in_(OVER), and_(referral.c.open, late)),
        )
    )
    return list(connection.execute(query.order_by(sequence.c.updated_at, sequence.c.id).limit(limit)))
