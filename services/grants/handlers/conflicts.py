"""Conflicts of interest at the act: who may not judge a case, why; declaring and lifting.

An applicant acting for their own organisation judges nothing, so nothing here concerns them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from sqlalchemy import Connection, RowMapping

from services.grants.domain.application import Application
from services.grants.domain.assessor import Assessor, Interest
from services.grants.domain.cofinancing import CoFinancing
from services.grants.domain.conflict import OWN, Firm, Recusal, derived, ties_of
from services.grants.domain.partnership import Partnership
from services.grants.domain.review import Review
from services.grants.policy import POLICY
from services.grants.storage import judging, reads
from services.grants.storage.cofinancing import find_case
from services.grants.storage.judging import recusals
from services.grants.storage.near import Near, Row, conflicts_each, near
from services.grants.storage.partnerships import find_partnership, partnerships_in, partnerships_of
from shared.database import UnitOfWork
from shared.errors import ForbiddenError, NotFoundError
from shared.names import folded, number
from shared.web.identity import Identity
from shared.workflow.requirements import Sentence

DECLARED = "You declared a conflict of interest in this case: %(nature)s"
# Acts by which somebody judges a case, or says who does. Moves are the workflow's: they name what bars them.
JUDGING = frozenset(
    {
        "grants.application.assign",
        "grants.application.check",
        "grants.capacity.assess",
        "grants.review.assign",
        "grants.award.offer",
        "grants.award.accept",
        "grants.milestone.verify",
        "grants.tranche.request",
        "grants.tranche.certify",
        "grants.tranche.hold",
        "grants.tranche.release",
        "grants.payment.reverse",
        "grants.payment.confirm",
        "grants.exclusion.decide",
        "grants.review.moderate",
        "grants.decision.sign",
    }
)


class Judged(Protocol):
    """What is judged: a case of an organisation."""

    @property
    def id(self) -> str:
        """Its reference."""

    @property
    def organisation(self) -> str:
        """Whose it is."""

    @property
    def organisation_name(self) -> str:
        """What they are called."""


class ConflictOfInterestError(ForbiddenError):
    """This person has a conflict of interest in this case."""

    type = "conflict-of-interest"
    title = "You have a conflict of interest in this case"


def firm_of(row: Row | None, domains: Sequence[str] = ()) -> Firm:
    """Return an organisation as conflicts compare it."""
    if row is None:
        return Firm(domains=frozenset(domains) - {""})
    return Firm(
        id=row["id"],
        name=row["name"],
        key=folded(row["name"]),
        number=number(row["registration_number"] or ""),
        domains=frozenset(domains) - {""},
    )


def derived_for(connection: Connection, users: Sequence[str], application: Application) -> dict[str, Sentence]:
    """Return the conflict of each of these people that follows from what is known: four statements for all.

    A tie that has ended counts by how long ago that was when the application was handed in.
    """
    return _asked(connection, users, application, _day_of(application))


def _day_of(application: Application) -> date:
    return (application.submitted_at or application.started_at).date()


def _asked(connection: Connection, users: Sequence[str], case: Judged, day: date) -> dict[str, Sentence]:
    people = judging.people_around(connection, users, case.organisation)
    ids = {case.organisation, *(row["organisation"] for row in people if row["organisation"])}
    known = judging.organisations_by_id(connection, sorted(ids))
    said, partnership = judging.assessors_by_id(connection, users), find_partnership(connection, case.id)
    return _derived(users, case, day, people, known, said, partnership)


def _derived(  # noqa: PLR0917 - a case has as many sides
    users: Sequence[str],
    case: Judged,
    day: date,
    people: Sequence[Row],
    known: Mapping[str, Row],
    said: Mapping[str, Assessor],
    partnership: Partnership | None,
) -> dict[str, Sentence]:
    persons = {row["id"]: row for row in people if row["id"] in users}
    # A reviewer may belong to the applicant too: only those who act for it show its addresses.
    acting = [row for row in people if row["organisation"] == case.organisation and "applicant" in row["roles"]]
    theirs = [row["email_domain"] or "" for row in acting]
    applicant = firm_of(known.get(case.organisation), theirs)
    if not applicant.id:
        applicant = applicant.model_copy(update={"id": case.organisation, "key": folded(case.organisation_name)})
    partners = _partners(partnership)
    found = {}
    for user in users:
        row = persons.get(user)
        own = firm_of(known.get(row["organisation"] or ""), [row["email_domain"] or ""]) if row else Firm()
        if row and not own.id:
            own = own.model_copy(update={"id": row["organisation"] or ""})
        own = own.model_copy(update={"people": frozenset({folded(row["name"])})}) if row else own
        conflict = derived(own, ties_of(said.get(user)), [applicant, *partners], day)
        if conflict:
            found[user] = conflict
    return found


def _partners(partnership: Partnership | None) -> list[Firm]:
    """Return the partners of a case as conflicts compare them, with the names of their people."""
    return [
        Firm(
            id=item.organisation or "",
            name=item.name,
            key=folded(item.name),
            number=number(item.registration_number),
            people=frozenset(folded(name) for name in item.people),
            partner=True,
        )
        for item in (partnership.partners if partnership else [])
    ]


def conflict_of(connection: Connection, who: Identity, application: Application) -> Sentence | None:
    """Return why `who` may not judge this case, or None."""
    if who.organisation == application.organisation:
        return Sentence(OWN, code="conflict-own-organisation")
    return conflict_near(who, application, near(connection, application, who.user))


def conflict_near(who: Identity, application: Application, around: Near) -> Sentence | None:
    """Return the same from what stands around the case for `who`."""
    return _standing(who, application, around, _day_of(application))


def _standing(who: Identity, case: Judged, around: Near, day: date) -> Sentence | None:
    if who.organisation == case.organisation:
        return Sentence(OWN, code="conflict-own-organisation")
    recusal = around.recusal
    if recusal and recusal.status == "standing":
        return Sentence(DECLARED, code="conflict-declared", nature=recusal.nature)
    known = (around.people, around.organisations, around.said, around.partnership)
    found = _derived([who.user], case, day, *known)
    return found.get(who.user) or _of_review(around.reviews, who)


@dataclass(frozen=True)
class Listed:
    """A case of a list as conflicts of interest look at it."""

    id: str
    organisation: str
    organisation_name: str


def conflicts_on(connection: Connection, who: Identity, rows: Sequence[RowMapping]) -> dict[str, Sentence]:
    """Return why `who` may not judge cases of a list, by reference: one statement for any number of rows."""
    cases = [Listed(row["id"], row["organisation"], row["organisation_name"]) for row in rows]
    around = conflicts_each(connection, cases, who.user)
    found = {}
    for row, case in zip(rows, cases, strict=True):
        conflict = _standing(who, case, around[case.id], (row["submitted_at"] or row["since"]).date())
        if conflict:
            found[case.id] = conflict
    return found


def conflict_on(connection: Connection, who: Identity, case: Judged, day: date) -> Sentence | None:
    """Return why `who` may not judge a case that has no reviews, or None; ties count as of that day."""
    if who.organisation == case.organisation:
        return Sentence(OWN, code="conflict-own-organisation")
    recusal = judging.find_recusal(connection, case.id, who.user)
    if recusal and recusal.status == "standing":
        return Sentence(DECLARED, code="conflict-declared", nature=recusal.nature)
    return _asked(connection, [who.user], case, day).get(who.user)


def barred_from(connection: Connection, who: Identity, cases: Sequence[Judged], day: date) -> frozenset[str]:
    """Return which of these cases `who` may not judge: six statements for any number; reviews are not asked."""
    if not cases:
        return frozenset()
    own, ties = _self(connection, who)
    firms = _firms(connection, sorted({case.organisation for case in cases}))
    out = judging.recused_from(connection, who.user)
    partnerships = partnerships_of(connection, [case.id for case in cases])
    found = set()
    for case in cases:
        about = {"id": case.organisation, "key": folded(case.organisation_name)}
        firm = firms.get(case.organisation) or Firm().model_copy(update=about)
        known = [firm, *_partners(partnerships.get(case.id))]
        if case.id in out or who.organisation == case.organisation or derived(own, ties, known, day):
            found.add(case.id)
    return frozenset(found)


def barred_by(connection: Connection, who: Identity) -> tuple[str, ...]:
    """Return the organisations whose cases `who` may not judge, whenever their ties ended: for lists of any length."""
    own, ties = _self(connection, who)
    firms = _firms(connection, judging.organisations_near(connection, own, ties))
    close = {name for name, firm in firms.items() if derived(own, ties, [firm], date.min)}
    return tuple(sorted(close | ({who.organisation} if who.organisation else set())))


def barred_by_partners(connection: Connection, who: Identity, programme: str) -> frozenset[str]:
    """Return the cases of a programme that `who` may not judge because of a partner, whenever their ties ended."""
    own, ties = _self(connection, who)
    found = partnerships_in(connection, programme)
    return frozenset(name for name, item in found if derived(own, ties, _partners(item), date.min))


def _self(connection: Connection, who: Identity) -> tuple[Firm, list[Interest]]:
    """Return a person's own organisation as conflicts compare it, and their ties."""
    row = reads.find_person(connection, who.user)
    known = judging.organisations_by_id(connection, [who.organisation] if who.organisation else [])
    domains = [row["email_domain"] or ""] if row else []
    own = firm_of(known.get(who.organisation or ""), domains)
    said = judging.assessors_by_id(connection, [who.user])
    named = frozenset({folded(row["name"])}) if row else frozenset()
    return own.model_copy(update={"id": who.organisation or "", "people": named}), ties_of(said.get(who.user))


