"""What keeps a person from moves of a case: a conflict of interest, a hit on a list, scores that are far apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from services.grants.domain.application import Application
from services.grants.domain.exclusion import Screening, unsettled
from services.grants.domain.moderation import apart
from services.grants.domain.review import Review
from services.grants.handlers import closing
from services.grants.handlers.base import Frame, roles_on
from services.grants.handlers.conflicts import conflict_near
from services.grants.storage import judging
from services.grants.storage.appeals import find_appeal
from services.grants.storage.near import Near
from shared.web.identity import Identity
from shared.workflow.requirements import NO_HITS, Sentence

APPEALED = "%(who)s has appealed: decide the appeal, which takes the case up if it is granted"
SETTLING = "The programme office has something to settle before this"
# By transition: why this person can't make it.
Holds = dict[str, tuple[Sentence, ...]]
Held = Mapping[str, tuple[Sentence, ...]]


def holds(connection: Connection, who: Identity, application: Application, frame: Frame, around: Near) -> Held:
    """Return {transition: why `who` can't make it now} of the transitions that something holds."""
    roles = set(roles_on(who, application))
    hits = _apart(connection, application, frame, around.reviews) | _hits(
        frame, around.screening, inside=not roles <= {"applicant"}
    )
    own = {item.id for item in frame.workflow.transitions if "applicant" in roles and "applicant" in item.roles}
    if roles <= {"applicant"}:
        return hits
    conflict = conflict_near(who, application, around)
    hits |= _appealed(connection, application, frame)
    for name, missing in closing.held(connection, application, frame, around.award).items():
        hits[name] = (*hits.get(name, ()), *missing)
    barred = {item.id: (conflict,) for item in frame.workflow.transitions if item.id not in own} if conflict else {}
    return {name: (*barred.get(name, ()), *hits.get(name, ())) for name in barred.keys() | hits.keys()}


def _appealed(connection: Connection, application: Application, frame: Frame) -> Holds:
    """Return that a rejected case is taken up by deciding its appeal while one is open, not by the move alone."""
    rules = frame.pack.closeout.appeals
    if rules is None or not application.terminal:
        return {}
    if rules.move not in {move.id for move in frame.workflow.leaving(application.stage)}:
        return {}
    appeal = find_appeal(connection, application.id)
    if appeal is None or appeal.outcome:
        return {}
    return {rules.move: (Sentence(APPEALED, code="appeal-open", who=appeal.lodged_by_name),)}


def _apart(connection: Connection, application: Application, frame: Frame, reviews: Sequence[Review]) -> Holds:
    """Return what waits until reviews that are too far apart are moderated."""
    sheet = frame.pack.sheet_of(frame.call)
    if not sheet.spread_holds or apart(reviews, sheet, None) is None:
        return {}
    found = apart(reviews, sheet, judging.find_moderation(connection, application.id))
    return dict.fromkeys(sheet.spread_holds, (found,)) if found else {}


def _hits(frame: Frame, screening: Screening | None, *, inside: bool) -> dict[str, tuple[Sentence, ...]]:
    """Return what hits on exclusion lists hold; applicants are told no more than that it is being settled."""
    found = unsettled(screening)
    if found is None:
        return {}
    said = found if inside else Sentence(SETTLING, code="being-settled")
    return dict.fromkeys((*frame.call.exclusion.blocks, NO_HITS), (said,))
