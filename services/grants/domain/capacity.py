"""How able an organisation is to carry a grant: a scored assessment that other calls may take over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, ClassVar

from services.grants.domain.application import Person
from shared.entity import Entity, Part
from shared.errors import ConflictError, InvalidError, Rule
from shared.events.diligence_rules import CapacitySheet, SpecialCondition
from shared.events.grants.capacity import CapacityAssessed, CapacitySaved, CapacityTakenOver, ConditionDropped

MAX_NOTE = 2000
_HUNDRED = Decimal(100)


class Answer(Part):
    """A question as it was asked, the answer that was chosen, its points and conditions, and what was looked at.

    The words are kept here, so that an answer stays readable whatever a later version of the programme asks.
    """

    question: str
    text: dict[str, str]
    option: str
    said: dict[str, str]
    points: int
    most: int
    note: str = ""
    condition: dict[str, str] | None = None


class Result(Part):
    """What a finished assessment says: points, per cent, by whom, and until which day it is valid."""

    points: int
    most: int
    percent: Decimal
    low: bool
    by: str
    by_name: str
    at: datetime
    valid_until: date


class TakenOver(Part):
    """Whose assessment this is when it was made for another application, and who took it over."""

    reference: str
    by: str
    by_name: str
    at: datetime


class Dropped(Part):
    """A special condition that was left out of the agreement, and why."""

    condition: str
    text: dict[str, str]
    why: str
    by_name: str
    at: datetime


class Capacity(Entity):
    """The capacity assessment of one application's organisation. Its id is the application's reference."""

    KIND: ClassVar[str] = "capacity"
    PRIVATE: ClassVar[frozenset[str]] = frozenset({"answers"})

    programme: str
    organisation: str
    title: str
    organisation_name: str
    sheet: str
    answers: list[Answer] = []
    result: Result | None = None
    source: TakenOver | None = None
    dropped: list[Dropped] = []

    def case(self) -> str:
        return self.id

    def programme_id(self) -> str:
        return self.programme

    def _facts(self) -> dict[str, Any]:
        return {"reference": self.id, "title": self.title, "organisation_name": self.organisation_name}

    def answer(
        self,
        given: Mapping[str, tuple[str, str]],
        sheet: CapacitySheet,
        *,
        finish: bool,
        by: Person,
        now: datetime,
        today: date,
    ) -> None:
        """Keep the answers {question: (option, note)}; with `finish` count them, which needs every one of them."""
        if self.result and not finish:
            raise ConflictError("The assessment is finished; change it by finishing it again")
        if wrong := _unknown(given, sheet) | (_unanswered(given, sheet) if finish else {}):
            raise InvalidError(wrong)
        self.answers = _answers(given, sheet)
        if not finish:
            self.record(CapacitySaved(**self._facts(), answered=sum(1 for item in self.answers if item.option)))
            return
        self._count(sheet, by, now, today)

    def _count(self, sheet: CapacitySheet, by: Person, now: datetime, today: date) -> None:
        points, most, low = _counted(self.answers, sheet)
        percent = (_HUNDRED * points / most).quantize(Decimal("0.1"), rounding=ROUND_HALF_EVEN)
        self.source, self.sheet = None, sheet.id
        self.result = Result(
            points=points,
            most=most,
            percent=percent,
            low=low,
            by=by.id,
            by_name=by.name,
            at=now,
            valid_until=sheet.valid_until(today),
        )
        self.record(
            CapacityAssessed(
                **self._facts(),
                points=self.result.points,
                most=self.result.most,
                percent=str(self.result.percent),
                valid_until=self.result.valid_until,
            )
        )

    def take_over(self, earlier: Capacity, sheet: str, *, by: Person, now: datetime, today: date) -> None:
        """Take over an earlier assessment of the same organisation; it stays valid no longer than it was."""
        if self.result:
            raise ConflictError(
                "This application has an assessment already, made by %(name)s", name=self.result.by_name
            )
        made = earlier.result
        if made is None or earlier.source or earlier.id == self.id:
            raise ConflictError("There is no finished assessment to take over")
        if (earlier.organisation, earlier.programme, earlier.sheet) != (self.organisation, self.programme, sheet):
            raise ConflictError("That assessment is of another organisation or asks other questions")
        if made.valid_until < today:
            raise ConflictError("It was valid until %(until)s; today is %(today)s", until=made.valid_until, today=today)
        self.answers, self.result, self.sheet = list(earlier.answers), made, earlier.sheet
        self.source = TakenOver(reference=earlier.id, by=by.id, by_name=by.name, at=now)
        self.record(
            CapacityTakenOver(
                **self._facts(),
                taken_from=earlier.id,
                percent=str(made.percent),
                assessed_by=made.by_name,
                assessed_at=made.at,
                valid_until=made.valid_until,
            )
        )

    def drop(self, left_out: Mapping[str, tuple[dict[str, str], str]], *, by: Person, now: datetime) -> None:
        """Record which special conditions {id: (text, why)} the agreement on offer leaves out."""
        for name, (text, why) in left_out.items():
            self.record(ConditionDropped(**self._facts(), condition=name, why=why))
            gone = Dropped(condition=name, text=text, why=why, by_name=by.name, at=now)
            self.dropped = [*(item for item in self.dropped if item.condition != name), gone]


def _unknown(given: Mapping[str, tuple[str, str]], sheet: CapacitySheet) -> dict[str, str]:
    known = {item.id: item for item in sheet.questions}
    wrong = {f"answers.{name}": "is not a question of this assessment" for name in given if name not in known}
    for name, (option, note) in given.items():
        options = [item.id for item in known[name].options] if name in known else []
        if options and option and option not in options:
            wrong[f"answers.{name}"] = Rule("must be one of: %(names)s", names=", ".join(options))
        if len(note) > MAX_NOTE:
            wrong[f"answers.{name}.note"] = Rule("is longer than %(most)s characters", most=MAX_NOTE)
    return wrong


def _unanswered(given: Mapping[str, tuple[str, str]], sheet: CapacitySheet) -> dict[str, str]:
    missing = [item.id for item in sheet.questions if not given.get(item.id, ("", ""))[0]]
    silent = [item.id for item in sheet.questions if not given.get(item.id, ("", ""))[1].strip()]
    wrong = {f"answers.{name}": "is required" for name in missing}
    return wrong | {f"answers.{name}.note": "is required: say what you looked at" for name in silent}


def _answers(given: Mapping[str, tuple[str, str]], sheet: CapacitySheet) -> list[Answer]:
    found = []
    for item in sheet.questions:
        option, note = given.get(item.id, ("", ""))
        chosen = next((one for one in item.options if one.id == option), None)
        found.append(
            Answer(
                question=item.id,
                text=item.text,
                option=option,
                said=chosen.name if chosen else {},
                points=chosen.points if chosen else 0,
                most=item.most,
                note=note.strip(),
                condition=chosen.condition if chosen else None,
            )
        )
    return [item for item in found if item.option or item.note]


def _counted(answers: Sequence[Answer], sheet: CapacitySheet) -> tuple[int, int, bool]:
    """Return the points, the most there could be, and whether that is low."""
    points, most = sum(item.points for item in answers), sum(item.most for item in answers)
    return points, most, sheet.low_below is not None and _HUNDRED * points < sheet.low_below * most


class Special(Part):
    """A special condition of an agreement, and where it comes from: the risk rating or an answer."""

    id: str
    text: dict[str, str]
    risk: str = ""
    question: dict[str, str] = {}
    said: dict[str, str] = {}

    @property
    def words(self) -> str:
        """Return the condition as the agreement says it: in each of its languages."""
        return " / ".join(dict.fromkeys(self.text.values()))


def specials(
    capacity: Capacity | None, risk: str | None, by_risk: Mapping[str, Sequence[SpecialCondition]]
) -> list[Special]:
    """Return the special conditions that the risk rating and the answers of the finished assessment ask for."""
    rated = risk or ""
    found = [Special(id=f"risk.{rated}.{item.id}", text=item.text, risk=rated) for item in by_risk.get(rated, ())]
    answers = capacity.answers if capacity and capacity.result else []
    return found + [
        Special(id=f"capacity.{item.question}", text=item.condition, question=item.text, said=item.said)
        for item in answers
        if item.condition
    ]


def with_specials(conditions: str, wanted: Sequence[Special], dropped: Mapping[str, str]) -> str:
    """Return an agreement's conditions with the special ones, each once, and without those that are left out.

    Raises InvalidError for one that is not asked for, and for one that is left out without a reason.
    """
    known = {item.id for item in wanted}
    wrong = {f"dropped.{name}": "is not a special condition of this case" for name in dropped if name not in known}
    blank = [name for name, why in dropped.items() if name in known and not why.strip()]
    wrong |= {f"dropped.{name}": "is required: say why this condition is left out" for name in blank}
    if wrong:
        raise InvalidError(wrong)
    gone = {item.words for item in wanted if item.id in dropped}
    lines = [line for line in conditions.splitlines() if line.strip() not in gone]
    there = {line.strip() for line in lines}
    return "\n".join([*lines, *(i.words for i in wanted if i.id not in dropped and i.words not in there)])
