"""The terms of a search as conditions on applications."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from operator import eq, ge, gt, le, lt
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Numeric, and_, false, func, not_, or_, select, text, true

from services.grants.domain.search import WORDS, Term
from services.grants.storage import tables as t
from services.grants.storage.agreements import amendment
from services.grants.storage.appeals import appeal
from services.grants.storage.day import task
from services.grants.storage.exclusion import screening
from shared.money import Money

c = t.application.c
_SIMPLE = text("'simple'")
_OPS: dict[str, Callable[[Any, Any], ColumnElement[bool]]] = {"=": eq, "<": lt, "<=": le, ">": gt, ">=": ge}


@dataclass(frozen=True)
class Asking:
    """Who asks, and when: what "me", "overdue" and "7 days" mean."""

    user: str
    roles: tuple[str, ...]
    now: datetime
    zone: ZoneInfo
    also: tuple[str, ...] = ()  # the officers for whom this person stands in
    # In a conflict of interest with these cases, and with all of these organisations: their scores stay unknown.
    out: tuple[str, ...] = ()
    barred: tuple[str, ...] = ()

    @property
    def officers(self) -> tuple[str, ...]:
        """Return whose cases count as this person's."""
        return (self.user, *self.also)

    @property
    def today(self) -> date:
        """Return the day where the programme works."""
        return self.now.astimezone(self.zone).date()


def condition(term: Term, asking: Asking) -> ColumnElement[bool]:
    """Return what a term demands of a row."""
    either = or_(*(_CONDITIONS[term.field](term, value, asking) for value in term.values))
    # What is not known (an officer that nobody is) is not among the values either.
    return not_(func.coalesce(either, false())) if term.negated else either


def _holder(_term: Term, value: Any, asking: Asking) -> ColumnElement[bool]:
    if value == "none":
        return c.holder.is_(None)
    if value != "me":
        return c.holder.in_([value])
    others = [role for role in asking.roles if role not in {"officer", "applicant"}]
    own = and_(c.holder == "officer", c.officer.in_(asking.officers)) if "officer" in asking.roles else false()
    return or_(own, c.holder.in_(others)) if others else own


def _officer(_term: Term, value: Any, asking: Asking) -> ColumnElement[bool]:
    if value == "none":
        return c.officer.is_(None)
    if value == "me":
        return c.officer.in_(asking.officers)
    return or_(c.officer == value, c.officer_name.icontains(value, autoescape=True))


def _organisation(_term: Term, value: Any, _asking: Asking) -> ColumnElement[bool]:
    # The index of words narrows; the name decides.
    named = and_(_has(value, "=")[0], c.organisation_name.icontains(value, autoescape=True))
    return or_(c.organisation == value, named)


def _has(words: str, op: str) -> tuple[ColumnElement[bool], ...]:
    if op == "phrase":
        return (c.words.bool_op("@@")(func.phraseto_tsquery(_SIMPLE, words)),)
    escaped = words.replace("\\", "\\\\").replace("'", "''")
    return (c.words.bool_op("@@")(func.to_tsquery(_SIMPLE, f"'{escaped}':*")),)


def _words(term: Term, value: Any, _asking: Asking) -> ColumnElement[bool]:
    return _has(value, term.op)[0]


def _amount(term: Term, value: Money, _asking: Asking) -> ColumnElement[bool]:
    return and_(c.currency == value.currency, _OPS[term.op](c.amount, value.amount))


def _score(term: Term, value: Decimal, asking: Asking) -> ColumnElement[bool]:
    """Return whether the mean of the submitted reviews is so; what one still has to review stays blind."""
    r = t.review.c
    mean = func.avg(r.state["score"].astext.cast(Numeric)).filter(r.status == "submitted")
    own = func.bool_or(and_(r.reviewer == asking.user, r.status != "submitted"))
    scored = select(r.application).where(r.application == c.id).group_by(r.application)
    known = scored.having(_OPS[term.op](func.round(mean, 2), value), not_(func.coalesce(own, false()))).exists()
    return and_(known, c.id.not_in(asking.out), c.organisation.not_in(asking.barred))


def _time(of: Any) -> Callable[[Term, Any, Asking], ColumnElement[bool]]:
    def compared(term: Term, value: Any, asking: Asking) -> ColumnElement[bool]:
        if isinstance(value, timedelta):  # an age: less than 7 days old is after the moment 7 days ago
            turned = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": ">="}[term.op]
            return _OPS[turned](of, asking.now - value)
        start = datetime.combine(value, time(), asking.zone)
        end = datetime.combine(value + timedelta(days=1), time(), asking.zone)
        days: dict[str, ColumnElement[bool]] = {
            "=": and_(of >= start, of < end),
            "<": of < start,
            "<=": of < end,
            ">": of >= end,
            ">=": of >= start,
        }
        return days[term.op]

    return compared


def _due(term: Term, value: Any, asking: Asking) -> ColumnElement[bool]:
    day = asking.today + value if isinstance(value, timedelta) else value
    return and_(c.due.is_not(None), _OPS[term.op](c.due_order, day))


def _overdue(_term: Term, value: Any, asking: Asking) -> ColumnElement[bool]:
    return c.due_order < asking.today if value == "yes" else c.due_order >= asking.today


def _state(_term: Term, value: Any, _asking: Asking) -> ColumnElement[bool]:
    closed = and_(not_(c.is_open), c.submitted_at.is_not(None))
    draft = c.submitted_at.is_(None)
    states: dict[str, ColumnElement[bool]] = {"open": c.is_open, "closed": closed, "draft": draft, "all": true()}
    return states[value]


def _task(_term: Term, value: Any, asking: Asking) -> ColumnElement[bool]:
    k = task.c
    found = select(k.id).where(k.application == c.id, ~k.done)
    days = {
        "overdue": k.due_order < asking.today,
        "today": k.due_order == asking.today,
        "mine": k.assignee.in_(asking.officers),
    }
    found = found.where(days[value]) if value in days else found
    return not_(found.exists()) if value == "none" else found.exists()


def _has_open(_term: Term, value: Any, _asking: Asking) -> ColumnElement[bool]:
    """Return whether something of a case waits for a decision: an amendment, a hit on an exclusion list, an appeal."""
    waiting = {
        "amendment": select(amendment.c.id).where(amendment.c.application == c.id, amendment.c.status == "requested"),
        "hit": select(screening.c.id).where(screening.c.id == c.id, screening.c.open_hits > 0),
        "appeal": select(appeal.c.id).where(appeal.c.id == c.id, appeal.c.state["outcome"].astext.is_(None)),
    }
    return waiting[value].exists()


def _is(of: Any) -> Callable[[Term, Any, Asking], ColumnElement[bool]]:
    return lambda _term, value, _asking: of == value


_CONDITIONS: dict[str, Callable[[Term, Any, Asking], ColumnElement[bool]]] = {
    "stage": _is(c.stage),
    "holder": _holder,
    "officer": _officer,
    "org": _organisation,
    "call": _is(c.call),
    "programme": _is(c.programme),
    "state": _state,
    "overdue": _overdue,
    "task": _task,
    "has": _has_open,
    "amount": _amount,
    "score": _score,
    "updated": _time(c.updated_at),
    "since": _time(c.since),
    "submitted": _time(c.submitted_at),
    "due": _due,
    WORDS: _words,
}
