"""The end of a grant: the checklist that closing waits for, and what is due when it is terminated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal

from services.grants.domain.application import Application, Person
from services.grants.domain.award import Award
from services.grants.domain.award.parts import Tranche
from shared.entity import Entity, Part
from shared.errors import InvalidError, Rule
from shared.events.closeout_rules import CloseoutRules, Item
from shared.events.grants.closeout import CloseoutAnswered, CloseoutVoided
from shared.money import Money, total
from shared.workflow.requirements import Sentence

Outcome = Literal["done", "not_applicable", "open"]
# Where on the case each proof is mended.
MENDED = {"reports": "reports", "milestones": "money", "money": "money"}
_WAITING = {"requested", "certified", "released"}


class Answered(Part):
    """What somebody said of one point, and on what ground."""

    answer: Outcome
    note: str
    by: str
    by_name: str
    at: datetime


class Closeout(Entity):
    """The answered points of a grant's closing checklist. Its id is the application's reference."""

    KIND: ClassVar[str] = "closeout"

    programme: str
    title: str
    organisation_name: str
    answers: dict[str, Answered] = {}

    def case(self) -> str:
        return self.id

    def programme_id(self) -> str:
        return self.programme

    @classmethod
    def of(cls, application: Application) -> Closeout:
        """Return the unanswered checklist of a case."""
        about = {name: getattr(application, name) for name in ("id", "programme", "title", "organisation_name")}
        return cls(**about)

    def _facts(self) -> dict[str, Any]:
        return {"reference": self.id, "title": self.title, "organisation_name": self.organisation_name}

    def answer(
        self, item: str, outcome: Outcome, note: str, rules: CloseoutRules, *, by: Person, now: datetime
    ) -> None:
        """Answer a point that no fact proves; the note says on what ground. `open` takes an answer back."""
        asked = {point.id: point for point in rules.items}
        if item not in asked:
            raise InvalidError({"item": Rule("must be one of: %(names)s", names=", ".join(asked))})
        if asked[item].proof:
            raise InvalidError({"item": "is proved by the facts of the case and can't be answered"})
        if not note.strip():
            raise InvalidError({"note": "is required: say what you looked at"})
        said = Answered(answer=outcome, note=note, by=by.id, by_name=by.name, at=now)
        self.answers = self.answers | {item: said}
        self.record(CloseoutAnswered(**self._facts(), item=item, answer=outcome, note=note))

    def void(self) -> None:
        """Forget the answers of a grant that runs again."""
        if self.answers:
            items, self.answers = sorted(self.answers), {}
            self.record(CloseoutVoided(**self._facts(), items=items))


@dataclass(frozen=True)
class Point:
    """A point of the checklist as it stands: done or not, the figures in words, where it is mended."""

    item: Item
    done: bool
    said: Sentence | None
    part: str
    answered: Answered | None = None


def points(rules: CloseoutRules, award: Award, reports: Sequence[str], closeout: Closeout | None) -> list[Point]:
    """Return how each point of the checklist stands; `reports` are the states of the case's."""
    answers = closeout.answers if closeout else {}
    return [_point(item, award, reports, answers.get(item.id)) for item in rules.items]


def _point(item: Item, award: Award, reports: Sequence[str], answered: Answered | None) -> Point:
    if item.proof is None:
        done = answered is not None and answered.answer != "open"
        said = None if done else Sentence.of(item.name, code="closeout-unanswered", figures={"item": item.id})
        return Point(item, done, said, "closeout", answered)
    if item.proof == "money":
        done, said = _money(award)
    elif item.proof == "reports":
        accepted = sum(1 for report in reports if report == "accepted")
        done = accepted == len(reports)
        said = Sentence(
            "%(done)s of %(needed)s reports are accepted", code="closeout-reports", done=accepted, needed=len(reports)
        )
    else:
        reached, needed = sum(1 for one in award.milestones if one.status == "verified"), len(award.milestones)
        done = reached == needed
        said = Sentence(
            "%(done)s of %(needed)s milestones are verified", code="closeout-milestones", done=reached, needed=needed
        )
    return Point(item, done, said, MENDED[item.proof])


def _money(award: Award) -> tuple[bool, Sentence]:
    """Return whether what was paid is accounted for and nothing is under way, and the arithmetic of it."""
    waiting = [one for one in award.tranches if one.status in _WAITING or one.batch or _held(one)]
    if waiting:
        return False, _under_way(
            waiting, "Not settled: tranches %(numbers)s, %(amount)s (held, requested or released)", "closeout-payments"
        )
    sums = {"paid": award.paid(), "accepted": award.accepted(), "refunded": award.refunded()}
    open_ = sums["paid"] - sums["accepted"] - sums["refunded"]
    if not open_:
        said = "%(paid)s paid = %(accepted)s of costs accepted + %(refunded)s paid back"
        return True, Sentence(said, code="closeout-money", figures=None, **sums)
    said = "%(paid)s paid − %(accepted)s of costs accepted − %(refunded)s paid back: %(open)s is not accounted for"
    if open_.amount < 0:
        said = (
            "%(paid)s paid − %(accepted)s of costs accepted − %(refunded)s paid back: %(open)s is due to the recipient"
        )
        open_ = Money.of(-open_.amount, open_.currency)
    return False, Sentence(said, code="closeout-money", figures=None, **sums, open=open_)


def _held(tranche: Tranche) -> bool:
    return tranche.hold is not None


def _under_way(tranches: Sequence[Tranche], said: str, code: str) -> Sentence:
    amount = total((one.amount for one in tranches), tranches[0].amount.currency)
    return Sentence(said, code=code, numbers=", ".join(str(one.number) for one in tranches), amount=amount)


def paying_now(award: Award) -> Sentence | None:
    """Return what termination waits for: payments that have left the programme's hands and are not confirmed."""
    waiting = [one for one in award.tranches if one.status == "released" or (one.batch and one.status != "paid")]
    if not waiting:
        return None
    said = "Released and not paid: tranches %(numbers)s, %(amount)s; confirm or withdraw them first"
    return _under_way(waiting, said, "termination-payments")


@dataclass(frozen=True)
class Settlement:
    """What a grant that ends now leaves due, all in its currency."""

    agreed: Money
    paid: Money
    accepted: Money
    refunded: Money
    owed: Money  # demanded back before and not come yet
    refund_due: Money
    payment_due: Money
    given_back: Money


def settlement(award: Award, committed: Money) -> Settlement:
    """Return what is due if the grant ends now; `committed` is the part of the commitment that is not released.

    paid − accepted − refunded − owed: above nothing the recipient pays it back, below nothing it is due to them,
    and that part of the commitment is kept for it.
    """
    zero, balance = Money.zero(award.amount.currency), award.balance()
    due = min(Money.of(max(-balance.amount, zero.amount), balance.currency), committed)
    return Settlement(
        agreed=award.amount,
        paid=award.paid(),
        accepted=award.accepted(),
        refunded=award.refunded(),
        owed=award.refund_owed(),
        refund_due=max(balance, zero),
        payment_due=due,
        given_back=committed - due,
    )
