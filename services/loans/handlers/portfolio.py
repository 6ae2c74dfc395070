"""The portfolio on a day: by bank and by what loans are counted by, as it is known now or was known on another day."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from services.loans import storage
from services.loans.domain.portfolio import DIMENSIONS, Sums
from services.loans.handlers import access
from services.loans.policy import POLICY
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError, NotFoundError, Rule
from shared.settings import settings
from shared.web.identity import Identity

MONTHS = 24
LATE = 50
ByCurrency = dict[str, Sums]


@dataclass
class Group:
    """One value of a dimension, by currency; its label where the value is an id."""

    value: str
    label: str
    sums: ByCurrency = field(default_factory=dict)


@dataclass(frozen=True)
class Exposure:
    """What of a bank's outstanding principal is guaranteed, and what is left to it."""

    bank: str
    bank_name: str
    currency: str
    outstanding: Decimal
    guaranteed: Decimal

    @property
    def net(self) -> Decimal:
        return self.outstanding - self.guaranteed


@dataclass(frozen=True)
class Portfolio:
    """What the page and the API show."""

    programme: str
    programme_name: str
    bank: str | None
    as_of: date
    known: datetime
    whole: ByCurrency
    by: dict[str, list[Group]]
    months: list[tuple[str, ByCurrency]]
    tapes: list[Any]  # those that count, one a bank
    corrections: list[Any]  # tapes of the same months that had counted before
    guaranteed: dict[tuple[str, str], Decimal]  # by bank and currency: what of its outstanding principal is guaranteed
    without: list[str]  # names of banks that have no tape of the month asked for
    late: list[Any]


def exposures(found: Portfolio) -> list[Exposure]:
    """Return each bank's outstanding principal with what of it is guaranteed."""
    return [
        Exposure(
            group.value,
            group.label,
            currency,
            sums.outstanding,
            found.guaranteed.get((group.value, currency), Decimal(0)),
        )
        for group in found.by["bank"]
        for currency, sums in sorted(group.sums.items())
    ]


def chosen(who: Identity, programme: str) -> tuple[str, str | None]:
    """Return the programme to look at, and the bank when a person sees only its own loans."""
    roles = POLICY.require("loans.portfolio.read", who)
    if programme and programme not in who.programmes:
        raise NotFoundError("There is no such record")
    if not who.programmes:
        raise ConflictError("You have no programme")
    staff = [role for role in roles if role != "finance_partner"]
    return programme or who.programmes[0], None if staff else who.organisation or ""


