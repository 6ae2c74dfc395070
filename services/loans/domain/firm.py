"""A firm's profile over time: dated facts with their source. A correction keeps what it corrects."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar, Literal, TypeVar

from services.loans.domain.facts import CONTENTS, Accounts, Content, Owners, Register, Source, Staff, Topic
from services.loans.domain.size import Figures, Size, SizeRule, size_of
from shared.entity import STORED, Entity, Part
from shared.errors import ConflictError, InvalidError, NotFoundError, Rule
from shared.events.loans.firm import FirmPersonErased, FirmPersonNamed, FirmRecorded

MAX_ENTRIES, MAX_PEOPLE = 300, 100
C = TypeVar("C", Register, Owners, Staff, Accounts)


class Entry(Part):
    """One fact: about what, as of which day, from where, by whom and when."""

    number: int
    topic: Topic
    as_of: date
    source: Source
    side: Literal["firm", "adviser", "office"]
    by: str
    by_name: str
    at: datetime
    corrects: int | None = None  # the entry that this one takes the place of
    why: str = ""
    content: dict[str, Any]  # of one of CONTENTS

    def read(self, kind: type[C]) -> C:
        """Return what it says."""
        return kind.model_validate(self.content, context=STORED)


class Fact(Part):
    """What somebody enters."""

    topic: Topic
    as_of: date
    source: Source
    content: dict[str, Any]
    corrects: int | None = None
    why: str = ""


class Person(Part):
    """Somebody of the firm who goes to courses: elsewhere known by the number alone; an erased one has no name."""

    number: int
    name: str
    role: Literal["owner", "manager", "employee"]
    erased: bool = False


class Firm(Entity):
    """The profile of one organisation; its id is the organisation's. What it says stands in no record of changes."""

    KIND: ClassVar[str] = "firm"
    PRIVATE: ClassVar[frozenset[str]] = frozenset({"entries", "people"})

    name: str
    programme: str
    currency: str
    entries: list[Entry] = []
    people: list[Person] = []

    def case(self) -> str:
        return self.id

    def programme_id(self) -> str:
        return self.programme

    def parties(self) -> dict[str, list[str]]:
        return {"applicant": [f"org:{self.id}"], "officer": ["role:officer"]}

    @property
    def number(self) -> int:
        """Return the number of the newest entry: what a proposal that is filled in from here is pinned to."""
        return len(self.entries)

    def facts(self, *notify: str) -> dict[str, Any]:
        """Return what every event about this firm says."""
        return {"firm_id": self.id, "organisation_name": self.name, "notify": list(notify)}

    def enter(self, fact: Fact, content: Content, *, side: str, by: tuple[str, str], now: datetime, today: date) -> int:
        """Add a fact and return its number; raises InvalidError naming each field and rule."""
        if len(self.entries) >= MAX_ENTRIES:
            raise ConflictError("A profile has at most %(limit)s entries", limit=MAX_ENTRIES)
        wrong = content.problems(fact.as_of)
        if fact.as_of > today:
            wrong["as_of"] = "must not be in the future"
        wrong |= self._wrong_correction(fact) or self._stated(fact, content)
        if wrong:
            raise InvalidError(wrong)
        number = self.number + 1
        entry = Entry(
            number=number,
            side=side,
            by=by[0],
            by_name=by[1],
            at=now,
            **fact.model_dump(exclude={"content"}),
            content=content.model_dump(mode="json"),
        )
        self.entries = [*self.entries, entry]
        told = {name: getattr(entry, name) for name in ("number", "topic", "as_of", "side", "corrects")}
        self.record(FirmRecorded(**self.facts(), **told, basis=entry.source))
        return number

    def _wrong_correction(self, fact: Fact) -> dict[str, str]:
        if fact.corrects is None:
            return {}
        former = next((item for item in self.standing() if item.number == fact.corrects), None)
        if former is None or former.topic != fact.topic:
            return {"corrects": Rule("is no entry that stands: %(number)s", number=fact.corrects)}
        return {} if fact.why.strip() else {"why": "is required"}

    def name_person(self, name: str, role: str) -> Person:
        """Add somebody of the firm."""
        if not name.strip():
            raise InvalidError({"name": "is required"})
        if any(item.name == name.strip() for item in self.people):
            raise InvalidError({"name": "stands twice"})
        if len(self.people) >= MAX_PEOPLE:
            raise ConflictError("A firm names at most %(limit)s people", limit=MAX_PEOPLE)
        found = Person.model_validate({"number": len(self.people) + 1, "name": name.strip(), "role": role})
        self.people = [*self.people, found]
        self.record(FirmPersonNamed(**self.facts(), person=found.number, role=found.role))
        return found

    def person(self, number: int) -> Person:
        """Return somebody of the firm by the number."""
        found = next((item for item in self.people if item.number == number), None)
        if found is None:
            raise NotFoundError("There is no such person")
        return found

    def erase_person(self, number: int) -> None:
        """Forget a person's name for good; hours and certificates of the number stay."""
        found = self.person(number)
        if found.erased:
            raise ConflictError("This name is erased already")
        gone = found.model_copy(update={"name": "", "erased": True})
        self.people = [gone if item.number == number else item for item in self.people]
        self.record(FirmPersonErased(**self.facts(), person=number))

    def _stated(self, fact: Fact, content: Content) -> dict[str, str]:
        """Refuse a year's accounts from a source that has stated them: they are corrected, not stated twice."""
        if not isinstance(content, Accounts):
            return {}
        for item in self.standing():
            same = item.topic == "accounts" and item.source == fact.source and item.number != fact.corrects
            if same and item.read(Accounts).year == content.year:
                return {"year": Rule("is stated by entry %(number)s: correct that one", number=item.number)}
        return {}

    def standing(self, upto: int | None = None) -> list[Entry]:
        """Return the entries that no other one corrects, in the order of their day; of the first `upto` alone."""
        kept = self.entries if upto is None else self.entries[:upto]
        gone = {item.corrects for item in kept}
        return sorted((item for item in kept if item.number not in gone), key=lambda item: (item.as_of, item.number))

    def latest(self, topic: Topic, on: date | None = None, upto: int | None = None) -> Entry | None:
        """Return the newest standing entry on a topic, as of a day or before it."""
        found = [item for item in self.standing(upto) if item.topic == topic and (on is None or item.as_of <= on)]
        return found[-1] if found else None

    def accounts(self, upto: int | None = None) -> list[tuple[Entry, Accounts]]:
        """Return the accounts of each year, oldest first; of two of one year the newer entry."""
        read = [(item, item.read(Accounts)) for item in self.standing(upto) if item.topic == "accounts"]
        by_year = {found.year: (item, found) for item, found in sorted(read, key=lambda pair: pair[0].number)}
        return [by_year[year] for year in sorted(by_year)]

    def figures(self, currency: str) -> list[Figures]:
        """Return the figures of each year with accounts: the employees are those stated last by its end."""
        same = currency == self.currency
        found = []
        for _, accounts in self.accounts():
            staff = self.latest("staff", date(accounts.year, 12, 31))
            employees = staff.read(Staff).total() if staff else None
            turnover, balance = (accounts.sales, accounts.total_assets) if same else (None, None)
            found.append(Figures(accounts.year, employees, turnover, balance))
        return found

    def size(self, rule: SizeRule) -> Size:
        """Return the size class by the programme's rule."""
        return size_of(rule, self.figures(rule.currency))

    def women_share(self, on: date | None = None) -> Decimal | None:
        """Return the per cent that women own, as stated last."""
        entry = self.latest("owners", on)
        return entry.read(Owners).share("female") if entry else None


