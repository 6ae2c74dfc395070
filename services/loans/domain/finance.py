"""The programme's rules for loans, as the pack gives them (finance.yaml)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from services.loans.domain.course import Course
from services.loans.domain.diagnostic import Questionnaire
from services.loans.domain.fee_rules import SuccessFee
from services.loans.domain.size import SizeRule
from shared.events.product_rules import Known
from shared.events.round_rules import SequenceRules, TeaserRules

Rule = Literal[
    "complete",
    "rows",
    "sources_equal_uses",
    "loan_equals_request",
    "own_share",
    "projection",
    "cash_never_negative",
    "dscr",
    "debts_declared",
    "documents",
    "training",
]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ReadinessRule(_Strict):
    """One condition of being ready; `block` says where the applicant mends it."""

    code: str
    rule: Rule
    block: str
    fields: list[str] = []
    field: str = ""
    at_least: Decimal = Decimal(0)
    blocking: bool = True  # false: it counts, and is advised, but does not hold the proposal back
    topic: str = ""  # of `training`: hours and a passed test of this topic, by one of these roles, in so many months
    months: int = 24
    roles: list[Literal["owner", "manager", "employee"]] = ["owner", "manager"]


class Named(_Strict):
    """A code with its name by language."""

    code: str
    name: dict[str, str]

    def said(self, locale: str) -> str:
        return self.name.get(locale) or self.name.get("en") or self.code


class DocumentKind(_Strict):
    kind: str
    required: bool
    name: dict[str, str]

    def said(self, locale: str) -> str:
        return self.name.get(locale) or self.name.get("en") or self.kind


class ConsentTerms(_Strict):
    """What the applicant agrees to: `always` are the blocks without which there is no referral."""

    version: str
    always: list[str]
    max_days: int
    purposes: list[Named]
    text: dict[str, str]


class Partner(_Strict):
    """A bank and its own rules."""

    bank: str
    name: str
    country: str
    sla_days: int
    dscr_floor: Decimal
    own_share_floor: Decimal
    history_years: int


class Guarantor(_Strict):
    """Who stands in for a part of loans: above `two_from` two of its people issue a guarantee.

    `step_up` names the acts that ask for the password again.
    """

    guarantor: str
    name: str
    country: str
    two_from: Decimal | None = None
    step_up: list[Literal["approve_facility", "issue", "pay_claim"]] = []


class Remedy(_Strict):
    """What helps after a decline for one of `reasons`: a task for the firm or the officer, within so many working days.

    With a `figure` it is done when the proposal's figure reaches `at_least`; without one, by evidence.
    """

    code: str
    reasons: list[str]
    name: dict[str, str]
    by: Literal["applicant", "officer"] = "applicant"
    days: int = 20
    figure: Literal["", "dscr", "own_share", "collateral_coverage", "current_ratio"] = ""
    at_least: Decimal = Decimal(0)

    def said(self, locale: str) -> str:
        return self.name.get(locale) or self.name.get("en") or self.code


class Monitoring(_Strict):
    """How loans are followed: what is too little to be late for, and when a default is an early one."""

    tolerance: Decimal = Decimal(0)  # a loan that owes no more than this is not late
    early_default_days: int = 90
    early_default_months: int = 12


class PackProduct(_Strict):
    """A product that the pack proposes for a bank; it is checked when the pack is loaded and when it is published."""

    bank: str
    terms: dict[str, Any]


class PackFacility(_Strict):
    """A facility that the pack proposes for a guarantor; its people propose and approve it here."""

    guarantor: str
    terms: dict[str, Any]


class Finance(_Strict):
    """The whole of finance.yaml."""

    discount_percent: Decimal
    readiness: list[ReadinessRule]
    documents: list[DocumentKind]
    purposes: list[Named]
    consent: ConsentTerms
    partners: list[Partner]
    guarantors: list[Guarantor] = []
    guarantee_consent: ConsentTerms | None = None  # what a firm agrees to when a guarantor is given its data
    decline_reasons: list[Named]
    monitoring: Monitoring = Monitoring()
    success_fee: SuccessFee | None = None  # none: advisers earn nothing
    remedies: list[Remedy] = []
    size: SizeRule | None = None  # none: the programme does not say what small is
    courses: list[Course] = []
    questionnaires: list[Questionnaire] = []
    products: list[PackProduct] = []
    facilities: list[PackFacility] = []
    teaser: TeaserRules = TeaserRules()
    sequence: SequenceRules = SequenceRules()

    def partner(self, bank: str) -> Partner | None:
        return next((partner for partner in self.partners if partner.bank == bank), None)

    def known(self) -> Known:
        """Return the codes that products and facilities may name."""
        return Known(frozenset(item.code for item in self.purposes), frozenset(item.kind for item in self.documents))

    def for_guarantors(self) -> ConsentTerms:
        """Return what a firm agrees to when a guarantor is given its data."""
        return self.guarantee_consent or self.consent

    def course(self, code: str) -> Course | None:
        return next((item for item in self.courses if item.code == code), None)

    def questionnaire(self, code: str) -> Questionnaire | None:
        return next((item for item in self.questionnaires if item.code == code), None)

    def guarantor(self, organisation: str) -> Guarantor | None:
        return next((item for item in self.guarantors if item.guarantor == organisation), None)
