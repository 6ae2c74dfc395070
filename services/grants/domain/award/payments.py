"""The money of an award: tranches asked for, released against verified milestones, and paid."""

from __future__ import annotations

from datetime import date
from typing import Any

from services.grants.domain.application import Person
from services.grants.domain.award.account import Account
from services.grants.domain.award.parts import Tranche
from shared.errors import ConflictError, ForbiddenError, InvalidError
from shared.events.grants.award import PaymentConfirmed, TrancheRefused, TrancheReleased, TrancheRequested


class Award(Account):
    """What was agreed with the recipient of a grant, and what was paid. Its id is the application's reference."""

    def request(self, number: int, by: Person) -> None:
        """Ask that a tranche be paid."""
        self._must_be_concluded()
        tranche = self.tranche(number)
        if tranche.status != "planned":
            raise ConflictError("Tranche %(number)s is %(status)s already", number=number, status=tranche.status)
        update = {"status": "requested", "requested_by": by.id, "requested_by_name": by.name, "refused": ""}
        self._replace(tranche.model_copy(update=update))
        self.record(TrancheRequested(**self._tranche_fact(tranche, ["finance"])))

    def release(self, number: int, by: Person) -> None:
        """Release a requested tranche: by another person, against a verified milestone, within the total."""
        tranche = self._requested(number)
        if by.is_one_of(tranche.requested_by):
            raise ForbiddenError("You requested this tranche; another person must release it")
        if self.milestone(number).status != "verified":
            raise ConflictError(
                "Tranche %(number)s is held: milestone %(number)s “%(title)s” is not verified yet",
                number=number,
                title=self.milestone(number).title,
            )
        if self.released() + tranche.amount > self.amount:
            raise ConflictError(
                "Tranche %(number)s is held: %(released)s released + %(tranche)s is above the agreed %(agreed)s",
                number=number,
                released=str(self.released()),
                tranche=str(tranche.amount),
                agreed=str(self.amount),
            )
        update = {"status": "released", "released_by": by.id, "released_by_name": by.name}
        self._replace(tranche.model_copy(update=update))
        requested_by = tranche.requested_by_name or ""
        self.record(TrancheReleased(**self._tranche_fact(tranche, ["applicant"]), requested_by=requested_by))

    def refuse(self, number: int, why: str, by: Person) -> None:
        """Do not release a requested tranche, and say why."""
        tranche = self._requested(number)
        if by.is_one_of(tranche.requested_by):
            raise ForbiddenError("You requested this tranche; another person must decide about it")
        self._replace(Tranche(number=number, amount=tranche.amount, refused=why))
        self.record(TrancheRefused(**self._tranche_fact(tranche, ["officer"]), why=why))

    def confirm(self, number: int, reference: str, paid_on: date, today: date) -> None:
        """Confirm that the bank paid a released tranche."""
        tranche = self.tranche(number)
        if tranche.status != "released":
            raise ConflictError("Tranche %(number)s is not released for payment", number=number)
        if paid_on > today:
            raise InvalidError({"paid_on": "can't be in the future"})
        if any(item.payment_reference == reference for item in self.tranches):
            raise InvalidError({"payment_reference": "is that of another tranche already"})
        update = {"status": "paid", "payment_reference": reference, "paid_on": paid_on}
        self._replace(tranche.model_copy(update=update))
        self.record(
            PaymentConfirmed(
                **self._tranche_fact(tranche, ["applicant", "officer"]),
                payment_reference=reference,
                paid_on=paid_on,
                paid_so_far=self.paid(),
            )
        )

    def _requested(self, number: int) -> Tranche:
        tranche = self.tranche(number)
        if tranche.status != "requested":
            raise ConflictError("Tranche %(number)s is not requested", number=number)
        return tranche

    def _tranche_fact(self, tranche: Tranche, notify: list[str]) -> dict[str, Any]:
        return self._facts(notify) | {"tranche": tranche.number, "tranche_amount": tranche.amount}
