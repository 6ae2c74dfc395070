"""A bank file: released tranches that the bank is asked to pay together, each in one file at a time."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, ClassVar, Literal

from services.grants.domain.bulk import Sayable
from services.grants.domain.pieces import Person
from shared.entity import Entity, Part
from shared.errors import ConflictError, ForbiddenError, NotFoundError
from shared.events.grants.bank_file import (
    BankFileCancelled,
    BankFileConfirmed,
    BankFileDownloaded,
    BankFileMade,
    BankFilePaymentTakenOut,
)
from shared.money import Money, total

MOST_PAYMENTS, MOST_DAYS, KEPT_DOWNLOADS = 500, 60, 50
FileKind = Literal["xml", "csv"]


class Payment(Part):
    """One tranche in the file; the account's number stands in the file alone."""

    case: str
    tranche: int
    amount: Money
    organisation: str
    payee: str
    holder: str
    masked: str
    purpose: str
    spelled: str = ""  # the holder as the bank reads it, where that is another spelling
    taken_out: str = ""
    taken_out_by_name: str = ""

    @property
    def id(self) -> str:
        """Return the end-to-end id, which the bank gives back with its confirmation."""
        return end_to_end(self.case, self.tranche)


class LeftOut(Part):
    """A tranche that was chosen and is not in the file, and why."""

    id: str
    payee: str
    why: tuple[Sayable, ...]


class Download(Part):
    """Who took the file out, and when."""

    kind: FileKind
    by_name: str
    at: datetime


class BankFile(Entity):
    """Tranches that go to the bank together; its id is the message id of the file."""

    KIND: ClassVar[str] = "bank_file"

    programme: str
    execution_day: date
    payments: list[Payment]
    left_out: list[LeftOut] = []
    status: Literal["made", "cancelled"] = "made"
    made_by: str
    made_by_name: str
    made_at: datetime
    xml_sha256: str = ""
    csv_sha256: str = ""
    downloads: list[Download] = []
    cancelled_by_name: str = ""
    cancelled_at: datetime | None = None
    why: str = ""

    def programme_id(self) -> str:
        return self.programme

    @property
    def standing(self) -> list[Payment]:
        """Return the payments that were not taken out."""
        return [item for item in self.payments if not item.taken_out]

    def control_sum(self) -> Money:
        """Return what the file as it was made adds up to."""
        return total([item.amount for item in self.payments], self.payments[0].amount.currency)

    def payment(self, payment_id: str) -> Payment:
        """Return a payment by its end-to-end id; raises NotFoundError."""
        for item in self.payments:
            if item.id == payment_id:
                return item
        raise NotFoundError("There is no payment %(name)s in this bank file", name=payment_id)

    def made(self, xml_sha256: str, csv_sha256: str) -> None:
        """Note the files that were made of it."""
        self.xml_sha256, self.csv_sha256 = xml_sha256, csv_sha256
        about: dict[str, Any] = {"xml_sha256": xml_sha256, "csv_sha256": csv_sha256}
        ids = [item.id for item in self.payments]
        self.record(
            BankFileMade(**self._fact(), payment_ids=ids, left_out=[item.id for item in self.left_out], **about)
        )

    def download(self, kind: FileKind, by: Person, now: datetime) -> str:
        """Note that somebody takes the file out; returns its hash. What is cancelled is given out no more."""
        self._must_stand()
        latest = self.downloads[-(KEPT_DOWNLOADS - 1) :]
        self.downloads = [*latest, Download(kind=kind, by_name=by.name, at=now)]
        sha256 = self.xml_sha256 if kind == "xml" else self.csv_sha256
        self.record(BankFileDownloaded(**self._fact(), kind=kind, sha256=sha256))
        return sha256

    def cancel(self, why: str, by: Person, now: datetime, carried_out: int) -> None:
        """Use the file no more; by another person than made it, and while the bank has paid nothing of it."""
        self._must_stand()
        self._must_be_another(by)
        if carried_out:
            raise ConflictError(
                "The bank has paid %(paid)s of %(all)s payments of this file: it can't be cancelled. Take out the "
                "payments that the bank did not carry out",
                paid=carried_out,
                all=len(self.standing),
            )
        self.status, self.why = "cancelled", why
        self.cancelled_by_name, self.cancelled_at = by.name, now
        self.record(BankFileCancelled(**self._fact(), why=why))

    def take_out(self, payment_id: str, why: str, by: Person) -> Payment:
        """Take one payment out that the bank did not carry out; by another person than made the file."""
        self._must_stand()
        self._must_be_another(by)
        item = self.payment(payment_id)
        if item.taken_out:
            raise ConflictError("%(name)s was taken out of the file already", name=payment_id)
        changed = item.model_copy(update={"taken_out": why, "taken_out_by_name": by.name})
        self.payments = [changed if each.id == payment_id else each for each in self.payments]
        self.record(BankFilePaymentTakenOut(**self._fact(), payment_id=payment_id, why=why))
        return changed

    def confirmed(self, taken: int, refused: int) -> None:
        """Note that the bank's confirmations were read."""
        self._must_stand()
        self.record(BankFileConfirmed(**self._fact(), confirmed=taken, refused=refused))

    def _must_stand(self) -> None:
        if self.status == "cancelled":
            raise ConflictError("%(who)s cancelled this bank file: %(why)s", who=self.cancelled_by_name, why=self.why)

    def _must_be_another(self, by: Person) -> None:
        if by.is_one_of(self.made_by):
            raise ForbiddenError("You made this bank file; another person must do this")

    def _fact(self) -> dict[str, Any]:
        return {
            "file_id": self.id,
            "programme": self.programme,
            "payments": len(self.payments),
            "control_sum": self.control_sum(),
            "execution_day": self.execution_day,
        }


def end_to_end(case: str, tranche: int) -> str:
    """Return the id under which a tranche's payment goes through the banks: at most 35 characters."""
    return f"{case}/{tranche}"
