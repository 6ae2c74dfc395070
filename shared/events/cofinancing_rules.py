"""The rules of co-financing as a programme's pack states them (`cofinancing.yaml`), and what is refused in them.

The portal checks a pack with this before it publishes it, and grants reads what it got with the same model: rules
that contradict themselves never reach a case.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from shared.errors import Rule
from shared.money import Amount, Money

N = TypeVar("N", bound="Named")
Names = dict[str, str]
Method = Literal["staff_time", "volunteer_time", "property", "use", "fair_value"]
# What these parts of the file must name.
WANTED = {
    "acts_at": ("edit", "terms", "contribute", "verify", "release"),
    "agreed_by": ("programme", "firm"),
    "evidence": ("cash", "in_kind"),
}
# How what is given was valued before packs said so, by the ids that packs used.
METHODS: dict[str, Method] = {
    "staff_time": "staff_time",
    "volunteer_time": "volunteer_time",
    "equipment": "property",
    "equipment_use": "use",
}


def _percent(value: Decimal) -> Decimal:
    if not 0 <= value <= 100:
        raise ValueError(Rule("is %(value)s %%; a share is between 0 and 100 %%", value=value))
    return value


def _positive(value: Decimal) -> Decimal:
    if value <= 0:
        raise ValueError(Rule("must be more than nothing"))
    return value


def _once(items: tuple[N, ...]) -> tuple[N, ...]:
    ids = [item.id for item in items]
    for name in ids:
        if ids.count(name) > 1:
            raise ValueError(Rule("has “%(name)s” twice", name=name))
    return items


Percent = Annotated[Amount, AfterValidator(_percent)]
Positive = Annotated[Amount, AfterValidator(_positive)]


class Part(BaseModel):
    """A part of the file; a word that it does not know is refused, because a rule must not be lost by a typo."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Named(Part):
    """Something with an id and names for people."""

    id: str
    name: Names


class Shares(Part):
    """The parts of the total that programme and firm carry, in per cent."""

    programme: Percent
    firm: Percent

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.programme + self.firm != 100:
            raise ValueError(Rule("add up to %(sum)s %%, not to 100 %%", sum=self.programme + self.firm))
        if not self.programme or not self.firm:
            raise ValueError(Rule("leave one side without a share"))
        return self


class Tier(Part):
    """Projects of `at_least` and more, up to but not including `below`, bring `percent` of their cost themselves."""

    at_least: Annotated[Amount, Field(ge=0)]
    below: Positive | None = None
    percent: Percent


class Valuation(Named):
    """A way to give something in kind: how it is valued, and all documents that must stand behind it."""

    method: Method
    evidence: Annotated[tuple[str, ...], Field(min_length=1)]


class InKind(Part):
    """What counts in kind, and at most how much: a part of the firm's contribution, or of the agreed total."""

    cap_percent: Percent
    cap_base: Literal["contribution", "total"]
    bases: tuple[str, ...]


class Tranche(Part):
    """A part of the programme's share, which can be released from so many months after the agreement on."""

    percent: Percent
    after_months: Annotated[int, Field(ge=0, le=120)] = 0


class RelatedParty(Part):
    """What a purchase from a related party needs; when it is not allowed, it never counts."""

    allowed: bool = True
    evidence: tuple[str, ...] = ()


def _scale(tiers: tuple[Tier, ...]) -> tuple[Tier, ...]:
    """Return the tiers if they lie side by side from nothing on: no total is in two of them or in none."""
    if tiers and tiers[0].at_least != 0:
        raise ValueError(Rule("start at %(start)s; projects below it have no tier", start=tiers[0].at_least))
    for before, tier in pairwise(tiers):
        start = tier.at_least
        if start <= before.at_least or (before.below is not None and start < before.below):
            raise ValueError(Rule("overlap: the tier from %(start)s begins inside the one before it", start=start))
        if before.below is not None and start > before.below:
            raise ValueError(Rule("leave out projects from %(end)s to %(start)s", end=before.below, start=start))
    for tier in tiers:
        if tier.percent == 100:
            raise ValueError(Rule("leave nothing to the programme from %(start)s on", start=tier.at_least))
    return tiers


