"""Accepted figures of indicators, as they are published: the last accepted version of each report, by case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from sqlalchemy import Connection, select

from services.grants.domain.publishing import Measured, Result
from services.grants.domain.reporting.report import Report
from services.grants.domain.reporting.results import Count, Figure
from services.grants.storage.reports import report
from shared.events.reporting_rules import Indicator


def results_of(
    connection: Connection, programme: str, indicators: Mapping[str, Indicator]
) -> dict[str, tuple[Result, ...]]:
    """Return {reference: results} of the accepted reports of a programme, of the indicators that its calls know."""
    c = report.c
    query = select(c.application, c.state, c.version).where(c.programme == programme, c.status == "accepted")
    found: dict[str, dict[str, Result]] = {}
    for row in connection.execute(query.order_by(c.application, c.number)):
        mine = found.setdefault(row.application, {})
        accepted = Report.stored(row.state, row.version)
        for name, figure in accepted.figures.items():
            if name in indicators:
                before = mine.get(name) or _result(indicators[name])
                measured = tuple(_measured(accepted, name, figure))
                mine[name] = before.model_copy(update={"periods": (*before.periods, *measured)})
    return {reference: tuple(results.values()) for reference, results in found.items()}


def _result(indicator: Indicator) -> Result:
    unit = "percent" if indicator.measure == "percent" else "number"
    return Result(title=indicator.name.get("en") or next(iter(indicator.name.values())), unit=unit)


def _measured(accepted: Report, name: str, figure: Figure) -> Iterator[Measured]:
    """Give the whole of a period with its target, then each part of its disaggregation."""
    period = {"starts": accepted.period_from, "ends": accepted.period_to}
    target = accepted.targets.get(name)
    yield Measured(actual=_value(figure.total), target=target.target if target else None, **period)
    for dimension, parts in figure.parts.items():
        for part, count in parts.items():
            yield Measured(actual=_value(count), dimensions={dimension: part}, **period)


def _value(count: Count) -> Decimal | None:
    return count.value if count.of is None else count.percent
