"""What the JSON API says about things: the shapes of its answers."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel
from sqlalchemy import Connection, RowMapping

from services.grants.domain.application import Application, BudgetLine, Check, Document, Done
from services.grants.domain.review import Review, Score
from services.grants.handlers.base import Frame
from services.grants.handlers.moving import PARTS_OF_ACTS, moves_for
from shared.forms import Judged
from shared.money import Money
from shared.web.identity import Identity


class MoveView(BaseModel):
    """A move that this person has: what its form asks for, or what blocks it, in words and by codes with figures."""

    id: str
    name: dict[str, str]
    to: str
    asks: list[str]
    allowed: bool
    blocked_by: list[str]
    blockers: list[dict[str, Any]]


class ApplicationView(BaseModel):
    """An application as the one who asks may see it."""

    reference: str
    version: int
    programme: str
    call: str
    title: str
    organisation: str
    organisation_name: str
    stage: str
    stage_name: dict[str, str]
    holder: str | None
    since: datetime
    due: date | None
    paused: bool
    officer: str | None
    officer_name: str | None
    amount: Money
    own_share: Money
    awarded: Money | None
    submitted_at: datetime | None
    answers: dict[str, str]
    budget: list[BudgetLine]
    documents: list[Document]
    checks: dict[str, Check]
    asked: list[str]
    eligibility: list[Judged]
    history: list[Done]
    moves: list[MoveView]


class ApplicationRow(BaseModel):
    """An application in a list."""

    reference: str
    title: str
    organisation: str
    organisation_name: str
    call: str
    stage: str
    holder: str | None
    officer: str | None
    amount: Money
    since: datetime
    due: date | None
    paused: bool


class ApplicationPage(BaseModel):
    """Some applications and the cursor of those after them."""

    items: list[ApplicationRow]
    next: str | None


class ReviewView(BaseModel):
    """A review; scores are there only for those who may see them now."""

    id: str
    version: int
    reference: str
    title: str
    organisation_name: str
    reviewer: str
    reviewer_name: str
    status: str
    ground: str
    nature: str
    due: date | None
    because: str = ""
    scores: dict[str, Score] | None = None
    summary: str | None = None
    recommendation: str | None = None
    score: Decimal | None = None


def application_view(connection: Connection, who: Identity, application: Application) -> ApplicationView:
    """Return an application with the moves that `who` has; an applicant sees the stage's public name and no checks."""
    frame = Frame(connection, application)
    stage = frame.workflow.stage(application.stage)
    applicant = set(who.roles) <= {"applicant"}
    moves = [
        MoveView(
            id=m.id,
            name=m.transition.name,
            to=m.transition.to,
            asks=m.asks,
            allowed=m.allowed,
            blocked_by=m.blocked_by,
            blockers=[one.as_dict() for one in m.blocked_by],
        )
        for m in moves_for(connection, who, application, frame)
        if m.id not in PARTS_OF_ACTS
    ]
    plain: dict[str, Any] = {name: getattr(application, name) for name in _PLAIN}
    return ApplicationView(
        reference=application.id,
        stage_name=(applicant and stage.public_name) or stage.name,
        since=application.since(),
        checks={} if applicant else application.checks,
        asked=application.asked,
        eligibility=application.eligibility,
        history=[] if applicant else application.history,
        moves=moves,
        **plain,
    )


_PLAIN = (
    "version",
    "programme",
    "call",
    "title",
    "organisation",
    "organisation_name",
    "stage",
    "holder",
    "due",
    "paused",
    "officer",
    "officer_name",
    "amount",
    "own_share",
    "awarded",
    "submitted_at",
    "answers",
    "budget",
    "documents",
)


def row_view(row: RowMapping) -> ApplicationRow:
    """Return a row of a list."""
    return ApplicationRow(
        reference=row["id"],
        amount=Money.of(row["amount"], row["currency"]),
        **{name: row[name] for name in ApplicationRow.model_fields if name not in {"reference", "amount"}},
    )


def review_view(review: Review, *, scores: bool) -> ReviewView:
    """Return a review, with its scores when they may be seen."""
    shown: dict[str, Any] = {"reference": review.application}
    if scores:
        shown |= {name: getattr(review, name) for name in ("scores", "summary", "recommendation", "score")}
    names = set(ReviewView.model_fields) - {"reference", "scores", "summary", "recommendation", "score"}
    return ReviewView(**shown, **{name: getattr(review, name) for name in names})
