"""Whether a proposal fits a product: each condition with the figure, the threshold, and what would make it fit.

It reads a proposal by block and field, so it says as much of a referral as its bank was given by consent, and no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from typing import Any

from services.loans.domain.finance import Partner
from services.loans.domain.profile import YOUTH
from shared.events.product_rules import KINDS, SIZES, Condition, ProductTerms

Facts = Mapping[str, Mapping[str, Any]]
Words = tuple[str, dict[str, Any]]
_CENT = Decimal("0.01")
NOT_SHARED: Words = ("can't be told: not shared", {})
NOT_GIVEN: Words = ("can't be told yet: not filled in", {})
_AT_LEAST = {
    "number": "%(figure)s, at least %(limit)s",
    "percent": "%(figure)s %%, at least %(limit)s %%",
    "years": "years: %(figure)s, at least %(limit)s",
}
_AT_MOST = {"number": "%(figure)s, at most %(limit)s", "days": "days: %(figure)s, at most %(limit)s"}


@dataclass(frozen=True)
class Finding:
    """One condition: met, not met, or (None) not to be told; `said` and `mend` are gettext messages with figures."""

    rule: str
    field: str
    met: bool | None
    said: Words
    mend: Words | None = None

    @property
    def block(self) -> str:
        return self.field.split(".", 1)[0]


@dataclass(frozen=True)
class Match:
    """A product's conditions held against one proposal."""

    findings: list[Finding]
    passed: int = field(init=False)
    failed: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "passed", sum(item.met is True for item in self.findings))
        object.__setattr__(self, "failed", sum(item.met is False for item in self.findings))

    @property
    def untold(self) -> int:
        return len(self.findings) - self.passed - self.failed

    @property
    def fits(self) -> bool:
        return self.passed == len(self.findings)

    def rank(self) -> tuple[int, int]:
        """Return what sorts the best first; of those that fit alike, what costs less comes first."""
        return self.failed, self.untold


class _UnknownError(Exception):
    """A field that a condition needs isn't there."""

    def __init__(self, words: Words) -> None:
        self.words = words
        super().__init__()


@dataclass(frozen=True)
class _Case:
    facts: Facts
    today: date

    def get(self, name: str) -> Any:
        """Return a field; raises where it was not shared, or not filled in."""
        block, key = name.split(".", 1)
        if key not in self.facts.get(block, {}):
            raise _UnknownError(NOT_SHARED)
        value = self.facts[block][key]
        if value in (None, "", []):
            raise _UnknownError(NOT_GIVEN)
        return value

    def known(self, name: str) -> Any:
        """Return a field, or None."""
        block, key = name.split(".", 1)
        return self.facts.get(block, {}).get(key)


_Judged = tuple[bool, Words, Words | None]


def match(terms: ProductTerms, facts: Facts, today: date) -> Match:
    """Hold a product against what is known of a proposal."""
    case = _Case(facts, today)
    own = [_judged(case, name, where, terms, judge) for name, where, judge in _TERMS]
    return Match([*own, *(_condition(case, item) for item in terms.rules)])


def floors(partner: Partner) -> list[Condition]:
    """Return what a bank asks of every proposal, as conditions."""
    return [
        Condition(rule="dscr", at_least=partner.dscr_floor),
        Condition(rule="own_share", at_least=partner.own_share_floor * 100),
        Condition(rule="history", at_least=Decimal(partner.history_years)),
    ]


def hold(conditions: Iterable[Condition], facts: Facts, today: date) -> Match:
    """Hold conditions alone against what is known of a proposal."""
    case = _Case(facts, today)
    return Match([_condition(case, item) for item in conditions])


def _judged(case: _Case, name: str, where: str, given: Any, judge: Callable[[_Case, Any], _Judged]) -> Finding:
    try:
        met, said, mend = judge(case, given)
    except _UnknownError as unknown:
        return Finding(name, where, None, unknown.words)
    return Finding(name, where, met, said, None if met else mend)


def _condition(case: _Case, item: Condition) -> Finding:
    return _judged(case, item.rule, KINDS[item.rule].field, item, _CONDITIONS[item.rule])


# What the product's own terms ask.


