"""An agreement as one side may see it.

The lead firm is told what is due to be kept back, and nothing of the loans. The bank is told of goods and prices while
the agreement lasts; afterwards it keeps the sums that it received.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from services.loans.domain import delivery as deliveries_domain
from services.loans.domain.arrears import ZERO
from services.loans.domain.chain_books import Books, books
from services.loans.domain.tripartite import LIVE, Tripartite, legal_moves
from services.loans.handlers import access
from services.loans.handlers.tripartite import Due, dues, side_of
from services.loans.storage import chain
from shared.database import UnitOfWork
from shared.money import Money
from shared.web.identity import Identity
from shared.web.paging import Page

STAGES = ("reported", "disputed", "confirmed", "transferred", "received")
# What of a delivery says something of the supplier's trade, beyond the deduction.
TRADE = ("good", "good_name", "unit", "quantity", "price", "value", "by_rule", "net", "dispute")


@dataclass(frozen=True)
class Opened:
    """An agreement with its deliveries; `dues` and `books` are empty for the lead firm."""

    item: Tripartite
    side: str
    possible: list[str]
    due: Money
    dues: list[Due]
    books: list[Books]
    page: Page[Any]
    sums: dict[str, Any]
    delivered: dict[str, Decimal]
    transfers: list[Any]
    ready: list[Any]  # what the lead firm may transfer now
    texts: list[Any]
    trade: bool

    def total(self, name: str, *stages: str) -> Money:
        """Return the sum of value, deduction or net over the deliveries at these stages."""
        rows = [self.sums[stage] for stage in stages or STAGES if stage in self.sums]
        return Money.of(sum((getattr(row, name) for row in rows), ZERO), self.item.terms.currency)

    def moves_of(self, stage: str) -> list[str]:
        """Return what this side may do with a delivery at that stage."""
        return deliveries_domain.legal_moves(stage, self.side)


def open_agreement(uow: UnitOfWork, who: Identity, reference: str, cursor: str | None = None) -> Opened:
    """Return an agreement for reading; a view by the bank or by staff is recorded."""
    side = side_of(uow, who, reference, "loans.tripartite.read")
    item = chain.tripartites(uow).get(reference, for_update=False)
    if side in {"bank", "staff"}:
        access.viewed(uow, item.id, "the tripartite agreement", case=item.id, programme=item.programme)
    found, connection = dues(uow, item), uow.connection
    inside = side != "buyer"
    started, trade = item.in_force_on is not None, side != "bank" or item.stage in LIVE
    return Opened(
        item=item,
        side=side,
        possible=legal_moves(item.stage, side),
        due=Money.of(sum((due.room for due in found), ZERO), item.terms.currency),
        dues=found if inside else [],
        books=_books(uow, item, found) if inside and started else [],
        page=chain.delivery_rows(connection, reference, cursor=cursor),
        sums=chain.sums_by_stage(connection, reference),
        delivered=chain.delivered_by_good(connection, item) if started and trade else {},
        transfers=chain.transfer_rows(connection, reference),
        ready=chain.to_transfer(connection, reference, access.today(uow)) if side == "buyer" else [],
        texts=chain.texts(connection, reference),
        trade=trade,
    )


def _books(uow: UnitOfWork, item: Tripartite, found: list[Due]) -> list[Books]:
    made = []
    for due in found:
        if due.loan is None or item.in_force_on is None:
            continue
        tapes = [(row.as_of, row.paid) for row in chain.paid_by_tapes(uow.connection, due.loan)]
        received = [(row.received_on, row.amount) for row in chain.received_sums(uow.connection, due.loan)]
        made.append(books(due.referral, due.loan, item.in_force_on, tapes, received))
    return made
