"""A panel's session: who was there, what it recommends for each case, and the record that nobody changes any more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Literal

from services.grants.domain.application import Person
from services.grants.domain.panel.ranking import Candidate, Line, Ranking, ranked
from shared.entity import Entity, Part, canonical_hash
from shared.errors import ConflictError, InvalidError, Rule
from shared.events.decision_rules import DecisionRules, Outcome
from shared.events.grants.panel import PanelFrozen, PanelOpened, PanelSaved
from shared.money import Money, total

FORMAT = "tamga-selection-1"
FUNDS = ("fund", "fund_less")
MAX_MINUTES = 20_000


class Member(Part):
    """Somebody who was there; `left` says for which cases they left the room, and why."""

    user: str
    name: str
    role: str
    left: dict[str, str] = {}


class Proposal(Part):
    """What the panel recommends for one case."""

    outcome: Outcome
    amount: Money | None = None
    reason_code: str = ""
    words: str = ""


class Panel(Entity):
    """A session over one call. Its id is a reference such as PNL-2026-0001."""

    KIND: ClassVar[str] = "panel"
    PRIVATE: ClassVar[frozenset[str]] = frozenset({"minutes", "selection", "proposals"})

    programme: str
    call: str
    pack_version: int
    opened_by: str
    opened_by_name: str
    opened_at: datetime
    members: list[Member] = []
    minutes: str = ""
    proposals: dict[str, Proposal] = {}
    status: Literal["open", "frozen"] = "open"
    selection: dict[str, Any] = {}
    sha256: str = ""
    frozen_by_name: str = ""
    frozen_at: datetime | None = None

    def programme_id(self) -> str:
        return self.programme

    def _facts(self) -> dict[str, Any]:
        return {"panel": self.id, "programme": self.programme, "call": self.call}

    @classmethod
    def opened(cls, applications: int, **fields: Any) -> Panel:
        """Return a new session before which so many applications lie."""
        panel = cls(**fields)
        panel.record(PanelOpened(**panel._facts(), applications=applications))
        return panel

    def save(self, members: Sequence[Member], minutes: str, proposals: Mapping[str, Proposal]) -> None:
        """Write down who is there, the minutes and what is recommended so far."""
        self._must_be_open()
        if len(minutes) > MAX_MINUTES:
            raise InvalidError({"minutes": Rule("is longer than %(most)s characters", most=MAX_MINUTES)})
        self.members, self.minutes, self.proposals = list(members), minutes, dict(proposals)
        self.record(PanelSaved(**self._facts(), proposals=len(proposals), members=len(members)))

    def _must_be_open(self) -> None:
        if self.status != "open":
            raise ConflictError("The record of this panel is frozen; it can't be changed")

    def present_for(self, reference: str) -> list[Member]:
        """Return who stayed in the room for a case."""
        return [member for member in self.members if reference not in member.left]

    def freeze(self, ranking: Ranking, rules: DecisionRules, by: Person, now: datetime) -> None:
        """Make the record of the selection final; raises InvalidError that names what is missing or does not add up."""
        self._must_be_open()
        if wrong := self.wrong(ranking, rules):
            raise InvalidError(wrong, "The record can't be frozen yet")
        self.status, self.frozen_by_name, self.frozen_at = "frozen", by.name, now
        self.selection = self._record(ranking, by, now)
        self.sha256 = canonical_hash(self.selection)
        chosen = Counter(item.outcome for item in self.proposals.values())
        funded = self.funded(ranking)
        self.record(
            PanelFrozen(
                **self._facts(),
                sha256=self.sha256,
                applications=len(ranking.lines),
                outcomes=dict(sorted(chosen.items())),
                funded=funded,
                available=ranking.available,
            )
        )

    def funded(self, ranking: Ranking) -> Money:
        """Return what all that is recommended for funding takes."""
        return total((_amount(self.proposals, line) for line in ranking.lines), ranking.committed.currency)

    def wrong(self, ranking: Ranking, rules: DecisionRules) -> dict[str, str]:
        """Return {field: rule} of what keeps the record from being frozen."""
        found: dict[str, str] = {}
        quorum = rules.panel.quorum
        if len(self.members) < quorum:
            found["members"] = Rule(
                "%(there)s of at least %(quorum)s were there", there=len(self.members), quorum=quorum
            )
        if not self.minutes.strip():
            found["minutes"] = "is required"
        for line in ranking.lines:
            reference = line.candidate.reference
            proposal = self.proposals.get(reference)
            if not self.present_for(reference):
                found[f"members.{reference}"] = "everybody left for this case; nobody can recommend anything"
            rule = "is required" if proposal is None else self._unfit(line, proposal, ranking, rules)
            if rule:
                found[f"proposals.{reference}"] = rule
        funded = self.funded(ranking)
        if ranking.available is not None and funded > ranking.available:
            over = Money.of(funded.amount - ranking.available.amount, funded.currency)
            text = "recommended %(funded)s, available %(available)s: %(over)s too much"
            found["proposals"] = Rule(text, funded=funded, available=ranking.available, over=over)
        return found

    def _unfit(self, line: Line, proposal: Proposal, ranking: Ranking, rules: DecisionRules) -> str:
        asked, codes = line.candidate.requested, rules.reasons_of(proposal.outcome)
        if proposal.outcome in FUNDS and not line.reaches:
            score = line.mean if line.mean is not None else "–"
            return Rule(
                "its score %(score)s is below the threshold %(threshold)s", score=score, threshold=ranking.threshold
            )
        if proposal.outcome == "fund_less" and not (
            proposal.amount and proposal.amount.currency == asked.currency and 0 < proposal.amount.amount < asked.amount
        ):
            return Rule("needs an amount below the %(asked)s that was asked for", asked=asked)
        if proposal.reason_code and proposal.reason_code not in {code.id for code in codes}:
            return Rule("must be one of: %(names)s", names=", ".join(code.id for code in codes) or "-")
        if proposal.outcome == "reject" and codes and not proposal.reason_code:
            return Rule("needs a reason: one of %(names)s", names=", ".join(code.id for code in codes))
        if not proposal.words.strip() and (passed := self.passed_over(line, ranking)):
            return Rule("is funded before %(names)s with a higher score: say why", names=", ".join(passed))
        return ""

    def passed_over(self, line: Line, ranking: Ranking) -> list[str]:
        """Return which cases with a higher score are not funded although this one is."""
        mine = self.proposals.get(line.candidate.reference)
        if mine is None or mine.outcome not in FUNDS:
            return []
        higher = [other for other in ranking.lines if other.reaches and (other.mean or 0) > (line.mean or 0)]
        return [
            other.candidate.reference
            for other in higher
            if (theirs := self.proposals.get(other.candidate.reference)) and theirs.outcome not in FUNDS
        ]

    def _record(self, ranking: Ranking, by: Person, now: datetime) -> dict[str, Any]:
        """Return everything from which the selection can be followed, as JSON types."""
        return {
            "format": FORMAT,
            "panel": self.id,
            "programme": self.programme,
            "call": self.call,
            "pack_version": self.pack_version,
            "opened_at": self.opened_at.isoformat(),
            "frozen_at": now.isoformat(),
            "frozen_by": by.name,
            "order": "mean of the submitted reviews' weighted scores, highest first; equal scores are ties",
            "members": [member.model_dump(mode="json") for member in self.members],
            "minutes": self.minutes,
            "ranking": ranking.model_dump(mode="json"),
            "proposals": {name: item.model_dump(mode="json") for name, item in sorted(self.proposals.items())},
        }


def _amount(proposals: Mapping[str, Proposal], line: Line) -> Money:
    proposal = proposals.get(line.candidate.reference)
    if proposal is None or proposal.outcome not in FUNDS:
        return Money.of(Decimal(0), line.candidate.requested.currency)
    same = proposal.amount and proposal.amount.currency == line.candidate.requested.currency
    return proposal.amount if proposal.outcome == "fund_less" and proposal.amount and same else line.candidate.requested


def replayed(record: Mapping[str, Any]) -> Ranking:
    """Return the ranking computed anew from a record's own scores, amounts and money: it must be the one recorded."""
    kept = Ranking.model_validate(record["ranking"])
    candidates: list[Candidate] = [line.candidate for line in kept.lines]
    return ranked(
        candidates, threshold=kept.threshold, spread=kept.spread, budget=kept.budget, committed=kept.committed
    )