def known_by(text: str) -> datetime:
    """Return the moment that a day, until its end, or a moment with its zone stands for."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidError({"known": "is neither a day nor a moment"}) from error
    zone = ZoneInfo(settings().time_zone)
    if "T" not in text and " " not in text:
        return datetime.combine(found.date(), time.max, zone)
    return found if found.tzinfo else found.replace(tzinfo=zone)


def before(row: Any) -> str:
    """Return the last moment at which a tape counted that a correction has taken the place of."""
    return f"{row.superseded_at.astimezone(UTC) - timedelta(microseconds=1):%Y-%m-%dT%H:%M:%S.%fZ}"


def portfolio(
    uow: UnitOfWork, who: Identity, *, programme: str = "", as_of: date | None = None, known: str = ""
) -> Portfolio:
    """Return the portfolio of a day; `known` asks how it was recorded by a moment, or the end of a day."""
    name, bank = chosen(who, programme)
    today = access.today(uow)
    day = as_of or today
    moment = known_by(known) if known else uow.now()
    if moment.astimezone(ZoneInfo(settings().time_zone)).date() < day and known:
        raise InvalidError({"known": Rule("must not be before %(as_of)s: nothing was recorded yet", as_of=day)})
    rows = storage.counted(uow.connection, name, bank, day, moment)
    live = [row for row in rows if row.superseded_at is None or row.superseded_at > moment]
    last = {row.bank: row for row in live}
    series = _series(live)
    sums = storage.sums_of(
        uow.connection, "programme" if bank is None else "bank", [row.id for row in live], [r.id for r in last.values()]
    )
    ids = {row.id for row in last.values()}
    here = [(tape, key, found) for tape, key, found in sums if tape in ids]
    finance, _ = access.rules(uow, name)
    partners = [item for item in finance.partners if bank in {None, item.bank}]
    month = f"{day:%Y-%m}"
    return Portfolio(
        programme=name,
        programme_name=storage.programme_name(uow.connection, name),
        bank=bank,
        as_of=day,
        known=moment,
        whole=_add({}, [(key.currency, found) for _, key, found in _of(here, "all")]),
        by={"bank": _banks(last, here)} | {name: _groups(here, name) for name in DIMENSIONS},
        months=_months(series, sums),
        tapes=list(last.values()),
        corrections=[row for row in rows if row not in live and row.month in {item.month for item in last.values()}],
        guaranteed=_guaranteed(uow, name, bank, day, sorted(ids)),
        without=[item.name for item in partners if last.get(item.bank) is None or last[item.bank].month != month],
        late=storage.latest(uow.connection, sorted(ids), LATE),
    )


def _guaranteed(
    uow: UnitOfWork, programme: str, bank: str | None, day: date, tapes: list[str]
) -> dict[tuple[str, str], Decimal]:
    """Return what guarantees that held on a day cover of the balances of these tapes, unless written off."""
    found: dict[tuple[str, str], Decimal] = {}
    for item in storage.held(uow.connection, day, tapes, programme=programme, bank=bank):
        if item.booked:
            key = item.bank, item.currency
            found[key] = found.get(key, Decimal(0)) + item.guaranteed.amount
    return found


def _of(sums: Iterable[tuple[str, Any, Sums]], dimension: str) -> list[tuple[str, Any, Sums]]:
    return [item for item in sums if item[1].dimension == dimension]


def _add(into: ByCurrency, sums: Iterable[Any]) -> ByCurrency:
    for currency, found in sums:
        into.setdefault(currency, Sums()).join(found)
    return into


def _banks(last: dict[str, Any], sums: list[tuple[str, Any, Sums]]) -> list[Group]:
    groups = []
    for row in last.values():
        own = [(key.currency, found) for tape, key, found in _of(sums, "all") if tape == row.id]
        groups.append(Group(row.bank, row.bank_name, _add({}, own)))
    return sorted(groups, key=lambda group: group.label)


def _groups(sums: list[tuple[str, Any, Sums]], dimension: str) -> list[Group]:
    found: dict[str, Group] = {}
    for _, key, item in _of(sums, dimension):
        group = found.setdefault(key.value, Group(key.value, key.value))
        _add(group.sums, [(key.currency, item)])
    return sorted(found.values(), key=lambda group: (not group.value, group.label))


def _series(live: list[Any]) -> list[tuple[str, list[str]]]:
    """Return for each month in which a tape counts the tapes that stand at its end: each bank's newest."""
    found: list[tuple[str, list[str]]] = []
    newest: dict[str, str] = {}
    for month in sorted({row.month for row in live}):
        newest |= {row.bank: row.id for row in live if row.month == month}
        found.append((month, list(newest.values())))
    return found[-MONTHS:]


def _months(series: list[tuple[str, list[str]]], sums: list[tuple[str, Any, Sums]]) -> list[tuple[str, ByCurrency]]:
    whole: dict[str, list[tuple[str, Sums]]] = {}
    for tape, key, found in _of(sums, "all"):
        whole.setdefault(tape, []).append((key.currency, found))
    return [(month, _add({}, [item for tape in tapes for item in whole.get(tape, [])])) for month, tapes in series]


@dataclass(frozen=True)
class Funnel:
    """How far proposals came; `counted_at` where it was counted beforehand."""

    steps: list[dict[str, Any]]
    reasons: list[dict[str, Any]]
    counted_at: datetime | None


def funnel(uow: UnitOfWork, programme: str, bank: str | None) -> Funnel:
    """Return the funnel of a programme, or of the referrals to a bank."""
    connection = uow.connection
    kept = storage.kept_funnel(connection, programme, bank or "") if storage.many(connection, programme) else None
    if kept is not None:
        return Funnel(**kept.figures, counted_at=kept.counted_at)
    return Funnel(**storage.count_funnel(connection, programme, bank or ""), counted_at=None)


def recount(uow: UnitOfWork) -> int:
    """Count the funnels of large programmes beforehand; returns how many."""
    done = 0
    for programme in storage.programmes(uow.connection):
        found = storage.finance_of(uow.connection, programme)
        if found is None or not storage.many(uow.connection, programme):
            continue
        for bank in ("", *(item.bank for item in found[0].partners)):
            figures = storage.count_funnel(uow.connection, programme, bank)
            storage.keep_funnel(uow.connection, programme, bank, figures, uow.now())
            done += 1
    return done
