"""Bank files: released tranches that go to the bank together. No event carries an account number."""

from __future__ import annotations

from datetime import date

from shared.events.base import Event
from shared.money import Money


class BankFileFact(Event):
    """What every event of a bank file says about it."""

    AUDIENCE = "record"
    file_id: str
    programme: str
    payments: int
    control_sum: Money
    execution_day: date


class BankFileMade(BankFileFact):
    """Tranches were put into a bank file. Entity bank_file:<id>; `payment_ids` are its end-to-end ids."""

    TYPE = "grants.bank_file.made"
    payment_ids: list[str]
    left_out: list[str]
    xml_sha256: str
    csv_sha256: str


class BankFileDownloaded(BankFileFact):
    """Somebody took the file out, as `kind` xml or csv."""

    TYPE = "grants.bank_file.downloaded"
    kind: str
    sha256: str


class BankFileCancelled(BankFileFact):
    """The file is not to be used; its tranches wait again."""

    TYPE = "grants.bank_file.cancelled"
    why: str


class BankFilePaymentTakenOut(BankFileFact):
    """The bank did not carry out one payment of the file; its tranche waits again."""

    TYPE = "grants.bank_file.payment_taken_out"
    payment_id: str
    why: str


class BankFileConfirmed(BankFileFact):
    """The bank's confirmations of the file were read: how many rows were taken, how many refused."""

    TYPE = "grants.bank_file.confirmed"
    confirmed: int
    refused: int
