"""A referral of one proposal to one bank: its stages, the bank's clock, and the applicant's consent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar

from services.loans.domain import sla
from services.loans.domain.disclosure import Consent
from services.loans.domain.finance import Partner
from services.loans.domain.offer import Counter, Offer, Question
from shared.entity import Entity
from shared.errors import ConflictError, IllegalTransitionError, InvalidError
from shared.events.loans import referral as events
from shared.events.loans.rounds import OfferCountered, ReferralOverdue
from shared.money import Money


@dataclass(frozen=True)
class Move:
    """From any of `sources` to `target`; `by` is the side that makes it."""

    sources: tuple[str, ...]
    target: str
    by: str


_WITH_BANK = ("received", "info_supplied", "in_credit")
_OPEN = ("created", "consented", "submitted", *_WITH_BANK, "info_requested", "offered", "countered")

# The whole machine. A stage that is nobody's source is an end.
MOVES: dict[str, Move] = {
    "consent": Move(("created",), "consented", "applicant"),
    "submit": Move(("consented",), "submitted", "applicant"),
    "acknowledge": Move(("submitted",), "received", "bank"),
    "ask": Move(_WITH_BANK, "info_requested", "bank"),
    "answer": Move(("info_requested",), "info_supplied", "applicant"),
    "analyse": Move(("received", "info_supplied"), "in_credit", "bank"),
    "offer": Move((*_WITH_BANK, "countered"), "offered", "bank"),
    "counter": Move(("offered",), "countered", "applicant"),
    "decline": Move((*_WITH_BANK, "info_requested", "countered"), "declined", "bank"),
    "accept": Move(("offered",), "accepted", "applicant"),
    "turn_down": Move(("offered",), "turned_down", "applicant"),
    "expire": Move(("offered",), "expired", "system"),
    "withdraw": Move((*_OPEN[2:],), "withdrawn", "applicant"),
    "revoke": Move(("created", "consented", "submitted"), "void", "applicant"),
    "close": Move(_OPEN, "closed", "system"),
    "disburse_part": Move(("accepted", "partly_disbursed"), "partly_disbursed", "bank"),
    "disburse": Move(("accepted", "partly_disbursed"), "disbursed", "bank"),
}
OPEN_STAGES = _OPEN
# What the bank no longer sees: consent never reached it, or was revoked in time.
HIDDEN_FROM_BANK = ("created", "consented", "void")
# The purpose of the consent is over: the bank keeps its own decision and sees no field any more.
PURPOSE_OVER = ("withdrawn", "closed", "turned_down", "expired")


def legal_moves(stage: str, by: str | None = None) -> list[str]:
    """Return the moves that are possible at `stage`, of one side or of all."""
    return [name for name, move in MOVES.items() if stage in move.sources and by in {None, move.by}]


class Referral(Entity):
    """What one bank is asked. `number` is the locked version of the proposal that the bank sees."""

    KIND: ClassVar[str] = "referral"
    PRIVATE: ClassVar[frozenset[str]] = frozenset({"questions", "consent", "counters"})

    proposal: str
    number: int
    programme: str
    organisation: str
    organisation_name: str
    bank: str
    bank_name: str
    country: str
    title: str
    amount: Money
    term_months: int
    product: str | None = None  # the product of the bank that is asked for, in that version
    product_number: int | None = None
    stage: str = "created"
    consent: Consent | None = None
    consent_revoked_at: datetime | None = None
    submitted_at: datetime | None = None
    received_at: datetime | None = None
    due: date | None = None
    escalated: date | None = None  # the due day of which it was said that it has passed
    days_left: int | None = None  # working days kept while the clock stands still
    questions: list[Question] = []
    decline_reasons: list[str] = []
    decline_note: str = ""
    offer: Offer | None = None
    earlier: list[Offer] = []  # the versions that a newer one has replaced, oldest first
    counters: list[Counter] = []
    loan: str | None = None
    again_of: str | None = None  # the declined referral of an earlier version that this one follows

    def case(self) -> str:
        return self.proposal

    def programme_id(self) -> str:
        return self.programme

    def parties(self) -> dict[str, list[str]]:
        found = {"applicant": [f"org:{self.organisation}"], "officer": ["role:officer"]}
        return found if self.stage in HIDDEN_FROM_BANK else found | {"partner": [f"org:{self.bank}"]}

    def facts(self, *notify: str) -> dict[str, Any]:
        """Return what every event about this referral says."""
        return {
            "referral_id": self.id,
            "proposal_id": self.proposal,
            "organisation_id": self.organisation,
            "organisation_name": self.organisation_name,
            "bank_id": self.bank,
            "bank_name": self.bank_name,
            "title": self.title,
            "notify": list(notify),
        }

    def is_open(self) -> bool:
        """Tell whether the bank may still decide."""
        return self.stage in OPEN_STAGES

    def move(self, name: str) -> None:
        """Go to the stage that the move leads to; raises IllegalTransitionError naming the legal moves."""
        if self.stage not in MOVES[name].sources:
            raise IllegalTransitionError(name, self.stage, legal_moves(self.stage))
        self.stage = MOVES[name].target

    def give_consent(self, consent: Consent) -> None:
        """Record what the applicant agreed to; before it nothing leaves."""
        self.move("consent")
        self.consent = consent
        agreed = consent.model_dump(include={"fields", "purpose", "until", "text_version", "text_sha256", "language"})
        self.record(events.ConsentGiven(**self.facts(), **agreed))

    def submit(self, partner: Partner, now: datetime, today: date) -> None:
        """Hand the referral to the bank; its clock starts."""
        self.move("submit")
        self.submitted_at, self.due = now, sla.due_after(today, partner.sla_days, self.country)
        facts = self.facts("partner", "applicant", "officer")
        asked = {"amount": self.amount, "term_months": self.term_months, "due": self.due}
        asked |= {"product_id": self.product, "product_number": self.product_number}
        self.record(events.ReferralSubmitted(**facts, **asked))

    def visible(self, today: date) -> list[str]:
        """Return the fields that the bank may see today: none without a live consent."""
        if self.stage in (*HIDDEN_FROM_BANK, *PURPOSE_OVER) or self.consent is None or self.consent_revoked_at:
            return []
        return self.consent.fields if today <= self.consent.until else []

    def acknowledge(self, now: datetime) -> None:
        """Record that the bank has the referral; from here the consent can't be revoked."""
        self.move("acknowledge")
        self.received_at = now
        self.record(events.ReferralReceived(**self.facts("applicant"), due=self.due or now.date()))

    def ask(self, text: str, now: datetime, today: date, by: str) -> None:
        """Ask the applicant for something; the bank's clock stands still until the answer."""
        self.move("ask")
        left = max(sla.days_left(today, self.due or today, self.country), 0)
        self.days_left, self.due = left, None
        self.questions = [*self.questions, Question(text=text, asked_at=now, asked_by=by)]
        self.record(events.InformationRequested(**self.facts("applicant"), working_days_left=left))

    def answer(self, text: str, now: datetime, today: date, by: str) -> None:
        """Answer the bank; its clock runs on with the days that were left."""
        self.move("answer")
        self.due = sla.due_after(today, self.days_left or 1, self.country)
        self.days_left = None
        *before, last = self.questions
        self.questions = [*before, last.model_copy(update={"answer": text, "answered_at": now, "answered_by": by})]
        self.record(events.InformationSupplied(**self.facts("partner"), due=self.due))

    def analyse(self) -> None:
        """Record that the credit desk has taken it up."""
        self.move("analyse")
        self.record(events.AnalysisStarted(**self.facts()))

    def decline(self, reasons: Sequence[str], note: str, known: Sequence[str]) -> None:
        """Decline for at least one of the programme's coded reasons."""
        unknown = [reason for reason in reasons if reason not in known]
        if not reasons or unknown:
            raise InvalidError({"reasons": f"choose at least one of: {', '.join(known)}"})
        self.move("decline")
        self.due = self.days_left = None
        self.decline_reasons, self.decline_note = list(dict.fromkeys(reasons)), note
        facts = self.facts("applicant", "officer")
        self.record(events.ReferralDeclined(**facts, reasons=self.decline_reasons, note=note))

    def make_offer(self, offer: Offer, today: date) -> None:
        """Offer at most what was asked for, valid at least today; the answer to a counter-offer is the next version."""
        wrong = offer.problems(self.amount, today)
        if wrong:
            raise InvalidError(wrong)
        self.move("offer")
        if self.offer:
            self.earlier = [*self.earlier, self.offer]
        self.due, self.offer = None, offer.model_copy(update={"number": len(self.earlier) + 1})
        facts = self.offer.model_dump(include={"amount", "term_months", "fee", "valid_until", "number"})
        rates = {"rate": str(offer.rate), "effective_rate": str(offer.effective_rate)}
        self.record(events.OfferMade(**self.facts("applicant", "officer"), **facts, **rates))

    def _standing(self, today: date) -> None:
        if self.stage == "offered" and self.offer and self.offer.valid_until < today:
            raise ConflictError("The offer was valid until %(day)s", day=self.offer.valid_until)

    def counter(self, counter: Counter, today: date, sla_days: int) -> None:
        """Ask for other terms; the offer can't be accepted until the bank has answered, and its clock runs."""
        self._standing(today)
        if self.stage == "offered" and self.offer:
            wrong = counter.problems(self.offer, self.amount)
            if wrong:
                raise InvalidError(wrong)
        self.move("counter")
        self.counters = [*self.counters, counter]
        self.due = sla.due_after(today, sla_days, self.country)
        facts = counter.model_dump(include={"number", "amount", "term_months", "fee"})
        notify = self.facts("partner", "officer")
        self.record(OfferCountered(**notify, **facts, rate=str(counter.rate), due=self.due))

    def accept(self, loan: str, today: date) -> Offer:
        """Accept the bank's offer, which becomes the loan of that id."""
        self._standing(today)
        self.move("accept")
        if self.offer is None:
            raise ConflictError("There is no offer")
        self.loan = loan
        facts = {"loan_id": loan, "amount": self.offer.amount, "rate": str(self.offer.rate)}
        notify = self.facts("partner", "officer")
        self.record(events.OfferAccepted(**notify, **facts, term_months=self.offer.term_months))
        return self.offer

    def turn_down(self) -> None:
        """Refuse the offer."""
        self.move("turn_down")
        self.record(events.OfferTurnedDown(**self.facts("partner")))

    def expire(self, today: date) -> bool:
        """End an offer whose last day has passed; tells whether it has."""
        if self.stage != "offered" or self.offer is None or self.offer.valid_until >= today:
            return False
        self.move("expire")
        self.record(events.OfferExpired(**self.facts("applicant", "partner"), valid_until=self.offer.valid_until))
        return True

    def escalate(self, today: date) -> bool:
        """Say that the bank's answer is late, once for each due day; tells whether it was said now."""
        if not self.is_open() or self.due is None or self.due >= today or self.escalated == self.due:
            return False
        self.escalated = self.due
        late = -sla.days_left(today, self.due, self.country)
        self.record(ReferralOverdue(**self.facts("partner", "officer"), due=self.due, working_days_late=late))
        return True

    def withdraw(self) -> None:
        """Take the referral back from the bank."""
        self.move("withdraw")
        self.due = self.days_left = None
        self.record(events.ReferralWithdrawn(**self.facts("partner", "officer")))

    def revoke(self, now: datetime) -> None:
        """Revoke the consent before the bank has acknowledged: it sees nothing any more."""
        self.move("revoke")
        self.consent_revoked_at, self.due = now, None
        self.record(events.ConsentRevoked(**self.facts("officer")))

    def close(self, why: str) -> None:
        """Close by itself, because another offer was accepted."""
        self.move("close")
        self.due = self.days_left = None
        self.record(events.ReferralClosed(**self.facts("partner", "applicant"), why=why))

    def disbursed(self, loan: str, paid: Money, *, whole: bool) -> None:
        """Record money paid out under the accepted offer."""
        self.move("disburse" if whole else "disburse_part")
        self.record(events.ReferralDisbursed(**self.facts(), loan_id=loan, disbursed=paid, whole=whole))
