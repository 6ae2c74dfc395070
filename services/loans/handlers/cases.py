"""Use cases of an adviser: its firms at a glance, contacts with one, the next step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from services.loans import storage
from services.loans.domain.advice import Advice, Contact, Step
from services.loans.domain.finance import Finance
from services.loans.domain.lessons import Lesson
from services.loans.domain.proposal import Proposal
from services.loans.domain.ratios import ratios
from services.loans.domain.readiness import Check, checks
from services.loans.handlers import access, firms
from shared.database import UnitOfWork
from shared.errors import ConflictError, NotFoundError
from shared.web.identity import Identity
from shared.web.paging import Page

_OFFICE = {"officer", "programme_manager"}


@dataclass(frozen=True)
class Case:
    """A firm as its adviser sees it: the newest proposal, the rules that it meets, what is next, banks and fee."""

    row: Any
    met: int
    of: int
    checks: list[Check]
    step: Step | None
    plans: Any | None  # open improvement plans and their first due day
    fee: Any | None
    banks: list[Any]

    @property
    def share(self) -> Decimal:
        """Return the share of rules that are met."""
        return Decimal(self.met) / self.of if self.of else Decimal(1)

    def dues(self) -> list[tuple[str, date]]:
        """Return what is due, the first in front: a step that was agreed, an improvement plan, a bank's answer."""
        found = [("step", self.step.due)] if self.step else []
        if self.plans is not None and self.plans.due:
            found.append(("plan", self.plans.due))
        found += [("bank", item.due) for item in self.banks if item.due]
        return sorted(found, key=lambda item: item[1])


def adviser_of(uow: UnitOfWork, who: Identity, asked: str = "") -> tuple[str, list[tuple[str, str]]]:
    """Return whose cases a person sees: an adviser the own alone, the office those of the one that it chooses."""
    if not _OFFICE & set(who.roles):
        return who.organisation or "", []
    names = {row.organisation: row.name for row in storage.supporters(uow.connection, who.programmes)}
    chosen = asked if asked in names else next(iter(names), "")
    return chosen, list(names.items())


@dataclass(frozen=True)
class Asked:
    """How a list of cases is asked for."""

    sort: str = "due"
    stage: str = ""
    late: bool = False
    q: str = ""
    cursor: str | None = None
    limit: int = 25


def cases(uow: UnitOfWork, who: Identity, adviser: str, asked: Asked) -> Page[Case]:
    """Return an adviser's cases, each scored as it stands; as many statements for fifty firms as for one."""
    office = bool(_OFFICE & set(who.roles))
    page = storage.case_rows(
        uow.connection,
        adviser,
        who.programmes if office else None,
        sort=asked.sort,
        stage=asked.stage,
        late=access.today(uow) if asked.late else None,
        q=asked.q,
        cursor=asked.cursor,
        limit=asked.limit,
    )
    return Page(items=_scored(uow, adviser, page.items), next=page.next)


def _scored(uow: UnitOfWork, adviser: str, rows: Sequence[Any]) -> list[Case]:
    ids, connection = [row.id for row in rows], uow.connection
    lessons: dict[str, list[Lesson]] = {}
    for name, lesson in storage.lessons_by_firm(connection, [row.organisation for row in rows]):
        lessons.setdefault(name, []).append(lesson)
    read = {item.id: item for item in storage.proposals_in(uow, ids)}
    steps = {item.id: item.step for item in storage.advices_in(uow, [row.advice for row in rows if row.advice])}
    plans, fees = storage.plans_of(connection, ids), storage.fees_by(connection, ids)
    banks = storage.banks_by(connection, ids)
    rules = {programme: access.rules(uow, programme)[0] for programme in {item.programme for item in read.values()}}
    found = []
    for row in rows:
        proposal: Proposal = read[row.id]
        own = lessons.get(row.organisation, [])
        finance, figures = rules[proposal.programme], ratios(proposal.plan)
        judged = checks(proposal.plan, proposal.documents, figures, finance, access.today(uow), own)
        fee = fees.get(row.id)
        found.append(
            Case(
                row=row,
                met=sum(item.todo is None for item in judged),
                of=len(judged),
                checks=judged,
                step=steps.get(row.advice) if row.advice else None,
                plans=plans.get(row.id),
                fee=fee if fee is not None and fee.organisation == adviser else None,
                banks=banks.get(row.id, []),
            )
        )
    return found


@dataclass(frozen=True)
class Opened:
    """One case: the firm, and what its adviser has noted; `advice` is None before the first contact."""

    place: firms.Place
    adviser: str
    advice: Advice | None
    case: Case
    finance: Finance


def open_case(uow: UnitOfWork, who: Identity, organisation: str, adviser: str = "") -> Opened:
    """Return an adviser's case of a firm; the firm itself does not read its adviser's notes."""
    where = _advised(uow, who, organisation, "loans.case.read")
    chosen = adviser_of(uow, who, adviser)[0]
    held = storage.advice_of(uow.connection, chosen, organisation)
    advice = storage.advices(uow).get(held, for_update=False) if held else None
    row = storage.case_row(uow.connection, chosen, organisation)
    if row is None:
        raise NotFoundError("There is no such record")
    if where.side == "office":
        access.viewed(
            uow, f"advice:{organisation}", "the adviser's notes", case=organisation, programme=where.programme
        )
    finance = access.rules(uow, where.programme)[0]
    return Opened(where, chosen, advice, _scored(uow, chosen, [row])[0], finance)


def _advised(uow: UnitOfWork, who: Identity, organisation: str, action: str) -> firms.Place:
    where = firms.place(uow, who, organisation, action)
    if where.side == "firm":
        raise NotFoundError("There is no such record")
    return where


@dataclass(frozen=True)
class Noted:
    """A contact as it is typed; a step only where one was agreed."""

    on: date
    how: str
    note: str
    step: Step | None = None


def contact(uow: UnitOfWork, who: Identity, organisation: str, noted: Noted, *, version: int | None = None) -> Advice:
    """Note a contact with a firm, and the next step; the first one opens the case."""
    where = _advised(uow, who, organisation, "loans.case.keep")
    held = storage.advice_of(uow.connection, who.organisation or "", organisation)
    if held:
        advice = storage.advices(uow).get(held, expected=version)
    else:
        advice = storage.advices(uow).add(_new(uow, who, where))
    made = {"on": noted.on, "how": noted.how, "note": noted.note, "by_name": who.name, "at": uow.now()}
    advice.contact(Contact.model_validate(made), noted.step, access.today(uow))
    return advice


def _new(uow: UnitOfWork, who: Identity, where: firms.Place) -> Advice:
    name = storage.organisation_name(uow.connection, who.organisation or "")
    return Advice(
        id=uow.next_reference("ADV"),
        programme=where.programme,
        organisation=where.organisation,
        organisation_name=where.name,
        adviser=who.organisation or "",
        adviser_name=name.name if name else who.name,
    )


def finish_step(uow: UnitOfWork, who: Identity, organisation: str, *, version: int | None = None) -> Advice:
    """Take the next step as done."""
    _advised(uow, who, organisation, "loans.case.keep")
    held = storage.advice_of(uow.connection, who.organisation or "", organisation)
    if held is None:
        raise ConflictError("Nothing is agreed at present")
    advice = storage.advices(uow).get(held, expected=version)
    advice.finish_step()
    return advice
