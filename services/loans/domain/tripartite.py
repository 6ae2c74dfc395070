"""A tripartite agreement: a lead firm buys from a supplier and keeps back what the supplier owes the bank.

draft → proposed → in_force → (under_notice →) ended; before it is in force it may be declined or withdrawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from services.loans.domain.chain_terms import SIDES, ChainTerms, Side, sha256_of, text_of
from shared.entity import Entity, Part
from shared.errors import ConflictError, IllegalTransitionError, InvalidError, Rule
from shared.events.loans import chain as events
from shared.money import Money


@dataclass(frozen=True)
class Move:
    """From any of `sources` to `target`, by any of the sides; an empty target stays where it is."""

    sources: tuple[str, ...]
    target: str
    by: tuple[str, ...]


LIVE = ("in_force", "under_notice")
MOVES: dict[str, Move] = {
    "propose": Move(("draft",), "proposed", ("supplier",)),
    "revise": Move(("draft", "proposed"), "", SIDES),
    "sign": Move(("proposed",), "", SIDES),
    "decline": Move(("proposed",), "declined", ("buyer", "bank")),
    "withdraw": Move(("draft", "proposed"), "withdrawn", ("supplier",)),
    "give_notice": Move(("in_force",), "under_notice", SIDES),
    "declare_breach": Move(LIVE, "ended", SIDES),
    "report_deliveries": Move(LIVE, "", ("buyer",)),
    "end": Move(LIVE, "ended", ("system",)),
}
# What the two others may know of: from the proposal on, and what became of it after that.
SHARED = ("proposed", *LIVE, "ended", "declined")


def legal_moves(stage: str, side: str | None = None) -> list[str]:
    """Return the moves that are possible at `stage`, of one side or of all."""
    return [name for name, move in MOVES.items() if stage in move.sources and (side is None or side in move.by)]


class Consent(Part):
    """The supplier's consent that the two others are told what the agreement needs; see CONSENT_TEXT."""

    text_version: str
    text_sha256: str
    language: str
    given_by: str
    given_by_name: str
    given_at: datetime


class Signature(Part):
    """Who signed which version, known by its hash."""

    side: Side
    number: int
    sha256: str
    by: str
    by_name: str
    at: datetime


class Ending(Part):
    """Why and when an agreement ends; by notice, by breach, or because the loans are repaid."""

    ground: str
    side: str
    why: str
    by_name: str
    on: date


