"""A report as the programme judges it: costs accepted, cut or refused; returned with named parts, or accepted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from services.grants.domain.application import Person
from services.grants.domain.reporting.costs import ZERO, Cost, Resemblance, total_of
from services.grants.domain.reporting.drafting import Draft
from services.grants.domain.reporting.results import Figure
from shared.errors import ConflictError, ForbiddenError, InvalidError, Rule
from shared.events.grants.report import (
    CostDecided,
    ReportAccepted,
    ReportReopened,
    ReportReturned,
    ReportReviewLate,
    ReportSubmitted,
)
from shared.money import Money

Verdict = Literal["accepted", "cut", "refused"]


class Report(Draft):
    """A report of a grant, from the day it is scheduled to the day it is accepted, and corrected afterwards."""

    def accepted(self) -> Money:
        """Return what of its costs was accepted."""
        return total_of(self.costs, self.currency, accepted=True)

    def to_post(self) -> tuple[Money, Money]:
        """Return what of the accepted costs is not in the ledger yet: of the grant, and of the own share."""
        grant = total_of(self.costs, self.currency, accepted=True, source="grant")
        own = total_of(self.costs, self.currency, accepted=True, source="own")
        posted = (Money.of(self.posted_grant, self.currency), Money.of(self.posted_own, self.currency))
        return grant - posted[0], own - posted[1]

    def posted(self) -> None:
        """Remember that the ledger has it all."""
        grant, own = self.to_post()
        self.posted_grant, self.posted_own = self.posted_grant + grant.amount, self.posted_own + own.amount

    def submit(
        self, by: Person, now: datetime, *, review_due: date, alike: Mapping[int, Sequence[Resemblance]]
    ) -> None:
        """Hand it in; `alike` are the look-alikes of each cost, which the programme sees."""
        if not self.open:
            raise ConflictError("The report is %(status)s; it can't be handed in", status=self.status)
        self.costs = [cost.model_copy(update={"alike": tuple(alike.get(cost.number, ()))}) for cost in self.costs]
        self.handed = [*self.handed, self._version(by, now)]
        self.status, self.asked, self.why, self.remind_on = "submitted", [], "", None
        self.submitted_by, self.submitted_at = by.id, now
        self.review_due, self.review_told = review_due, False
        version = len(self.handed)
        about = {"report_version": version, "claimed": self.claimed(), "review_due": review_due}
        self.record(ReportSubmitted(**self._facts("officer"), **about))

    def must_be_reviewed(self, by: Person) -> None:
        """Raise unless it waits for the programme, and for somebody who did not hand it in."""
        if self.status != "submitted":
            raise ConflictError("The report is %(status)s; there is nothing to decide", status=self.status)
        if by.is_one_of(self.submitted_by):
            raise ForbiddenError("You handed this report in; another person must decide about it")

    def decide_cost(
        self, number: int, verdict: Verdict, by: Person, now: datetime, *, amount: Decimal, code: str, reason: str
    ) -> None:
        """Accept a cost, cut it to `amount`, or refuse it; what is not accepted whole needs its reason."""
        self.must_be_reviewed(by)
        cost = self.cost(number)
        value = cost.value(self.currency).amount
        accepted = {"accepted": value, "refused": ZERO}.get(verdict, amount)
        if verdict == "cut":
            self._check_cut(amount, value)
        if verdict != "accepted" and not reason.strip():
            raise InvalidError({"reason": "is required: the recipient reads why"})
        update: dict[str, object] = {"decision": verdict, "accepted": accepted, "code": code, "reason": reason}
        update |= {"decided_by": by.id, "decided_by_name": by.name, "decided_at": now}
        self._put(cost.model_copy(update=update))
        money = {"claimed": Money.of(value, self.currency), "accepted": Money.of(accepted, self.currency)}
        about = {"cost": number, "decision": verdict, "code": code, "why": reason}
        self.record(CostDecided(**self._facts(), **money, **about))

    def _check_cut(self, amount: Decimal, value: Decimal) -> None:
        most = Money.of(value, self.currency)
        if not 0 < amount < value:
            raise InvalidError({"amount": Rule("must be more than nothing and less than %(most)s", most=most)})
        try:
            Money(amount=amount, currency=self.currency)
        except ValueError as error:
            raise InvalidError({"amount": Rule("is no amount of %(currency)s", currency=self.currency)}) from error

    def _put(self, cost: Cost) -> None:
        self.costs = [cost if old.number == cost.number else old for old in self.costs]

    def accept_open_costs(self, by: Person, now: datetime) -> int:
        """Accept every cost about which nothing is decided; returns how many."""
        waiting = [cost.number for cost in self.costs if cost.decision == "open"]
        for number in waiting:
            self.decide_cost(number, "accepted", by, now, amount=ZERO, code="", reason="")
        return len(waiting)

    def give_back(self, parts: Sequence[str], why: str, by: Person, now: datetime, *, due: date) -> None:
        """Return it: the recipient mends the named parts until `due`."""
        self.must_be_reviewed(by)
        self._reopen_parts(parts, why, now, due)
        self._outcome("returned", by, now, parts=list(parts), why=why)
        version = len(self.handed)
        self.record(ReportReturned(**self._facts("applicant"), report_version=version, parts=list(parts), why=why))

    def _reopen_parts(self, parts: Sequence[str], why: str, now: datetime, due: date) -> None:
        if not parts:
            raise InvalidError({"parts": "is required: name what is to be mended"})
        if not why.strip():
            raise InvalidError({"why": "is required: say what is to be mended"})
        self.status, self.asked, self.why, self.due = "returned", list(dict.fromkeys(parts)), why, due
        self.review_due, self.remind_on = None, self.next_reminder(now.date())

    def _outcome(self, outcome: str, by: Person, now: datetime, **more: object) -> None:
        update = {"outcome": outcome, "decided_by_name": by.name, "decided_at": now} | more
        # The costs of a version stand as they were decided when it was.
        update |= {"costs": self.costs}
        self.handed = [*self.handed[:-1], self.handed[-1].model_copy(update=update)]

    def accept(
        self, by: Person, now: datetime, figures: dict[str, Figure], comment: str, *, two_reviewers: bool
    ) -> None:
        """Accept it, every cost being decided; from now on its figures count and are locked."""
        self.must_be_reviewed(by)
        waiting = [cost.number for cost in self.costs if cost.decision == "open"]
        if waiting:
            numbers = ", ".join(map(str, waiting[:10]))
            raise ConflictError("These costs are not decided yet: %(numbers)s", numbers=numbers)
        if two_reviewers and by.is_one_of(*(cost.decided_by for cost in self.costs)):
            raise ForbiddenError("You decided costs of this report; another person must accept it")
        self.status, self.figures = "accepted", figures
        self.review_due, self.accepted_version = None, len(self.handed)
        self.accepted_at, self.accepted_by, self.accepted_by_name = now, by.id, by.name
        self._outcome("accepted", by, now, why=comment)
        money = {"claimed": self.claimed(), "accepted": self.accepted()}
        version = {"report_version": len(self.handed), "comment": comment}
        self.record(ReportAccepted(**self._facts("applicant", "finance"), **money, **version))

    def reopen(self, parts: Sequence[str], why: str, by: Person, now: datetime, *, due: date) -> None:
        """Let named parts of an accepted report be corrected as a new version; what was accepted stands until then."""
        if self.status != "accepted":
            raise ConflictError("The report is %(status)s; only what is accepted is corrected", status=self.status)
        if by.is_one_of(self.submitted_by):
            raise ForbiddenError("You handed this report in; another person must reopen it")
        self._reopen_parts(parts, why, now, due)
        about = {"report_version": self.accepted_version, "parts": list(parts), "why": why}
        self.record(ReportReopened(**self._facts("applicant"), **about))

    def tell_review_late(self, today: date) -> None:
        """Tell the programme, once, that it has had the report for longer than it gives itself."""
        if self.status == "submitted" and not self.review_told and self.review_due and self.review_due < today:
            self.review_told = True
            facts = self._facts("officer", "manager")
            self.record(ReportReviewLate(**facts, review_due=self.review_due))
