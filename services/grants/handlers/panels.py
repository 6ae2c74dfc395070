"""A panel over the reviewed applications of a call: laid before it, written down, frozen, carried out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import Connection

from services.grants.domain.application import Application
from services.grants.domain.bulk import Bulk
from services.grants.domain.decision import Said
from services.grants.domain.mainline import main_line
from services.grants.domain.pack import Call, Pack
from services.grants.domain.panel import Candidate, Member, Panel, Proposal, Ranking, Scored, ranked, replayed
from services.grants.domain.panel.session import FUNDS
from services.grants.domain.review import Review
from services.grants.handlers import bulk
from services.grants.handlers.base import Command, Packs, act_as
from services.grants.handlers.bulk.planning import keep
from services.grants.handlers.conflicts import Listed, barred_from
from services.grants.handlers.listing import programmes_of
from services.grants.policy import POLICY
from services.grants.storage import bulk as rows
from services.grants.storage import panel as stored
from services.grants.storage import reads
from shared.database import UnitOfWork
from shared.entity import canonical_hash
from shared.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError, Rule
from shared.money import Money
from shared.web.identity import Identity

READ, HOLD = "grants.panel.read", "grants.panel.hold"
SAT_WITH = ("programme_manager", "officer", "reviewer")


class OpenPanel(Command):
    """The reviewed applications of a call are to be laid before a panel."""

    programme: str
    call: str


class Present(Command):
    """Somebody who is there; `left` are the cases for which they leave, besides those of their own conflicts."""

    user: str
    left: list[str] = []


class SavePanel(Command):
    """Who is there, the minutes, and what is recommended so far; `version` is that of the page."""

    version: int
    members: Annotated[list[Present], Field(max_length=50)] = []
    minutes: str = ""
    proposals: dict[str, Proposal] = {}


class FreezePanel(Command):
    """The record is to be final; `version` is that of the page on which it was read."""

    version: int


@dataclass(frozen=True)
class Session:
    """A panel with its ranking, as it is now or as it is frozen; of the cases `hidden` this person sees no scores."""

    panel: Panel | None
    pack: Pack
    call: Call
    ranking: Ranking
    conflicts: dict[str, dict[str, str]]
    hidden: frozenset[str]


@dataclass(frozen=True)
class Sitting:
    """A call of a programme with a panel: how many applications wait for it, and the panels there were."""

    programme: str
    call: Call
    waiting: int
    panels: list[Any]


def sittings(connection: Connection, who: Identity, programme: str = "") -> list[Sitting]:
    """Return the calls that this person may see before a panel, those with waiting applications first."""
    if programme:
        POLICY.role_for(READ, who, programme=programme)
    names = [programme] if programme else programmes_of(connection, who, READ)
    packs = [pack for name in names if (pack := Packs(connection, name).newest)]
    stages = {pack.programme: pack.decisions.panel.stage for pack in packs}
    counts, held = stored.waiting(connection, stages), stored.of_programmes(connection, names)
    found = [
        Sitting(
            pack.programme,
            call,
            counts.get((pack.programme, name), 0),
            [row for row in held if (row["programme"], row["call"]) == (pack.programme, name)],
        )
        for pack in packs
        for name, call in pack.calls.items()
        if pack.decisions.panel.stage in {stage.id for stage in pack.workflows[call.workflow].stages}
    ]
    return sorted(found, key=lambda one: (not one.waiting, one.programme, one.call.call))


def laid(connection: Connection, who: Identity, programme: str, call_id: str, panel: Panel | None = None) -> Session:
    """Return the applications of a call that are before the panel, ranked."""
    POLICY.role_for(READ, who, programme=programme)
    pack = Packs(connection, programme).newest
    if pack is None or call_id not in pack.calls:
        raise NotFoundError("There is no such call")
    call, stage = pack.calls[call_id], pack.decisions.panel.stage
    cases = stored.before(connection, programme, call_id, stage)
    if len(cases) > stored.MOST:
        raise ConflictError("More than %(most)s applications lie before the panel", most=stored.MOST)
    reviews = reads.reviews_by_case(connection, [case.id for case in cases])
    ranking = _ranking(connection, pack, call, cases, reviews)
    if panel is not None and panel.status == "frozen":
        ranking = Ranking.model_validate(panel.selection["ranking"])
    else:
        _must_have_reviewed(who, reviews)
    return Session(panel, pack, call, ranking, _conflicts(cases, reviews), _hidden(connection, who, cases, ranking))


def _ranking(
    connection: Connection, pack: Pack, call: Call, cases: Sequence[Application], reviews: Mapping[str, list[Review]]
) -> Ranking:
    sheet, line = pack.sheet_of(call), main_line(pack.workflows[call.workflow])
    stage = pack.decisions.panel.stage
    ended = {item.id for item in pack.workflows[call.workflow].stages if item.terminal} - {line[-1]}
    but = {*(line[: line.index(stage) + 1] if stage in line else [stage]), *ended}
    taken = stored.committed(connection, pack.programme, call.call, but)
    return ranked(
        [_candidate(case, reviews.get(case.id, [])) for case in cases],
        threshold=sheet.threshold,
        spread=getattr(sheet, "spread", None) or pack.decisions.panel.spread,
        budget=call.budget,
        committed=Money.of(taken, call.currency),
    )


def _candidate(case: Application, reviews: Sequence[Review]) -> Candidate:
    scored = [
        Scored(
            review=item.id,
            reviewer=item.reviewer,
            name=item.reviewer_name,
            status=item.status,
            score=item.score if item.status == "submitted" else None,
            recommendation=item.recommendation if item.status == "submitted" else None,
        )
        for item in reviews
    ]
    return Candidate(
        reference=case.id,
        version=case.version,
        title=case.title,
        organisation=case.organisation,
        organisation_name=case.organisation_name,
        requested=case.amount,
        reviews=tuple(scored),
    )


def _must_have_reviewed(who: Identity, reviews: Mapping[str, list[Review]]) -> None:
    """Keep the ranking from whoever has still to score one of its cases."""
    for case, found in reviews.items():
        if any(item.reviewer == who.user and item.status in {"assigned", "open"} for item in found):
            raise ForbiddenError(
                "Hand in your review of %(case)s first: the ranking shows the others' scores", case=case
            )


def _conflicts(cases: Sequence[Application], reviews: Mapping[str, list[Review]]) -> dict[str, dict[str, str]]:
    """Return {case: {user: ground}} of the conflicts of interest that are on record."""
    return {
        case.id: {
            item.reviewer: item.ground or "declared" for item in reviews.get(case.id, []) if item.status == "recused"
        }
        for case in cases
    }


def _hidden(connection: Connection, who: Identity, cases: Sequence[Application], ranking: Ranking) -> frozenset[str]:
    """Return the cases whose scores this person may not know: of the ranking, which a frozen record keeps."""
    laid = [line.candidate for line in ranking.lines]
    about = [Listed(item.reference, item.organisation, item.organisation_name) for item in laid]
    days = [(case.submitted_at or case.started_at).date() for case in cases]
    return barred_from(connection, who, about, min(days, default=date.min))


def opened(uow: UnitOfWork, who: Identity, command: OpenPanel) -> Panel:
    """Lay the reviewed applications of a call before a panel; one session at a time."""
    role = POLICY.role_for(HOLD, who, programme=command.programme)
    session = laid(uow.connection, who, command.programme, command.call)
    if not session.ranking.lines:
        raise ConflictError("No application of this call waits for the panel")
    for row in stored.panels_of(uow.connection, command.programme, command.call):
        if row["status"] == "open":
            raise ConflictError("%(panel)s is still open: freeze it first", panel=row["id"])
    by = act_as(uow, role)
    latest = reads.latest_pack(uow.connection, command.programme) or 0
    made = Panel.opened(
        len(session.ranking.lines),
        id=uow.next_reference("PNL"),
        programme=command.programme,
        call=command.call,
        pack_version=latest,
        opened_by=by.id,
        opened_by_name=by.name,
        opened_at=uow.now(),
    )
    return stored.panels(uow).add(made)


def find(connection: Connection, who: Identity, action: str, panel_id: str) -> Panel:
    """Return a panel that `who` may do `action` to; raises NotFoundError."""
    POLICY.require(action, who)
    found = stored.find_panel(connection, panel_id[:80])
    if found is None:
        raise NotFoundError("There is no such record")
    POLICY.role_for(action, who, programme=found.programme)
    return found


def seen(connection: Connection, who: Identity, panel_id: str) -> Session:
    """Return a panel with its ranking."""
    panel = find(connection, who, READ, panel_id)
    return laid(connection, who, panel.programme, panel.call, panel)


def save(uow: UnitOfWork, who: Identity, panel_id: str, command: SavePanel) -> Panel:
    """Write down who is there, the minutes, and what is recommended; a conflict of interest makes its person leave."""
    session, panel = _held(uow, who, panel_id, command.version)
    unknown = [name for name in command.proposals if session.ranking.line(name) is None]
    if unknown:
        raise InvalidError({f"proposals.{unknown[0]}": "does not lie before this panel"})
    panel.save(_members(uow.connection, panel, session, command.members), command.minutes, command.proposals)
    return panel


def _held(uow: UnitOfWork, who: Identity, panel_id: str, version: int) -> tuple[Session, Panel]:
    found = find(uow.connection, who, HOLD, panel_id)
    panel = stored.panels(uow).get(found.id, expected=version)
    act_as(uow, POLICY.role_for(HOLD, who, programme=panel.programme))
    return laid(uow.connection, who, panel.programme, panel.call, panel), panel


def _members(connection: Connection, panel: Panel, session: Session, there: Sequence[Present]) -> list[Member]:
    known, found = stored.people(connection, [item.user for item in there]), []
    for item in there:
        person = known.get(item.user)
        if person is None or panel.programme not in person["programmes"] or not set(SAT_WITH) & set(person["roles"]):
            raise InvalidError({"members": Rule("names %(name)s, who can't sit in this panel", name=item.user)})
        left = {name: "left" for name in item.left if session.ranking.line(name)}
        for line in session.ranking.lines:
            case = line.candidate.reference
            if ground := session.conflicts.get(case, {}).get(item.user):
                left[case] = ground
            if person["organisation"] and person["organisation"] == line.candidate.organisation:
                left[case] = "derived"
        role = next(name for name in SAT_WITH if name in person["roles"])
        found.append(Member(user=item.user, name=person["name"], role=role, left=left))
    return found


def freeze(uow: UnitOfWork, who: Identity, panel_id: str, command: FreezePanel) -> Panel:
    """Make the record of the selection final, over the applications as they are at this moment."""
    session, panel = _held(uow, who, panel_id, command.version)
    by = act_as(uow, POLICY.role_for(HOLD, who, programme=panel.programme))
    panel.freeze(session.ranking, session.pack.decisions, by, uow.now())
    return panel


def replay(panel: Panel) -> dict[str, Any]:
    """Return whether a frozen record still has its hash, and whether its ranking follows from its own figures."""
    if panel.status != "frozen":
        raise ConflictError("The record of this panel is not frozen yet")
    again = replayed(panel.selection).model_dump(mode="json")
    return {
        "sha256": panel.sha256,
        "hash_holds": canonical_hash(panel.selection) == panel.sha256,
        "ranking_follows": again == panel.selection["ranking"],
    }


def carry_out(uow: UnitOfWork, who: Identity, panel_id: str, command: FreezePanel) -> Bulk:
    """Plan what a frozen record recommends as one act on many cases: a dry run first, as for every such act."""
    panel = find(uow.connection, who, HOLD, panel_id)
    if panel.version != command.version:
        raise stored.panels(uow).stale(panel.id, command.version)
    if panel.status != "frozen":
        raise ConflictError("The record of this panel is not frozen yet")
    POLICY.role_for(bulk.BULK, who, programme=panel.programme)
    for done in rows.of_panel(uow.connection, panel.programme, panel.id):
        if done.carried_out:
            said = "%(panel)s was carried out already, by %(who)s: %(cases)s cases"
            raise ConflictError(said, panel=panel.id, who=done.owner_name, cases=done.total)
    pack = Packs(uow.connection, panel.programme).newest
    moves = pack.decisions.panel.carried_out_by if pack else {}
    meant = {name: item for name, item in panel.proposals.items() if item.outcome in moves}
    listed = rows.chosen(uow.connection, panel.programme, list(meant))
    commands = [(row, _command(panel, moves[meant[row["id"]].outcome], row["id"])) for row in listed]
    if not commands:
        raise ConflictError("This panel recommends nothing that a move carries out")
    return keep(uow, who, panel.programme, "recommendations", commands, panel=panel.id)


def _command(panel: Panel, transition: str, reference: str) -> dict[str, Any]:
    """Return what is done to a case because the panel recommends it."""
    proposal = panel.proposals[reference]
    members = tuple(f"user:{member.user}" for member in panel.present_for(reference))
    words, code = proposal.words or None, proposal.reason_code or None
    amount = proposal.amount if proposal.outcome == "fund_less" else None
    said = Said(amount=amount, reason_code=code, words=words, panel=panel.id, members=members)
    common: dict[str, Any] = {"transition": transition, "said": said.model_dump(mode="json")}
    if proposal.outcome in FUNDS:
        return common | {"comment": words or panel.id}
    return common | {"reason": words, "reason_code": proposal.reason_code}
