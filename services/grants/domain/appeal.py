"""An appeal against a rejection: once, in time, decided by somebody who did not decide before."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, ClassVar, Literal
from zoneinfo import ZoneInfo

from services.grants.domain.application import Application, Calendar, Person
from services.grants.domain.parties import parties_of
from shared.entity import Entity
from shared.errors import ConflictError, ForbiddenError, InvalidError, Rule
from shared.events.closeout_rules import Appeals
from shared.events.grants.appeal import AppealDecided, AppealLodged
from shared.workflow import Sla, due

Outcome = Literal["granted", "refused"]


class Appeal(Entity):
    """The one appeal of an application. Its id is the application's reference."""

    KIND: ClassVar[str] = "appeal"

    programme: str
    title: str
    organisation: str
    organisation_name: str
    officer: str | None = None
    grounds: str
    rejected_by: list[str]
    rejected_on: date
    until: date
    lodged_by: str
    lodged_by_name: str
    lodged_at: datetime
    outcome: Outcome | None = None
    reason_code: str = ""
    words: str = ""
    decided_by: str | None = None
    decided_by_name: str = ""
    decided_at: datetime | None = None

    def case(self) -> str:
        return self.id

    def programme_id(self) -> str:
        return self.programme

    def parties(self) -> dict[str, list[str]]:
        return parties_of(self.organisation, self.officer, "manager")

    @classmethod
    def lodge(  # noqa: PLR0917 - an act has as many sides
        cls, application: Application, grounds: str, last_day: date, calendar: Calendar, by: Person, now: datetime
    ) -> Appeal:
        """Lodge the appeal of a rejected application; who made the decision can't decide on it again."""
        about = ("id", "programme", "title", "organisation", "organisation_name", "officer")
        made = {"lodged_by": by.id, "lodged_by_name": by.name, "lodged_at": now}
        rejection = application.history[-1]
        appeal = cls(
            **{name: getattr(application, name) for name in about},
            **made,
            grounds=grounds,
            rejected_by=[rejection.by, *(item.by for item in application.approvals)],
            rejected_on=rejection.at.astimezone(ZoneInfo(calendar.zone)).date(),
            until=last_day,
        )
        fact = appeal._facts(["officer", "manager"])
        appeal.record(AppealLodged(**fact, grounds=grounds, rejected_on=appeal.rejected_on, until=last_day))
        return appeal

    def _facts(self, notify: list[str]) -> dict[str, Any]:
        about = {"reference": self.id, "title": self.title, "organisation_id": self.organisation}
        return about | {"organisation_name": self.organisation_name, "notify": notify}

    def decide(
        self, outcome: Outcome, code: str, words: str, rules: Appeals, calendar: Calendar, *, by: Person, now: datetime
    ) -> None:
        """Grant it or refuse it, for a coded reason."""
        if self.outcome and self.decided_at:
            raise ConflictError(
                "The appeal was decided on %(day)s by %(who)s",
                day=self.decided_at.astimezone(ZoneInfo(calendar.zone)).date(),
                who=self.decided_by_name,
            )
        if by.is_one_of(*self.rejected_by):
            raise ForbiddenError("You decided this case before; another person must decide the appeal")
        known = {item.id: item for item in rules.reasons if item.outcome == outcome}
        if code not in known:
            raise InvalidError({"code": Rule("must be one of: %(names)s", names=", ".join(known))})
        self.outcome, self.reason_code, self.words = outcome, code, words
        self.decided_by, self.decided_by_name, self.decided_at = by.id, by.name, now
        said = {"outcome": outcome, "reason_code": code, "reason_names": known[code].says, "words": words}
        self.record(AppealDecided(**self._facts(["applicant", "officer"]), **said))


def last_day(application: Application, rules: Appeals, calendar: Calendar) -> date:
    """Return the last day on which the rejection at hand can be appealed; the day of the rejection does not count."""
    sla = Sla(working_days=rules.working_days)
    found = due(application.history[-1].at, (), sla, calendar.country, calendar.zone)
    assert found is not None  # noqa: S101 - nothing pauses it
    return found


def is_late(until: date, now: datetime, calendar: Calendar) -> bool:
    """Return whether the last day is over where the programme is."""
    return now.astimezone(ZoneInfo(calendar.zone)).date() > until


def must_be_in_time(until: date, now: datetime, calendar: Calendar) -> None:
    """Raise ConflictError when the days are over."""
    if is_late(until, now, calendar):
        raise ConflictError("An appeal could be made until %(day)s", day=until)
