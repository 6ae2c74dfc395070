"""JSON: the ledger of a case and of a programme's funds. Amounts stand on the debit or the credit side."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from services.grants.handlers import ledger_views as views
from shared.web.dependencies import Reader, Uow, Who, allowed

router = APIRouter(prefix="/api", tags=["ledger"])
READ = [allowed("grants.ledger.read")]


@router.get("/applications/{reference}/ledger", dependencies=READ)
def case_ledger(reference: str, who: Who, uow: Uow) -> dict[str, Any]:
    """Return balances, figures and every line of a case's ledger."""
    found = views.of_case(uow, who, reference)
    lines = [views.line_view(row) for row in found.lines]
    return {"reference": found.award.id, **views.accounts_view(found.accounts), "lines": lines}


@router.get("/cofinancing/{reference}/ledger", dependencies=READ)
def match_ledger(reference: str, who: Who, connection: Reader) -> dict[str, Any]:
    """Return balances, figures and every line of a co-financing's ledger."""
    found = views.of_cofinancing(connection, who, reference)
    lines = [views.line_view(row) for row in found.lines]
    return {"reference": found.case.id, **views.accounts_view(found.accounts), "lines": lines}


@router.get("/ledger", dependencies=READ)
def fund_ledger(who: Who, connection: Reader, programme: str = "", call: str = "") -> dict[str, Any]:
    """Return the funds of a programme by call and currency: balances, figures, budget and what is uncommitted of it."""
    chosen, funds = views.funds(connection, who, programme, call)
    items = []
    for fund in funds:
        rest = fund.uncommitted()
        about = {
            "budget": fund.budget.model_dump(mode="json") if fund.budget else None,
            "uncommitted": rest.model_dump(mode="json") if rest is not None else None,
        }
        items.append({"call": fund.call, **about, **views.accounts_view(fund.accounts)})
    return {"programme": chosen, "funds": items}


@router.get("/ledger/lines", dependencies=READ)
def fund_lines(
    who: Who, connection: Reader, programme: str = "", call: str = "", cursor: str | None = None
) -> dict[str, Any]:
    """Return the lines of a programme's funds, page by page, in the order in which they were entered."""
    page = views.fund_lines(connection, who, programme, call, cursor)
    return {"items": [views.line_view(row) for row in page.items], "next": page.next}
