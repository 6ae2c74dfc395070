"""Reads of the portfolio: which tapes counted on a day as it was known then, their sums, who is late, the funnel."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, func, lateral, or_, select, text, true
from sqlalchemy.dialects.postgresql import insert

from services.loans.domain.portfolio import SUMS, Key, Sums
from services.loans.storage.tables import funnel, loan, proposal, tape, tape_line, tape_sum

MANY = 2000  # from so many proposals on the funnel is counted beforehand
# One pass without a join: what the planner believes of the tables can't make it slow.
_FUNNEL = """
WITH seen AS (
  SELECT id AS proposal, created_at AS prepared, NULL::timestamptz AS ready, NULL::timestamptz AS referred,
    NULL::timestamptz AS offered, NULL::timestamptz AS accepted, NULL::timestamptz AS disbursed
  FROM proposal WHERE programme = :programme
  UNION ALL SELECT proposal, NULL, locked_at, NULL, NULL, NULL, NULL FROM locked_proposal
  UNION ALL SELECT proposal, NULL, NULL, (state->>'submitted_at')::timestamptz,
    (coalesce(state->'earlier'->0, state->'offer')->>'made_at')::timestamptz, NULL, NULL
  FROM referral WHERE programme = :programme AND stage NOT IN ('created', 'consented', 'void') AND {of_bank}
  UNION ALL SELECT proposal, NULL, NULL, NULL, NULL, created_at,
    (state->'disbursements'->0->>'reported_at')::timestamptz
  FROM loan WHERE programme = :programme AND {of_bank}
), p AS (
  SELECT min(prepared) AS prepared, min(ready) AS ready, min(referred) AS referred, min(offered) AS offered,
    min(accepted) AS accepted, min(disbursed) AS disbursed
  FROM seen GROUP BY proposal HAVING count(prepared) > 0
)
SELECT count(*) AS prepared, count(ready) AS n_ready, count(referred) AS n_referred, count(offered) AS n_offered,
  count(accepted) AS n_accepted, count(disbursed) AS n_disbursed,
  percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM ready - prepared)) AS d_ready,
  percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM referred - ready)) AS d_referred,
  percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM offered - referred)) AS d_offered,
  percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM accepted - offered)) AS d_accepted,
  percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM disbursed - accepted)) AS d_disbursed
FROM p
"""
_REASONS = """
SELECT reason, count(*) AS n FROM referral, jsonb_array_elements_text(state->'decline_reasons') AS reason
WHERE programme = :programme AND stage = 'declined' AND {of_bank}
GROUP BY reason ORDER BY n DESC, reason
"""
STEPS = ("prepared", "ready", "referred", "offered", "accepted", "disbursed")
_DAY = 86_400


def counted(connection: Connection, programme: str, bank: str | None, as_of: date, known: datetime) -> list[Any]:
    """Return the tapes of a programme, or of a bank in it, up to a day, as recorded by a moment; oldest day first."""
    c = tape.c
    columns = (c.id, c.bank, c.state["bank_name"].astext.label("bank_name"), c.as_of, c.month, c.applied_at)
    more = (c.superseded_at, c.state["supersedes"].astext.label("supersedes"))
    query = select(*columns, *more).where(c.programme == programme, c.as_of <= as_of, c.applied_at <= known)
    if bank is not None:
        query = query.where(c.bank == bank)
    rows: Sequence[Any] = connection.execute(query.order_by(c.as_of, c.id)).all()
    return list(rows)


def sums_of(
    connection: Connection, audience: str, whole: Sequence[str], every: Sequence[str]
) -> list[tuple[str, Key, Sums]]:
    """Return (tape, key, sums): by all dimensions of the tapes `every`, the whole alone of the others."""
    c = tape_sum.c
    query = select(tape_sum).where(
        c.audience == audience, or_(c.tape.in_(every), c.tape.in_(whole) & (c.dimension == "all"))
    )
    return [
        (row.tape, Key(audience, row.currency, row.dimension, row.value), Sums(**{n: getattr(row, n) for n in SUMS}))
        for row in connection.execute(query)
    ]


def latest(connection: Connection, tapes: Sequence[str], limit: int) -> list[Any]:
    """Return the loans that are late by these tapes, the latest first."""
    asked, c = select(tape.c.id).where(tape.c.id.in_(tapes)).subquery("asked"), tape_line.c
    # Of each tape its own latest, from the index, before any loan is looked up: a tape may have many thousands.
    own = select(c.loan, c.outstanding, c.days, c.owed, c.stage, c.restructured)
    own = own.where(c.tape == asked.c.id, c.days > 0, c.stage == "overdue").order_by(c.days.desc(), c.loan)
    late = lateral(own.limit(limit), name="late")
    named = (
        loan.c.state["organisation_name"].astext.label("firm"),
        loan.c.state["bank_name"].astext.label("bank_name"),
    )
    query = select(late, loan.c.currency, *named).select_from(
        asked.join(late, true()).join(loan, loan.c.id == late.c.loan)
    )
    rows: Sequence[Any] = connection.execute(query.order_by(late.c.days.desc(), late.c.loan).limit(limit)).all()
    return list(rows)


def many(connection: Connection, programme: str) -> bool:
    """Tell whether a programme has too many proposals to be counted for every page."""
    some = select(proposal.c.id).where(proposal.c.programme == programme).limit(MANY + 1).subquery()
    return bool(connection.execute(select(func.count()).select_from(some)).scalar_one() > MANY)


def count_funnel(connection: Connection, programme: str, bank: str) -> dict[str, Any]:
    """Count how far proposals came, with the median days from step to step, and why banks declined."""
    values = {"programme": programme} | ({"bank": bank} if bank else {})
    own = "bank = :bank" if bank else "true"
    row = connection.execute(text(_FUNNEL.format(of_bank=own)), values).mappings().one()
    steps = [{"step": "prepared", "n": row["prepared"], "days": None}]
    for name in STEPS[1:]:
        seconds = row[f"d_{name}"]
        days = None if seconds is None else f"{float(seconds) / _DAY:.1f}"
        steps.append({"step": name, "n": row[f"n_{name}"], "days": days})
    reasons = [
        {"code": item.reason, "n": item.n} for item in connection.execute(text(_REASONS.format(of_bank=own)), values)
    ]
    return {"steps": steps[2:] if bank else steps, "reasons": reasons}


def kept_funnel(connection: Connection, programme: str, bank: str) -> Any:
    """Return what was counted beforehand, and when."""
    query = select(funnel.c.figures, funnel.c.counted_at)
    found: Any = connection.execute(query.where(funnel.c.programme == programme, funnel.c.bank == bank)).one_or_none()
    return found


def keep_funnel(connection: Connection, programme: str, bank: str, figures: dict[str, Any], now: datetime) -> None:
    """Keep what was counted."""
    values = {"figures": figures, "counted_at": now}
    statement = insert(funnel).values(programme=programme, bank=bank, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["programme", "bank"], set_=values))
