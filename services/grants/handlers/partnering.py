"""Partners of an application and of its agreement: named by the applicant, looked at by everybody on the case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pydantic import Field
from sqlalchemy import Connection

from services.grants.domain.application import Application
from services.grants.domain.award.terms import AgreedPartner, Terms
from services.grants.domain.pack import BUDGET
from services.grants.domain.partnership import (
    LEAD,
    Cells,
    Partner,
    Partnership,
    Share,
    cells,
    grants_by_line,
    lead_share,
    rule_problems,
    scaled,
    share_problems,
)
from services.grants.domain.reporting.costs import ZERO
from services.grants.domain.reporting.report import Report
from services.grants.handlers import viewing
from services.grants.handlers.base import Command, Frame, act_as, application_for
from services.grants.storage.partnerships import find_partnership, organisations_in, partnerships
from services.grants.storage.reports import reports_of
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError, NotFoundError
from shared.money import Money
from shared.names import number as compared
from shared.web.identity import Identity

READ, CHANGE = "grants.partnership.read", "grants.partnership.change"


class NamedPartner(Command):
    """A partner as the applicant writes it: what it does, who acts for it, and its share of each budget line."""

    name: str = Field(default="", max_length=200)
    country: str = Field(default="", max_length=2)
    registration_number: str = Field(default="", max_length=60)
    part: str = Field(default="", max_length=1000)
    people: list[str] = Field(default=[], max_length=50)
    shares: dict[str, Money] = {}


class NamePartners(Command):
    """All partners of an application; `version` is that of the list that was looked at, 0 before the first."""

    partners: list[NamedPartner] = Field(max_length=50)
    version: int = 0


@dataclass(frozen=True)
class Seen:
    """The partners of a case, in numbers: {(number, line): grant}, the lead under 0."""

    application: Application
    frame: Frame
    partnership: Partnership | None
    lines: dict[str, Money]
    cells: Cells
    lead: Money
    wrong: dict[str, str]
    writable: bool

    @property
    def partners(self) -> list[Partner]:
        """Return who takes part besides the lead."""
        return self.partnership.partners if self.partnership else []

    @property
    def version(self) -> int:
        """Return what the next list must name."""
        return self.partnership.version if self.partnership else 0


def asked_lines(application: Application) -> dict[str, Money]:
    """Return what of the grant each budget line of an application asks for."""
    return grants_by_line(((row.line, row.grant) for row in application.budget), application.currency)


def agreed_lines(terms: Terms, currency: str) -> dict[str, Money]:
    """Return what of the grant each budget line of an agreement has."""
    return grants_by_line(((row.line, row.grant) for row in terms.lines), currency)


def may_write(application: Application, frame: Frame) -> bool:
    """Return whether partners can be named now: in a draft, or when the budget was asked for again."""
    return application.stage == frame.workflow.initial or BUDGET in application.asked


def seen(uow: UnitOfWork, who: Identity, reference: str) -> Seen:
    """Return the partners of a case that `who` may see."""
    application = viewing.application_seen(uow, who, reference)
    frame = Frame(uow.connection, application)
    found = find_partnership(uow.connection, application.id)
    if frame.call.partners is None and not found:
        raise NotFoundError("This call takes no partners")
    lines, partners = asked_lines(application), found.partners if found else []
    return Seen(
        application=application,
        frame=frame,
        partnership=found,
        lines=lines,
        cells=cells(partners, lines, application.currency),
        lead=lead_share(partners, lines, application.currency),
        wrong=problems(uow.connection, application, frame),
        writable=may_write(application, frame) and who.organisation == application.organisation,
    )


def name(uow: UnitOfWork, who: Identity, reference: str, command: NamePartners) -> Partnership:
    """Say who takes part and with which shares; nothing above a budget line, and enough stays with the lead."""
    application, role = application_for(uow, who, CHANGE, reference)
    frame = Frame(uow.connection, application)
    if not may_write(application, frame):
        raise ConflictError("The application is handed in; its partners can't be rewritten")
    kept = partnerships(uow)
    found = kept.find(application.id, expected=command.version, for_update=True)
    act_as(uow, role)
    made = [_partner(uow.connection, number, item) for number, item in enumerate(command.partners, 1)]
    found = found or kept.add(Partnership.of(application))
    found.title = application.title
    if not found.name(made, asked_lines(application), frame.call.partners) and not found.version:
        raise InvalidError({"partners": "name nobody"})
    return found


def _partner(connection: Connection, number: int, item: NamedPartner) -> Partner:
    shares = tuple(Share(line=line, grant=grant) for line, grant in item.shares.items() if grant.amount)
    country = item.country.upper()
    return Partner(
        number=number,
        organisation=_known(connection, country, item.registration_number),
        country=country,
        people=tuple(name.strip() for name in item.people if name.strip()),
        shares=shares,
        **item.model_dump(include={"name", "registration_number", "part"}),
    )


def _known(connection: Connection, country: str, given: str) -> str | None:
    """Return the organisation of the house that has this number in its country."""
    key = compared(given)
    if not country or not key:
        return None
    rows = organisations_in(connection, country)
    return next((row["id"] for row in rows if compared(row["registration_number"]) == key), None)


def problems(connection: Connection, application: Application, frame: Frame) -> dict[str, str]:
    """Return what of the partners does not fit the budget as it is now: it may have changed since."""
    found = find_partnership(connection, application.id)
    if found is None:
        return {}
    lines = asked_lines(application)
    wrong = share_problems(found.partners, lines, application.currency)
    return wrong or rule_problems(found.partners, lines, application.currency, frame.call.partners)


# --- the agreement -------------------------------------------------------------


def proposed(connection: Connection, application: Application, terms: Terms, amount: Money) -> Terms:
    """Return terms with the partners that were applied for, each with its part of what was decided."""
    found = find_partnership(connection, application.id)
    if found is None or not found.partners or not terms.lines:
        return terms
    lines = agreed_lines(terms, amount.currency)
    made = scaled(found.partners, asked_lines(application), lines)
    wanted = {"number", "name", "organisation", "country", "registration_number", "part", "shares"}
    kept = tuple(AgreedPartner(**{key: getattr(item, key) for key in wanted}) for item in made)
    return terms.model_copy(update={"partners": kept})


def must_fit(terms: Terms, frame: Frame, currency: str) -> None:
    """Raise InvalidError when the shares of an agreement are above its lines or leave the lead too little."""
    lines = agreed_lines(terms, currency)
    wrong = share_problems(terms.partners, lines, currency)
    wrong = wrong or rule_problems(terms.partners, lines, currency, frame.call.partners)
    if wrong:
        raise InvalidError(wrong)


def with_shares(terms: Terms, shares: Mapping[int, Mapping[str, Money]]) -> Terms:
    """Return terms with other shares of the partners that are named; who is not keeps theirs."""
    unknown = sorted(set(shares) - {item.number for item in terms.partners})
    if unknown:
        raise InvalidError({f"partners.{number}": "is not a partner of this agreement" for number in unknown})
    made = []
    for item in terms.partners:
        given = shares.get(item.number)
        if given is not None:
            kept = tuple(Share(line=line, grant=grant) for line, grant in given.items() if grant.amount)
            item = item.model_copy(update={"shares": kept})  # noqa: PLW2901 - the same partner, with other shares
        made.append(item)
    return terms.model_copy(update={"partners": tuple(made)})


# --- what was spent ----------------------------------------------------------------


@dataclass(frozen=True)
class Used:
    """What one participant of an agreement has of the grant and spent of it; the lead is number 0."""

    number: int
    name: str
    share: Money
    before: Money
    period: Money

    @property
    def so_far(self) -> Money:
        """Return all that was spent."""
        return self.before + self.period

    @property
    def left(self) -> Money:
        """Return what of the share is left; less than nothing when more was spent."""
        return self.share - self.so_far

    @property
    def percent(self) -> Decimal | None:
        """Return how far the spending is from the share, in per cent of it."""
        if not self.share:
            return None
        return (-self.left.amount * 100 / self.share.amount).quantize(Decimal("0.1"))


def used(
    terms: Terms | None, lead: str, reports: Sequence[Report], currency: str, now: Report | None = None
) -> list[Used]:
    """Return what each participant spent of the grant: accepted, or claimed where nothing is decided yet.

    With `now` what that report says stands apart from those before it. Without partners there is nothing to tell.
    """
    if terms is None or not terms.partners:
        return []
    earlier = [item for item in reports if now is None or item.number < now.number]
    before = _spent([item for item in earlier if item.status in {"accepted", "submitted"}], currency)
    period = _spent([now], currency) if now else {}
    lines = agreed_lines(terms, currency)
    shares = {LEAD: (lead, lead_share(terms.partners, lines, currency))}
    shares |= {item.number: (item.name, item.share(currency)) for item in terms.partners}
    return [
        Used(
            number=number,
            name=name,
            share=share,
            before=Money.of(before.get(number, ZERO), currency),
            period=Money.of(period.get(number, ZERO), currency),
        )
        for number, (name, share) in shares.items()
    ]


def _spent(reports: Sequence[Report], currency: str) -> dict[int, Decimal]:
    found: dict[int, Decimal] = {}
    for report in reports:
        for cost in report.costs:
            if cost.source != "grant":
                continue
            amount = cost.accepted if report.status == "accepted" else cost.value(currency).amount
            found[cost.partner] = found.get(cost.partner, ZERO) + amount
    return found


def used_of(connection: Connection, terms: Terms | None, lead: str, reference: str, currency: str) -> list[Used]:
    """Return what each participant of a grant used in all, as far as it was accepted or is being looked at."""
    if terms is None or not terms.partners:
        return []
    return used(terms, lead, reports_of(connection, reference), currency)


def used_view(rows: Sequence[Used]) -> list[dict[str, Any]]:
    """Return it as JSON types."""
    return [
        {"number": row.number, "name": row.name, "percent": None if row.percent is None else str(row.percent)}
        | {name: getattr(row, name).model_dump(mode="json") for name in ("share", "before", "period", "so_far", "left")}
        for row in rows
    ]


def view(found: Seen, *, inside: bool) -> dict[str, Any]:
    """Return partners as JSON types; which organisation of the house one is, is for staff."""
    hidden = set() if inside else {"organisation"}
    return {
        "reference": found.application.id,
        "version": found.version,
        "partners": [item.model_dump(mode="json", exclude=hidden) for item in found.partners],
        "lead": {
            "name": found.application.organisation_name,
            "share": found.lead.model_dump(mode="json"),
            "shares": [
                {"line": line, "grant": grant.model_dump(mode="json")}
                for (number, line), grant in found.cells.items()
                if number == LEAD
            ],
        },
        "problems": found.wrong,
        "writable": found.writable,
    }
