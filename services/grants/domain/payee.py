"""Who is paid, and to which account: entered by one, confirmed by another, and free after a cooling-off.

The numbers themselves do not stand here, but in a table of their own; here is what may be shown to all who see a case.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal

from services.grants.domain.bank_account import Kind
from services.grants.domain.pieces import Person
from shared.entity import Entity, Part
from shared.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError, Rule
from shared.events.grants.payee import PayeeBlocked, PayeeConfirmed, PayeeEntered, PayeeLifted, PayeeRefused

# Below this likeness, in per cent, a holder's name is another than the organisation's until somebody says why not.
RESEMBLES, MAX_WORDS = 80, 1000
Status = Literal["entered", "confirmed", "refused", "replaced", "blocked"]


class Letter(Part):
    """The bank's letter or statement that shows the account."""

    name: str
    media_type: str
    size: int
    sha256: str


class Lift(Part):
    """Payments of a programme may begin before the cooling-off is over."""

    programme: str
    by: str
    by_name: str
    at: datetime
    why: str


class Details(Part):
    """One account that an organisation has, or had, for its payments."""

    number: int
    kind: Kind
    country: str
    masked: str
    bic: str = ""
    bank: str = ""
    holder: str
    resembles: int
    letter: Letter
    status: Status = "entered"
    entered_by: str
    entered_by_name: str
    entered_role: str
    entered_at: datetime
    decided_by: str | None = None
    decided_by_name: str = ""
    decided_at: datetime | None = None
    note: str = ""
    lifts: tuple[Lift, ...] = ()

    @property
    def name_differs(self) -> bool:
        """Return whether the account is on another name than the organisation's."""
        return self.resembles < RESEMBLES

    def free_at(self, hours: int, programme: str) -> datetime | None:
        """Return from when on payments of a programme may go to it; None while it is not confirmed."""
        if self.status != "confirmed" or self.decided_at is None:
            return None
        early = [lift.at for lift in self.lifts if lift.programme == programme]
        return min([self.decided_at + timedelta(hours=hours), *early])


