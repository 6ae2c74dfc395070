"""The rules of co-financing that a case is under, and the terms that are agreed by them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from services.grants.domain import match
from services.grants.domain.application import Person
from shared.entity import Part
from shared.errors import Figure, InvalidError, Rule
from shared.events.cofinancing_rules import METHODS, CofinancingRules, Method
from shared.money import Amount, Money

Form = Literal["cash", "in_kind"]
Names = dict[str, str]


class Valuing(Part):
    """How something given in kind is valued, and the documents that must all stand behind it."""

    method: Method
    evidence: tuple[str, ...]


class Rules(Part):
    """A programme's rules of co-financing, as they were when a case was started."""

    programme_percent: Amount | None
    firm_percent: Amount | None
    match_ratio: Amount | None = None
    grant_rate: Amount | None = None
    share_cap: Amount | None = None
    tiers: tuple[tuple[Amount, Amount], ...] = ()
    tranches: tuple[tuple[Amount, int], ...] = ()
    in_kind_cap_percent: Amount
    in_kind_cap_base: Literal["contribution", "total"]
    in_kind_bases: tuple[str, ...]
    valuations: dict[str, Valuing] = {}
    cash_minimum_percent: Amount
    first_in: bool = False
    evidence: dict[str, tuple[str, ...]]
    related_allowed: bool = True
    related_evidence: tuple[str, ...] = ()
    second_hand_evidence: tuple[str, ...] = ()
    ineligible: tuple[str, ...]
    kinds: dict[str, Names]
    names: dict[str, Names] = {}
    acts_at: dict[str, tuple[str, ...]]
    agreed_by: dict[str, str]

    @classmethod
    def of(cls, pack: Mapping[str, Any]) -> Rules:
        """Return the rules that a pack's `cofinancing.yaml` states; raises a validation error for wrong ones."""
        said = CofinancingRules.model_validate(pack)
        cap = said.programme_share_cap
        return cls(
            programme_percent=said.shares.programme if said.shares else None,
            firm_percent=said.shares.firm if said.shares else None,
            match_ratio=said.match_ratio,
            grant_rate=said.grant_rate,
            share_cap=cap.amount if cap else None,
            tiers=tuple((tier.at_least, tier.percent) for tier in said.tiers),
            tranches=tuple((item.percent, item.after_months) for item in said.tranches),
            in_kind_cap_percent=said.in_kind.cap_percent,
            in_kind_cap_base=said.in_kind.cap_base,
            in_kind_bases=said.in_kind.bases,
            valuations={item.id: Valuing(method=item.method, evidence=item.evidence) for item in said.valuations},
            cash_minimum_percent=said.cash_minimum_percent,
            first_in=said.first_in,
            evidence=dict(said.evidence),
            related_allowed=said.related_party.allowed,
            related_evidence=said.related_party.evidence,
            second_hand_evidence=said.second_hand_evidence,
            ineligible=tuple(item.id for item in said.ineligible),
            kinds={item.id: item.name for item in said.kinds},
            names={item.id: item.name for item in (*said.valuations, *said.documents, *said.ineligible)},
            acts_at=said.acts_at,
            agreed_by=dict(said.agreed_by),
        )

    def creditable(self, cash: Decimal, in_kind: Decimal, total: Decimal) -> Decimal:
        """Return how much of the in-kind contribution counts."""
        base = total if self.in_kind_cap_base == "total" else None
        return match.creditable_in_kind(cash, in_kind, self.in_kind_cap_percent, base)

    def method(self, basis: str) -> Method:
        """Return how something given on this basis is valued."""
        return self.valuations[basis].method if basis in self.valuations else METHODS.get(basis, "fair_value")

    def parts(self, total: Decimal) -> match.Parts:
        """Return what programme and firm carry of a project of `total`: of all rules the one that asks most binds."""
        choices: list[match.Parts] = []
        if self.programme_percent is not None and self.firm_percent is not None:
            choices.append((self.programme_percent, self.firm_percent))
        if self.tiers:
            own = match.tier_of(total, [match.Tier(*tier) for tier in self.tiers]).percent
            choices.append((match.HUNDRED - own, own))
        if self.match_ratio is not None:
            choices.append((Decimal(1), self.match_ratio))
        if self.grant_rate is not None:
            choices.append((self.grant_rate, match.HUNDRED - self.grant_rate))
        return match.least_for_programme(choices)

    def needed(self, form: Form, basis: str, *, second_hand: bool, related: bool) -> tuple[str, ...]:
        """Return the documents that must all stand behind a contribution, beside one of its form's."""
        method = self.valuations[basis].evidence if form == "in_kind" and basis in self.valuations else ()
        more = (self.second_hand_evidence if second_hand else ()) + (self.related_evidence if related else ())
        return tuple(dict.fromkeys(method + more))

    def documents(self, form: Form, basis: str, *, second_hand: bool, related: bool) -> tuple[str, ...]:
        """Return the kinds of documents that a contribution may have: those it needs first."""
        needed = self.needed(form, basis, second_hand=second_hand, related=related)
        return tuple(dict.fromkeys(needed + self.evidence[form]))