def read_content(topic: str, content: dict[str, Any]) -> Content:
    """Return what somebody typed as the content of a topic; raises pydantic's ValidationError."""
    return CONTENTS[topic].model_validate(content)


def prefill(firm: Firm) -> dict[str, dict[str, Any]]:
    """Return what the profile knows of a proposal's blocks: the firm, its owners, three years of accounts."""
    blocks: dict[str, dict[str, Any]] = {}
    register, owners, staff = (firm.latest(topic) for topic in ("register", "owners", "staff"))
    applicant: dict[str, Any] = {}
    if register:
        stated = register.read(Register).model_dump(exclude={"region"})
        applicant |= {name: value for name, value in stated.items() if value not in {"", None}}
    if staff:
        applicant["employees"] = int(staff.read(Staff).total().to_integral_value())
    if owners:
        held = owners.read(Owners)
        applicant["women_owned_percent"] = held.share("female")
        blocks["owners"] = {"people": [person.model_dump(exclude={"pep"}) for person in held.people]}
    years = firm.accounts()[-3:]
    if applicant:
        blocks["applicant"] = applicant
    if years:
        blocks["history"] = {"years": [_year(entry, accounts) for entry, accounts in years]}
    return blocks


_SAME = (
    *("year", "sales", "cost_of_sales", "operating_costs", "depreciation", "interest", "tax", "current_assets"),
    *("stock", "receivables", "payables", "current_liabilities", "debt", "equity"),
)


def _year(entry: Entry, accounts: Accounts) -> dict[str, Any]:
    return accounts.model_dump(include=set(_SAME)) | {"source": entry.source}