class Tripartite(Entity):
    """One lead firm, one supplier, one bank. A change of the text makes every signature void."""

    KIND: ClassVar[str] = "tripartite"
    PRIVATE: ClassVar[frozenset[str]] = frozenset({"terms", "consent"})

    programme: str
    organisation: str  # the supplier
    organisation_name: str
    buyer: str
    buyer_name: str
    bank: str
    bank_name: str
    stage: str = "draft"
    shared: bool = False  # whether the two others ever saw it
    number: int = 0
    sha256: str = ""
    terms: ChainTerms
    consent: Consent | None = None
    signatures: list[Signature] = []
    in_force_on: date | None = None
    ending: Ending | None = None
    assessed: list[str] = []  # the goods whose day has passed and been looked at
    behind: list[str] = []  # those of which less was delivered than agreed

    def case(self) -> str:
        return self.id

    def programme_id(self) -> str:
        return self.programme

    def parties(self) -> dict[str, list[str]]:
        found = {"applicant": [f"org:{self.organisation}"], "officer": ["role:officer"]}
        others = {"lead_firm": [f"org:{self.buyer}"], "partner": [f"org:{self.bank}"]}
        return found | others if self.shared else found

    def sides(self) -> dict[str, str]:
        """Return {side: what it is called}."""
        return {"supplier": self.organisation_name, "buyer": self.buyer_name, "bank": self.bank_name}

    def facts(self, *notify: str) -> dict[str, Any]:
        """Return what every event about this agreement says; nothing of the loan."""
        return {
            "agreement_id": self.id,
            "organisation_id": self.organisation,
            "organisation_name": self.organisation_name,
            "buyer_id": self.buyer,
            "buyer_name": self.buyer_name,
            "bank_id": self.bank,
            "bank_name": self.bank_name,
            "notify": list(notify),
        }

    def text(self) -> dict[str, Any]:
        """Return what is signed."""
        ids = {"supplier": self.organisation, "buyer": self.buyer, "bank": self.bank}
        parties = {side: f"{name} ({ids[side]})" for side, name in self.sides().items()}
        return text_of(parties, self.id, self.number, self.terms)

    def move(self, name: str) -> None:
        """Go where a move leads; raises IllegalTransitionError naming the legal moves."""
        move = MOVES[name]
        if self.stage not in move.sources:
            raise IllegalTransitionError(name, self.stage, legal_moves(self.stage))
        self.stage = move.target or self.stage

    def _written(self, terms: ChainTerms) -> None:
        if wrong := terms.problems():
            raise InvalidError(wrong)
        self.terms, self.number, self.signatures = terms, self.number + 1, []
        self.sha256 = sha256_of(self.text())

    def draft(self) -> None:
        """Write the first version, which nobody but the supplier and the programme's staff sees."""
        self._written(self.terms)
        self.record(events.TripartiteDrafted(**self.facts(), number=self.number, sha256=self.sha256))

    def revise(self, terms: ChainTerms, side: str, why: str) -> bool:
        """Write the next version; tells whether anything changed. All three have to sign anew."""
        self.move("revise")
        if terms == self.terms:
            return False
        if self.stage == "proposed" and not why.strip():
            raise InvalidError({"why": "is required: the two others have read the version before"})
        self._written(terms)
        told = {"supplier": "applicant", "buyer": "lead_firm", "bank": "partner"}
        notify = [party for name, party in told.items() if name != side] if self.stage == "proposed" else []
        facts = {"number": self.number, "sha256": self.sha256, "side": side, "why": why}
        self.record(events.TripartiteRevised(**self.facts(*notify), **facts))
        return True

    def propose(self, consent: Consent) -> None:
        """Hand the text to the lead firm and the bank, by the supplier's consent."""
        self.move("propose")
        self.consent, self.shared = consent, True
        words = {name: getattr(consent, name) for name in ("text_version", "text_sha256", "language")}
        facts = self.facts("lead_firm", "partner", "officer")
        self.record(events.TripartiteProposed(**facts, number=self.number, sha256=self.sha256, **words))

    def signed(self, side: str) -> Signature | None:
        """Return the side's signature under the present version."""
        return next((item for item in self.signatures if item.side == side), None)

    def missing(self) -> list[str]:
        """Return the sides that have not signed the present version."""
        return [side for side in SIDES if not self.signed(side)]

    def sign(self, given: Signature, today: date) -> None:
        """Sign the text of that hash; with the third signature it is in force."""
        self.move("sign")
        if given.sha256 != self.sha256:
            raise ConflictError("The text has changed: version %(number)s is to be signed now", number=self.number)
        if self.signed(given.side):
            raise ConflictError("%(name)s has signed this version already", name=self.sides()[given.side])
        if self.terms.season_to < today:
            raise ConflictError("The season ended on %(day)s: agree on another first", day=self.terms.season_to)
        self.signatures = [*self.signatures, given]
        about = {"number": self.number, "sha256": self.sha256}
        self.record(events.TripartiteSigned(**self.facts(), side=given.side, **about))
        if not self.missing():
            self.stage, self.in_force_on = "in_force", today
            facts = self.facts("applicant", "lead_firm", "partner", "officer")
            self.record(events.TripartiteInForce(**facts, **about, since=today))

    def decline(self, side: str, why: str) -> None:
        """Refuse the agreement as a whole."""
        self.move("decline")
        _reason(why)
        self.record(events.TripartiteDeclined(**self.facts("applicant", "officer"), side=side, why=why))

    def withdraw(self) -> None:
        """Take the agreement back, and the consent with it: the two others see it no more."""
        told = ("lead_firm", "partner") if self.stage == "proposed" else ()
        self.move("withdraw")
        self.record(events.TripartiteWithdrawn(**self.facts(*told)))

    def give_notice(self, side: str, why: str, name: str, today: date) -> None:
        """End it by the notice agreed; deliveries of the time until then count as before."""
        self.move("give_notice")
        _reason(why)
        last = today + timedelta(days=self.terms.notice_days)
        self.ending = Ending(ground="notice", side=side, why=why, by_name=name, on=last)
        facts = self.facts("applicant", "lead_firm", "partner", "officer")
        self.record(events.TripartiteNoticeGiven(**facts, side=side, why=why, ends_on=last))

    def declare_breach(self, side: str, why: str, name: str, today: date) -> None:
        """End it at once, because another side did not keep it."""
        self.move("declare_breach")
        _reason(why)
        self._ended(Ending(ground="breach", side=side, why=why, by_name=name, on=today))

    def run_out(self, today: date, *, repaid: bool) -> bool:
        """End it when the notice has passed or all its loans are repaid; tells whether it ended."""
        passed = self.stage == "under_notice" and self.ending is not None and self.ending.on < today
        if self.stage not in LIVE or not (repaid or passed):
            return False
        self.move("end")
        made = Ending(ground="repaid", side="", why="", by_name="", on=today)
        self._ended(made if repaid or self.ending is None else self.ending)
        return True

    def _ended(self, ending: Ending) -> None:
        self.ending = ending
        facts = self.facts("applicant", "lead_firm", "partner", "officer")
        about = {"ground": ending.ground, "side": ending.side, "why": ending.why}
        self.record(events.TripartiteEnded(**facts, **about, ended_on=ending.on))

    def deliveries_reported(self, count: int, value: Money, deducted: Money, until: date) -> None:
        """Record that the lead firm reported deliveries; one letter for all of them."""
        self.move("report_deliveries")
        about = {"deliveries": count, "value": value, "deducted": deducted, "objection_until": until}
        self.record(events.DeliveriesReported(**self.facts("applicant"), **about))

    def assess(self, code: str, delivered: Decimal) -> None:
        """Look once, when a good's day has passed, whether what was agreed was delivered; say so when it was not."""
        good = self.terms.good(code)
        if good is None or code in self.assessed:
            return
        self.assessed = [*self.assessed, code]
        if delivered >= good.quantity:
            return
        self.behind = [*self.behind, code]
        about = {"good": good.name, "unit": good.unit, "by": good.by}
        sums = {"agreed": f"{good.quantity.normalize():f}", "delivered": f"{delivered.normalize():f}"}
        self.record(events.TripartiteBehind(**self.facts("partner", "officer", "applicant"), **about, **sums))


def _reason(why: str) -> None:
    if not why.strip():
        raise InvalidError({"why": Rule("is required")})
