"""Reads of improvement plans: which a new referral ends, a programme's list, and what they came to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, select

from services.loans.storage.queries import light_columns, newest_first
from services.loans.storage.tables import improvement, programme, referral
from shared.web.paging import Page

_DECIDED = ("declined", "offered", "countered", "accepted", "partly_disbursed", "disbursed", "turned_down", "expired")
_LENT = ("accepted", "partly_disbursed", "disbursed")


def unended(proposal: str, number: int) -> ColumnElement[bool]:
    """Return the condition of plans of a proposal's earlier versions that no referral has ended."""
    c = improvement.c
    return and_(c.proposal == proposal, c.again.is_(None), c.number < number)


def improvement_rows(
    connection: Connection, programmes: Sequence[str], cursor: str | None = None, limit: int = 50
) -> Page[Any]:
    """Return the plans of programmes, newest change first, each with the stage of its new referral."""
    stage = select(referral.c.stage).where(referral.c.id == improvement.c.again).scalar_subquery().label("outcome")
    query = select(*light_columns(improvement), stage).where(improvement.c.programme.in_(programmes))
    return newest_first(connection, query, improvement, cursor, limit)


def improvements_of(connection: Connection, proposal: str) -> list[Any]:
    """Return a proposal's plans, oldest first."""
    query = select(*light_columns(improvement)).where(improvement.c.proposal == proposal)
    return list(connection.execute(query.order_by(improvement.c.id)))


def lift(connection: Connection, programmes: Sequence[str]) -> list[Any]:
    """Return a row a programme: plans, referred again, decided, lent, and the mean readiness and cover of both ends.

    An improved version is decided, or lent on, by whichever bank it went to. Means count only plans that were referred
    again, and covers only those with one at both ends.
    """
    c, after = improvement.c, improvement.c.again.is_not(None)
    newer = referral.c.state["number"].as_integer() > c.number
    later = select(referral.c.id).where(referral.c.proposal == c.proposal, newer)
    both = and_(c.dscr_before.is_not(None), c.dscr_after.is_not(None))
    query = (
        select(
            c.programme,
            func.max(programme.c.name).label("programme_name"),
            func.count().label("plans"),
            func.count(c.again).label("again"),
            func.count().filter(later.where(referral.c.stage.in_(_DECIDED)).exists()).label("decided"),
            func.count().filter(later.where(referral.c.stage.in_(_LENT)).exists()).label("lent"),
            func.round(func.avg(c.readiness_before).filter(after), 4).label("readiness_before"),
            func.round(func.avg(c.readiness_after).filter(after), 4).label("readiness_after"),
            func.round(func.avg(c.dscr_before).filter(both), 3).label("dscr_before"),
            func.round(func.avg(c.dscr_after).filter(both), 3).label("dscr_after"),
        )
        .select_from(improvement.outerjoin(programme, programme.c.id == c.programme))
        .where(c.programme.in_(programmes))
        .group_by(c.programme)
        .order_by(c.programme)
    )
    return list(connection.execute(query))
