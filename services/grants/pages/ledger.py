"""The ledger as people read it: balances, a bar of where the money is, every entry, and the same as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, StreamingResponse
from sqlalchemy import Connection, RowMapping

from services.grants.domain.ledger import COFINANCING, SIDES, Ledger
from services.grants.handlers import ledger_views as views
from services.grants.handlers import listing
from services.grants.pages.common import CasePage, show
from services.grants.pages.table import harmless
from shared import checkpoints, i18n
from shared.database import reading
from shared.i18n import translate
from shared.money import Money
from shared.web.dependencies import Reader, Uow, Who, allowed

router = APIRouter()
READ = [allowed("grants.ledger.read")]
ACCOUNTS = {
    "fund_budget": "Fund: kept aside",
    "commitment": "Open commitment",
    "in_payment": "Payments under way",
    "payable": "Payable, waits for the bank",
    "bank": "Bank",
    "advance": "Advance to the recipient",
    "due_to_grantee": "Due to the recipient",
    "expenditure": "Accepted expenditure",
    "refund_due": "Refund due",
    "match": "Match of the firm, verified",
    "match_given": "Brought by the firm",
}
KINDS = {
    "committed": "Agreement concluded",
    "amended_up": "Amendment: more",
    "amended_down": "Amendment: less",
    "closed": "Closed: unspent commitment released",
    "reopened": "Reopened",
    "released": "Tranche released",
    "release_withdrawn": "Release withdrawn",
    "paid": "Payment confirmed",
    "payment_reversed": "Payment reversed",
    "costs_accepted": "Costs accepted",
    "costs_disallowed": "Acceptance of costs taken back",
    "refund_due": "Refund due",
    "refund_dropped": "Refund dropped",
    "refund_received": "Refund received",
    "match_verified": "Contribution verified",
    "match_reversed": "Verification taken back",
    "match_released": "Matched release",
    "match_unearned": "Not earned by the match: to be paid back",
    "match_earned": "Earned by the match after all",
    "recommitted": "Paid back: committed again",
}
ABOUT = {
    "version": "version %(number)s",
    "tranche": "tranche %(number)s",
    "refund": "refund %(number)s",
    "contribution": "contribution %(number)s",
    "release": "release %(number)s",
}
HEADINGS = ("Entry", "When", "Case", "What", "Account", "Debit", "Credit", "Currency", "About", "Who")
WIDTH = 600
ON_A_PAGE = 60  # lines of the funds' ledger, newest first


def bar(accounts: Ledger, whole: Money | None = None) -> list[dict[str, Any]]:
    """Return the parts of the bar: name, money, tone, where it starts and how wide it is, in units of the drawing.

    The whole is what was committed, or a fund's budget where that is more; nothing is drawn of an empty account.
    """
    figures = accounts.figures()
    parts = [
        (
            "Liquidated: paid and accounted for",
            figures["paid"] - figures["outstanding"] - figures["refund_due"],
            "good",
        ),
        ("Paid, not accounted for", figures["outstanding"] + figures["refund_due"], "go"),
        ("Waits for payment", figures["waiting"], "warn"),
        ("Left of the commitment", figures["left"], "edge"),
    ]
    most = max(figures["committed"], whole or figures["committed"])
    at, drawn = Decimal(0), []
    for name, amount, tone in parts:
        width = amount.amount * WIDTH / most.amount if most.amount > 0 else Decimal(0)
        drawn.append({"name": name, "money": amount, "tone": tone, "x": round(at, 1), "width": round(width, 1)})
        at += width
    return drawn


def entries(rows: Iterable[RowMapping]) -> list[dict[str, Any]]:
    """Return the entries of lines that follow one another."""
    found: list[dict[str, Any]] = []
    for row in rows:
        if not found or found[-1]["entry"] != row["entry"]:
            about = {name: row[name] for name in ("entry", "at", "case", "about", "by_name")}
            part = "cofinancing" if row["call"] == COFINANCING else "applications"
            about["about"] = about_in(row["about"], i18n.current_locale.get())
            about["path"] = f"/grants/{part}/{row['case']}/ledger"
            found.append(about | {"name": KINDS.get(row["kind"], row["kind"]), "lines": []})
        amount = Money.of(abs(row["amount"]), row["currency"])
        line: dict[str, Any] = {"account": ACCOUNTS.get(row["account"], row["account"]), "debit": None, "credit": None}
        found[-1]["lines"].append(line | {"debit" if row["amount"] > 0 else "credit": amount, "place": row["line"]})
    for entry in found:
        entry["lines"].sort(key=lambda line: line["place"])
    return found


def about_in(text: str, locale: str) -> str:
    """Return what an entry is about in the reader's language, where the house wrote it; a bank's reference as it is."""
    word, _, number = text.partition(" ")
    known = ABOUT.get(word) if number.isdigit() else None
    return translate("grants", known, {"number": number}, locale=locale) if known else text


def balances(accounts: Ledger) -> list[tuple[str, Money, bool]]:
    """Return (name, balance, whether it is on the debit side) of every account that has been used."""
    return [
        (ACCOUNTS[name], accounts.balance(name), side > 0) for name, side in SIDES.items() if accounts.balances[name]
    ]


@router.get("/applications/{reference}/ledger", dependencies=READ)
def case_ledger(request: Request, reference: str, who: Who, uow: Uow) -> HTMLResponse:
    """Show the ledger of a case."""
    found = views.of_case(uow, who, reference)
    context = CasePage(request, uow, who, found.application).context("ledger")
    more = {"bar": bar(found.accounts), "entries": entries(found.lines), "balances": balances(found.accounts)}
    return show(request, "ledger.html", figures=found.accounts.figures(), width=WIDTH, **(context | more))


@router.get("/applications/{reference}/ledger.csv", dependencies=READ)
def case_csv(request: Request, reference: str, who: Who, uow: Uow) -> StreamingResponse:
    """Give the lines of a case as CSV."""
    found = views.of_case(uow, who, reference)
    return _file(uow.connection, f"ledger-{found.award.id}", _lines(request, [list(found.lines)]))


@router.get("/cofinancing/{reference}/ledger", dependencies=READ, include_in_schema=False)
def match_ledger(request: Request, reference: str, who: Who, connection: Reader) -> HTMLResponse:
    """Show the ledger of a co-financing: what the firm brought beside what the programme owes and has paid."""
    found = views.of_cofinancing(connection, who, reference)
    more: dict[str, Any] = {"bar": bar(found.accounts), "entries": entries(found.lines)}
    more |= {"balances": balances(found.accounts)}
    figures = found.accounts.figures() | {"match": found.accounts.balance("match")}
    return show(request, "ledger_match.html", case=found.case, figures=figures, width=WIDTH, **more)


@router.get("/cofinancing/{reference}/ledger.csv", dependencies=READ, include_in_schema=False)
def match_csv(request: Request, reference: str, who: Who, connection: Reader) -> StreamingResponse:
    """Give the lines of a co-financing as CSV."""
    found = views.of_cofinancing(connection, who, reference)
    return _file(connection, f"ledger-{found.case.id}", _lines(request, [list(found.lines)]))


@router.get("/ledger", dependencies=READ)
def funds(  # noqa: PLR0917 - a query as long as its filters
    request: Request, who: Who, connection: Reader, programme: str = "", call: str = "", cursor: str | None = None
) -> HTMLResponse:
    """Show the funds of a programme: what of each is committed, paid, accounted for and left."""
    chosen, found = views.funds(connection, who, programme, call)
    page = views.fund_lines(connection, who, chosen, call, cursor, limit=ON_A_PAGE, newest=True)
    shown = [
        {"fund": fund, "bar": bar(fund.accounts, fund.budget), "figures": fund.accounts.figures()} for fund in found
    ]
    query = "?" + urlencode({"programme": chosen} | ({"call": call} if call and found else {}))
    more: dict[str, Any] = {"entries": entries(page.items), "page": page, "width": WIDTH, "query": query}
    pack = listing.latest(connection, chosen)
    more |= {"names": {name: item.name for name, item in pack.calls.items()} if pack else {}}
    more |= {"first": cursor is None, "cofinancing": COFINANCING, "programme_name": pack.name if pack else chosen}
    return show(request, "ledger_funds.html", programme=chosen, funds=shown, call=call, **more)


@router.get("/ledger.csv", dependencies=READ)
def funds_csv(request: Request, who: Who, connection: Reader, programme: str = "", call: str = "") -> StreamingResponse:
    """Give every line of a programme's funds as CSV, streamed."""
    chosen, _ = views.funds(connection, who, programme, call)
    engine = request.app.state.engine

    def pieces() -> Iterator[str]:
        with reading(engine) as again:
            yield from _lines(request, views.every_line(again, chosen, call))

    return _file(connection, f"ledger-{chosen}", pieces())


