"""A co-financing with a lead firm: concept, agreement, contributions in cash and in kind, matched releases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any, ClassVar, TypeVar

from services.grants.domain import match
from services.grants.domain.application import Calendar, Document, Done, Person
from services.grants.domain.contribution import Contribution, Release, Rules, Terms, draw
from services.grants.domain.match import Position
from shared.entity import Entity
from shared.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from shared.events import Event
from shared.events.grants import cofinancing as events
from shared.money import Amount, Money
from shared.workflow import Transition, Turn, Visit, Workflow, turn

T = TypeVar("T", Contribution, Release)
MAX_CONTRIBUTIONS = 500
MAX_EVIDENCE = 20


class CoFinancing(Entity):
    """One firm's co-financing. Its id is the reference that everybody sees, COF-YYYY-NNNN.

    `rules` are the programme's at the time it was started; amounts are in `currency`, but for what a
    contribution itself was paid in.
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
    history: list[Done] = []

    def case(self) -> str:
        return self.id

    def programme_id(self) -> str:
        return self.programme

    def parties(self) -> dict[str, list[str]]:
        firm = [f"org:{self.organisation}"]
        return {
            "applicant": firm,
            "lead_firm": firm,
            "officer": [f"user:{self.officer}"] if self.officer else ["role:officer"],
            "manager": ["role:programme_manager"],
            "finance": ["role:finance_officer"],
        }

    # --- what is known ---------------------------------------------------------

    def money(self, amount: Any) -> Money:
        """Return an amount of this case with its currency."""
        return Money.of(amount, self.currency)

    def position(self) -> Position:
        """Return how the match stands: what is verified, what of it counts, what may be and is released."""
        verified = [item for item in self.contributions if item.status == "verified"]
        cash = sum((item.value for item in verified if item.form == "cash"), match.ZERO)
        in_kind = sum((item.value for item in verified if item.form == "in_kind"), match.ZERO)
        creditable, allowed = match.ZERO, match.ZERO
        if self.terms:
            creditable = self.rules.creditable(cash, in_kind, self.terms.total)
            allowed = self._allowed(self.terms, cash, cash + creditable)
        released = sum((item.amount for item in self.releases if item.status == "released"), match.ZERO)
        requested = sum((item.amount for item in self.releases if item.status == "requested"), match.ZERO)
        return Position(cash, in_kind, creditable, allowed, released, requested)

    def _allowed(self, terms: Terms, cash: Any, matched: Any) -> Any:
        if self.rules.first_in and cash < terms.firm_cash:
            return match.ZERO
        return match.releasable(matched, terms.programme_percent, terms.firm_percent, terms.programme_share)

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
        """Return whether the rules let `act` (edit, terms, contribute, verify, release) be done at this stage."""
        return self.stage in self.rules.acts_at[act]

    def _must(self, act: str) -> None:
        if not self.can(act):
            raise ConflictError(
                "This is not possible at %(stage)s, but only at: %(stages)s",
                stage=self.stage,
                stages=", ".join(self.rules.acts_at[act]),
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

    # --- concept and agreement --------------------------------------------------

    @classmethod
    def start(cls, *, workflow: Workflow, **fields: Any) -> CoFinancing:
        """Return a new concept at the workflow's first stage."""
        first = workflow.stage(workflow.initial)
        case = cls(
            workflow=workflow.workflow, workflow_version=workflow.version, stage=first.id, holder=first.holder, **fields
        )
        about = {"workflow": workflow.workflow, "workflow_version": workflow.version}
        case._told(events.CofinancingStarted, [], **about, pack_version=case.pack_version)
        return case

    def save(self, *, kind: str, title: str, summary: str, planned: Money) -> None:
        """Keep what the firm wrote in its concept; nothing is recorded when nothing changed."""
        self._must("edit")
        wanted = {"kind": kind, "title": title, "summary": summary, "planned": planned.amount}
        changed = [name for name, value in wanted.items() if getattr(self, name) != value]
        if changed:
            self.kind, self.title, self.summary, self.planned = kind, title, summary, planned.amount
            self._told(events.CofinancingSaved, [], fields=changed, planned=planned)

    def draw_terms(self, total: Money, in_kind: Money, by: Person, now: datetime) -> None:
        """Settle the shares of the agreement by the programme's ratio; raises InvalidError when they break a rule."""
        self._must("terms")
        version = self.terms.version + 1 if self.terms else 1
        self.terms = draw(self.rules, total, in_kind, version=version, by=by, now=now)
        self._told(events.TermsDrawn, [], **self._terms_fact(self.terms))

    def _terms_fact(self, terms: Terms) -> dict[str, Any]:
        names = ("total", "programme_share", "firm_cash", "firm_in_kind")
        return {name: self.money(getattr(terms, name)) for name in names} | {"agreement_version": terms.version}

    def move(
        self,
        transition: Transition,
        workflow: Workflow,
        calendar: Calendar,
        by: Person,
        now: datetime,
        *,
        reason: str | None = None,
        comment: str | None = None,
    ) -> None:
        """Make a move that the workflow allowed, and tell whom the workflow names."""
        before, stage = self.stage, workflow.stage(transition.to)
        done = Done.of(transition, before, by, now, reason=reason, comment=comment)
        self.history = [*self.history, done]
        self.stage, self.terminal = stage.id, stage.terminal
        clock = self.turn(workflow, calendar, now)
        self.holder, self.due, self.paused = clock.holder, clock.due, clock.paused
        about: dict[str, Any] = {"stage_name": stage.name, "public_name": stage.public_name or stage.name}
        about |= {"holder": self.holder or "", "due": self.due, "reason": done.reason, "comment": done.comment}
        about |= {"transition": transition.id, "from_stage": before, "to_stage": stage.id}
        self._told(events.CofinancingMoved, list(transition.notify), **about)
        if transition.id == self.rules.agreed_by["firm"] and self.terms:
            self._agreed(self.terms, by)

    def _agreed(self, terms: Terms, by: Person) -> None:
        first = self.rules.agreed_by["programme"]
        names = [done.by_name for done in self.history if done.transition == first]
        self._told(
            events.CofinancingAgreed,
            ["lead_firm", "officer", "finance"],
            **self._terms_fact(terms),
            programme=self.programme,
            accepted_by_programme=names[-1] if names else "",
            accepted_by_firm=by.name,
        )

    # --- contributions -------------------------------------------------------------

    def enter(self, contribution: Contribution, now: datetime) -> None:
        """Add what the firm has paid or given; its number is the next one. `now` is in the zone of the days."""
        self._must("contribute")
        if len(self.contributions) >= MAX_CONTRIBUTIONS:
            raise ConflictError("A case has at most %(most)s contributions", most=MAX_CONTRIBUTIONS)
        begun = (done.at for done in self.history if done.to_stage in self.rules.acts_at["contribute"])
        started = next((at.astimezone(now.tzinfo).date() for at in begun), None)
        if contribution.given_on > now.date():
            raise InvalidError({"given_on": "can't be in the future"})
        if started and contribution.given_on < started and "pre_award" in self.rules.ineligible:
            raise InvalidError({"given_on": "is before the agreement; such costs do not count"})
        self.contributions = [*self.contributions, contribution]
        about = self._contribution_fact(contribution)
        self._told(events.ContributionEntered, ["officer"], **about, given_on=contribution.given_on)

    def _contribution_fact(self, item: Contribution) -> dict[str, Any]:
        about = {"contribution": item.number, "form": item.form, "description": item.description}
        return about | {"value": self.money(item.value)}

    def attach(self, number: int, document: Document) -> None:
        """Put a document behind a contribution that is not decided yet."""
        item = self._undecided(number)
        if len(item.evidence) >= MAX_EVIDENCE:
            raise ConflictError("A contribution has at most %(most)s documents", most=MAX_EVIDENCE)
        self._replace(item.model_copy(update={"evidence": (*item.evidence, document)}))
        about = {"document_id": document.id, "document_kind": document.kind, "document_name": document.name}
        self._told(events.EvidenceAdded, [], contribution=number, **about, sha256=document.sha256)

    def _undecided(self, number: int) -> Contribution:
        item = self.contribution(number)
        if item.status != "entered":
            raise ConflictError("Contribution %(number)s is %(status)s already", number=number, status=item.status)
        return item

    def decide(self, number: int, by: Person, now: datetime, *, good: bool, note: str) -> None:
        """Verify a contribution, or refuse it and say why. Who entered or evidenced it can't do either."""
        self._must("verify")
        item = self._undecided(number)
        if by.id in {item.entered_by, *(document.added_by for document in item.evidence)}:
            raise ForbiddenError("You entered this contribution; another person must verify it")
        wanted = self.rules.evidence[item.form]
        if good and not any(document.kind in wanted for document in item.evidence):
            kinds = ", ".join(wanted)
            raise ConflictError("Contribution %(number)s has none of: %(kinds)s", number=number, kinds=kinds)
        update = {"status": "verified" if good else "refused", "note": note, "decided_at": now}
        update |= {"decided_by": by.id, "decided_by_name": by.name}
        self._replace(item.model_copy(update=update))
        position = self.position()
        about = self._contribution_fact(item)
        about |= {"verified_match": self.money(position.match), "allowed": self.money(position.allowed)}
        if good:
            self._told(events.ContributionVerified, ["lead_firm", "finance"], **about, note=note)
        else:
            self._told(events.ContributionRefused, ["lead_firm"], **about, why=note)

    # --- releases ---------------------------------------------------------------------

    def request_release(self, amount: Money, by: Person, now: datetime) -> None:
        """Ask for a matched release; raises MatchTooSmallError when the verified match does not allow it."""
        self._must("release")
        if amount.amount <= 0:
            raise InvalidError({"amount": "must be more than nothing"})
        match.check_release(self.position(), amount.amount, self.currency)
        number = len(self.releases) + 1
        asked = Release(
            number=number, amount=amount.amount, requested_by=by.id, requested_by_name=by.name, requested_at=now
        )
        self.releases = [*self.releases, asked]
        self._told(events.ReleaseRequested, ["finance"], **self._release_fact(asked))

    def _release_fact(self, item: Release) -> dict[str, Any]:
        position = self.position()
        about = {"released_so_far": self.money(position.released), "allowed": self.money(position.allowed)}
        return about | {"release": item.number, "amount": self.money(item.amount)}

    def settle_release(self, number: int, by: Person, now: datetime, *, good: bool, note: str) -> None:
        """Release the money that another person asked for, or refuse and say why; the match is checked again."""
        self._must("release")
        item = self.release(number)
        if item.status != "requested":
            raise ConflictError("Release %(number)s is %(status)s already", number=number, status=item.status)
        if by.id == item.requested_by:
            raise ForbiddenError("You requested this release; another person must decide about it")
        if good:
            match.check_release(self.position(), match.ZERO, self.currency)
        update = {"status": "released" if good else "refused", "note": note, "settled_at": now}
        update |= {"settled_by": by.id, "settled_by_name": by.name}
        self._replace(item.model_copy(update=update))
        about = self._release_fact(item)
        if good:
            notify = ["lead_firm", "officer"]
            self._told(events.MatchReleased, notify, **about, requested_by=item.requested_by_name)
        else:
            self._told(events.ReleaseRefused, ["officer"], **about, why=note)

    def _replace(self, item: Contribution | Release) -> None:
        if isinstance(item, Contribution):
            self.contributions = [item if old.number == item.number else old for old in self.contributions]
        else:
            self.releases = [item if old.number == item.number else old for old in self.releases]


def _numbered(items: list[T], number: int, message: str) -> T:
    for item in items:
        if item.number == number:
            return item
    raise NotFoundError(message, number=number)
