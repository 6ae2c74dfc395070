"""What a co-financing with a lead firm is: its parts, who stands where in it, and how its match stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar, TypeVar

from services.grants.domain import match
from services.grants.domain.application import Calendar, Document, Done
from services.grants.domain.contribution import BankLoan, Contribution, Refund, Release
from services.grants.domain.ledger import Kind
from services.grants.domain.match import Position
from services.grants.domain.parties import parties_of
from services.grants.domain.terms import Rules, Terms
from shared.entity import Entity
from shared.errors import ConflictError, NotFoundError
from shared.events import Event
from shared.money import Amount, Money
from shared.workflow import Turn, Visit, Workflow, turn

T = TypeVar("T", Contribution, Release)


class Case(Entity):
    """One firm's co-financing as it stands; `CoFinancing` is what can be done with it.

    Its id is the reference that everybody sees, COF-YYYY-NNNN. `rules` are the programme's at the time it was
    started; amounts are in `currency`, but for what a contribution itself was paid in.
    """

    KIND: ClassVar[str] = "cofinancing"

    programme: str
    pack_version: int
    workflow: str
    workflow_version: int
    rules: Rules
    kind: str
    organisation: str
    organisation_name: str
    started_by: str
    started_at: datetime
    currency: str
    title: str
    summary: str = ""
    planned: Amount = match.ZERO
    stage: str
    holder: str | None = None
    due: date | None = None
    paused: bool = False
    terminal: bool = False
    officer: str | None = None
    officer_name: str | None = None
    terms: Terms | None = None
    contributions: list[Contribution] = []
    releases: list[Release] = []
    refunds: list[Refund] = []
    bank_loans: list[BankLoan] = []
    agreed_on: date | None = None
    history: list[Done] = []

    def case(self) -> str:
        return self.id

    def programme_id(self) -> str:
        return self.programme

    def parties(self) -> dict[str, list[str]]:
        firm = {"lead_firm": [f"org:{self.organisation}"]}
        return parties_of(self.organisation, self.officer, "manager", "finance") | firm

    # --- what is known ---------------------------------------------------------

    def money(self, amount: Any) -> Money:
        """Return an amount of this case with its currency."""
        return Money.of(amount, self.currency)

    def position(self, today: date | None = None) -> Position:
        """Return how the match stands: what is verified, what of it counts, what may be out `today` and is.

        Without a day the plan of tranches is not looked at.
        """
        verified = self._with("verified")
        cash = sum((item.value for item in verified if item.form == "cash"), match.ZERO)
        in_kind = sum((item.value for item in verified if item.form == "in_kind"), match.ZERO)
        released = sum((item.amount for item in self.releases if item.status == "released"), match.ZERO)
        requested = sum((item.amount for item in self.releases if item.status == "requested"), match.ZERO)
        refunded = sum((item.amount for item in self.refunds), match.ZERO)
        if self.terms is None:
            nothing = match.ZERO
            return Position(cash, in_kind, nothing, nothing, released, requested, refunded=refunded)
        terms, creditable = self.terms, self.rules.creditable(cash, in_kind, self.terms.total)
        earned = match.releasable(cash + creditable, *terms.parts, terms.programme_share)
        planned = terms.planned(today, self.agreed_day())
        first = terms.firm_cash if self.rules.first_in else match.ZERO
        return Position(
            cash=cash,
            in_kind=in_kind,
            creditable=creditable,
            allowed=match.ZERO if cash < first else min(earned, planned),
            released=released,
            requested=requested,
            earned=earned,
            planned=planned,
            agreed=terms.programme_share,
            refunded=refunded,
            parts=terms.parts,
            cash_first=first,
        )

    def mobilised(self) -> Decimal:
        """Return what banks lent beside: finance mobilised, never match."""
        return sum((item.amount for item in self.bank_loans), match.ZERO)

    def agreed_day(self) -> date | None:
        """Return the local day on which both sides had accepted the agreement; cases of long ago know it by UTC."""
        last = [done.at.date() for done in self.history if done.transition == self.rules.agreed_by["firm"]]
        return self.agreed_on or (last[-1] if last else None)

    def opening(self) -> Iterator[tuple[Kind, Money, str]]:
        """Yield what a ledger that begins now has to enter of the time before it; nothing before the agreement."""
        if self.terms is None or self.agreed_day() is None:
            return
        position = self.position()
        sums: list[tuple[Kind, Any, str]] = [
            ("committed", self.terms.programme_share, f"version {self.terms.version}"),
            *(("match_verified", one.value, f"contribution {one.number}") for one in self._with("verified")),
            *(
                ("match_released", one.amount, f"release {one.number}")
                for one in self.releases
                if one.status == "released"
            ),
            ("match_unearned", position.refunded + position.overpaid, ""),
            *(("refund_received", one.amount, one.reference) for one in self.refunds),
            *(("recommitted", one.amount, one.reference) for one in self.refunds),
            ("closed", self.terms.programme_share - position.out if self.terminal else match.ZERO, ""),
        ]
        yield from ((kind, self.money(amount), about) for kind, amount, about in sums if amount)

    def _with(self, status: str) -> list[Contribution]:
        return [item for item in self.contributions if item.status == status]

    def values(self) -> dict[str, Any]:
        """Return the facts that the workflow's guards read."""
        return {
            "planned": self.planned,
            "terms_drawn": self.terms is not None,
            "pending_contributions": sum(1 for item in self.contributions if item.status == "entered"),
            "pending_releases": sum(1 for item in self.releases if item.status == "requested"),
            "overpaid": self.position().overpaid,
        }

    def done_by(self) -> dict[str, str]:
        """Return who did which move last."""
        return {done.transition: done.by for done in self.history}

    def visits(self) -> list[Visit]:
        """Return the stays in stages so far, the last one still lasting."""
        first = self.history[0].from_stage if self.history else self.stage
        stages = [(first, self.started_at), *((done.to_stage, done.at) for done in self.history)]
        ends = [*(at for _, at in stages[1:]), None]
        return [Visit(stage, since, until) for (stage, since), until in zip(stages, ends, strict=True)]

    def turn(self, workflow: Workflow, calendar: Calendar, now: datetime) -> Turn:
        """Return whose turn it is, since when, until when."""
        return turn(workflow, self.visits(), country=calendar.country, zone=calendar.zone, now=now)

    def contribution(self, number: int) -> Contribution:
        """Return a contribution by its number; raises NotFoundError."""
        return _numbered(self.contributions, number, "There is no contribution %(number)s")

    def release(self, number: int) -> Release:
        """Return a release by its number; raises NotFoundError."""
        return _numbered(self.releases, number, "There is no release %(number)s")

    def evidence(self, document_id: str) -> Document:
        """Return the document behind a contribution; raises NotFoundError."""
        for item in self.contributions:
            for document in item.evidence:
                if document.id == document_id:
                    return document
        raise NotFoundError("There is no such document")

    def can(self, act: str) -> bool:
        """Return whether the rules let `act` (edit, terms, contribute, verify, release, …) be done at this stage."""
        return self.stage in self.rules.acts_at.get(act, ())

    def _must(self, act: str) -> None:
        if not self.can(act):
            raise ConflictError(
                "This is not possible at %(stage)s, but only at: %(stages)s",
                stage=self.stage,
                stages=", ".join(self.rules.acts_at.get(act, ())) or "-",
            )

    def _told(self, kind: Callable[..., Event], notify: list[str], **more: Any) -> None:
        self.record(
            kind(
                reference=self.id,
                title=self.title,
                kind=self.kind,
                organisation_id=self.organisation,
                organisation_name=self.organisation_name,
                notify=notify,
                **more,
            )
        )


def _numbered(items: list[T], number: int, message: str) -> T:
    for item in items:
        if item.number == number:
            return item
    raise NotFoundError(message, number=number)