def _firms(connection: Connection, ids: Sequence[str]) -> dict[str, Firm]:
    """Return organisations as conflicts compare them, with the domains from which those who act for them write."""
    domains = judging.domains_of(connection, ids)
    known = judging.organisations_by_id(connection, ids)
    return {name: firm_of(row, domains.get(name, ())) for name, row in known.items()}


def _of_review(reviews: Sequence[Review], who: Identity) -> Sentence | None:
    recused = next((item for item in reviews if item.reviewer == who.user and item.status == "recused"), None)
    return Sentence(DECLARED, code="conflict-declared", nature=recused.nature) if recused else None


def must_be_free(connection: Connection, who: Identity, application: Application) -> None:
    """Refuse whoever has a conflict of interest in this case; raises ConflictOfInterestError."""
    conflict = conflict_of(connection, who, application)
    if conflict:
        raise ConflictOfInterestError(conflict.message, **conflict.params)


def declare(uow: UnitOfWork, who: Identity, application: Application | CoFinancing, nature: str) -> Recusal:
    """Step back from a case as staff or approver."""
    recusal = recusals(uow).find(f"{application.id}:{who.user}", for_update=True)
    if recusal is not None:
        recusal.again(nature, uow.now())
        return recusal
    made = Recusal.declare(
        id=f"{application.id}:{who.user}",
        application=application.id,
        programme=application.programme,
        title=application.title,
        organisation_name=application.organisation_name,
        person=who.user,
        person_name=who.name,
        nature=nature,
        declared_at=uow.now(),
    )
    return recusals(uow).add(made)


def lifted(uow: UnitOfWork, who: Identity, recusal_id: str, reason: str, version: int) -> Recusal:
    """Lift another's recusal."""
    reference = recusal_id.rpartition(":")[0]
    application = reads.find_application(uow.connection, reference[:80]) or find_case(uow.connection, reference[:80])
    if application is None:
        POLICY.require("grants.recusal.lift", who)
        raise NotFoundError("There is no such record")
    POLICY.role_for("grants.recusal.lift", who, programme=application.programme)
    recusal = recusals(uow).get(recusal_id[:120], expected=version)
    recusal.lift(f"user:{who.user}", who.name, reason, uow.now())
    return recusal
