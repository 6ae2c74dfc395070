"""Concept and agreement: what a firm proposes, and the shares that both sides accept."""

from __future__ import annotations

from typing import Any

from pydantic import Field
from sqlalchemy import Connection

from services.grants.domain.cofinancing import CoFinancing
from services.grants.domain.terms import Rules
from services.grants.handlers.base import Command, act_as, pack_of
from services.grants.handlers.cofinancing.booking import MatchBook
from services.grants.handlers.cofinancing.case import (
    barred,
    case_for,
    facts_for,
    impartial,
    pack_for,
    roles_on,
    same_currency,
)
from services.grants.storage import reads
from services.grants.storage.cofinancing import cases
from shared.database import UnitOfWork
from shared.errors import ForbiddenError, InvalidError, NotFoundError, Rule
from shared.money import Money
from shared.web.identity import Identity
from shared.workflow import Workflow


class Concept(Command):
    """What a lead firm proposes: `planned` is the whole cost, both shares together."""

    kind: str = Field(max_length=60)
    title: str = Field(min_length=3, max_length=200)
    summary: str = Field(default="", max_length=5000)
    planned: Money


def rules_of(connection: Connection, programme: str) -> tuple[int, dict[str, Any]]:
    """Return the newest pack's version and its co-financing rules; raises NotFoundError."""
    version = reads.latest_pack(connection, programme)
    content = reads.pack_content(connection, programme, version) if version is not None else {}
    if version is None or "cofinancing" not in content:
        raise NotFoundError("This programme has no co-financing")
    return version, content["cofinancing"]


def workflow_of(connection: Connection, programme: str) -> Workflow:
    """Return the co-financing workflow of a programme's newest pack: its words label lists."""
    version, content = rules_of(connection, programme)
    return pack_of(connection, programme, version).workflows[content["workflow"]]


def start_concept(uow: UnitOfWork, who: Identity, programme: str, command: Concept) -> CoFinancing:
    """Begin a concept for the person's own firm; raises ForbiddenError when it is not a lead firm."""
    version, content = rules_of(uow.connection, programme)
    firm = reads.find_organisation(uow.connection, who.organisation or "")
    if firm is None or firm["kind"] not in content["organisation_kinds"]:
        raise ForbiddenError("Co-financing is for lead firms; your organisation is not one")
    rules = Rules.of(content)
    _check_concept(rules, content["currency"], command)
    actor = act_as(uow, "applicant")
    case = CoFinancing.start(
        workflow=pack_of(uow.connection, programme, version).workflows[content["workflow"]],
        id=uow.next_reference(content["reference_prefix"]),
        programme=programme,
        pack_version=version,
        rules=rules,
        kind=command.kind,
        organisation=firm["id"],
        organisation_name=firm["name"],
        started_by=actor.id,
        started_at=uow.now(),
        currency=command.planned.currency,
        title=command.title,
        summary=command.summary,
        planned=command.planned.amount,
    )
    return cases(uow).add(case)


def _check_concept(rules: Rules, currency: str, command: Concept) -> None:
    problems: dict[str, str] = {}
    if command.kind not in rules.kinds:
        problems["kind"] = Rule("must be one of: %(names)s", names=", ".join(rules.kinds))
    if command.planned.currency != currency:
        problems["planned"] = Rule("must be in %(currency)s", currency=currency)
    elif command.planned.amount <= 0:
        problems["planned"] = "must be more than nothing"
    if problems:
        raise InvalidError(problems)


def save_concept(uow: UnitOfWork, who: Identity, reference: str, version: int, command: Concept) -> CoFinancing:
    """Change a concept that is not sent."""
    case, _ = case_for(uow, who, "grants.cofinancing.write", reference, version)
    _check_concept(case.rules, case.currency, command)
    case.save(**dict(command))
    return case


def draw_terms(
    uow: UnitOfWork,
    who: Identity,
    reference: str,
    version: int,
    *,
    total: Money,
    in_kind: Money,
    grant: Money | None = None,
) -> CoFinancing:
    """Settle the shares of the agreement: the most that the rules give, or a smaller `grant`."""
    case, actor = case_for(uow, who, "grants.cofinancing.draw", reference, version)
    impartial(uow, who, case)
    same_currency(case, total=total, in_kind=in_kind, **({} if grant is None else {"grant": grant}))
    case.draw_terms(total, in_kind, actor, uow.now(), grant=grant)
    return case


def move(
    uow: UnitOfWork,
    who: Identity,
    reference: str,
    version: int,
    transition: str,
    *,
    reason: str | None = None,
    comment: str | None = None,
) -> CoFinancing:
    """Make a move of the workflow; raises IllegalTransitionError naming the legal ones."""
    case, _ = case_for(uow, who, "grants.cofinancing.move", reference, version)
    pack, roles = pack_for(uow.connection, case), roles_on(who, case)
    workflow = pack.workflows[case.workflow]
    conflict = None if roles == ["applicant"] else barred(uow.connection, who, case)
    facts = facts_for(pack, who, case, reason, comment, conflict)
    chosen = workflow.move(transition, case.stage, roles, facts)
    role = next(role for role in roles if role in chosen.roles)
    actor = act_as(uow, role, reason)
    if role != "applicant":
        impartial(uow, who, case)
    before, ended = MatchBook(uow, case), case.terminal
    case.move(chosen, workflow, pack.calendar, actor, uow.now(), reason=reason, comment=comment)
    if before.book:
        before.moved(ended=ended)
    else:
        MatchBook(uow, case)  # an agreement that was just concluded opens its book
    return case
