"""The page of the portfolio: how much is outstanding, how much of it is late, where, and how proposals become loans."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, StreamingResponse

from services.loans import charts
from services.loans.api.portfolio import attachment, table
from services.loans.domain.portfolio import Sums
from services.loans.handlers import access, portfolio
from services.loans.pages import words
from shared import checkpoints
from shared.errors import InvalidError
from shared.exports.tables import CSV_TYPE, csv_pieces
from shared.web.dependencies import Uow, Who, allowed
from shared.web.pages import render

router = APIRouter(include_in_schema=False)
READ = [allowed("loans.portfolio.read")]
Text = Annotated[str, Query(max_length=80)]


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise InvalidError({"as_of": "is not a day"}) from error


@router.get("/portfolio", dependencies=READ)
def read(  # noqa: PLR0917 - what the page is asked for
    request: Request, who: Who, uow: Uow, programme: Text = "", as_of: Text = "", known: Text = ""
) -> HTMLResponse:
    asked: dict[str, Any] = {"errors": {}, "given": {"as_of": as_of, "known": known}}
    try:
        found = portfolio.portfolio(uow, who, programme=programme, as_of=_day(as_of), known=known)
    except InvalidError as error:
        asked["errors"] = error.fields
        found = portfolio.portfolio(uow, who, programme=programme)
    finance, _ = access.rules(uow, found.programme)
    funnel = portfolio.funnel(uow, found.programme, found.bank)
    return render(
        request,
        "portfolio.html",
        status_code=422 if asked["errors"] else 200,
        found=found,
        shown=_charts(request, found),
        groups=_groups(found),
        exposures=portfolio.exposures(found),
        funnel=funnel,
        before=portfolio.before,
        steps=words.STEPS,
        reasons={item.code: item.said(request.state.locale) for item in finance.decline_reasons},
        most=max((item["n"] for item in funnel.steps), default=0) or 1,
        declined=sum(item["n"] for item in funnel.reasons) or 1,
        programmes=[(name, name) for name in who.programmes],
        may_open="auditor" not in who.roles or len(who.roles) > 1,
        today=access.today(uow),
        **asked,
    )


def _charts(request: Request, found: portfolio.Portfolio) -> dict[str, Any]:
    """Return a picture of the shares at risk by month for each currency."""
    number = request.app.state.pages.number
    names = {"over_30": "PAR30", "over_90": "PAR90", "over_30_or_restructured": words.say("PAR30 + restructured")}
    pictures = {}
    for currency in found.whole:
        months = [(month, sums.get(currency, Sums())) for month, sums in found.months]
        points = [(month, {name: item.share(name) for name in names}) for month, item in months]
        label = words.say("Share at risk by month, %(currency)s", {"currency": currency})
        pictures[currency] = charts.share_chart(points, names, label, number)
    return pictures


def _groups(found: portfolio.Portfolio) -> list[tuple[str, list[tuple[str, str, Sums]]]]:
    """Return the tables of the page: a heading, and (label, currency, sums) for each row."""
    hidden = words.say("Not disclosed to your bank") if found.bank is not None else words.say("Not known")
    tables = []
    for name, groups in found.by.items():
        rows = [
            (words.value_of(name, group.label) or hidden, currency, sums)
            for group in groups
            for currency, sums in sorted(group.sums.items())
        ]
        tables.append((words.say(words.DIMENSIONS[name]), rows))
    return tables


@router.get("/portfolio.csv", dependencies=READ)
def as_csv(who: Who, uow: Uow, programme: Text = "", as_of: Text = "", known: Text = "") -> StreamingResponse:
    found = portfolio.portfolio(uow, who, programme=programme, as_of=_day(as_of), known=known)
    headers = attachment(found) | checkpoints.header(uow.connection)
    return StreamingResponse(csv_pieces(table(found)), media_type=CSV_TYPE, headers=headers)