class Terms(Part):
    """The money of the agreement, in the case's currency: total = programme_share + firm_cash + firm_in_kind.

    `programme_percent` and `firm_percent` are the parts by which match releases: 60 and 40 of a hundred, 1 and 0.4
    for each one of grant, or the two shares themselves where less than the most was agreed.
    """

    version: int
    total: Amount
    programme_percent: Amount
    firm_percent: Amount
    programme_share: Amount
    firm_cash: Amount
    firm_in_kind: Amount
    tranches: tuple[tuple[Amount, int], ...] = ()
    drawn_by: str
    drawn_by_name: str
    drawn_at: datetime

    @property
    def firm_share(self) -> Decimal:
        """Return what the firm brings, in cash and in kind."""
        return self.firm_cash + self.firm_in_kind

    @property
    def parts(self) -> match.Parts:
        """Return what programme and firm carry."""
        return self.programme_percent, self.firm_percent

    @property
    def percents(self) -> tuple[str, str]:
        """Return the two parts as people read them, in per cent of the total."""
        share = self.programme_share * match.HUNDRED / self.total
        return f"{share:.4g}", f"{match.HUNDRED - share:.4g}"

    def planned(self, day: date | None, agreed_on: date | None) -> Decimal:
        """Return how much of the programme's share the plan lets be out by `day`; all of it without a day."""
        if day is None or agreed_on is None:
            return self.programme_share
        return match.planned_by(day, agreed_on, self.programme_share, self.tranches)


def draw(
    rules: Rules, total: Money, in_kind: Money, *, version: int, by: Person, now: datetime, grant: Money | None = None
) -> Terms:
    """Return the terms for a project of `total` to which the firm gives `in_kind` in kind.

    The programme's share is the most that the rules give, or `grant` where less was agreed. Raises InvalidError:
    the programme's share over its cap or over what the rules give, in-kind over its cap, too little cash.
    """
    if total.amount <= 0:
        raise InvalidError({"total": "must be more than nothing"})
    parts = rules.parts(total.amount)
    most = match.programme_part(total.amount, parts)
    programme = most if grant is None else grant.amount
    problems = _grant_problems(rules, most, grant)
    firm = total.amount - programme
    if not problems.get("grant"):
        problems |= _in_kind_problems(rules, firm, in_kind.amount, total.amount)
    if problems:
        raise InvalidError(problems)
    parts = parts if programme == most else (programme, firm)
    return Terms(
        version=version,
        total=total.amount,
        programme_percent=parts[0],
        firm_percent=parts[1],
        programme_share=programme,
        firm_cash=firm - in_kind.amount,
        firm_in_kind=in_kind.amount,
        tranches=rules.tranches,
        drawn_by=by.id,
        drawn_by_name=by.name,
        drawn_at=now,
    )


def _grant_problems(rules: Rules, most: Decimal, grant: Money | None) -> dict[str, str]:
    asked = most if grant is None else grant.amount
    if asked <= 0:
        return {"grant": Rule("must be more than nothing")}
    if asked > most:
        return {"grant": Rule("is above the %(most)s that the rules give", most=Figure(most))}
    if rules.share_cap is not None and asked > rules.share_cap:
        field = "total" if grant is None else "grant"
        cap = Figure(rules.share_cap)
        said = "makes the programme's share %(share)s, above its cap of %(cap)s"
        return {field: Rule(said, share=Figure(asked), cap=cap)}
    return {}


def _in_kind_problems(rules: Rules, firm: Decimal, in_kind: Decimal, total: Decimal) -> dict[str, str]:
    cash, least = firm - in_kind, match.part(firm, rules.cash_minimum_percent)
    if in_kind < 0 or cash < least:
        amounts = {"cash": Figure(cash), "least": Figure(least), "firm": Figure(firm)}
        return {"in_kind": Rule("leaves %(cash)s of cash; at least %(least)s of %(firm)s must be cash", **amounts)}
    counts = rules.creditable(cash, in_kind, total)
    return {"in_kind": Rule("only %(counts)s of it would count", counts=Figure(counts))} if counts < in_kind else {}
