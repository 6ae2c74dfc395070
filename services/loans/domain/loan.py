"""A loan: an accepted offer, what the bank has paid out of it, and what the MSME has confirmed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar

from services.loans.domain.arrears import Timetable, bucket
from services.loans.domain.offer import MAX_TERM
from services.loans.domain.schedule import Instalment, Terms, add_months, schedule
from services.loans.domain.tape_rows import SETTLED, Position
from shared.entity import Entity, Part
from shared.errors import ConflictError, InvalidError, NotFoundError, Rule
from shared.events.loans import loan as events
from shared.money import Money, decimals_of, total


@dataclass(frozen=True)
class EarlyDefault:
    """What the programme calls an early default: so many days late, or written off, within so many months."""

    days: int
    months: int

    def met(self, found: Position, first: date, as_of: date) -> bool:
        """Tell whether a loan that was paid out on `first` has defaulted early."""
        defaulted = found.days > self.days or found.written_off
        return defaulted and as_of <= add_months(first, self.months)


class Disbursement(Part):
    """One payment: reported by the bank, confirmed by the MSME."""

    number: int
    amount: Money
    on: date
    reported_at: datetime
    reported_by: str
    confirmed_at: datetime | None = None
    confirmed_by: str | None = None


class Restructuring(Part):
    """New terms for what is still owed, from a day on."""

    on: date
    principal: Money  # outstanding on that day
    interest_paid: Money  # in all until that day
    rate: Decimal
    term_months: int
    reported_at: datetime
    reported_by: str


class Loan(Entity):
    """What is owed to whom on which terms; never more is paid out than was agreed."""

    KIND: ClassVar[str] = "loan"
    PRIVATE: ClassVar[frozenset[str]] = frozenset({"profile", "disclosed"})

    proposal: str
    referral: str
    programme: str
    organisation: str
    organisation_name: str
    bank: str
    bank_name: str
    amount: Money
    rate: Decimal
    term_months: int
    fee: Money
    agreed_on: date
    tripartite: bool = False  # nothing is paid out before a tripartite agreement is in force
    disbursements: list[Disbursement] = []
    restructurings: list[Restructuring] = []
    stage: str = ""  # as last followed; empty until then
    bucket: int = 0  # the class of lateness, see arrears.bucket
    settled_on: date | None = None  # the day of the tape by which it was repaid or written off
    early_default_on: date | None = None
    profile: dict[str, str] = {}
    disclosed: list[str] = []  # the dimensions of the profile that the bank was given

    def case(self) -> str:
        return self.proposal

    def programme_id(self) -> str:
        return self.programme

    def parties(self) -> dict[str, list[str]]:
        return {
            "applicant": [f"org:{self.organisation}"],
            "partner": [f"org:{self.bank}"],
            "officer": ["role:officer"],
        }

    def facts(self, *notify: str) -> dict[str, Any]:
        """Return what every event about this loan says."""
        names = ("organisation_name", "bank_name")
        return {name: getattr(self, name) for name in names} | {
            "loan_id": self.id,
            "proposal_id": self.proposal,
            "referral_id": self.referral,
            "organisation_id": self.organisation,
            "bank_id": self.bank,
            "notify": list(notify),
        }

    def disbursed(self) -> Money:
        """Return what the bank says it has paid."""
        return total((item.amount for item in self.disbursements), self.amount.currency)

    def confirmed(self) -> Money:
        """Return what both sides say was paid."""
        return total((item.amount for item in self.disbursements if item.confirmed_at), self.amount.currency)

    def repayment(self) -> list[Instalment]:
        """Return the schedule from the first payment on, or from the agreement while nothing is paid out."""
        if self.restructurings:
            return self.followed()[0]
        start = min((item.on for item in self.disbursements), default=self.agreed_on)
        return schedule(self._terms(self.amount.amount, self.rate, self.term_months, start))

    def _terms(self, principal: Decimal, rate: Decimal, months: int, start: date) -> Terms:
        """Return monthly terms in the smallest coin of the loan's currency."""
        cent = Decimal(1).scaleb(-decimals_of(self.amount.currency))
        return Terms(principal=principal, annual_rate=rate, periods=months, start=start, cent=cent)

    def standing(self) -> str:
        """Return the loan's state: agreed until something is paid out, then performing until a tape says otherwise."""
        return self.stage or ("performing" if self.disbursements else "agreed")

    def followed(self) -> tuple[list[Instalment], Decimal]:
        """Return the instalments that count, and what was paid before them: of what is paid out, or restructured."""
        if self.restructurings:
            last = self.restructurings[-1]
            terms = self._terms(last.principal.amount, last.rate, last.term_months, last.on)
            return schedule(terms), self.disbursed().amount - last.principal.amount + last.interest_paid.amount
        if not self.disbursements:
            return [], Decimal(0)
        start = min(item.on for item in self.disbursements)
        paid = self.disbursed().amount
        return schedule(self._terms(paid, self.rate, self.term_months, start)), Decimal(0)

    def timetable(self) -> Timetable:
        """Return what is due by when."""
        return Timetable.of(*self.followed())

    def payouts(self) -> Timetable:
        """Return what had been paid out by when."""
        sums: dict[str, Decimal] = {}
        for item in sorted(self.disbursements, key=lambda item: item.on):
            sums[item.on.isoformat()] = (list(sums.values()) or [Decimal(0)])[-1] + item.amount.amount
        return Timetable(list(sums), [str(amount) for amount in sums.values()])

    def restructure(self, new: Restructuring, today: date) -> None:
        """Record new terms for what is owed; the days past due are counted by them from then on."""
        first = (
            self.restructurings[-1].on
            if self.restructurings
            else min((item.on for item in self.disbursements), default=None)
        )
        if first is None or self.standing() in SETTLED:
            raise ConflictError("A loan that is %(stage)s can't be restructured", stage=self.standing())
        wrong: dict[str, str] = {}
        if not first < new.on <= today:
            wrong["on"] = Rule("must be after %(first)s and at most %(last)s", first=first, last=today)
        if not Decimal(0) < new.principal.amount <= self.disbursed().amount:
            most = self.disbursed()
            wrong["principal"] = Rule("must be above zero and at most the %(most)s paid out", most=most)
        if new.interest_paid.amount < 0:
            wrong["interest_paid"] = "must not be negative"
        if not Decimal(0) <= new.rate <= 1:
            wrong["rate_percent"] = "must be between 0 and 100"
        if not 1 <= new.term_months <= MAX_TERM:
            wrong["term_months"] = Rule("must be between 1 and %(most)s", most=MAX_TERM)
        if wrong:
            raise InvalidError(wrong)
        self.restructurings = [*self.restructurings, new]
        if self.standing() != "overdue":
            self.stage = "restructured"
        terms = {"rate": str(new.rate), "term_months": new.term_months, "outstanding": new.principal}
        notify = self.facts("applicant", "officer")
        self.record(events.LoanRestructured(**notify, as_of=new.on, tape_id=None, **terms))

    def follow(self, found: Position, tape: str, as_of: date, early: EarlyDefault, *, corrects: bool = False) -> bool:
        """Take over how the loan stands by a tape; tells whether state, class of lateness or early default changed.

        A tape that `corrects` another of its month undoes the early default that the other one said.
        """
        now, before = bucket(found.days), (self.standing(), self.bucket)
        first, said = min((item.on for item in self.disbursements), default=as_of), self.early_default_on
        undone = corrects and said is not None and (said.year, said.month) == (as_of.year, as_of.month)
        default_on = None if undone else said
        if default_on is None and early.met(found, first, as_of):
            default_on = as_of
        # The programme's days of an early default need not be those at which a class begins.
        if (found.stage, now) == before and (default_on is None) == (said is None):
            return False
        self.stage, self.bucket, self.early_default_on = found.stage, now, default_on
        self.settled_on = as_of if found.stage in SETTLED else None
        self._tell(found, tape, as_of, before, defaulted=said is None and default_on is not None)
        return True

    def _tell(self, found: Position, tape: str, as_of: date, before: tuple[str, int], *, defaulted: bool) -> None:
        """Record what became of it; a letter goes out when it gets later or is settled, not for each day less."""
        currency = self.amount.currency
        said = {"as_of": as_of, "tape_id": tape, "outstanding": Money.of(found.outstanding, currency)}
        facts = self.facts("applicant", "partner", "officer") | said
        if found.stage == "overdue":
            worse = before[0] != "overdue" or self.bucket > before[1] or defaulted
            kind = events.LoanOverdue if worse else events.LoanLessOverdue
            owed = Money.of(found.owed, currency)
            self.record(kind(**facts, days=found.days, owed=owed, early=self.early_default_on is not None))
        elif found.stage == "closed_repaid":
            self.record(events.LoanRepaid(**facts))
        elif found.stage == "written_off":
            self.record(events.LoanWrittenOff(**facts, early=self.early_default_on is not None))
        elif found.stage == "restructured" and before[0] != "overdue":
            self.record(events.LoanRestructured(**facts, rate=None, term_months=None))
        else:
            self.record(events.LoanCaughtUp(**facts, was=before[0]))

    def agree(self) -> None:
        """Record that the accepted offer is now this loan."""
        terms = {"amount": self.amount, "rate": str(self.rate), "term_months": self.term_months}
        self.record(events.LoanAgreed(**self.facts("applicant", "partner", "officer"), **terms))

    def report(self, amount: Money, on: date, now: datetime, by: str, today: date) -> Disbursement:
        """Record a payment by the bank; together they never exceed the agreed amount."""
        paid = self.disbursed()
        left = self.amount - paid
        if on > today or on < self.agreed_on:
            raise InvalidError({"on": Rule("must be between %(first)s and %(last)s", first=self.agreed_on, last=today)})
        if amount.amount <= 0:
            raise InvalidError({"amount": "must be above zero"})
        if amount > left:
            raise ConflictError(
                "%(amount)s can't be disbursed: %(agreed)s agreed - %(paid)s disbursed = %(left)s left",
                amount=amount,
                agreed=self.amount,
                paid=paid,
                left=left,
            )
        item = Disbursement(number=len(self.disbursements) + 1, amount=amount, on=on, reported_at=now, reported_by=by)
        self.disbursements = [*self.disbursements, item]
        self.stage = self.standing()
        facts = {"number": item.number, "amount": amount, "on": on, "agreed": self.amount}
        notify = self.facts("applicant", "officer")
        self.record(events.DisbursementReported(**notify, **facts, disbursed=self.disbursed()))
        return item

    def confirm(self, number: int, now: datetime, by: str) -> None:
        """Record that the MSME has the payment."""
        item = next((item for item in self.disbursements if item.number == number), None)
        if item is None:
            raise NotFoundError("There is no such disbursement")
        if item.confirmed_at is not None:
            raise ConflictError("This disbursement has been confirmed already")
        done = item.model_copy(update={"confirmed_at": now, "confirmed_by": by})
        self.disbursements = [done if item.number == number else item for item in self.disbursements]
        facts = {"number": number, "amount": item.amount, "confirmed": self.confirmed(), "agreed": self.amount}
        self.record(events.DisbursementConfirmed(**self.facts("partner", "officer"), **facts))