class Payee(Entity):
    """An organisation as one that is paid; its id is the organisation's. `programme` is where the last act was done."""

    KIND: ClassVar[str] = "payee"
    PRIVATE: ClassVar[frozenset[str]] = frozenset({"details"})

    name: str
    programme: str
    details: list[Details] = []

    def programme_id(self) -> str:
        return self.programme

    def parties(self) -> dict[str, list[str]]:
        return {"applicant": [f"org:{self.id}"], "finance": ["role:finance_officer"]}

    @property
    def waiting(self) -> Details | None:
        """Return the details that wait for another person's word."""
        return next((item for item in self.details if item.status == "entered"), None)

    @property
    def current(self) -> Details | None:
        """Return the details that are paid to."""
        return next((item for item in self.details if item.status == "confirmed"), None)

    def entry(self, number: int) -> Details:
        """Return one of the details; raises NotFoundError."""
        found = next((item for item in self.details if item.number == number), None)
        if found is None:
            raise NotFoundError("There is no such record")
        return found

    def enter(self, by: Person, now: datetime, programme: str, **facts: Any) -> Details:
        """Enter an account; it waits for another person, and the one before it stays in use until then."""
        if self.waiting:
            raise ConflictError(
                "The account %(masked)s that %(who)s entered waits to be confirmed: that comes first",
                masked=self.waiting.masked,
                who=self.waiting.entered_by_name,
            )
        about = {"entered_by": by.id, "entered_by_name": by.name, "entered_role": by.role or "", "entered_at": now}
        item = Details(number=len(self.details) + 1, **about, **facts)
        self.details, self.programme = [*self.details, item], programme
        told = {"changes_former": self.current is not None, "entered_by_name": by.name}
        self.record(PayeeEntered(**self._fact(item, ["applicant", "finance"]), **told))
        return item

    def confirm(
        self, number: int, by: Person, now: datetime, *, note: str, doubts: list[Rule], programme: str, hours: int
    ) -> None:
        """Confirm what somebody else entered; doubts need a note that says how they were settled."""
        item = self._waits(number)
        self._apart(item, by)
        if doubts and not note:
            why = doubts[0]
            for more in doubts[1:]:
                why = Rule("%(first)s, and %(more)s", first=why, more=more)
            raise InvalidError({"note": Rule("is required: say how you made sure, because %(why)s", why=why)})
        if len(note) > MAX_WORDS:
            raise InvalidError(
                {"note": Rule("has %(has)s characters; at most %(most)s", has=len(note), most=MAX_WORDS)}
            )
        former = self.current
        if former:
            self._put(former.model_copy(update={"status": "replaced"}))
        self._decide(item, "confirmed", by, now, note)
        self.programme = programme
        told = {"entered_by_name": item.entered_by_name, "confirmed_by_name": by.name, "cooling_off_hours": hours}
        self.record(PayeeConfirmed(**self._fact(item, ["applicant", "finance"]), **told))

    def refuse(self, number: int, by: Person, now: datetime, *, why: str, programme: str) -> None:
        """Do not confirm, or as who entered it take it back; what was in use before stays."""
        item = self._waits(number)
        self._reasoned(why)
        self._decide(item, "refused", by, now, why)
        self.programme = programme
        own = by.is_one_of(item.entered_by)
        self.record(PayeeRefused(**self._fact(item, ["applicant", "finance"]), why=why, taken_back=own))

    def lift(self, number: int, by: Person, now: datetime, *, why: str, programme: str, hours: int) -> None:
        """Let payments of a programme begin now; by a third person, with the reason."""
        item = self.entry(number)
        free = item.free_at(hours, programme)
        if free is None:
            raise ConflictError("These bank details are not confirmed")
        if free <= now:
            raise ConflictError("The cooling-off of these bank details is over already")
        self._reasoned(why)
        self._apart(item, by)
        if by.is_one_of(item.decided_by):
            raise ForbiddenError("You confirmed these bank details; a third person must lift the cooling-off")
        lift = Lift(programme=programme, by=by.id, by_name=by.name, at=now, why=why)
        self._put(item.model_copy(update={"lifts": (*item.lifts, lift)}))
        self.programme = programme
        self.record(PayeeLifted(**self._fact(item, ["applicant", "finance"]), why=why))

    def block(self, number: int, by: Person, now: datetime, *, why: str, programme: str) -> None:
        """Pay no more to an account that was in use, at once; one person is enough for stopping."""
        item = self.entry(number)
        if item.status != "confirmed":
            raise ConflictError("These bank details are not in use")
        self._reasoned(why)
        update = {"status": "blocked", "note": f"{item.note}\n{by.name}, {now.date().isoformat()}: {why}".strip()}
        self._put(item.model_copy(update=update))
        self.programme = programme
        self.record(PayeeBlocked(**self._fact(item, ["applicant", "finance"]), why=why))

    def must_be_payable(self, now: datetime, *, hours: int, programme: str) -> Details:
        """Return the details that a payment of the programme goes to now; raises ConflictError with the reason."""
        item = self.current
        if item is None:
            raise no_account(self.name)
        free = item.free_at(hours, programme)
        if free is None or free > now:
            raise ConflictError(
                "The account %(masked)s of %(name)s was confirmed at %(at)s: within %(hours)s hours of that "
                "nothing is paid to it, so not before %(free)s, unless a manager lifts this",
                masked=item.masked,
                name=self.name,
                at=_minute(item.decided_at),
                hours=hours,
                free=_minute(free),
            )
        return item

    def _waits(self, number: int) -> Details:
        item = self.entry(number)
        if item.status != "entered":
            raise ConflictError(
                "%(who)s has decided about these bank details already", who=item.decided_by_name or item.entered_by_name
            )
        return item

    def _apart(self, item: Details, by: Person) -> None:
        if by.is_one_of(item.entered_by):
            raise ForbiddenError("You entered these bank details; another person must decide about them")

    def _reasoned(self, why: str) -> None:
        if not 1 <= len(why) <= MAX_WORDS:
            raise InvalidError({"why": Rule("must have 1 to %(most)s characters", most=MAX_WORDS)})

    def _decide(self, item: Details, status: Status, by: Person, now: datetime, note: str) -> None:
        about = {"decided_by": by.id, "decided_by_name": by.name, "decided_at": now, "note": note}
        self._put(item.model_copy(update={"status": status, **about}))

    def _put(self, item: Details) -> None:
        self.details = [item if each.number == item.number else each for each in self.details]

    def _fact(self, item: Details, notify: list[str]) -> dict[str, Any]:
        about = {"organisation_id": self.id, "organisation_name": self.name}
        return about | {"number": item.number, "masked": item.masked, "notify": notify}


def no_account(name: str) -> ConflictError:
    """Return the refusal of a payment to an organisation without an account that two people vouch for."""
    return ConflictError(
        "%(name)s has no confirmed bank account: enter it on the page of the organisation's bank details, "
        "and let another person confirm it",
        name=name,
    )


def _minute(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else "–"