def _plan(tranches: tuple[Tranche, ...]) -> tuple[Tranche, ...]:
    total = sum((item.percent for item in tranches), Decimal(0))
    if tranches and total != 100:
        raise ValueError(Rule("add up to %(sum)s %%, not to 100 %%", sum=total))
    months = [item.after_months for item in tranches]
    if months != sorted(months):
        raise ValueError(Rule("must stand in the order of their months"))
    return tranches


class CofinancingRules(Part):
    """The whole of `cofinancing.yaml`."""

    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    reference_prefix: Annotated[str, Field(pattern="^[A-Z]{2,6}$")]
    organisation_kinds: Annotated[tuple[str, ...], Field(min_length=1)]
    workflow: str
    kinds: Annotated[tuple[Named, ...], Field(min_length=1), AfterValidator(_once)]
    shares: Shares | None = None
    match_ratio: Positive | None = None
    tiers: Annotated[tuple[Tier, ...], AfterValidator(_scale)] = ()
    grant_rate: Percent | None = None
    programme_share_cap: Money | None = None
    tranches: Annotated[tuple[Tranche, ...], AfterValidator(_plan)] = ()
    in_kind: InKind
    valuations: Annotated[tuple[Valuation, ...], AfterValidator(_once)] = ()
    cash_minimum_percent: Percent
    first_in: bool = False
    related_party: RelatedParty = RelatedParty()
    second_hand_evidence: tuple[str, ...] = ()
    acts_at: dict[str, tuple[str, ...]]
    agreed_by: dict[Literal["programme", "firm"], str]
    evidence: dict[Literal["cash", "in_kind"], Annotated[tuple[str, ...], Field(min_length=1)]]
    documents: Annotated[tuple[Named, ...], AfterValidator(_once)] = ()
    ineligible: Annotated[tuple[Named, ...], AfterValidator(_once)] = ()

    def misfits(self) -> dict[str, Rule]:
        """Return {field: rule} of what fits nothing else in the file."""
        found: dict[str, Rule] = {}
        if not (self.shares or self.match_ratio or self.tiers):
            found["shares"] = Rule("must say what the firm brings, or match_ratio or tiers must")
        cap = self.programme_share_cap
        if cap is not None and (cap.currency != self.currency or cap.amount <= 0):
            found["programme_share_cap"] = Rule("must be an amount in %(currency)s", currency=self.currency)
        given: dict[str, Mapping[Any, Any]] = {"acts_at": self.acts_at, "agreed_by": self.agreed_by}
        given["evidence"] = self.evidence
        for field, names in WANTED.items():
            found |= {f"{field}.{name}": Rule("is required") for name in names if name not in given[field]}
        return found | self._unnamed()

    def _unnamed(self) -> dict[str, Rule]:
        found: dict[str, Rule] = {}
        known = {item.id for item in self.valuations}
        if known and known != set(self.in_kind.bases):
            odd = ", ".join(sorted(known ^ set(self.in_kind.bases)))
            found["in_kind.bases"] = Rule("are not those of valuations: %(names)s", names=odd)
        named = {item.id for item in self.documents}
        used = {kind for item in self.valuations for kind in item.evidence} | set(self.second_hand_evidence)
        used |= {kind for kinds in self.evidence.values() for kind in kinds} | set(self.related_party.evidence)
        if named and used - named:
            found["documents"] = Rule("do not name: %(names)s", names=", ".join(sorted(used - named)))
        return found

    def misfits_with(self, workflow: Mapping[str, Any] | None) -> dict[str, Rule]:
        """Return {field: rule} of what the workflow that the file names does not have."""
        if workflow is None:
            return {"workflow": Rule("there is no workflow “%(name)s” in this pack", name=self.workflow)}
        stages, moves = _ids(workflow.get("stages")), _ids(workflow.get("transitions"))
        found: dict[str, Rule] = {}
        for act, names in self.acts_at.items():
            if odd := [name for name in names if name not in stages]:
                found[f"acts_at.{act}"] = Rule("the workflow has no stage “%(name)s”", name=odd[0])
        for side, name in self.agreed_by.items():
            if name not in moves:
                found[f"agreed_by.{side}"] = Rule("the workflow has no move “%(name)s”", name=name)
        return found


def _ids(items: Any) -> set[Any]:
    """Return the ids in a part of a workflow; what else may be wrong there is said by the workflow's own check."""
    return {item.get("id") for item in items if isinstance(item, dict)} if isinstance(items, list) else set()
