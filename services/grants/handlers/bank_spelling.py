"""How the bank reads who is paid and for what: shown before a file is made, and refused where nobody may guess."""

from __future__ import annotations

from typing import Protocol

from services.grants.domain.bank_words import written
from shared.errors import ConflictError, TamgaError
from shared.events.payment_rules import Debtor


class Spelled(Protocol):
    """Whose account it is: bank details, or an account made of them."""

    @property
    def holder(self) -> str:
        """The name on the account."""

    @property
    def bank(self) -> str:
        """The bank's name, where the file needs it."""

    @property
    def bic(self) -> str:
        """The bank's code."""

    @property
    def country(self) -> str:
        """Where the account is."""


def spelling(account: Spelled) -> str:
    """Return the holder as the bank reads it, nothing where it reads the same."""
    found = written(account.holder, account.country).text
    return "" if found == account.holder else found


def unwritable(account: Spelled, payee: str, purpose: str) -> TamgaError | None:
    """Return which text of a payment has letters that banks do not take and nobody may guess."""
    texts = [
        (account.holder, "The name on the account of %(payee)s has letters that banks do not take: %(letters)s"),
        (
            "" if account.bic else account.bank,
            "The name of the bank of %(payee)s has letters that banks do not take: %(letters)s",
        ),
        (
            purpose,
            "The purpose of the payment to %(payee)s has letters that banks do not take: %(letters)s",
        ),
    ]
    for text, message in texts:
        if unknown := written(text, account.country).unknown:
            return ConflictError(message, payee=payee, letters=unknown[:20])
    if not written(account.holder, account.country).text.strip(" ."):
        return ConflictError("The name on the account of %(payee)s is empty", payee=payee)
    return None


def must_be_writable(debtor: Debtor) -> None:
    """Raise ConflictError when the payer's own name can't be written for a bank."""
    if unknown := written(debtor.name, debtor.iban[:2]).unknown:
        raise ConflictError(
            "The payer's name in payments.yaml has letters that banks do not take: %(letters)s", letters=unknown
        )