def _within(figure: Decimal, least: Decimal, most: Decimal, mend: tuple[str, str]) -> _Judged:
    low, high = mend
    if figure > most:
        return False, ("asks %(figure)s, at most %(limit)s", {"figure": figure, "limit": most}), (high, {"to": most})
    if figure < least:
        return False, ("asks %(figure)s, at least %(limit)s", {"figure": figure, "limit": least}), (low, {"to": least})
    return (
        True,
        ("asks %(figure)s, between %(least)s and %(most)s", {"figure": figure, "least": least, "most": most}),
        None,
    )


def _amount(case: _Case, terms: ProductTerms) -> _Judged:
    asked = Decimal(str(case.get("request.amount")))
    mend = ("ask for at least %(to)s", "ask for at most %(to)s, and find the rest elsewhere")
    return _within(asked, terms.amount_min, terms.amount_max, mend)


def _term(case: _Case, terms: ProductTerms) -> _Judged:
    asked = Decimal(case.get("request.term_months"))
    mend = ("ask for at least %(to)s months", "ask for at most %(to)s months")
    return _within(asked, Decimal(terms.term_min), Decimal(terms.term_max), mend)


def _grace(case: _Case, terms: ProductTerms) -> _Judged:
    asked = case.known("request.grace_principal_months")
    if asked is None:
        raise _UnknownError(NOT_SHARED)
    said = "asks %(figure)s, at most %(limit)s", {"figure": asked, "limit": terms.grace_months}
    mend = "ask for at most %(to)s months without principal", {"to": terms.grace_months}
    return asked <= terms.grace_months, said, mend


def _instrument(case: _Case, terms: ProductTerms) -> _Judged:
    asked = case.get("request.instrument")
    return _code(asked, [terms.instrument])


def _purpose(case: _Case, terms: ProductTerms) -> _Judged:
    asked = case.get("request.purpose")
    return _code(asked, terms.purposes) if terms.purposes else (True, ("any purpose", {}), None)


def _code(asked: str, lent: Sequence[str]) -> _Judged:
    params = {"figure": asked, "limit": ", ".join(lent)}
    return asked in lent, ("asks %(figure)s, lent for: %(limit)s", params), None


_TERMS: list[tuple[str, str, Callable[[_Case, ProductTerms], _Judged]]] = [
    ("amount", "request.amount", _amount),
    ("term", "request.term_months", _term),
    ("grace", "request.grace_principal_months", _grace),
    ("instrument", "request.instrument", _instrument),
    ("purpose", "request.purpose", _purpose),
]

# What its conditions ask.


def _at_least(figure: Decimal, item: Condition, mend: Words | None = None) -> _Judged:
    words = _AT_LEAST[KINDS[item.rule].unit]
    if KINDS[item.rule].unit == "percent":
        figure = figure.quantize(_CENT)  # exact: shares have four decimals, covers three
    return figure >= item.limit(), (words, {"figure": figure, "limit": item.limit()}), mend


def _cover(case: _Case, item: Condition) -> _Judged:
    name = KINDS[item.rule].field
    covers = [(Decimal(cover), year) for year, cover in enumerate(case.get(name), start=1) if cover is not None]
    if not covers:
        raise _UnknownError(NOT_GIVEN)
    low, year = min(covers)
    paid = case.known("ratios.debt_service") or []
    if year > len(paid) or not item.limit():
        return _at_least(low, item)
    now = Decimal(paid[year - 1])
    carried = (now * low / item.limit()).quantize(_CENT, rounding=ROUND_DOWN)
    message = "in year %(year)s %(now)s is due and %(carried)s is carried: borrow less, for longer, or earn more"
    return _at_least(low, item, (message, {"year": year, "now": now, "carried": max(carried, Decimal(0))}))


def _own_share(case: _Case, item: Condition) -> _Judged:
    share = Decimal(str(case.get("ratios.own_share")))
    sources = [
        case.known(f"funding.{name}") for name in ("loan", "own_cash", "own_in_kind", "grant", "lead_firm", "other")
    ]
    if any(source is None for source in sources):
        return _at_least(share * 100, item)
    total, own = sum(map(Decimal, sources), Decimal(0)), Decimal(sources[1]) + Decimal(sources[2])
    more = (total * item.limit() / 100 - own).quantize(_CENT, rounding=ROUND_UP)
    return _at_least(share * 100, item, ("bring %(more)s more of your own in place of other sources", {"more": more}))


