"""JSON API of the portfolio: sums and shares at risk by day, bank and dimension, and the funnel; also as CSV."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict

from services.loans.domain.portfolio import SHARES, SUMS, Sums, par
from services.loans.handlers import portfolio
from services.loans.handlers.portfolio import Portfolio
from shared import checkpoints
from shared.events.fields import Line
from shared.exports.tables import CSV_TYPE, Column, Table, csv_pieces
from shared.web.dependencies import Uow, Who, allowed

router = APIRouter(prefix="/api", tags=["portfolio"])
READ = [allowed("loans.portfolio.read")]


class SumsOut(BaseModel):
    """Sums of one currency; the shares at risk are fractions of the outstanding principal."""

    currency: str
    loans: int
    outstanding: Decimal
    over_0: Decimal
    over_30: Decimal
    over_60: Decimal
    over_90: Decimal
    restructured: Decimal
    over_30_or_restructured: Decimal
    late_loans: int
    written_off_loans: int
    written_off: Decimal
    par0: Decimal | None
    par30: Decimal | None
    par60: Decimal | None
    par90: Decimal | None
    par30_or_restructured: Decimal | None

    @classmethod
    def all_of(cls, sums: dict[str, Sums]) -> list[SumsOut]:
        return [cls(currency=name, **item.values(), **par(item)) for name, item in sorted(sums.items())]


class GroupOut(BaseModel):
    value: str
    label: str
    sums: list[SumsOut]


class MonthOut(BaseModel):
    month: str
    sums: list[SumsOut]


class CountedTape(BaseModel):
    """A tape that the figures rest on, or one that a correction has taken the place of."""

    reference: str
    bank: str
    bank_name: str
    as_of: date
    applied_at: datetime
    superseded_at: datetime | None

    @classmethod
    def of(cls, row: Any) -> CountedTape:
        same = {name: getattr(row, name) for name in cls.model_fields if name != "reference"}
        return cls(reference=row.id, **same)


class LateOut(BaseModel):
    loan: str
    firm: str
    bank_name: str
    currency: str
    outstanding: Decimal
    days: int
    owed: Decimal


class ExposureOut(BaseModel):
    """A bank's outstanding principal, what of it guarantees cover on that day, and what is left."""

    model_config = ConfigDict(from_attributes=True)

    bank: str
    bank_name: str
    currency: str
    outstanding: Decimal
    guaranteed: Decimal
    net: Decimal


class PortfolioOut(BaseModel):
    """The portfolio of a day; `known` is the moment by which what is shown had been recorded."""

    programme: str
    bank: str | None
    as_of: date
    known: datetime
    whole: list[SumsOut]
    by: dict[str, list[GroupOut]]
    months: list[MonthOut]
    tapes: list[CountedTape]
    corrections: list[CountedTape]
    guaranteed: list[ExposureOut]
    without: list[str]
    late: list[LateOut]

    @classmethod
    def of(cls, item: Portfolio) -> PortfolioOut:
        same = {name: getattr(item, name) for name in ("programme", "bank", "as_of", "known", "without")}
        return cls(
            **same,
            whole=SumsOut.all_of(item.whole),
            by={
                name: [GroupOut(value=g.value, label=g.label, sums=SumsOut.all_of(g.sums)) for g in groups]
                for name, groups in item.by.items()
            },
            months=[MonthOut(month=month, sums=SumsOut.all_of(sums)) for month, sums in item.months],
            guaranteed=[ExposureOut.model_validate(line) for line in portfolio.exposures(item)],
            tapes=[CountedTape.of(row) for row in item.tapes],
            corrections=[CountedTape.of(row) for row in item.corrections],
            late=[LateOut.model_validate(row, from_attributes=True) for row in item.late],
        )


class StepOut(BaseModel):
    """A step and the median days from the step before."""

    step: str
    n: int
    days: Decimal | None


class ReasonOut(BaseModel):
    code: str
    n: int


class FunnelOut(BaseModel):
    steps: list[StepOut]
    reasons: list[ReasonOut]
    counted_at: datetime | None


@router.get("/portfolio", dependencies=READ)
def read(who: Who, uow: Uow, programme: Line = "", as_of: date | None = None, known: Line = "") -> PortfolioOut:
    return PortfolioOut.of(portfolio.portfolio(uow, who, programme=programme, as_of=as_of, known=known))


@router.get("/funnel", dependencies=READ)
def funnel(who: Who, uow: Uow, programme: Line = "") -> FunnelOut:
    found = portfolio.funnel(uow, *portfolio.chosen(who, programme))
    return FunnelOut.model_validate(found, from_attributes=True)


@router.get("/portfolio.csv", dependencies=READ)
def as_csv(who: Who, uow: Uow, programme: Line = "", as_of: date | None = None, known: Line = "") -> StreamingResponse:
    found = portfolio.portfolio(uow, who, programme=programme, as_of=as_of, known=known)
    headers = attachment(found) | checkpoints.header(uow.connection)
    return StreamingResponse(csv_pieces(table(found)), media_type=CSV_TYPE, headers=headers)


def attachment(found: Portfolio) -> dict[str, str]:
    """Return the header by which a browser saves the file under a name of its own."""
    return {"content-disposition": f'attachment; filename="portfolio-{found.as_of.isoformat()}.csv"'}


def table(found: Portfolio) -> Table:
    """Return the portfolio as one table: the whole, each dimension, each month; codes, so that machines read it."""
    counts = [name for name in SUMS if name.endswith("loans")]
    columns = [Column("as_of", "day"), Column("dimension"), Column("value"), Column("label"), Column("currency")]
    columns += [Column(name, "number" if name in counts else "money") for name in SUMS]
    columns += [Column(name, "number") for name in SHARES]
    columns += [Column(name, "money") for name in ("guaranteed", "net_of_guarantees")]
    return Table(f"portfolio-{found.as_of}", columns, _rows(found))


def _rows(found: Portfolio) -> Iterator[list[Any]]:
    groups = [("all", "", "", found.whole)]
    groups += [(name, group.value, group.label, group.sums) for name, items in found.by.items() for group in items]
    groups += [("month", month, month, sums) for month, sums in found.months]
    for dimension, value, label, sums in groups:
        for currency, item in sorted(sums.items()):
            head = [found.as_of, dimension, value, label, currency]
            covered = _covered(found, dimension, value, currency)
            left = None if covered is None else item.outstanding - covered
            yield [*head, *item.values().values(), *par(item).values(), covered, left]


def _covered(found: Portfolio, dimension: str, value: str, currency: str) -> Decimal | None:
    """Return what is guaranteed of the whole or of a bank; by other dimensions it is not counted."""
    if dimension not in {"all", "bank"}:
        return None
    sums = [amount for (bank, code), amount in found.guaranteed.items() if code == currency and value in {"", bank}]
    return sum(sums, Decimal(0))
