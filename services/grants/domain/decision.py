"""Recommendation and approval of a case: by whom, for which amount, who is next, and what makes signatures void.

The workflow says which move recommends and which approves; the levels above it are the programme's `decisions.yaml`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from shared.entity import Part
from shared.errors import ConflictError, ForbiddenError, InvalidError, Rule
from shared.events.decision_rules import Approvals, DecisionRules, Level, Outcome, Reason
from shared.events.grants.decision import ApprovalGiven, ApprovalsVoided, CaseRecommended
from shared.money import Money
from shared.workflow import Sentence, Transition

if TYPE_CHECKING:
    from services.grants.domain.application import Application, Person

NEW_RECOMMENDATION, RETURNED = "a new recommendation", "the case went back"
_PARTIES = {"programme_manager": "manager", "finance_officer": "finance", "officer": "officer"}


class Recommendation(Part):
    """What was recommended, the `number`th of this case; `members` are the panel's, who recommended it together."""

    number: int
    outcome: Outcome
    amount: Money
    reason_code: str | None = None
    words: str | None = None
    by: str
    by_name: str
    members: tuple[str, ...] = ()
    panel: str | None = None
    at: datetime

    @property
    def people(self) -> set[str]:
        """Return everybody who recommended."""
        return {self.by, *self.members}


class Approval(Part):
    """A signature for an amount under a recommendation; `void` says why it counts no more."""

    level: str
    number: int
    amount: Money
    by: str
    by_name: str
    role: str | None
    at: datetime
    comment: str | None = None
    void: str = ""


class Said(Part):
    """What comes with a recommendation besides the move's own words."""

    amount: Money | None = None
    reason_code: str | None = None
    words: str | None = None
    panel: str | None = None
    members: tuple[str, ...] = ()


def standing(application: Application) -> list[Approval]:
    """Return the signatures that count: of the present recommendation and the present amount."""
    now = application.recommended
    if now is None:
        return []
    return [
        item
        for item in application.approvals
        if not item.void and item.number == now.number and item.amount == application.decided
    ]


def remaining(application: Application, rules: Approvals) -> list[Level]:
    """Return the levels that have not signed yet, in their order."""
    signed = {item.level for item in standing(application)}
    return [level for level in rules.needed(application.decided) if level.id not in signed]


def coded(rules: DecisionRules, code: str, transition: str, reason: str | None) -> Reason | None:
    """Return the coded reason of a move; raises InvalidError for one that it does not have, or that needs words."""
    known = rules.reasons_for(transition)
    if not code:
        if transition in rules.coded:
            raise InvalidError({"reason_code": Rule("is required: one of %(names)s", names=_ids(known))})
        return None
    found = next((item for item in known if item.id == code), None)
    if found is None:
        raise InvalidError({"reason_code": Rule("must be one of: %(names)s", names=_ids(known) or "-")})
    if found.words == "required" and not (reason or "").strip():
        raise InvalidError({"reason": "is required with this reason: say it in your own words"})
    return found


def _ids(reasons: Sequence[Reason]) -> str:
    return ", ".join(item.id for item in reasons)


def wanting(
    application: Application, rules: Approvals, actors: Collection[str], roles: Collection[str]
) -> Sentence | None:
    """Return what keeps `actors` (one person, and all that count as one with them) from the approving move."""
    left, needed = remaining(application, rules), rules.needed(application.decided)
    if not needed:
        return None
    if len(left) > 1:
        done, of = len(needed) - len(left), len(needed)
        return Sentence.of(
            _counted(done, of, application, left[0].name),
            code="approvals-missing",
            figures={
                "given": done,
                "of": of,
                "next": left[0].id,
                "next_roles": [*left[0].roles],
                "amount": application.decided,
            },
        )
    return not_by(application, left[-1] if left else needed[-1], actors, roles)


_COUNTED = {
    "en": "{done} of {of} approvals are in for {amount}; next: {next}",
    "ru": "Получено одобрений: {done} из {of} на {amount}; дальше: {next}",
}


def _counted(done: int, of: int, application: Application, name: dict[str, str]) -> dict[str, str]:
    return {
        language: text.format(done=done, of=of, amount=application.decided, next=name.get(language, name["en"]))
        for language, text in _COUNTED.items()
    }


