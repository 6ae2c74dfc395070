"""Lists of reports, and what indicators come to over time, as far as each may see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, RowMapping

from services.grants.domain.reporting.results import Count, Figure, Target, added, to_date
from services.grants.handlers.listing import latest, programme_of, programmes_of
from services.grants.storage import reports as stored
from shared.errors import InvalidError
from shared.events.reporting_rules import Indicator
from shared.web.identity import Identity
from shared.web.paging import Page, decode_cursor, page_of

LIST, INDICATORS = "grants.report.list", "grants.indicator.read"


def _after(cursor: str | None) -> list[Any] | None:
    values = decode_cursor(cursor, 2)
    if values is None:
        return None
    try:
        return [date.fromisoformat(str(values[0])), str(values[1])]
    except ValueError as error:
        raise InvalidError({"cursor": "is not a cursor that this list gave"}) from error


def _key(row: RowMapping) -> list[str]:
    return [row["act_on"].isoformat(), row["id"]]


def _state(state: str) -> str:
    if state not in stored.STATES:
        raise InvalidError({"state": f"is none of {', '.join(stored.STATES)}"})
    return state


def listed(
    connection: Connection, who: Identity, today: date, *, state: str, programme: str = "", cursor: str | None = None
) -> Page[RowMapping]:
    """Return a page of the reports of the programmes in which `who` works, or of one of them."""
    mine = programmes_of(connection, who, LIST)
    chosen = [programme_of(connection, who, LIST, programme) or ""] if programme else mine
    rows = stored.listed(connection, _state(state), today, programmes=chosen, after=_after(cursor))
    return page_of(rows, 50, _key)


def counts(connection: Connection, who: Identity, today: date) -> RowMapping:
    """Return how many reports wait, are late and are due in the programmes of `who`."""
    return stored.counts(connection, today, programmes=programmes_of(connection, who, LIST))


def mine(
    connection: Connection, who: Identity, today: date, *, state: str, cursor: str | None = None, limit: int = 50
) -> Page[RowMapping]:
    """Return a page of the reports of one's own organisation."""
    if who.organisation is None:
        return Page([], None)
    after = _after(cursor)
    rows = stored.listed(connection, _state(state), today, organisation=who.organisation, after=after, limit=limit)
    return page_of(rows, limit, _key)


@dataclass(frozen=True)
class Series:
    """One indicator of a programme over time: by quarter what it stood at; targets are of `grants` grants."""

    indicator: Indicator
    quarters: list[str]
    stands: list[Figure | None]
    target: Decimal | None
    baseline: Decimal | None
    grants: int

    @property
    def values(self) -> list[Decimal | None]:
        """Return what is drawn: the number, or the percentage."""
        return [None if figure is None else shown(figure.total) for figure in self.stands]


def shown(count: Count) -> Decimal | None:
    """Return a count as it is read: a percentage where it is one."""
    return count.value if count.of is None else count.percent


def quarter(day: date) -> str:
    """Return the quarter of a day, such as 2026-Q3."""
    return f"{day.year}-Q{(day.month + 2) // 3}"


def series(connection: Connection, who: Identity, programme: str) -> tuple[str | None, list[Series]]:
    """Return the programme that was meant, and its indicators over the quarters in which periods ended."""
    chosen = programme_of(connection, who, INDICATORS, programme)
    pack = latest(connection, chosen) if chosen else None
    if chosen is None or pack is None:
        return None, []
    known = {item.id: item for call in pack.calls.values() for item in call.indicators}
    rows, targets = stored.published(connection, chosen), stored.targets(connection, chosen)
    quarters = sorted({quarter(row["period_to"]) for row in rows})
    return chosen, [_one(item, rows, targets, quarters) for item in known.values()]


def _one(
    indicator: Indicator, rows: Sequence[RowMapping], targets: Sequence[RowMapping], quarters: list[str]
) -> Series:
    stands = []
    for name in quarters:
        grants: dict[str, list[Figure]] = {}
        for row in rows:
            if indicator.id in row["figures"] and quarter(row["period_to"]) <= name:
                figure = Figure.model_validate(row["figures"][indicator.id])
                grants.setdefault(row["application"], []).append(figure)
        stands.append(to_date(indicator, list(grants.values())))
    wanted = [Target.model_validate(row["targets"][indicator.id]) for row in targets if indicator.id in row["targets"]]
    return Series(
        indicator=indicator,
        quarters=quarters,
        stands=stands,
        target=_whole(indicator, [item.target for item in wanted]),
        baseline=_whole(indicator, [item.baseline for item in wanted]),
        grants=len(wanted),
    )


def _whole(indicator: Indicator, values: Sequence[Decimal | None]) -> Decimal | None:
    """Return the target of all grants: numbers add up, percentages do not and are one only where all agree."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    if indicator.measure == "percent":
        return known[0] if len(set(known)) == 1 else None
    total = added(Count(value=value) for value in known)
    return total.value if total else None
