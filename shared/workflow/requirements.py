"""What a move requires, and the sentence a person reads when it is not there yet."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Self

from shared.money import Money

# Given with the act itself, in its form: they never grey out a button.
ASKED = ("reason", "comment")
# Requirements without a parameter, with one, and with or without.
PLAIN = frozenset({*ASKED, "no_open_conflicts", "four_eyes", "authority", "approvals", "step_up", "no_exclusion_hits"})
WITH_PARAMETER = frozenset({"document", "reviews", "checklist", "four_eyes"})
# Under this name `Facts.held` says what `no_exclusion_hits` waits for; no transition can be called so.
NO_HITS = "requirement:no_exclusion_hits"
_NUMBER = re.compile(r"[1-9][0-9]{0,2}")


class Sentence(str):
    """A sentence in English that can be said in other languages: a gettext id and its values.

    `code` and `figures` say the same to machines.
    """

    message: str
    code: str
    figures: dict[str, Any]
    params: dict[str, Any]
    names: Mapping[str, str]  # the sentence itself by language, when a programme's data words it

    __slots__ = ("code", "figures", "message", "names", "params")

    def __new__(
        cls, message: str, /, *, code: str = "", figures: Mapping[str, Any] | None = None, **params: Any
    ) -> Self:
        self = super().__new__(cls, message % params if params else message)
        self.message, self.params, self.names = message, params, {}
        self.code, self.figures = code, {**params, **(figures or {})}
        return self

    @classmethod
    def of(cls, names: Mapping[str, str], *, code: str = "", figures: Mapping[str, Any] | None = None) -> Self:
        """Return the sentence that a programme's data gives in several languages; English stands for itself."""
        self = cls((names.get("en") or next(iter(names.values()))).strip(), code=code, figures=figures)
        self.names = names
        return self

    def as_dict(self) -> dict[str, Any]:
        """Return code, message and figures as JSON types: money with its currency, other decimals as text."""
        return {"code": self.code, "message": str(self), "figures": _plain(self.figures)}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, Money):
        return value.model_dump(mode="json")
    return str(value) if isinstance(value, Decimal) else value


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known about a case at the moment of an act.

    `values` are what guards read; `documents`, `checklists` the ids of those present and done;
    `earlier_actors` who must not do a `four_eyes` move (they made the thing or decided before);
    `done_by` who did which transition last, for `four_eyes:<transition>`; `limits` up to what amount
    this actor may do which transition (see `authority_limits`), `levels` up to what amount each role may
    (see `authority_levels`), so that a refusal can name the next level;
    `held` what keeps this actor from a transition whatever it requires, such as a conflict of interest.
    """

    actor: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    documents: frozenset[str] = frozenset()
    checklists: frozenset[str] = frozenset()
    reviews_done: int = 0
    open_conflicts: int = 0
    earlier_actors: tuple[str, ...] = ()
    done_by: Mapping[str, str] = field(default_factory=dict)
    reason: str | None = None
    comment: str | None = None
    amount: Money | None = None
    limits: Mapping[str, Money] = field(default_factory=dict)
    levels: Mapping[str, Mapping[str, Money]] = field(default_factory=dict)
    stepped_up: bool = False
    held: Mapping[str, tuple[Sentence, ...]] = field(default_factory=dict)
    # What is missing of the signatures that the amount needs, as the service knows it; None when nothing is.
    approvals_missing: Sentence | None = None
    # Who else counts as one person with the actor: those they stand in for, and those who stand in for them.
    one_with: frozenset[str] = frozenset()


def known(requirement: str) -> bool:
    """Return whether `requirement` is one that the engine can check."""
    name, colon, parameter = requirement.partition(":")
    if not colon:
        return name in PLAIN
    return (
        name in WITH_PARAMETER and bool(parameter) and (name != "reviews" or _NUMBER.fullmatch(parameter) is not None)
    )


def missing(requirement: str, transition: str, facts: Facts) -> Sentence | None:
    """Return what is missing for `requirement`, or None when it is fulfilled."""
    name, _, parameter = requirement.partition(":")
    return _CHECKS[name](parameter, transition, facts)


def _reason(_parameter: str, _transition: str, facts: Facts) -> Sentence | None:
    return None if (facts.reason or "").strip() else Sentence("Say the reason", code="reason-missing")


def _comment(_parameter: str, _transition: str, facts: Facts) -> Sentence | None:
    return None if (facts.comment or "").strip() else Sentence("Write a comment", code="comment-missing")


def _document(parameter: str, _transition: str, facts: Facts) -> Sentence | None:
    if parameter in facts.documents:
        return None
    return Sentence("The document “%(type)s” is missing", code="document-missing", type=parameter)


def _reviews(parameter: str, _transition: str, facts: Facts) -> Sentence | None:
    done, needed = facts.reviews_done, int(parameter)
    if done >= needed:
        return None
    return Sentence("%(done)s of %(needed)s reviews are in", code="reviews-missing", done=done, needed=needed)


def _checklist(parameter: str, _transition: str, facts: Facts) -> Sentence | None:
    if parameter in facts.checklists:
        return None
    return Sentence("The checklist “%(id)s” is not finished", code="checklist-unfinished", id=parameter)


def _no_open_conflicts(_parameter: str, _transition: str, facts: Facts) -> Sentence | None:
    if facts.open_conflicts == 0:
        return None
    return Sentence("Conflicts of interest not settled: %(count)s", code="conflicts-open", count=facts.open_conflicts)


def _no_exclusion_hits(_parameter: str, _transition: str, facts: Facts) -> Sentence | None:
    return next(iter(facts.held.get(NO_HITS, ())), None)


def _four_eyes(parameter: str, _transition: str, facts: Facts) -> Sentence | None:
    if parameter:
        earlier: tuple[str, ...] = (facts.done_by[parameter],) if parameter in facts.done_by else ()
    else:
        earlier = facts.earlier_actors
    if not facts.actor or not earlier:
        first = "A second person must do this, and it is not recorded who was the first"
        return Sentence(first, code="four-eyes-unrecorded")
    if facts.actor not in earlier and set(facts.one_with) & set(earlier):
        same = "Whom you stand in for, or who stands in for you, did the step before; a third person must do this one"
        return Sentence(same, code="four-eyes-stand-in")
    if facts.actor in earlier:
        same = "You did the step before this one; another person must do this one"
        return Sentence(same, code="four-eyes-same-person")
    return None


def _authority(_parameter: str, transition: str, facts: Facts) -> Sentence | None:
    if facts.amount is None:
        return Sentence("The amount is not settled yet", code="amount-unknown")
    limit = facts.limits.get(transition)
    if limit is None:
        return Sentence("You have no delegated authority for this", code="authority-none")
    if limit.currency != facts.amount.currency or facts.amount > limit:
        return _too_much(facts.amount, limit, facts.levels.get(transition, {}))
    return None


def _approvals(_parameter: str, _transition: str, facts: Facts) -> Sentence | None:
    return facts.approvals_missing


def _too_much(amount: Money, limit: Money, levels: Mapping[str, Money]) -> Sentence:
    """Say that an amount is above the actor's authority, and whose the next level is, where that is known."""
    code, known_sums = "authority-exceeded", dict[str, Any](amount=amount, limit=limit)
    higher = {role: most for role, most in levels.items() if most.currency == amount.currency and most >= amount}
    if higher:
        role = min(higher, key=lambda name: (higher[name].amount, name))
        said = "%(amount)s is above your delegated authority of %(limit)s; up to %(next_limit)s decides: %(next_role)s"
        return Sentence(said, code=code, **known_sums, next_role=role, next_limit=higher[role])
    if levels:
        said = "%(amount)s is above your delegated authority of %(limit)s, and above everybody's"
        return Sentence(said, code=code, **known_sums)
    return Sentence("%(amount)s is above your delegated authority of %(limit)s", code=code, **known_sums)


def _step_up(_parameter: str, _transition: str, facts: Facts) -> Sentence | None:
    return None if facts.stepped_up else Sentence("Confirm who you are first", code="step-up-missing")


_CHECKS: dict[str, Callable[[str, str, Facts], Sentence | None]] = {
    "reason": _reason,
    "comment": _comment,
    "document": _document,
    "reviews": _reviews,
    "checklist": _checklist,
    "no_open_conflicts": _no_open_conflicts,
    "no_exclusion_hits": _no_exclusion_hits,
    "four_eyes": _four_eyes,
    "authority": _authority,
    "approvals": _approvals,
    "step_up": _step_up,
}
