"""Whether a proposal is ready, and if not, what to do and why: the programme's rules applied to the plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from services.loans.domain import cashflow
from services.loans.domain.blocks import Plan
from services.loans.domain.documents import ProposalDocument
from services.loans.domain.finance import Finance, Partner, ReadinessRule
from services.loans.domain.lessons import Lesson, learned
from services.loans.domain.ratios import Ratios


@dataclass(frozen=True)
class Todo:
    """One thing to do: where, and a gettext message that says why."""

    code: str
    block: str
    message: str
    params: dict[str, Any] = field(default_factory=dict)
    blocking: bool = True  # whether a proposal can't be submitted before it is done

    def text(self) -> str:
        """Return the sentence in English."""
        return self.message % self.params


@dataclass(frozen=True)
class Check:
    """A rule with its result: done when `todo` is None."""

    code: str
    block: str
    todo: Todo | None


@dataclass(frozen=True)
class _Case:
    plan: Plan
    documents: Sequence[ProposalDocument]
    figures: Ratios
    finance: Finance
    today: date
    lessons: Sequence[Lesson]


_Answer = tuple[str, dict[str, Any]] | None


def _complete(case: _Case, rule: ReadinessRule) -> _Answer:
    block = getattr(case.plan, rule.block)
    missing = [name for name in rule.fields if getattr(block, name) in {None, "", False}]
    return ("Still to be filled in: %(fields)s", {"fields": ", ".join(missing)}) if missing else None


def _rows(case: _Case, rule: ReadinessRule) -> _Answer:
    count = len(getattr(getattr(case.plan, rule.block), rule.field))
    if count >= rule.at_least:
        return None
    return "At least %(needed)s are needed, there are %(count)s", {"needed": rule.at_least, "count": count}


def _balanced(case: _Case, _rule: ReadinessRule) -> _Answer:
    sources, uses = case.plan.funding.sources_total(), case.plan.funding.uses_total()
    if sources == uses:
        return None
    message = "Sources of %(sources)s and uses of %(uses)s differ by %(difference)s; they must be equal"
    return message, {"sources": sources, "uses": uses, "difference": abs(sources - uses)}


def _loan(case: _Case, _rule: ReadinessRule) -> _Answer:
    asked, planned = case.plan.request.amount or Decimal(0), case.plan.funding.loan
    if asked == planned:
        return None
    return "The request is for %(asked)s, but the sources count a loan of %(planned)s", {
        "asked": asked,
        "planned": planned,
    }


def _own_share(case: _Case, rule: ReadinessRule) -> _Answer:
    if case.plan.funding.own_share() >= rule.at_least:
        return None
    return "Your own contribution is %(share)s %%, at least %(needed)s %% is needed", {
        "share": round(case.plan.funding.own_share() * 100, 1),
        "needed": round(rule.at_least * 100, 1),
    }


def _projection(case: _Case, _rule: ReadinessRule) -> _Answer:
    if cashflow.complete(case.plan.projection):
        return None
    return "The projection must cover 36 months: a first month, and three years of sales or every month", {}


def _cash(case: _Case, _rule: ReadinessRule) -> _Answer:
    short = [month for month in cashflow.cash_flow(case.plan) if month.closing < 0]
    if not short:
        return None
    worst = min(short, key=lambda month: month.closing)
    message = "Cash runs out in %(first)s; the lowest point is %(lowest)s in %(month)s"
    return message, {"first": f"{short[0].on:%Y-%m}", "lowest": worst.closing, "month": f"{worst.on:%Y-%m}"}


def _dscr(case: _Case, rule: ReadinessRule) -> _Answer:
    covers = [(year, cover) for year, cover in enumerate(case.figures.dscr, start=1) if cover is not None]
    if not covers:
        return "Debt service cover can't be computed before the request and the projection are complete", {}
    low = [(year, cover) for year, cover in covers if cover < rule.at_least]
    if not low:
        return None
    message = "Debt service cover is %(cover)s in year %(year)s, at least %(needed)s is needed"
    return message, {"cover": low[0][1], "year": low[0][0], "needed": rule.at_least}


def _debts(case: _Case, _rule: ReadinessRule) -> _Answer:
    debts = case.plan.debts
    if debts.none and debts.loans:
        return "You state that there are no debts and list some: one of the two is wrong", {}
    return None if debts.none or debts.loans else ("List your debts, or state that there are none", {})


def _documents(case: _Case, _rule: ReadinessRule) -> _Answer:
    expired = [item.name for item in case.documents if item.expires and item.expires < case.today]
    if expired:
        return "Expired: %(names)s", {"names": ", ".join(expired)}
    held = {item.kind for item in case.documents}
    missing = [kind for kind in case.finance.documents if kind.required and kind.kind not in held]
    names = {"names": ", ".join(kind.said("en") for kind in missing), "kinds": [kind.kind for kind in missing]}
    return ("Missing documents: %(names)s", names) if missing else None


def _training(case: _Case, rule: ReadinessRule) -> _Answer:
    found = learned(case.lessons, rule.topic, rule.at_least, rule.months, rule.roles, case.today)
    if found.met:
        return None
    facts = {"needed": rule.at_least, "months": rule.months, "hours": found.hours}
    if found.passed:
        return "At least %(needed)s hours of training within %(months)s months are needed: there are %(hours)s", facts
    if found.hours >= rule.at_least:
        return "The hours of training are there, %(hours)s within %(months)s months; the test is not passed yet", facts
    return "%(needed)s hours of training and a passed test within %(months)s months are needed: %(hours)s so far", facts


_RULES: dict[str, Callable[[_Case, ReadinessRule], _Answer]] = {
    "complete": _complete,
    "rows": _rows,
    "sources_equal_uses": _balanced,
    "loan_equals_request": _loan,
    "own_share": _own_share,
    "projection": _projection,
    "cash_never_negative": _cash,
    "dscr": _dscr,
    "debts_declared": _debts,
    "documents": _documents,
    "training": _training,
}


def checks(  # noqa: PLR0917 - what a rule may look at
    plan: Plan,
    documents: Sequence[ProposalDocument],
    figures: Ratios,
    finance: Finance,
    today: date,
    lessons: Sequence[Lesson] = (),
) -> list[Check]:
    """Return every rule of the programme with what is still to do for it; `lessons` are what the firm has learned."""
    case, result = _Case(plan, documents, figures, finance, today, lessons), []
    for rule in finance.readiness:
        answer = _RULES[rule.rule](case, rule)
        todo = Todo(rule.code, rule.block, *answer, blocking=rule.blocking) if answer else None
        result.append(Check(rule.code, rule.block, todo))
    return result


def todos(found: Sequence[Check]) -> list[Todo]:
    """Return what is still to do; ready when empty."""
    return [check.todo for check in found if check.todo]


@dataclass(frozen=True)
class PartnerCheck:
    """One of a bank's own rules: met, not met, or (None) not visible to the bank."""

    message: str
    params: dict[str, Any]
    met: bool | None


def partner_checks(disclosed: dict[str, Any], partner: Partner) -> list[PartnerCheck]:
    """Return a bank's rules checked against what the applicant disclosed to it, and nothing else."""
    covers = [Decimal(cover) for cover in disclosed.get("ratios", {}).get("dscr") or [] if cover is not None]
    share = disclosed.get("ratios", {}).get("own_share")
    history = disclosed.get("history", {}).get("years")
    low = min(covers, default=None)
    return [
        PartnerCheck(
            "Debt service cover of at least %(floor)s each year",
            {"floor": partner.dscr_floor},
            None if low is None else low >= partner.dscr_floor,
        ),
        PartnerCheck(
            "Own share of at least %(floor)s %%",
            {"floor": round(partner.own_share_floor * 100)},
            None if share is None else Decimal(share) >= partner.own_share_floor,
        ),
        PartnerCheck(
            "At least %(years)s years of accounts",
            {"years": partner.history_years},
            None if history is None else len(history) >= partner.history_years,
        ),
    ]