def _lines(request: Request, pages: Iterable[list[RowMapping]]) -> Iterator[str]:
    locale = request.state.locale

    def said(word: str) -> str:
        return about_in(translate("grants", word, locale=locale), locale)

    yield "\ufeff" + _written([[said(name) for name in HEADINGS]])
    for rows in pages:
        yield _written([_cells(row, said) for row in rows])


def _written(rows: list[list[Any]]) -> str:
    piece = io.StringIO()
    csv.writer(piece).writerows(rows)
    return piece.getvalue()


def _cells(row: RowMapping, said: Any) -> list[Any]:
    amount = f"{Money.of(abs(row['amount']), row['currency']).amount:f}"
    debit, credit = (amount, "") if row["amount"] > 0 else ("", amount)
    words = [said(KINDS.get(row["kind"], row["kind"])), said(ACCOUNTS.get(row["account"], row["account"]))]
    numbers = [
        row["entry"],
        row["at"].isoformat(timespec="seconds"),
        row["case"],
        *words,
        debit,
        credit,
        row["currency"],
    ]
    return [*numbers, harmless(said(row["about"])), harmless(row["by_name"])]


def _file(connection: Connection, name: str, pieces: Iterator[str]) -> StreamingResponse:
    headers = {"content-disposition": f'attachment; filename="{name}.csv"'} | checkpoints.header(connection)
    return StreamingResponse(pieces, media_type="text/csv; charset=utf-8", headers=headers)
