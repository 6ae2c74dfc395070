"""Use cases of diagnostics: answer a questionnaire for a firm, and read what has changed since the last time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from services.loans import storage
from services.loans.domain.diagnostic import Answer, Diagnostic, Questionnaire
from services.loans.domain.finance import Finance
from services.loans.handlers import access, firms
from shared.database import UnitOfWork
from shared.errors import ConflictError, InvalidError, NotFoundError
from shared.web.forms import invalid
from shared.web.identity import Identity

TAKE = "loans.diagnostic.take"


@dataclass(frozen=True)
class Opened:
    """A questionnaire and its takings by a firm, the newest first; scores of other versions are not compared."""

    place: firms.Place
    asked: Questionnaire
    taken: list[Diagnostic]
    finance: Finance

    @property
    def newest(self) -> Diagnostic | None:
        return self.taken[0] if self.taken else None

    @property
    def before(self) -> Diagnostic | None:
        """Return the taking before the newest one, of the same version of the questionnaire."""
        same = [item for item in self.taken if item.number == self.taken[0].number] if self.taken else []
        return same[1] if len(same) > 1 else None

    def change(self, section: str) -> Decimal | None:
        """Return by how much a section's score has changed since the taking before."""
        if self.newest is None or self.before is None or section not in self.before.sections:
            return None
        return self.newest.sections[section] - self.before.sections[section]


def open_diagnostics(uow: UnitOfWork, who: Identity, organisation: str, code: str) -> Opened:
    """Return a firm's takings of a questionnaire; a view from outside is recorded."""
    where = firms.place(uow, who, organisation, firms.READ)
    finance, _ = access.rules(uow, where.programme)
    asked = _asked(finance, code)
    if where.side != "firm":
        access.viewed(uow, f"firm:{organisation}", "the diagnostic", case=organisation, programme=where.programme)
    return Opened(where, asked, storage.taken(uow, organisation, asked.code), finance)


def _asked(finance: Finance, code: str) -> Questionnaire:
    found = finance.questionnaire(code)
    if found is None:
        raise NotFoundError("There is no such questionnaire")
    return found


def take(  # noqa: PLR0917 - what is answered, for whom, as of when
    uow: UnitOfWork, who: Identity, organisation: str, code: str, answers: Mapping[str, Mapping[str, Any]], on: date
) -> Diagnostic:
    """Score a questionnaire for a firm as of a day; raises InvalidError naming each question and its rule."""
    where = firms.place(uow, who, organisation, TAKE)
    asked = _asked(access.rules(uow, where.programme)[0], code)
    if on > access.today(uow):
        raise InvalidError({"taken_on": "must not be in the future"})
    taken = Diagnostic(
        id=uow.next_reference("DIA"),
        programme=where.programme,
        organisation=organisation,
        organisation_name=where.name,
        questionnaire=asked.code,
        number=asked.number,
        taken_on=on,
        side=where.side,
        by_name=who.name,
        answers=_answers(answers),
    )
    before = storage.taken(uow, organisation, asked.code)
    if any(item.taken_on == on and item.answers == taken.answers for item in before):
        raise ConflictError("These answers are recorded already")
    storage.diagnostics(uow).add(taken)
    taken.take(asked)
    return taken


def _answers(given: Mapping[str, Mapping[str, Any]]) -> dict[str, Answer]:
    found, wrong = {}, dict[str, str]()
    for code, item in given.items():
        try:
            found[code] = Answer.model_validate(item)
        except ValidationError as error:
            fields = invalid(error).fields
            wrong |= {code if name == "level" else f"{code}.{name}": why for name, why in fields.items()}
    if wrong:
        raise InvalidError(wrong)
    return found
