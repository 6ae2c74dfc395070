"""The money of an award: tranches requested, certified, released as far as the conditions go, paid, reversed."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from services.grants.domain.application import Person
from services.grants.domain.award.account import Account
from services.grants.domain.award.conditions import Condition, allowed, conditions
from services.grants.domain.award.parts import Certificate, Hold, Reversal, Tranche, milestone_of
from shared.errors import ConflictError, ForbiddenError, InvalidError, Rule
from shared.events.grants.award import (
    PaymentConfirmed,
    PaymentReversed,
    TrancheCertified,
    TrancheHeld,
    TrancheRefused,
    TrancheReleased,
    TrancheRequested,
    TrancheUnheld,
)
from shared.events.grants.closeout import AwardReopened, AwardSettled
from shared.events.payment_rules import PaymentRules
from shared.money import Money, total

RULES = PaymentRules()
_ACTS = {"verify": "verified its milestone", "request": "requested it", "certify": "certified it"}
_ACTS |= {"release": "released it", "confirm": "confirmed it"}


class Award(Account):
    """What was agreed with the recipient of a grant, and what was paid. Its id is the application's reference."""

    def request(self, number: int, by: Person) -> None:
        """Ask that a tranche be paid."""
        self._must_be_concluded()
        tranche = self._unheld(number)
        if tranche.status != "planned":
            raise ConflictError("Tranche %(number)s is %(status)s already", number=number, status=tranche.status)
        update = {"status": "requested", "requested_by": by.id, "requested_by_name": by.name, "refused": ""}
        self._replace(tranche.model_copy(update=update | {"refused_code": "", "certificate": None}))
        self.record(TrancheRequested(**self._tranche_fact(tranche, ["finance"])))

    def certify(self, number: int, certificate: Certificate, by: Person, rules: PaymentRules = RULES) -> None:
        """Certify a request: how much may be paid, for which time and what for; another person than asked does."""
        tranche = self._unheld(number)
        if tranche.status != "requested":
            raise ConflictError("Tranche %(number)s has no request that waits for a certificate", number=number)
        self._must_be_apart("certify", tranche, by, rules)
        self._in_currency("amount", certificate.amount)
        if certificate.amount.amount <= 0 or certificate.amount > tranche.amount:
            rule = Rule("must be more than nothing and at most %(owed)s", owed=tranche.amount)
            raise InvalidError({"amount": rule})
        if certificate.period_to < certificate.period_from:
            raise InvalidError({"period_to": "is before the first day of the period"})
        if self.terms and self.terms.ends_on and certificate.period_to > self.terms.ends_on:
            raise InvalidError({"period_to": Rule("is after the grant: it ends on %(day)s", day=self.terms.ends_on)})
        self._replace(tranche.model_copy(update={"status": "certified", "certificate": certificate}))
        about = certificate.model_dump(include={"period_from", "period_to", "purpose"})
        fact = self._tranche_fact(tranche, ["finance"])
        self.record(TrancheCertified(**fact, certified=certificate.amount, **about))

    def held_by(self, number: int, rules: PaymentRules = RULES) -> list[Condition]:
        """Return the conditions that hold a tranche or a part of it now."""
        tranche = self.tranche(number)
        return [] if tranche.settles else conditions(self, tranche, rules)

    def releasable(self, number: int, rules: PaymentRules = RULES) -> Money:
        """Return how much of a tranche the conditions let go now."""
        return allowed(self.tranche(number), self.held_by(number, rules))

    def release(
        self, number: int, by: Person, rules: PaymentRules = RULES, *, amount: Money | None = None, why: str = ""
    ) -> Money:
        """Release a requested tranche, or the part of it that the conditions hold; returns what is released.

        By another person than requested or certified it, against a verified milestone. What is not released is a
        tranche of its own from then on. Raises ConflictError with the arithmetic of every condition in the way.
        """
        tranche = self._requested(number)
        self._must_be_apart("release", tranche, by, rules)
        limit = rules.certify_from
        if tranche.status == "requested" and limit is not None and tranche.amount >= limit:
            raise ConflictError(
                "Tranche %(number)s must be certified first: %(amount)s is %(limit)s or more",
                number=number,
                amount=tranche.amount,
                limit=limit,
            )
        wanted, held = amount or tranche.amount, self.held_by(number, rules)
        self._in_currency("amount", wanted)
        if wanted.amount <= 0 or wanted > tranche.amount:
            raise InvalidError({"amount": Rule("must be more than nothing and at most %(owed)s", owed=tranche.amount)})
        if wanted > allowed(tranche, held):
            self._say(tranche, held)
        rest = tranche.amount - wanted
        because = why or "; ".join(str(item) for item in held)
        if rest and not because:
            raise InvalidError({"reason": "is required: say why a part is held"})
        update = {"status": "released", "released_by": by.id, "released_by_name": by.name, "amount": wanted}
        self._replace(tranche.model_copy(update=update))
        about = {"held": rest, "held_as": self._keep(tranche, rest), "held_why": because} if rest else {}
        requested_by = tranche.requested_by_name or ""
        fact = self._tranche_fact(self.tranche(number), ["applicant"])
        self.record(TrancheReleased(**fact, requested_by=requested_by, **about))
        return wanted

    def _say(self, tranche: Tranche, held: list[Condition]) -> None:
        free = allowed(tranche, held)
        if len(held) == 1 and not free:
            raise ConflictError(held[0].message, **held[0].params)
        why: Rule = held[0]
        for item in held[1:]:
            why = Rule("%(first)s, and %(more)s", first=why, more=item)
        raise ConflictError(
            "Tranche %(number)s is held: %(why)s. Of %(amount)s, %(allowed)s can be released now",
            number=tranche.number,
            why=why,
            amount=tranche.amount,
            allowed=free,
        )

    def _keep(self, tranche: Tranche, rest: Money) -> int:
        """Keep what is not released as a tranche of its own; returns its number."""
        number = max(item.number for item in self.tranches) + 1
        kept = Tranche(number=number, amount=rest, of=milestone_of(tranche), settles=tranche.settles)
        self.tranches = [*self.tranches, kept]
        return number

    def refuse(self, number: int, why: str, by: Person, code: str = "") -> None:
        """Do not pay a tranche that was requested, certified or released, and say why; it can be requested again."""
        tranche = self.tranche(number)
        if tranche.status not in {"requested", "certified", "released"}:
            raise ConflictError("Tranche %(number)s is not requested", number=number)
        if by.is_one_of(tranche.requested_by):
            raise ForbiddenError("You requested this tranche; another person must decide about it")
        self._in_no_file(tranche)
        kept = tranche.model_dump(include={"number", "amount", "of", "settles"})
        said = {"refused": why, "refused_code": code, "hold": tranche.hold, "reversals": tranche.reversals}
        self._replace(Tranche(**kept).model_copy(update=said))
        self.record(TrancheRefused(**self._tranche_fact(tranche, ["officer"]), why=why, code=code or None))

    def put_on_hold(self, number: int, hold: Hold) -> None:
        """Let a tranche go no further until somebody else says so; what is in a bank file can't be held here."""
        tranche = self._unheld(number)
        if tranche.status == "paid":
            raise ConflictError("Tranche %(number)s is paid already", number=number)
        self._in_no_file(tranche)
        self._replace(tranche.model_copy(update={"hold": hold}))
        self.record(TrancheHeld(**self._tranche_fact(tranche, ["officer", "finance"]), code=hold.code, why=hold.why))

    def take_off_hold(self, number: int, why: str, by: Person) -> None:
        """Let a held tranche go on; another person than held it does."""
        tranche = self.tranche(number)
        if tranche.hold is None:
            raise ConflictError("Tranche %(number)s is not on hold", number=number)
        if by.is_one_of(tranche.hold.by):
            raise ForbiddenError("You put this tranche on hold; another person must let it go on")
        self._replace(tranche.model_copy(update={"hold": None}))
        self.record(TrancheUnheld(**self._tranche_fact(tranche, ["officer", "finance"]), why=why))

    def confirm(
        self,
        number: int,
        reference: str,
        paid_on: date,
        today: date,
        *,
        by: Person | None = None,
        rules: PaymentRules = RULES,
    ) -> None:
        """Confirm that the bank paid a released tranche."""
        tranche = self._unheld(number)
        if tranche.status != "released":
            raise ConflictError("Tranche %(number)s is not released for payment", number=number)
        if by is not None:
            self._must_be_apart("confirm", tranche, by, rules)
        if paid_on > today:
            raise InvalidError({"paid_on": "can't be in the future"})
        if reference in self._references():
            raise InvalidError({"payment_reference": "is that of another tranche already"})
        who = {"confirmed_by": by.id, "confirmed_by_name": by.name} if by else {}
        update = {"status": "paid", "payment_reference": reference, "paid_on": paid_on}
        self._replace(tranche.model_copy(update=update | who))
        self.record(
            PaymentConfirmed(
                **self._tranche_fact(tranche, ["applicant", "officer"]),
                payment_reference=reference,
                paid_on=paid_on,
                paid_so_far=self.paid(),
            )
        )

    def _references(self) -> set[str]:
        """Return the bank's references that were used, of payments that were reversed too."""
        gone = {item.payment_reference for tranche in self.tranches for item in tranche.reversals}
        return gone | {tranche.payment_reference for tranche in self.tranches}

    def reverse(self, number: int, how: Literal["returned", "mistaken"], why: str, by: Person, now: datetime) -> Money:
        """Take back a confirmation: the bank sent the money back, or it was confirmed by mistake.

        Another person than confirmed it does. The tranche is released again, and after a return on hold: the account
        may be wrong. Returns the amount.
        """
        tranche = self.tranche(number)
        if tranche.status != "paid":
            raise ConflictError("Tranche %(number)s is not paid, so there is nothing to reverse", number=number)
        if by.is_one_of(tranche.confirmed_by):
            raise ForbiddenError("You confirmed this payment; another person must reverse it")
        gone = {"payment_reference": tranche.payment_reference, "paid_on": tranche.paid_on}
        reversal = Reversal(how=how, why=why, by=by.id, by_name=by.name, at=now, **gone)
        hold = Hold(code="bank", why=why, by=by.id, by_name=by.name, at=now) if how == "returned" else None
        update: dict[str, Any] = {"status": "released", "payment_reference": "", "paid_on": None, "hold": hold}
        update |= {"confirmed_by": None, "confirmed_by_name": None, "reversals": (*tranche.reversals, reversal)}
        update |= {"batch": None} if how == "returned" else {}
        self._replace(tranche.model_copy(update=update))
        about = {"how": how, "why": why, "payment_reference": tranche.payment_reference}
        fact = self._tranche_fact(tranche, ["officer", "finance"])
        self.record(PaymentReversed(**fact, **about, paid_so_far=self.paid()))
        return tranche.amount

    def of_milestone(self, number: int) -> Money:
        """Return what was released for the milestone of a tranche, that tranche included: what authority is for."""
        tranche = self.tranche(number)
        if tranche.settles:
            return tranche.amount
        same = (item for item in self.tranches if milestone_of(item) == milestone_of(tranche))
        counted = (item.amount for item in same if item.status in {"released", "paid"} or item.number == number)
        return total(counted, self.amount.currency)

    def settles(self, number: int) -> bool:
        """Return whether that tranche is what a terminated grant still owes."""
        return any(item.settles for item in self.tranches if item.number == number)

    def owe(self, amount: Money, by: Person) -> None:
        """Ask that what a terminated grant owes for accepted costs be paid: a tranche without a milestone."""
        number = max(item.number for item in self.tranches) + 1
        asked = {"status": "requested", "requested_by": by.id, "requested_by_name": by.name}
        owed = Tranche(number=number, amount=amount, of=self.milestones[-1].number, settles=True, **asked)
        self.tranches = [*self.tranches, owed]
        self.record(TrancheRequested(**self._tranche_fact(owed, ["finance"])))

    def end(self, how: str, **due: Any) -> None:
        """Record how the money stands at the end, and what is still due."""
        sums = {"paid": self.paid(), "costs": self.accepted(), "refunded": self.refunded()}
        self.record(AwardSettled(**self._facts(["finance"]), how=how, **sums, **due))

    def resume(self, taken: Money) -> None:
        """Record that a grant which had ended runs again."""
        self.record(AwardReopened(**self._facts(["finance"]), taken_again=taken))

    def put_in_batch(self, number: int, batch: str | None) -> None:
        """Note the bank file that a tranche is in, or that it is in none any more; the file records the event."""
        self._replace(self.tranche(number).model_copy(update={"batch": batch}))

    def _in_no_file(self, tranche: Tranche) -> None:
        if tranche.batch:
            message = "Tranche %(number)s is in the bank file %(batch)s; cancel that first"
            raise ConflictError(message, number=tranche.number, batch=tranche.batch)

    def _unheld(self, number: int) -> Tranche:
        tranche = self.tranche(number)
        if tranche.hold is not None:
            raise ConflictError(
                "Tranche %(number)s is on hold since %(day)s: %(why)s (%(who)s)",
                number=number,
                day=tranche.hold.at.date(),
                why=tranche.hold.why,
                who=tranche.hold.by_name,
            )
        return tranche

    def _requested(self, number: int) -> Tranche:
        tranche = self._unheld(number)
        if tranche.status not in {"requested", "certified"}:
            raise ConflictError("Tranche %(number)s is not requested", number=number)
        return tranche

    def _must_be_apart(self, act: str, tranche: Tranche, by: Person, rules: PaymentRules) -> None:
        """Raise ForbiddenError when the rules want two people for this act and one that this person did before."""
        if act == "release" and by.is_one_of(tranche.requested_by):
            raise ForbiddenError("You requested this tranche; another person must release it")
        certified = tranche.certificate.by if tranche.certificate else None
        verified = self.milestone(milestone_of(tranche)).settled_by
        done = {"verify": verified, "request": tranche.requested_by, "certify": certified}
        done |= {"release": tranche.released_by, "confirm": tranche.confirmed_by}
        for earlier, who in done.items():
            if by.is_one_of(who) and frozenset((earlier, act)) in rules.pairs():
                raise ForbiddenError("You %(did)s; another person must do this", did=Rule(_ACTS[earlier]))

    def _tranche_fact(self, tranche: Tranche, notify: list[str]) -> dict[str, Any]:
        return self._facts(notify) | {"tranche": tranche.number, "tranche_amount": tranche.amount}
