"""Whether a guarantee fits its facility: each rule with its figure and its limit, told from consented fields alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from services.loans.domain.facility import Facility, FacilityTerms
from services.loans.domain.guarantee_sums import Room
from services.loans.domain.matching import NOT_GIVEN, NOT_SHARED, Facts, Finding, Words, hold
from shared.money import Money


@dataclass(frozen=True)
class Asked:
    """What is asked for: the guaranteed sum, its share of the loan, and by which bank."""

    sum: Money
    coverage: Decimal
    bank: str
    bank_name: str


def checks(facility: Facility, asked: Asked, room: Room, facts: Facts, day: date) -> list[Finding]:
    """Hold a guarantee against the facility; what the guarantor was not given can't be told, so it is not met."""
    terms = facility.terms
    own = [
        _open(facility, day),
        _at_most("coverage", asked.coverage, terms.coverage_percent, "%(figure)s %%, at most %(limit)s %%"),
        _at_most("single", asked.sum.amount, terms.single_max, "%(figure)s, at most %(limit)s"),
        _at_most("room", asked.sum.amount, room.free.amount, "%(figure)s, free: %(limit)s"),
        _bank(terms, asked),
        _purpose(terms, facts),
    ]
    return [*own, *hold(terms.rules, facts, day).findings]


def _open(facility: Facility, day: date) -> Finding:
    terms, met = facility.terms, facility.stage == "open" and facility.terms.holds_on(day)
    params = {"first": terms.valid_from, "last": terms.valid_until}
    said: Words = ("guarantees are issued from %(first)s to %(last)s", params)
    if terms.valid_until is None:
        said = ("guarantees are issued from %(first)s on", {"first": terms.valid_from})
    if facility.stage != "open":
        said = ("the facility is not open", {})
    return Finding("open", "facility", met, said)


def _at_most(rule: str, figure: Decimal, limit: Decimal, words: str) -> Finding:
    return Finding(rule, "facility", figure <= limit, (words, {"figure": figure, "limit": limit}))


def _bank(terms: FacilityTerms, asked: Asked) -> Finding:
    met = not terms.banks or asked.bank in terms.banks
    words = "%(figure)s is among the banks of the facility" if met else "%(figure)s is not among the facility's banks"
    return Finding("bank", "facility", met, (words, {"figure": asked.bank_name}))


def _purpose(terms: FacilityTerms, facts: Facts) -> Finding:
    if not terms.purposes:
        return Finding("purpose", "request.purpose", True, ("any purpose", {}))  # noqa: FBT003 - met
    request = facts.get("request", {})
    if not request.get("purpose"):
        return Finding("purpose", "request.purpose", None, NOT_GIVEN if "purpose" in request else NOT_SHARED)
    figure, limit = request["purpose"], ", ".join(terms.purposes)
    said: Words = ("asks %(figure)s, guaranteed for: %(limit)s", {"figure": figure, "limit": limit})
    return Finding("purpose", "request.purpose", figure in terms.purposes, said)
