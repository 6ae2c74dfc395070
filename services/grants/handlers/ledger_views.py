"""Reading the ledger: of one case, and of the funds of a programme."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping

from services.grants.domain.application import Application
from services.grants.domain.award import Award
from services.grants.domain.cofinancing import CoFinancing
from services.grants.domain.ledger import SIDES, Ledger
from services.grants.handlers import ledger
from services.grants.handlers.base import MAX_REFERENCE, act_as, application_read, pack_of
from services.grants.handlers.listing import programme_of
from services.grants.policy import POLICY
from services.grants.storage import ledger as stored
from services.grants.storage import reads
from services.grants.storage.cofinancing import find_case
from shared.database import UnitOfWork
from shared.errors import NotFoundError
from shared.money import Money
from shared.web.identity import Identity
from shared.web.paging import Page, decode_cursor, page_of

READ = "grants.ledger.read"


@dataclass(frozen=True)
class CaseLedger:
    """The accounts of one agreement and every line that made them."""

    application: Application
    award: Award
    accounts: Ledger
    lines: Sequence[RowMapping]


@dataclass(frozen=True)
class Fund:
    """The accounts of one call in one currency; `budget` is the call's own, where the programme states it."""

    call: str
    accounts: Ledger
    budget: Money | None

    def uncommitted(self) -> Money | None:
        """Return what of the budget is promised to nobody; None when no budget is stated."""
        return None if self.budget is None else self.budget - self.accounts.figures()["committed"]


def of_case(uow: UnitOfWork, who: Identity, reference: str) -> CaseLedger:
    """Return the ledger of a case that `who` may see; raises NotFoundError while nothing is agreed."""
    application, role = application_read(uow, who, READ, reference)
    act_as(uow, role)
    award = reads.find_award(uow.connection, application.id)
    if award is None or not award.concluded_at:
        raise NotFoundError("There is no concluded agreement yet, so there is no ledger")
    accounts = ledger.accounts_of(uow, award)
    return CaseLedger(application, award, accounts, stored.lines_of(uow.connection, application.id))


def funds(connection: Connection, who: Identity, programme: str = "", call: str = "") -> tuple[str, list[Fund]]:
    """Return the programme whose funds `who` looks at, and its funds, by call and currency."""
    chosen = programme_of(connection, who, READ, programme)
    if chosen is None:
        raise NotFoundError("There is no such programme")
    found = stored.fund_balances(connection, chosen, call)
    version = reads.latest_pack(connection, chosen)
    pack = None if version is None else pack_of(connection, chosen, version)
    calls = {name: item.budget for name, item in pack.calls.items() if call in {"", name}} if pack else {}
    for name, budget in calls.items():
        if budget is not None:
            found.setdefault((name, budget.currency), {})
    return chosen, [
        Fund(name, Ledger(currency, balances), _budget(calls.get(name), currency))
        for (name, currency), balances in sorted(found.items())
    ]


def _budget(budget: Money | None, currency: str) -> Money | None:
    return budget if budget is not None and budget.currency == currency else None


def fund_lines(
    connection: Connection,
    who: Identity,
    programme: str,
    call: str,
    cursor: str | None,
    *,
    limit: int = 200,
    newest: bool = False,
) -> Page[RowMapping]:
    """Return a page of the lines of a programme's funds; with `newest` whole entries, the latest first."""
    chosen = programme_of(connection, who, READ, programme)
    if chosen is None:
        return Page([], None)
    after = decode_cursor(cursor, 1)
    start = int(after[0]) if after and str(after[0]).isdigit() else None
    rows = stored.lines_of_fund(connection, chosen, call, after=start, limit=limit, newest=newest)
    page = page_of(rows, limit, lambda row: [row["id"]])
    if newest and page.next and rows[limit]["entry"] == rows[limit - 1]["entry"]:
        whole = [row for row in page.items if row["entry"] != rows[limit]["entry"]]
        page = page_of([*whole, rows[limit]], len(whole), lambda row: [row["id"]]) if whole else page
    return page


@dataclass(frozen=True)
class MatchLedger:
    """The accounts of a co-financing and every line that made them."""

    case: CoFinancing
    accounts: Ledger
    lines: Sequence[RowMapping]


def of_cofinancing(connection: Connection, who: Identity, reference: str) -> MatchLedger:
    """Return the ledger of a co-financing that `who` may see; raises NotFoundError while nothing is agreed."""
    case = find_case(connection, reference[:MAX_REFERENCE])
    if case is None:
        POLICY.require(READ, who)
        raise NotFoundError("There is no such record")
    POLICY.role_for(READ, who, programme=case.programme)
    lines = stored.lines_of(connection, case.id)
    accounts = Ledger(case.currency, stored.balances(connection, case.id))
    if not lines:
        for kind, amount, _ in case.opening():
            accounts.enter(kind, amount)
    if not accounts.figures()["committed"]:
        raise NotFoundError("There is no concluded agreement yet, so there is no ledger")
    return MatchLedger(case, accounts, lines)


def every_line(connection: Connection, programme: str, call: str = "") -> Iterator[list[RowMapping]]:
    """Give all lines of a programme's funds in pieces."""
    after: int | None = None
    while True:
        rows = stored.lines_of_fund(connection, programme, call, after=after)
        yield rows[: stored.MOST]
        if len(rows) <= stored.MOST:
            return
        after = rows[stored.MOST - 1]["id"]


def accounts_view(accounts: Ledger) -> dict[str, Any]:
    """Return balances (each on its own side) and figures as JSON types."""
    return {
        "currency": accounts.currency,
        "balances": {name: accounts.balance(name).model_dump(mode="json") for name in SIDES},
        "figures": {name: value.model_dump(mode="json") for name, value in accounts.figures().items()},
    }


def line_view(row: RowMapping) -> dict[str, Any]:
    """Return a line as JSON types: an amount on the debit or on the credit side."""
    amount = Money.of(abs(row["amount"]), row["currency"]).model_dump(mode="json")
    side = "debit" if row["amount"] > 0 else "credit"
    names = ("case", "call", "kind", "account", "about", "by_name")
    return {name: row[name] for name in names} | {
        "entry": str(row["entry"]),
        "line": row["line"],
        "at": row["at"].isoformat(),
        "side": side,
        "amount": amount,
    }
