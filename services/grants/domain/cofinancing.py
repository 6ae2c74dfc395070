"""What is done with a co-financing: concept, agreement, contributions in cash and in kind, matched releases."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from services.grants.domain import match
from services.grants.domain.application import Calendar, Document, Done, Person
from services.grants.domain.cofinancing_case import Case
from services.grants.domain.contribution import BankLoan, Contribution, Refund, Release, worth
from services.grants.domain.terms import Terms, draw
from shared.errors import ConflictError, Figure, ForbiddenError, InvalidError, Rule
from shared.events.grants import cofinancing as events
from shared.money import Money
from shared.workflow import Transition, Workflow

MAX_CONTRIBUTIONS = 500
MAX_EVIDENCE = 20
MAX_LOANS = 50


class CoFinancing(Case):
    """One firm's co-financing: each verb keeps the rules and records what it did."""

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

    def draw_terms(
        self, total: Money, in_kind: Money, by: Person, now: datetime, *, grant: Money | None = None
    ) -> None:
        """Settle the shares of the agreement by the programme's rules; raises InvalidError when they break one."""
        self._must("terms")
        version = self.terms.version + 1 if self.terms else 1
        self.terms = draw(self.rules, total, in_kind, version=version, by=by, now=now, grant=grant)
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
            self.agreed_on = now.astimezone(ZoneInfo(calendar.zone)).date()
            self._agreed(self.terms, by)
        if stage.terminal and self.agreed_day():
            self._settled()

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

    def _settled(self) -> None:
        """Say how it ended: what the match earned of the agreed share, what was paid, and what falls away."""
        position = self.position()
        names = ("match", "earned", "released", "refunded", "reduction", "overpaid")
        amounts = {name: self.money(getattr(position, name)) for name in names}
        self._told(events.CofinancingSettled, [], agreed=self.money(position.agreed), **amounts)

    # --- contributions -------------------------------------------------------------

    def enter(self, contribution: Contribution, today: date) -> None:
        """Add what the firm has paid or given; its number is the next one."""
        self._must("contribute")
        if len(self.contributions) >= MAX_CONTRIBUTIONS:
            raise ConflictError("A case has at most %(most)s contributions", most=MAX_CONTRIBUTIONS)
        if contribution.given_on > today:
            raise InvalidError({"given_on": Rule("can't be in the future")})
        agreed_on = self.agreed_day()
        if agreed_on and contribution.given_on < agreed_on and "pre_award" in self.rules.ineligible:
            raise InvalidError({"given_on": Rule("is before the agreement; such costs do not count")})
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

    def approve_market_value(self, number: int, by: Person, now: datetime, note: str) -> None:
        """Let property count at its market value although that is above its book value (10 CFR 600.313(b)(1))."""
        self._must("verify")
        item = self._undecided(number)
        if item.form != "in_kind" or self.rules.method(item.basis) != "property":
            raise ConflictError("Only property is valued by book and market value")
        if by.is_one_of(item.entered_by):
            raise ForbiddenError("You entered this contribution; another person must verify it")
        update = {"market_approved_by": by.id, "market_approved_by_name": by.name, "market_approved_at": now}
        value = worth(self.rules, self.currency, item, market_approved=True)
        item = item.model_copy(update=update | {"value": value})
        self._replace(item)
        self._told(events.MarketValueApproved, [], **self._contribution_fact(item), note=note)

    def decide(
        self,
        number: int,
        by: Person,
        now: datetime,
        *,
        good: bool,
        note: str,
        code: str = "",
        today: date | None = None,
    ) -> None:
        """Verify a contribution, or refuse it and say why. Who entered or evidenced it can't do either."""
        self._must("verify")
        item = self._undecided(number)
        if by.is_one_of(item.entered_by, *(document.added_by for document in item.evidence)):
            raise ForbiddenError("You entered this contribution; another person must verify it")
        if good:
            self._proven(item)
        elif code and code not in self.rules.ineligible:
            raise InvalidError({"code": Rule("must be one of: %(names)s", names=", ".join(self.rules.ineligible))})
        update = {"status": "verified" if good else "refused", "note": note, "decided_at": now}
        update |= {"decided_by": by.id, "decided_by_name": by.name, "refused_for": "" if good else code}
        self._replace(item.model_copy(update=update))
        about = self._match_fact(item, today)
        if good:
            self._told(events.ContributionVerified, ["lead_firm", "finance"], **about, note=note)
        else:
            why = ": ".join(word for word in (self.rules.names.get(code, {}).get("en", code), note) if word)
            self._told(events.ContributionRefused, ["lead_firm"], **about, why=why)

    def _proven(self, item: Contribution) -> None:
        """Raise ConflictError naming the documents that a contribution needs and does not have."""
        if missing := item.lacks(self.rules):
            kinds = ", ".join(missing)
            raise ConflictError("Contribution %(number)s lacks: %(kinds)s", number=item.number, kinds=kinds)
        if item.bare(self.rules):
            kinds = ", ".join(self.rules.evidence[item.form])
            raise ConflictError("Contribution %(number)s has none of: %(kinds)s", number=item.number, kinds=kinds)

    def _match_fact(self, item: Contribution, today: date | None) -> dict[str, Any]:
        position = self.position(today)
        about = {"verified_match": self.money(position.match), "allowed": self.money(position.allowed)}
        return about | self._contribution_fact(item)

    def reverse(self, number: int, by: Person, now: datetime, *, note: str, today: date | None = None) -> None:
        """Take back a verification because of what was found later; what is out above the match is to be paid back."""
        self._must("reverse")
        item = self.contribution(number)
        if item.status != "verified":
            raise ConflictError("Contribution %(number)s is not verified", number=number)
        if by.is_one_of(item.entered_by):
            raise ForbiddenError("You entered this contribution; another person must verify it")
        update = {"status": "reversed", "note": note, "decided_at": now}
        update |= {"decided_by": by.id, "decided_by_name": by.name}
        self._replace(item.model_copy(update=update))
        about = self._match_fact(item, today) | {"to_refund": self.money(self.position().overpaid)}
        self._told(events.ContributionReversed, ["lead_firm", "finance"], **about, why=note)

    # --- releases ---------------------------------------------------------------------

    def request_release(self, amount: Money, by: Person, now: datetime, *, today: date | None = None) -> None:
        """Ask for a matched release; raises MatchTooSmallError when the verified match does not allow it."""
        self._must("release")
        if amount.amount <= 0:
            raise InvalidError({"amount": "must be more than nothing"})
        match.check_release(self.position(today), amount.amount, self.currency)
        number = len(self.releases) + 1
        asked = Release(
            number=number, amount=amount.amount, requested_by=by.id, requested_by_name=by.name, requested_at=now
        )
        self.releases = [*self.releases, asked]
        self._told(events.ReleaseRequested, ["finance"], **self._release_fact(asked, today))

    def _release_fact(self, item: Release, today: date | None) -> dict[str, Any]:
        position = self.position(today)
        about = {"released_so_far": self.money(position.released), "allowed": self.money(position.allowed)}
        return about | {"release": item.number, "amount": self.money(item.amount)}

    def settle_release(
        self, number: int, by: Person, now: datetime, *, good: bool, note: str, today: date | None = None
    ) -> None:
        """Release the money that another person asked for, or refuse and say why; the match is checked again."""
        self._must("release")
        item = self.release(number)
        if item.status != "requested":
            raise ConflictError("Release %(number)s is %(status)s already", number=number, status=item.status)
        if by.is_one_of(item.requested_by):
            raise ForbiddenError("You requested this release; another person must decide about it")
        if good:
            match.check_release(self.position(today), match.ZERO, self.currency)
        update = {"status": "released" if good else "refused", "note": note, "settled_at": now}
        update |= {"settled_by": by.id, "settled_by_name": by.name}
        self._replace(item.model_copy(update=update))
        about = self._release_fact(item, today)
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

    # --- the end, and what came beside ---------------------------------------------------

    def refund(self, amount: Money, paid_on: date, reference: str, by: Person, now: datetime, *, today: date) -> None:
        """Record what the firm paid back; never more than is out above what the match has earned."""
        self._must("refund")
        owed = self.position().overpaid
        problems: dict[str, str] = {}
        if not 0 < amount.amount <= owed:
            problems["amount"] = Rule("must be more than nothing and at most %(owed)s", owed=Figure(owed))
        if paid_on > today:
            problems["paid_on"] = Rule("can't be in the future")
        if problems:
            raise InvalidError(problems)
        who = {"recorded_by": by.id, "recorded_by_name": by.name, "recorded_at": now}
        item = Refund(number=len(self.refunds) + 1, amount=amount.amount, paid_on=paid_on, reference=reference, **who)
        self.refunds = [*self.refunds, item]
        about = {"refund": item.number, "amount": amount, "paid_on": paid_on, "payment_reference": reference}
        self._told(events.RefundRecorded, [], **about, still_owed=self.money(self.position().overpaid))

    def add_bank_loan(
        self, lender: str, amount: Money, given_on: date, by: Person, now: datetime, *, today: date
    ) -> None:
        """Record a bank's loan that came beside: counted as finance mobilised, never as match."""
        if self.agreed_day() is None:
            raise ConflictError("There is no agreement yet beside which a loan could come")
        if len(self.bank_loans) >= MAX_LOANS:
            raise ConflictError("A case has at most %(most)s loans", most=MAX_LOANS)
        if amount.amount <= 0 or given_on > today:
            field = "amount" if amount.amount <= 0 else "given_on"
            rule = Rule("must be more than nothing") if field == "amount" else Rule("can't be in the future")
            raise InvalidError({field: rule})
        who = {"recorded_by": by.id, "recorded_by_name": by.name, "recorded_at": now}
        number = len(self.bank_loans) + 1
        item = BankLoan(number=number, lender=lender, amount=amount.amount, given_on=given_on, **who)
        self.bank_loans = [*self.bank_loans, item]
        about = {"lender": lender, "amount": amount, "given_on": given_on}
        self._told(events.BankLoanRecorded, [], **about)
