"""Reads of teasers: what a bank may see, without anything that leads to the firm, and which firms are alike."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, func, select

from services.loans.domain.teaser import LIVE, Teaser
from services.loans.storage.queries import newest_first
from services.loans.storage.repositories import teasers
from services.loans.storage.tables import locked_proposal, proposal, teaser
from shared.database import UnitOfWork
from shared.web.paging import Page


def _seen(today: date) -> ColumnElement[bool]:
    """Return the condition of a teaser that banks may see: day and version have not passed, nobody lends yet."""
    standing = select(proposal.c.id).where(
        proposal.c.id == teaser.c.proposal,
        proposal.c.stage == "locked",
        proposal.c.number == teaser.c.number,
        proposal.c.accepted_referral.is_(None),
    )
    return and_(teaser.c.until >= today, teaser.c.stage.in_(LIVE), standing.exists())


def teaser_rows(
    connection: Connection,
    bank: str,
    today: date,
    *,
    stages: Sequence[str] = (),
    cursor: str | None = None,
    limit: int = 50,
) -> Page[Row[Any]]:
    """Return the teasers that a bank may see today, the newest first: what is shown of them, and nothing else."""
    c = teaser.c
    query = select(c.id, c.version, c.stage, c.programme, c.until, c.face, c.reasons, c.updated_at)
    query = query.where(c.bank == bank, _seen(today), c.stage.in_(stages or LIVE))
    return newest_first(connection, query, teaser, cursor, limit)


def teaser_counts(connection: Connection, bank: str, today: date) -> dict[str, int]:
    """Return how many teasers of a bank there are by stage."""
    query = select(teaser.c.stage, func.count()).where(teaser.c.bank == bank, _seen(today)).group_by(teaser.c.stage)
    return {row[0]: row[1] for row in connection.execute(query)}


def teaser_is_seen(connection: Connection, reference: str, today: date) -> bool:
    """Tell whether the bank may see a teaser today."""
    query = select(teaser.c.id).where(teaser.c.id == reference, _seen(today))
    return connection.execute(query).one_or_none() is not None


def teasers_of(uow: UnitOfWork, reference: str) -> list[Teaser]:
    """Return a proposal's teasers, the newest first."""
    return teasers(uow).where(teaser.c.proposal == reference, order_by=teaser.c.created_at.desc())


def firms_of(connection: Connection, programme: str) -> list[Row[Any]]:
    """Return by what each locked proposal of a programme makes its firm alike to others: organisation and facts."""
    content = locked_proposal.c.content
    query = (
        select(
            proposal.c.organisation,
            content["applicant"]["sector"].astext.label("sector"),
            content["project"]["location"].astext.label("location"),
            content["applicant"]["employees"].astext.label("employees"),
        )
        .join(
            locked_proposal,
            and_(locked_proposal.c.proposal == proposal.c.id, locked_proposal.c.number == proposal.c.number),
        )
        .where(proposal.c.programme == programme)
    )
    return list(connection.execute(query))
