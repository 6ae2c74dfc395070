"""A guarantee facility: how much a guarantor stands in for, on which terms, for whose loans; changed by two people."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints

from services.loans.domain.finance import Finance
from services.loans.domain.product import sha256_of
from shared.entity import Entity, Part
from shared.errors import ConflictError, ForbiddenError, IllegalTransitionError, InvalidError, Rule
from shared.events.fields import ZERO, Day, Line, Percent, Sum
from shared.events.loans import facility as events
from shared.events.product_rules import MAX_RULES, Codes, Condition, Currency
from shared.money import Money, decimals_of

MAX_WHY = 500
_Locale = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")]
_Share = Annotated[Percent, Field(gt=0)]


class FacilityTerms(Part):
    """Everything that is agreed of a facility. Shares and fees are percentages as people write them.

    `cap_percent` limits what is paid on claims, less what came back, to a share of the ceiling.
    """

    name: Annotated[dict[_Locale, Line], Field(min_length=1, max_length=8)]
    currency: Currency
    ceiling: Sum
    coverage_percent: _Share
    single_max: Sum
    banks: Codes = []  # empty: every bank of the programme
    purposes: Codes = []  # of the programme; empty: any
    fee_percent: Percent = ZERO  # once, of the guaranteed sum
    annual_fee_percent: Percent = ZERO  # of the guaranteed balance, for each year begun
    fee_days: Annotated[int, Field(ge=1, le=365)] = 30  # a fee that is unpaid for longer ends the guarantee
    claim_after_days: Annotated[int, Field(ge=1, le=720)] = 90
    first_claim_percent: _Share = Decimal(100)
    cap_percent: _Share = Decimal(100)
    tail_days: Annotated[int, Field(ge=0, le=1095)] = 180  # how long after the loan's last instalment it holds
    valid_from: date
    valid_until: Day = None
    rules: Annotated[list[Condition], Field(max_length=MAX_RULES)] = []

    def said(self, locale: str) -> str:
        """Return what it is called."""
        return self.name.get(locale) or self.name.get("en") or next(iter(self.name.values()))

    def limit(self) -> Money:
        return Money.of(self.ceiling, self.currency)

    def cap(self) -> Money:
        """Return the most that is paid on claims, less what came back."""
        return Money.of(self.ceiling * self.cap_percent / 100, self.currency)

    def holds_on(self, day: date) -> bool:
        """Tell whether guarantees are issued on that day."""
        return self.valid_from <= day and (self.valid_until is None or day <= self.valid_until)

    def problems(self, finance: Finance, currency: str, used: Money) -> dict[str, str]:
        """Return {field: broken rule}; `used` is what the ceiling has to hold already."""
        wrong: dict[str, str] = {}
        if not self.name.get("en"):
            wrong["name.en"] = "is required"
        if self.currency != currency:
            wrong["currency"] = Rule("must be %(currency)s, the programme's", currency=currency)
        exact = Decimal(1).scaleb(-decimals_of(self.currency))
        for name in ("ceiling", "single_max"):
            if not getattr(self, name):
                wrong[name] = "must be above zero"
            elif getattr(self, name) % exact:
                wrong[name] = Rule("has more than the decimals of %(currency)s", currency=self.currency)
        if self.single_max > self.ceiling:
            wrong["single_max"] = Rule("must be at most %(most)s", most=self.ceiling)
        if self.currency == currency and self.limit() < used:
            wrong["ceiling"] = Rule("must be at least %(used)s, which is committed already", used=used)
        if self.valid_until and self.valid_until < self.valid_from:
            wrong["valid_until"] = Rule("must be at least %(least)s", least=self.valid_from)
        return wrong | self._named_problems(finance)

    def _named_problems(self, finance: Finance) -> dict[str, str]:
        wrong: dict[str, str] = {}
        known = {"banks": {item.bank for item in finance.partners}, "purposes": {i.code for i in finance.purposes}}
        for name, codes in known.items():
            if unknown := sorted(set(getattr(self, name)) - codes):
                wrong[name] = Rule("is not known: %(names)s", names=", ".join(unknown)[:200])
        for index, item in enumerate(self.rules):
            wrong |= {f"rules.{index}.{name}": why for name, why in item.problems(finance.known()).items()}
            if item.rule in {other.rule for other in self.rules[:index]}:
                wrong[f"rules.{index}.rule"] = "stands twice"
        return wrong


class Change(Part):
    """Terms that wait for a second person."""

    terms: FacilityTerms
    by: str
    by_name: str
    at: datetime
    why: str = ""


Stage = Literal["proposed", "refused", "open", "closed"]


class Facility(Entity):
    """One facility of a guarantor in a programme. `number` counts the approved terms; guarantees keep theirs."""

    KIND: ClassVar[str] = "facility"

    programme: str
    guarantor: str
    guarantor_name: str
    stage: Stage = "proposed"
    number: int = 0
    terms: FacilityTerms  # the approved ones; while nothing is approved yet, the proposed
    change: Change | None = None
    approved_by: str = ""
    approved_at: datetime | None = None
    ended_why: str = ""

    def case(self) -> str:
        return self.id

    def programme_id(self) -> str:
        return self.programme

    def parties(self) -> dict[str, list[str]]:
        return {
            "guarantor": [f"org:{self.guarantor}"],
            "officer": ["role:officer"],
            "manager": ["role:programme_manager"],
        }

    def facts(self, *notify: str) -> dict[str, Any]:
        """Return what every event about this facility says."""
        return {
            "facility_id": self.id,
            "guarantor_id": self.guarantor,
            "guarantor_name": self.guarantor_name,
            "name": self.terms.said("en"),
            "notify": list(notify),
        }

    def legal(self) -> list[str]:
        """Return the moves that are possible now."""
        if self.stage in {"refused", "closed"}:
            return []
        waits = ["approve", "refuse"] if self.change else ["change"]
        return [*waits, *(["close"] if self.stage == "open" else [])]

    def _must(self, move: str) -> None:
        if move not in self.legal():
            raise IllegalTransitionError(move, self.stage, self.legal())

    def propose(self, change: Change, finance: Finance, currency: str, used: Money) -> None:
        """Let terms wait for another person of the guarantor; raises InvalidError naming what breaks a rule."""
        if self.stage != "proposed" or self.change:
            self._must("change")
        wrong = change.terms.problems(finance, currency, used)
        if wrong:
            raise InvalidError(wrong)
        self.change = change
        if not self.number:
            self.terms = change.terms
        said = {"number": self.number + 1, "ceiling": change.terms.limit(), "why": change.why}
        said |= {"coverage_percent": str(change.terms.coverage_percent), "terms_sha256": sha256_of(change.terms)}
        self.record(events.FacilityProposed(**self.facts("guarantor"), **said))

    def _waiting(self, move: str) -> Change:
        self._must(move)
        if self.change is None:
            raise ConflictError("Nothing waits here")
        return self.change

    def approve(self, who: str, name: str, now: datetime, used: Money) -> None:
        """Let the terms that wait hold, by another person; never with a ceiling below what is committed."""
        change = self._waiting("approve")
        if who == change.by:
            raise ForbiddenError("You entered this yourself: another person of the guarantor approves or refuses it")
        if change.terms.limit() < used:
            raise ConflictError(
                "The ceiling of %(ceiling)s is below what is committed by now: %(used)s",
                ceiling=change.terms.limit(),
                used=used,
            )
        self.terms, self.change, self.number, self.stage = change.terms, None, self.number + 1, "open"
        self.approved_by, self.approved_at = name, now
        said = {"number": self.number, "ceiling": self.terms.limit(), "terms_sha256": sha256_of(self.terms)}
        self.record(events.FacilityApproved(**self.facts("guarantor", "officer"), **said))

    def refuse(self, why: str) -> None:
        """Drop the terms that wait; whoever entered them may take them back so."""
        self._waiting("refuse")
        _must_say(why)
        self.change = None
        if not self.number:
            self.stage, self.ended_why = "refused", why
        self.record(events.FacilityRefused(**self.facts("guarantor"), why=why))

    def close(self, why: str) -> None:
        """Issue no guarantee any more; what was issued stays."""
        self._must("close")
        _must_say(why)
        self.stage, self.ended_why, self.change = "closed", why, None
        self.record(events.FacilityClosed(**self.facts("guarantor", "officer"), why=why))


def _must_say(why: str) -> None:
    if not why.strip():
        raise InvalidError({"why": "is required"})