def not_by(application: Application, level: Level, actors: Collection[str], roles: Collection[str]) -> Sentence | None:
    """Return why this person can't give that signature: they recommended, signed already, or have not the role."""
    now = application.recommended
    if now is not None and now.people & set(actors):
        return Sentence("You recommended this case; another person must approve it", code="approvals-recommender")
    if any(item.by in actors for item in standing(application)):
        return Sentence("You approved this case already; another person must sign next", code="approvals-twice")
    if not set(level.roles) & set(roles):
        names = ", ".join(level.roles)
        return Sentence("This signature is for: %(roles)s", code="approvals-role", roles=names)
    return None


def recommend(  # noqa: PLR0917 - as a signature
    application: Application, move: Transition, rules: Approvals, said: Said, by: Person, now: datetime
) -> None:
    """Remember a recommendation that the move `rules.recommend` made; signatures of former ones are void."""
    if move.id != rules.recommend:
        return
    requested = application.amount
    amount = said.amount or requested
    if amount.currency != requested.currency:
        raise InvalidError({"amount": Rule("must be in %(currency)s", currency=requested.currency)})
    if amount.amount <= 0:
        raise InvalidError({"amount": "must be more than nothing"})
    if amount > requested:
        raise InvalidError({"amount": Rule("is above the %(asked)s that was asked for", asked=requested)})
    number = application.recommended.number + 1 if application.recommended else 1
    void(application, NEW_RECOMMENDATION)
    application.recommended = Recommendation(
        number=number,
        outcome="fund" if amount == requested else "fund_less",
        by=by.id,
        by_name=by.name,
        at=now,
        **(said.model_dump() | {"amount": amount}),
    )
    made = application.recommended
    application.record(
        CaseRecommended(
            **application.facts(),
            outcome=made.outcome,
            amount=amount,
            requested=requested,
            reason_code=made.reason_code,
            comment=made.words,
            panel=made.panel,
        )
    )


def void(application: Application, why: str) -> None:
    """Let the signatures that stand count no more."""
    stand = [item for item in application.approvals if not item.void]
    if stand:
        application.approvals = [
            item if item.void else item.model_copy(update={"void": why}) for item in application.approvals
        ]
        application.record(ApprovalsVoided(**application.facts(), approvals=len(stand), why=why))


def follow(application: Application, move: Transition, rules: Approvals, by: Person, now: datetime) -> None:
    """Do to the signatures what a move means: those of a case that went back are void, the approving move is one."""
    if move.id in rules.voided_by:
        void(application, RETURNED)
    if move.id == rules.approve and (left := remaining(application, rules)):
        _signed(application, left[0], by, now, None)


def sign(  # noqa: PLR0917 - a signature has as many sides
    application: Application,
    rules: Approvals,
    by: Person,
    actors: Collection[str],
    roles: Collection[str],
    now: datetime,
    comment: str | None = None,
) -> Level:
    """Give the next signature but the last, which the approving move is; returns its level."""
    left, needed = remaining(application, rules), rules.needed(application.decided)
    if application.recommended is None or not left:
        raise ConflictError("Nothing waits for a signature here")
    if len(left) == 1:
        raise ConflictError("The last signature is given by the move itself: approve the case")
    if why := not_by(application, left[0], actors, roles):
        raise ForbiddenError(why.message, **why.params)
    _signed(application, left[0], by, now, comment)
    given, then = len(needed) - len(left) + 1, left[1]
    application.record(
        ApprovalGiven(
            **application.facts(),
            amount=application.decided,
            level=left[0].id,
            level_name=left[0].name,
            given=given,
            of=len(needed),
            next_level=then.name,
            comment=comment,
            notify=[_PARTIES[role] for role in then.roles if role in _PARTIES],
        )
    )
    return left[0]


def _signed(application: Application, level: Level, by: Person, now: datetime, comment: str | None) -> None:
    number = application.recommended.number if application.recommended else 0
    signature = Approval(
        level=level.id,
        number=number,
        amount=application.decided,
        by=by.id,
        by_name=by.name,
        role=by.role,
        at=now,
        comment=comment,
    )
    application.approvals = [*application.approvals, signature]
