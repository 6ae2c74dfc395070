"""Accepted figures of indicators, as they are published: none until a programme's grants report on indicators."""

from __future__ import annotations

from sqlalchemy import Connection

from services.grants.domain.publishing import Result


def results_of(_connection: Connection, _programme: str) -> dict[str, tuple[Result, ...]]:
    """Return {reference: results} of the accepted reports of a programme."""
    return {}