def _collateral(case: _Case, item: Condition) -> _Judged:
    cover, asked = Decimal(str(case.get("ratios.collateral_coverage"))), case.known("request.amount")
    if asked is None:
        return _at_least(cover * 100, item)
    more = (Decimal(str(asked)) * (item.limit() / 100 - cover)).quantize(_CENT, rounding=ROUND_UP)
    return _at_least(cover * 100, item, ("offer security worth %(more)s more, after haircuts", {"more": more}))


def _debt_to_equity(case: _Case, item: Condition) -> _Judged:
    figure = Decimal(str(case.get("ratios.debt_to_equity")))
    return figure <= item.limit(), (_AT_MOST["number"], {"figure": figure, "limit": item.limit()}), None


def _history(case: _Case, item: Condition) -> _Judged:
    years = case.known("history.years")
    if years is None:
        raise _UnknownError(NOT_SHARED)
    more = item.limit() - len(years)
    return _at_least(Decimal(len(years)), item, ("add the accounts of %(more)s more years", {"more": more}))


def _age(case: _Case, item: Condition) -> _Judged:
    founded = date.fromisoformat(case.get("applicant.founded"))
    before = (case.today.month, case.today.day) < (founded.month, founded.day)
    return _at_least(Decimal(case.today.year - founded.year - before), item)


def _arrears(case: _Case, item: Condition) -> _Judged:
    loans, none = case.known("debts.loans"), case.known("debts.none")
    if loans is None:
        raise _UnknownError(NOT_SHARED)
    if not loans and not none:
        raise _UnknownError(NOT_GIVEN)
    late = Decimal(max((loan["arrears_days"] for loan in loans), default=0))
    return late <= item.limit(), (_AT_MOST["days"], {"figure": late, "limit": item.limit()}), None


def size_class(employees: int) -> str:
    """Return the size class by employees (fewer than 10, 50, 250)."""
    return next((name for name, most in SIZES.items() if employees <= most), "large")


def _size(case: _Case, item: Condition) -> _Judged:
    employees = int(case.get("applicant.employees"))
    found, params = size_class(employees), {"employees": employees, "limit": ", ".join(item.values())}
    words = "%(employees)s employees: %(size)s; lent to: %(limit)s"
    return found in item.values(), (words, params | {"size": found}), None


def _sector(case: _Case, item: Condition) -> _Judged:
    sector, limit = str(case.get("applicant.sector")), ", ".join(item.values())
    among = any(sector.startswith(code) for code in item.values())
    if item.rule == "sector":
        return among, ("sector %(figure)s, lent to: %(limit)s", {"figure": sector, "limit": limit}), None
    return not among, ("sector %(figure)s, not lent to: %(limit)s", {"figure": sector, "limit": limit}), None


def _region(case: _Case, item: Condition) -> _Judged:
    place = str(case.get("project.location"))
    among = any(name.casefold() in place.casefold() for name in item.values())
    return among, ("in %(figure)s, lent in: %(limit)s", {"figure": place, "limit": ", ".join(item.values())}), None


def _owned(case: _Case, item: Condition) -> _Judged:
    youngest = case.today.year - YOUTH

    def counts(person: Mapping[str, Any]) -> bool:
        if item.rule == "women_owned":
            return bool(person["sex"] == "female")
        return bool(person["birth_year"]) and person["birth_year"] > youngest

    people = case.get("owners.people")
    return _at_least(sum((Decimal(str(one["share_percent"])) for one in people if counts(one)), Decimal(0)), item)


def _documents(case: _Case, item: Condition) -> _Judged:
    files = case.known("documents.files")
    if files is None:
        raise _UnknownError(NOT_SHARED)
    day = case.today.isoformat()
    held = {one["kind"] for one in files if not one.get("expires") or one["expires"] >= day}
    missing = ", ".join(kind for kind in item.values() if kind not in held)
    if not missing:
        return True, ("all are there", {}), None
    return False, ("missing: %(names)s", {"names": missing}), ("add: %(names)s", {"names": missing})


_CONDITIONS: dict[str, Callable[[_Case, Condition], _Judged]] = {
    "dscr": _cover,
    "dscr_stressed": _cover,
    "own_share": _own_share,
    "collateral": _collateral,
    "debt_to_equity": _debt_to_equity,
    "history": _history,
    "age": _age,
    "arrears": _arrears,
    "size": _size,
    "sector": _sector,
    "sector_not": _sector,
    "region": _region,
    "women_owned": _owned,
    "youth_owned": _owned,
    "documents": _documents,
}
