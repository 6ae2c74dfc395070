"""Organisations that can be paid: an account that two people vouched for long ago."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Engine

from services.grants.domain.payee import Details, Letter, Payee
from services.grants.storage import payees
from shared.clock import Clock
from shared.database import Context, UnitOfWork, system
from shared.vault import Vault

IBAN = "MK07250120000058984"
KEY = "k" * 43
VAULT = Vault([KEY])


def payable(engine: Engine, clock: Clock, *organisations: str) -> None:
    """Let these organisations have an account that was confirmed a year ago."""
    long_ago = clock() - timedelta(days=365)
    item = Details(
        number=1,
        kind="iban",
        country="MK",
        masked="•••• 8984",
        holder="Known for long",
        resembles=100,
        letter=Letter(name="bank.pdf", media_type="application/pdf", size=1, sha256="0" * 64),
        status="confirmed",
        entered_by="user:formerly",
        entered_by_name="Somebody before",
        entered_role="officer",
        entered_at=long_ago,
        decided_by="user:before",
        decided_by_name="Somebody else before",
        decided_at=long_ago,
    )
    with UnitOfWork(engine, "grants", Context(actor=system("grants")), clock=clock) as uow:
        for name in organisations:
            payees.payees(uow).add(Payee(id=name, name=name, programme="business-ecosystem", details=[item]))
            payees.keep_number(uow.connection, VAULT, name, 1, IBAN)
