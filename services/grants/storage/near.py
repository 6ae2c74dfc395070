"""What stands around a case when somebody acts on it, read at once: most of an act's time went into asking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy import Connection, RowMapping

from services.grants.domain.application import Application
from services.grants.domain.assessor import Assessor
from services.grants.domain.award import Award
from services.grants.domain.conflict import Recusal
from services.grants.domain.exclusion import Screening
from services.grants.domain.partnership import Partnership
from services.grants.domain.review import Review
from shared.engine import ask

Row = Mapping[str, Any] | RowMapping

_NEAR = """
SELECT 'review' AS kind, id, version, state FROM review WHERE application = %(case)s
UNION ALL SELECT 'award', id, version, state FROM award WHERE id = %(case)s
UNION ALL SELECT 'screening', id, version, state FROM screening WHERE id = %(case)s
UNION ALL SELECT 'partnership', id, version, state FROM partnership WHERE id = %(case)s
UNION ALL SELECT 'recusal', id, version, state FROM recusal WHERE id = %(recusal)s
UNION ALL SELECT 'assessor', id, version, state FROM assessor WHERE id = %(user)s
UNION ALL SELECT 'person', id, 0, to_jsonb(p) FROM person p
  WHERE id = %(user)s OR (organisation = %(organisation)s AND roles @> '["applicant"]')
UNION ALL SELECT 'organisation', id, 0, to_jsonb(o) FROM organisation o
  WHERE id = %(organisation)s OR id = (SELECT organisation FROM person WHERE id = %(user)s)
UNION ALL SELECT 'one', delegate, 0, to_jsonb(delegator) FROM acted_for
  WHERE "case" = %(case)s AND (delegate = %(user)s OR delegator = %(user)s)
UNION ALL SELECT 'pack', sha256, version, 'null' FROM pack
  WHERE programme = %(programme)s AND version IN (%(pack)s, %(moves)s)
ORDER BY kind, id
"""

# What says who stands how near to each of many cases.
_PEOPLE = """UNION ALL SELECT 'partnership', id, id, version, state FROM partnership WHERE id = ANY(%(cases)s)
UNION ALL SELECT 'recusal', c.id, r.id, version, state FROM unnest(%(cases)s::text[]) AS c (id)
  JOIN recusal r ON r.id = c.id || ':' || %(user)s
UNION ALL SELECT 'assessor', NULL, id, version, state FROM assessor WHERE id = %(user)s
UNION ALL SELECT 'person', NULL, id, 0, to_jsonb(p) FROM person p
  WHERE id = %(user)s OR (organisation = ANY(%(organisations)s) AND roles @> '["applicant"]')
UNION ALL SELECT 'organisation', NULL, id, 0, to_jsonb(o) FROM organisation o
  WHERE id = ANY(%(organisations)s) OR id = (SELECT organisation FROM person WHERE id = %(user)s)"""

_EACH = f"""
SELECT 'review' AS kind, application AS "case", id, version, state FROM review WHERE application = ANY(%(cases)s)
UNION ALL SELECT 'award', id, id, version, state FROM award WHERE id = ANY(%(cases)s)
UNION ALL SELECT 'screening', id, id, version, state FROM screening WHERE id = ANY(%(cases)s)
{_PEOPLE}
UNION ALL SELECT 'one', "case", delegate, 0, to_jsonb(delegator) FROM acted_for
  WHERE "case" = ANY(%(cases)s) AND (delegate = %(user)s OR delegator = %(user)s)
ORDER BY kind, id
"""  # noqa: S608 - texts of this file alone

# What says that a person may not judge a case, of many cases.
_CONFLICTS = f"""
SELECT 'review' AS kind, application AS "case", id, version, state - ARRAY['scores', 'summary'] FROM review
  WHERE application = ANY(%(cases)s) AND reviewer = %(user)s AND status = 'recused'
{_PEOPLE}
ORDER BY kind, id
"""  # noqa: S608 - texts of this file alone


class Case(Protocol):
    """A case of an organisation."""

    @property
    def id(self) -> str:
        """Its reference."""

    @property
    def organisation(self) -> str:
        """Whose it is."""


@dataclass
class Near:
    """What stands around a case for one person.

    `one` are the people who acted for that person on this case, or for whom they did; `people` are the person and the
    applicants of the case's organisation; `packs` the hashes of the versions to which the case is pinned.
    """

    reviews: list[Review] = field(default_factory=list)
    award: Award | None = None
    screening: Screening | None = None
    partnership: Partnership | None = None
    recusal: Recusal | None = None
    said: dict[str, Assessor] = field(default_factory=dict)
    people: list[Row] = field(default_factory=list)
    organisations: dict[str, Row] = field(default_factory=dict)
    one: set[str] = field(default_factory=set)
    packs: dict[int, str] = field(default_factory=dict)


def near(connection: Connection, application: Application, user: str) -> Near:
    """Return what stands around a case for a person, by one statement."""
    facts = {
        "case": application.id,
        "recusal": f"{application.id}:{user}",
        "user": user,
        "organisation": application.organisation,
        "programme": application.programme,
        "pack": application.pack_version,
        "moves": application.workflow_pack or application.pack_version,
    }
    found = Near()
    for kind, name, version, state in ask(connection, _NEAR, facts):
        _put(found, kind, name, version, state)
    found.one -= {user}
    return found


def near_each(connection: Connection, applications: Sequence[Application], user: str) -> dict[str, Near]:
    """Return the same for many cases by one statement, without the hashes of their packs."""
    return _each(connection, _EACH, applications, user)


def conflicts_each(connection: Connection, cases: Sequence[Case], user: str) -> dict[str, Near]:
    """Return of many cases, by one statement, what says that a person may not judge them."""
    return _each(connection, _CONFLICTS, cases, user) if cases else {}


def _each(connection: Connection, statement: str, applications: Sequence[Case], user: str) -> dict[str, Near]:
    facts = {
        "cases": [application.id for application in applications],
        "organisations": sorted({application.organisation for application in applications}),
        "user": user,
    }
    found = {application.id: Near() for application in applications}
    common = []
    for kind, case, name, version, state in ask(connection, statement, facts):
        if case is None:
            common.append((kind, name, version, state))
        else:
            _put(found[case], kind, name, version, state)
    for application in applications:
        around = found[application.id]
        for kind, name, version, state in common:
            if kind != "person" or name == user or state["organisation"] == application.organisation:
                _put(around, kind, name, version, state)
        around.one -= {user}
    return found


# Of these there is one beside a case, or none.
_SINGLE: dict[str, type[Award | Screening | Partnership | Recusal]] = {
    "award": Award,
    "screening": Screening,
    "partnership": Partnership,
    "recusal": Recusal,
}


def _put(found: Near, kind: str, name: str, version: int, state: Any) -> None:
    if kind in _SINGLE:
        setattr(found, kind, _SINGLE[kind].stored(state, version))
        return
    match kind:
        case "review":
            found.reviews.append(Review.stored(state, version))
        case "assessor":
            found.said[name] = Assessor.stored(state, version)
        case "person":
            found.people.append(state)
        case "organisation":
            found.organisations[name] = state
        case "one":
            found.one |= {name, state}
        case "pack":
            found.packs[version] = name
