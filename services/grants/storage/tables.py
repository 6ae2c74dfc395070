"""Tables of applications, reviews and awards, and of what grants learned from other services."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BindParameter,
    Boolean,
    Column,
    ColumnElement,
    Date,
    DateTime,
    Index,
    Integer,
    Numeric,
    String,
    Table,
    Text,
    TypeDecorator,
    func,
    text,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR

from services.grants.domain.application import Application
from services.grants.domain.award import Award
from services.grants.domain.review import Review
from services.grants.storage.base import metadata
from shared.database import Repository, UnitOfWork, entity_table

_OPEN = text("is_open")


class Words(TypeDecorator[str]):
    """A text of which the database keeps the words, to find rows by them."""

    impl, cache_ok = TSVECTOR, True

    def bind_expression(self, bindparam: BindParameter[str]) -> ColumnElement[str]:
        return func.to_tsvector(text("'simple'"), type_coerce(bindparam, Text))


application = entity_table(
    "application",
    metadata,
    Column("programme", String(80), nullable=False),
    Column("call", String(80), nullable=False),
    Column("organisation", String(80), nullable=False),
    Column("organisation_name", String(200), nullable=False),
    Column("title", String(200), nullable=False),
    Column("stage", String(60), nullable=False),
    Column("holder", String(40)),
    Column("officer", String(80)),
    Column("officer_name", String(200)),
    Column("amount", Numeric(22, 3), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("since", DateTime(timezone=True), nullable=False),
    Column("due", Date),
    # The day by which a list is sorted: far away for what has no due day, so that keyset pages need no nulls.
    Column("due_order", Date, nullable=False),
    Column("paused", Boolean, nullable=False),
    Column("is_open", Boolean, nullable=False),  # handed in and not at its end
    Column("submitted_at", DateTime(timezone=True)),
    Index("application_open_due", "programme", "due_order", "id", postgresql_where=_OPEN),
    Index("application_open_stage", "programme", "stage", "due_order", "id", postgresql_where=_OPEN),
    Index("application_open_holder", "programme", "holder", "due_order", "id", postgresql_where=_OPEN),
    Index("application_open_officer", "officer", "due_order", "id", postgresql_where=_OPEN),
    Index("application_stage", "programme", "stage", "due_order", "id"),
    Index("application_all", "programme", "due_order", "id"),
    Index("application_call", "programme", "call", "due_order", "id"),
    Index("application_organisation", "organisation", "due_order", "id"),
    Index("application_open_updated", "programme", "updated_at", "id", postgresql_where=_OPEN),
    Index("application_updated", "programme", "updated_at", "id"),
    Index("application_open_since", "programme", "since", "id", postgresql_where=_OPEN),
    Index("application_open_amount", "programme", "currency", "amount", "id", postgresql_where=_OPEN),
    Index("application_stage_since", "programme", "stage", "since", "id"),
    Column("words", Words, nullable=False),
    Index("application_words", "words", postgresql_using="gin"),
)

review = entity_table(
    "review",
    metadata,
    Column("application", String(80), nullable=False),
    Column("reviewer", String(80), nullable=False),
    Column("status", String(20), nullable=False),
    Index("review_one_each", "application", "reviewer", unique=True),
    Index("review_mine", "reviewer", "status", "id"),
)

award = entity_table(
    "award",
    metadata,
    Column("programme", String(80), nullable=False),
    Column("concluded_at", DateTime(timezone=True)),
    # Whether finance has something to do: a tranche requested, or released and not yet paid.
    Column("waits_for_finance", Boolean, nullable=False),
    Index("award_waiting", "programme", "id", postgresql_where=text("waits_for_finance")),
    Index("award_programme", "programme", "id"),
)

# Every version of every pack is kept: live cases stay on the one they were started under.
pack = Table(
    "pack",
    metadata,
    Column("programme", String(80), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("content", JSONB, nullable=False),
    Column("loaded_at", DateTime(timezone=True), nullable=False),
)

call = Table(
    "call",
    metadata,
    Column("programme", String(80), primary_key=True),
    Column("id", String(80), primary_key=True),
    Column("pack_version", Integer, nullable=False),
    Column("name", JSONB, nullable=False),
    Column("opens_on", Date, nullable=False),
    Column("closes_on", Date),
)

person = Table(
    "person",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("roles", JSONB, nullable=False),
    Column("organisation", String(80)),
    Column("programmes", JSONB, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("email_domain", String(255)),
    Index("person_organisation", "organisation"),
)

organisation = Table(
    "organisation",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("country", String(2)),
    Column("registration_number", String(80)),
    Index("organisation_number", "registration_number"),
)

letter = Table(
    "letter",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("case", String(80), nullable=False),
    Column("event", String(80), nullable=False),  # the act that the letter tells of
    Column("recipient", String(80), nullable=False),
    Column("to", String(200), nullable=False),
    Column("channel", String(20), nullable=False),
    Column("subject", String(500), nullable=False),
    Column("state", String(40), nullable=False),
    Column("about", String(120), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Index("letter_case", "case", "at"),
)

FAR = "9999-12-31"


def _application_columns(item: Application) -> dict[str, Any]:
    asked = item.awarded or item.amount
    return {
        "programme": item.programme,
        "call": item.call,
        "organisation": item.organisation,
        "organisation_name": item.organisation_name,
        "title": item.title,
        "stage": item.stage,
        "holder": item.holder,
        "officer": item.officer,
        "officer_name": item.officer_name,
        "amount": asked.amount,
        "currency": asked.currency,
        "since": item.since(),
        "due": item.due,
        "due_order": item.due or FAR,
        "paused": item.paused,
        "is_open": item.submitted_at is not None and not item.terminal,
        "submitted_at": item.submitted_at,
        "words": f"{item.id} {item.title} {item.organisation_name}",
    }


def _review_columns(item: Review) -> dict[str, Any]:
    return {"application": item.application, "reviewer": item.reviewer, "status": item.status}


def _award_columns(item: Award) -> dict[str, Any]:
    waiting = any(tranche.status in {"requested", "certified", "released"} for tranche in item.tranches)
    return {"programme": item.programme, "concluded_at": item.concluded_at, "waits_for_finance": waiting}


def applications(uow: UnitOfWork) -> Repository[Application]:
    """Return the applications of this transaction."""
    return Repository(uow, application, Application, _application_columns)


def reviews(uow: UnitOfWork) -> Repository[Review]:
    """Return the reviews of this transaction."""
    return Repository(uow, review, Review, _review_columns)


def awards(uow: UnitOfWork) -> Repository[Award]:
    """Return the awards of this transaction."""
    return Repository(uow, award, Award, _award_columns)
