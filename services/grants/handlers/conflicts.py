"""Conflicts of interest at the act: who may not judge a case, why; declaring and lifting.

An applicant acting for their own organisation judges nothing, so nothing here concerns them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from services.grants.domain.application import Application
from services.grants.domain.assessor import Assessor
from services.grants.domain.conflict import OWN, Firm, Recusal, derived, ties_of
from services.grants.domain.review import Review
from services.grants.policy import POLICY
from services.grants.storage import judging, reads
from services.grants.storage.judging import recusals
from services.grants.storage.near import Near, Row, near
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
    """Return the conflict of each of these people that follows from what is known: three statements for all.

    A tie that has ended counts by how long ago that was when the application was handed in.
    """
    people = judging.people_around(connection, users, application.organisation)
    ids = {application.organisation, *(row["organisation"] for row in people if row["organisation"])}
    known = judging.organisations_by_id(connection, sorted(ids))
    return _derived(users, application, people, known, judging.assessors_by_id(connection, users))


def _derived(
    users: Sequence[str],
    application: Application,
    people: Sequence[Row],
    known: Mapping[str, Row],
    said: Mapping[str, Assessor],
) -> dict[str, Sentence]:
    day = (application.submitted_at or application.started_at).date()
    persons = {row["id"]: row for row in people if row["id"] in users}
    # A reviewer may belong to the applicant too: only those who act for it show its addresses.
    acting = [row for row in people if row["organisation"] == application.organisation and "applicant" in row["roles"]]
    theirs = [row["email_domain"] or "" for row in acting]
    applicant = firm_of(known.get(application.organisation), theirs)
    if not applicant.id:
        applicant = applicant.model_copy(
            update={"id": application.organisation, "key": folded(application.organisation_name)}
        )
    found = {}
    for user in users:
        row = persons.get(user)
        own = firm_of(known.get(row["organisation"] or ""), [row["email_domain"] or ""]) if row else Firm()
        if row and not own.id:
            own = own.model_copy(update={"id": row["organisation"] or ""})
        conflict = derived(own, ties_of(said.get(user)), [applicant], day)
        if conflict:
            found[user] = conflict
    return found


def conflict_of(connection: Connection, who: Identity, application: Application) -> Sentence | None:
    """Return why `who` may not judge this case, or None."""
    if who.organisation == application.organisation:
        return Sentence(OWN, code="conflict-own-organisation")
    return conflict_near(who, application, near(connection, application, who.user))


def conflict_near(who: Identity, application: Application, around: Near) -> Sentence | None:
    """Return the same from what stands around the case for `who`."""
    if who.organisation == application.organisation:
        return Sentence(OWN, code="conflict-own-organisation")
    recusal = around.recusal
    if recusal and recusal.status == "standing":
        return Sentence(DECLARED, code="conflict-declared", nature=recusal.nature)
    found = _derived([who.user], application, around.people, around.organisations, around.said)
    return found.get(who.user) or _of_review(around.reviews, who)


def _of_review(reviews: Sequence[Review], who: Identity) -> Sentence | None:
    recused = next((item for item in reviews if item.reviewer == who.user and item.status == "recused"), None)
    return Sentence(DECLARED, code="conflict-declared", nature=recused.nature) if recused else None


def must_be_free(connection: Connection, who: Identity, application: Application) -> None:
    """Refuse whoever has a conflict of interest in this case; raises ConflictOfInterestError."""
    conflict = conflict_of(connection, who, application)
    if conflict:
        raise ConflictOfInterestError(conflict.message, **conflict.params)


def declare(uow: UnitOfWork, who: Identity, application: Application, nature: str) -> Recusal:
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
    application = reads.find_application(uow.connection, reference[:80])
    if application is None:
        POLICY.require("grants.recusal.lift", who)
        raise NotFoundError("There is no such record")
    POLICY.role_for("grants.recusal.lift", who, programme=application.programme)
    recusal = recusals(uow).get(recusal_id[:120], expected=version)
    recusal.lift(f"user:{who.user}", who.name, reason, uow.now())
    return recusal
