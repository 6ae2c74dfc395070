"""Banks that are asked one after another, each with its own consent given beforehand."""

from __future__ import annotations

from collections.abc import Sequence as Several
from datetime import date, datetime
from typing import Any, ClassVar, Literal

from services.loans.domain import sla
from services.loans.domain.disclosure import Consent, compact
from services.loans.domain.referral import Referral
from shared.entity import Entity, Part
from shared.errors import ConflictError, IllegalTransitionError, InvalidError, Rule
from shared.events.loans import sequence as events

# Stages of a referral after which the next bank is asked.
OVER = ("declined", "expired", "turned_down", "withdrawn", "void", "closed")
LATE = "late"
MOST = 20
_CHANGEABLE = ("arranged", "running", "stopped")


def outcome(referral: Referral, today: date, patience: int) -> str | None:
    """Return why the next bank is asked: how the referral ended, or that its answer is too late; None to wait on.

    `patience` are working days of the bank's country after the day on which the answer was due.
    """
    if referral.stage in OVER:
        return referral.stage
    return LATE if referral.is_open() and referral.due and today >= next_on(referral, patience) else None


def next_on(referral: Referral, patience: int) -> date:
    """Return the day on which the next bank is asked when this one's answer does not come; it has a day that is due."""
    due = referral.due or date.max
    return sla.due_after(due, max(patience, 1), referral.country)


class Step(Part):
    """One bank in the order; `why` is how its turn ended, or why it had none."""

    bank: str
    bank_name: str
    consent: Consent
    product: str | None = None
    product_number: int | None = None
    state: Literal["waiting", "asked", "over", "skipped"] = "waiting"
    referral: str | None = None
    asked_at: datetime | None = None
    over_at: datetime | None = None
    why: str = ""


class Sequence(Entity):
    """The order of banks for one version of a proposal. Consents, and with them who gave them, stay with the firm."""

    KIND: ClassVar[str] = "sequence"
    PRIVATE: ClassVar[frozenset[str]] = frozenset({"steps"})

    proposal: str
    number: int
    programme: str
    organisation: str
    organisation_name: str
    supporter: str
    supporter_name: str
    stage: Literal["arranged", "running", "stopped", "done"] = "arranged"
    steps: list[Step] = []
    why: str = ""  # why it stands or is over

    def case(self) -> str:
        return self.proposal

    def programme_id(self) -> str:
        return self.programme

    def parties(self) -> dict[str, list[str]]:
        return {"applicant": [f"org:{self.organisation}"], "officer": ["role:officer"]}

    def _facts(self, *notify: str) -> dict[str, Any]:
        same = ("organisation_name", "supporter_name")
        return {name: getattr(self, name) for name in same} | {
            "sequence_id": self.id,
            "proposal_id": self.proposal,
            "organisation_id": self.organisation,
            "supporter_id": self.supporter,
            "notify": list(notify),
        }

    def waiting(self) -> list[Step]:
        """Return the banks that have not been asked yet, in their order."""
        return [step for step in self.steps if step.state == "waiting"]

    def current(self) -> Step | None:
        """Return the bank whose turn it is."""
        return next((step for step in reversed(self.steps) if step.state == "asked"), None)

    def _may(self, move: str, *stages: str) -> None:
        if self.stage not in stages:
            legal = {"arranged": ["arrange", "start", "end"], "running": ["arrange", "end"]}
            raise IllegalTransitionError(move, self.stage, legal.get(self.stage, ["arrange", "start", "end"]))

    def add(self, step: Step) -> None:
        """Put a bank at the end, with its consent; a bank that waits already gets the new consent in its place."""
        if self.stage == "done":
            raise IllegalTransitionError("arrange", self.stage, [])
        if len(self.steps) >= MOST:
            raise ConflictError("A sequence has at most %(limit)s banks", limit=MOST)
        places = [place for place, item in enumerate(self.steps) if item.bank == step.bank and item.state == "waiting"]
        steps = list(self.steps)
        if places:
            steps[places[0]] = step
        else:
            steps.append(step)
        self.steps = steps
        given = step.consent.model_dump(include={"purpose", "until", "text_version", "text_sha256", "language"})
        bank = {"asked_bank": step.bank, "asked_bank_name": step.bank_name}
        self.record(events.SequenceConsented(**self._facts(), **bank, **given, fields=compact(step.consent.fields)))

    def arrange(self, banks: Several[str]) -> None:
        """Put the banks that wait into this order; who is left out is asked no more."""
        self._may("arrange", *_CHANGEABLE)
        waiting = {step.bank: step for step in self.waiting()}
        if set(banks) - set(waiting) or len(set(banks)) != len(banks):
            raise InvalidError({"banks": Rule("must be of those that wait: %(names)s", names=", ".join(waiting))})
        self.steps = [step for step in self.steps if step.state != "waiting"] + [waiting[bank] for bank in banks]
        self.record(events.SequenceArranged(**self._facts(), banks=list(banks)))

    def start(self) -> None:
        """Begin, or go on after it stood."""
        self._may("start", "arranged", "stopped")
        if not self.waiting():
            raise ConflictError("No bank waits: add one first")
        self.stage, self.why = "running", ""
        self.record(events.SequenceStarted(**self._facts(), banks=[step.bank for step in self.waiting()]))

    def leave(self, why: str, now: datetime) -> None:
        """Note how the turn of the present bank ended; said with what follows."""
        self._change(self.current(), state="over", why=why, over_at=now)

    def skip(self, bank: str, why: str, now: datetime) -> None:
        """Pass a waiting bank over; said with what follows."""
        step = next(step for step in self.waiting() if step.bank == bank)
        self._change(step, state="skipped", why=why, over_at=now)

    def ask(self, bank: str, referral: str, now: datetime) -> None:
        """Note that the next bank was asked."""
        before = next((step.why for step in reversed(self.steps) if step.state == "over"), "")
        step = next(step for step in self.waiting() if step.bank == bank)
        self._change(step, state="asked", referral=referral, asked_at=now)
        place = 1 + next(place for place, item in enumerate(self.steps) if item.referral == referral)
        facts = {"asked_bank": step.bank, "asked_bank_name": step.bank_name, "referral": referral}
        counted = {"place": place, "places": len(self.steps), "because": before}
        self.record(events.SequenceAdvanced(**self._facts(), **facts, **counted))

    def _change(self, step: Step | None, **fresh: Any) -> None:
        self.steps = [item.model_copy(update=fresh) if item is step else item for item in self.steps]

    def stop(self, why: str, bank_name: str = "") -> None:
        """Ask nobody until the firm has acted."""
        self.stage, self.why = "stopped", why
        self.record(events.SequenceStopped(**self._facts("applicant"), why=why, asked_bank_name=bank_name))

    def finish(self, why: str) -> None:
        """Be over: met, exhausted or ended."""
        self._may("end", *_CHANGEABLE)
        self.stage, self.why = "done", why
        self.record(events.SequenceFinished(**self._facts("applicant"), why=why))
