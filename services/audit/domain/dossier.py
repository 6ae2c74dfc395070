"""What a case must be able to show, and what of it is missing: rules as data, judged by the case's own record.

A rule asks, for every act that makes something due, for an act that shows it: the payment of each tranche that was
released, the decision on each report. What was called off is due no more, what has a day still to come is not yet due.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

THERE, WAITING, MISSING, NEVER = "there", "waiting", "missing", "never"
MOST = 5  # proofs that a line links to


@dataclass(frozen=True)
class Act:
    """An act of a case as far as rules look at it, in the order of the log."""

    index: int
    event_id: UUID
    type: str
    entity: str
    at: datetime
    data: dict[str, Any] = field(default_factory=dict)
    succeeded: bool = True


@dataclass(frozen=True)
class Rule:
    """One line of a checklist.

    `proof`: the acts one of which shows it. `due`: the acts each of which makes it due; without them the case itself
    does. `same`: the name in the acts' data by which a proof belongs to what made it due ("" any of the case, "entity"
    the same entity). `off`: acts that call it off. `by`: the name in the due act of the day, or of the months, until
    which there is time, and `patience` the days after that, or after the act. `first`: the proof must stand before what
    it allows. `chosen`: programmes may do without, so nothing is missing where nothing was begun.
    """

    name: str
    basis: str
    proof: tuple[str, ...]
    cure: str
    due: tuple[str, ...] = ()
    same: str = ""
    off: tuple[str, ...] = ()
    by: str = ""
    patience: int = 0
    first: bool = False
    chosen: bool = False


@dataclass(frozen=True)
class Line:
    """What came of a rule: how many things were due, which acts show them, and which have nothing to show."""

    rule: Rule
    due: int
    shown: tuple[Act, ...] = ()
    waiting: tuple[Act, ...] = ()
    missing: tuple[Act | None, ...] = ()  # the acts that made it due; None: the case itself

    @property
    def state(self) -> str:
        """There | waiting | missing | never: the last when nothing made it due."""
        if self.missing:
            return MISSING
        if self.waiting:
            return WAITING
        return THERE if self.due else NEVER


def judge(rules: Iterable[Rule], acts: Sequence[Act], today: date) -> list[Line]:
    """Return what each rule finds in a case's acts, the oldest first, on a day."""
    done = [act for act in acts if act.succeeded]
    return [_line(rule, done, today) for rule in rules]


def _line(rule: Rule, acts: Sequence[Act], today: date) -> Line:
    proofs = [act for act in acts if act.type in rule.proof]
    if rule.chosen and not proofs:
        return Line(rule, 0)
    if not rule.due:
        return Line(rule, 1, tuple(proofs[-MOST:]), missing=() if proofs else (None,))
    wanted = _wanted(rule, acts)
    shown: dict[UUID, Act] = {}
    waiting, missing = list[Act](), list[Act]()
    for due in wanted:
        own = [act for act in proofs if _belongs(rule, due, act)]
        if own:
            shown |= {own[-1].event_id: own[-1]}
        elif (day := _day(due, rule)) and day >= today:
            waiting.append(due)
        else:
            missing.append(due)
    return Line(rule, len(wanted), tuple(shown.values())[-MOST:], tuple(waiting), tuple(missing))


def _wanted(rule: Rule, acts: Sequence[Act]) -> list[Act]:
    """Return what is due, once for each thing, unless it was called off later."""
    found: dict[Any, Act] = {}
    for act in acts:
        if act.type in rule.due:
            found.setdefault(_key(rule, act), act) if rule.first else found.update({_key(rule, act): act})
        elif act.type in rule.off:
            found.pop(_key(rule, act), None)
    return list(found.values())


def _key(rule: Rule, act: Act) -> Any:
    if rule.same == "entity":
        return act.entity
    return act.data.get(rule.same) if rule.same else None


def _belongs(rule: Rule, due: Act, proof: Act) -> bool:
    if rule.same and _key(rule, due) != _key(rule, proof):
        return False
    return proof.index < due.index if rule.first else True


def _day(act: Act, rule: Rule) -> date | None:
    """Return the last day on which nothing is missing yet."""
    value = act.data.get(rule.by) if rule.by else None
    own = act.at.date()
    if isinstance(value, int):
        own += timedelta(days=round(value * 365.25 / 12))
    elif isinstance(value, str):
        try:
            own = date.fromisoformat(value)
        except ValueError:
            return None
    elif not rule.patience:
        return None
    return own + timedelta(days=rule.patience)


@dataclass(frozen=True)
class Document:
    """A document that an act of the case names, by its hash."""

    name: str
    sha256: str
    act: Act
    removed: bool = False


def documents(acts: Sequence[Act]) -> list[Document]:
    """Return the documents of a case, each hash once, the oldest first; a removed one stays on the list as such."""
    removed = {act.data.get("document_id") for act in acts if act.type.endswith("document_removed")} - {None}
    found: dict[str, Document] = {}
    for act in acts:
        for key in ("sha256", "content_sha256"):
            digest = act.data.get(key)
            if not isinstance(digest, str) or act.type.endswith("document_removed"):
                continue
            name = act.data.get("document_name") or act.data.get("name") or act.data.get("kind") or ""
            gone = act.data.get("document_id") in removed
            found.setdefault(digest, Document(str(name), digest, act, gone))
    return list(found.values())


# Part → beginnings of the kinds of act that belong to it.
PARTS = {
    "Reviews": ("grants.review.", "grants.moderation.", "grants.panel."),
    "Conflicts of interest": ("grants.review.declared", "grants.review.recused", "grants.recusal.", "grants.assessor."),
    "Approvals and decisions": (
        "grants.application.moved", "grants.application.approval", "grants.application.recommended",
        "grants.application.awarded", "grants.appeal.", "grants.award.offered", "grants.award.concluded",
        "grants.amendment.", "loans.referral.offered", "loans.referral.declined", "loans.referral.accepted",
        "loans.guarantee.approved", "loans.guarantee.issued", "loans.guarantee.declined",
    ),
    "Payments": (
        "grants.award.tranche_", "grants.award.payment_", "grants.award.refund_", "grants.award.costs_",
        "grants.cofinancing.released", "loans.loan.", "loans.delivery.transferred", "loans.fee.paid",
    ),
    "Messages": ("notifications.",),
}  # fmt: skip


@dataclass(frozen=True)
class Dossier:
    """What the record has of a case: its acts, what each rule finds, its documents."""

    case: str
    programme: str
    rows: list[Any]
    lines: list[Line]
    documents: list[Document]
    of: dict[UUID, Any] = field(default_factory=dict)  # event id → row

    def count(self, state: str) -> int:
        """Return how many lines came to a state."""
        return sum(line.state == state for line in self.lines)

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return not self.count(MISSING)

    def part(self, name: str) -> list[Any]:
        """Return the acts that belong to a part."""
        return [row for row in self.rows if row.type.startswith(PARTS[name])]
