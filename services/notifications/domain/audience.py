"""Who is meant by a party of a case, and who of them is left out."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

# The role in which a person of an organisation stands for it in a party.
ROLE_OF_PARTY = {
    "applicant": "applicant",
    "lead_firm": "applicant",
    "officer": "officer",
    "reviewer": "reviewer",
    "manager": "programme_manager",
    "finance": "finance_officer",
    "partner": "finance_partner",
    "guarantor": "guarantor",
    "colleague": "officer",  # whom the event itself names: a task given, a name in a note
}
PARTIES = frozenset(ROLE_OF_PARTY)
BY_EVENT = "notify"  # the event itself names the parties (the workflow's `notify`)


class Person(BaseModel):
    """What this service knows of a person."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    email: str = ""
    locale: str = "en"
    roles: tuple[str, ...] = ()
    organisation: str | None = None
    programmes: tuple[str, ...] = ()
    active: bool = True


class Step(BaseModel):
    """One step of the decision about whom to tell: a code that a page turns into a sentence, and its facts."""

    model_config = ConfigDict(frozen=True)

    code: str
    facts: dict[str, str] = {}


def step(code: str, **facts: str) -> Step:
    """Return a step of a decision."""
    return Step(code=code, facts=facts)


def wanted_parties(audience: Iterable[str], data: dict[str, object]) -> list[str]:
    """Return the party names of a rule's audience, `notify` replaced by what the event asks for."""
    names: list[str] = []
    for name in audience:
        asked = data.get("notify") if name == BY_EVENT else [name]
        names += [item for item in asked if isinstance(item, str)] if isinstance(asked, list) else []
    return list(dict.fromkeys(names))


def left_out(person: Person, party: str, address: str, programme: str | None, not_actor: str | None) -> str | None:
    """Return the code of the reason why `person` is not told though `address` names them, or None.

    `not_actor` is the actor's id when the rule does not tell people of their own acts.
    """
    kind = address.partition(":")[0]
    if not person.active:
        return "inactive"
    if f"user:{person.id}" == not_actor:
        return "own_act"
    if kind == "org" and ROLE_OF_PARTY[party] not in person.roles:
        return "other_role"
    if kind == "role" and programme not in person.programmes:
        return "other_programme"
    return None
