"""Keeping a local copy of who there is, and of what each programme wants people to be told."""

from __future__ import annotations

from services.notifications import storage
from services.notifications.domain.audience import Person
from services.notifications.domain.programme import ProgrammeRules
from services.notifications.domain.ruleset import RuleSet, UnreadableRulesError, read_pack
from services.notifications.handlers.deciding import tell
from services.notifications.linting import lint
from services.notifications.storage.standins import end_standin
from services.notifications.storage.standins import keep_standin as store_standin
from shared.database import UnitOfWork
from shared.events import Envelope
from shared.events.grants.day import DelegationEnded, DelegationMade
from shared.events.portal import OrganisationChanged, ProgrammeLoaded, UserChanged, UserDeactivated, UserRegistered


def learn_person(uow: UnitOfWork, envelope: Envelope) -> None:
    """Keep a person's present state, and write them the letters that waited for their being known."""
    known = keep_person(uow, envelope)
    for waiting in storage.decisions_waiting_for(uow.connection, f"user:{known.id}"):
        tell(uow, Envelope.model_validate(waiting))


def keep_person(uow: UnitOfWork, envelope: Envelope) -> Person:
    """Keep a person's present state, and return it."""
    event = envelope.event()
    if not isinstance(event, UserRegistered | UserChanged):
        raise TypeError(f"{envelope.type} does not tell about a person")
    known = Person(
        id=event.user_id,
        name=event.name,
        email=event.email,
        locale=event.locale,
        roles=tuple(event.roles),
        organisation=event.organisation,
        programmes=tuple(event.programmes),
    )
    storage.save_person(uow.connection, known)
    return known


def deactivate_person(uow: UnitOfWork, envelope: Envelope) -> None:
    """Stop writing to a person who is gone."""
    event = UserDeactivated.model_validate(envelope.data)
    storage.deactivate_person(uow.connection, event.user_id)


def learn_organisation(uow: UnitOfWork, envelope: Envelope) -> None:
    """Keep an organisation's name, or what it is called now."""
    event = OrganisationChanged.model_validate(envelope.data)  # of one newly registered, the same members
    storage.save_organisation(uow.connection, event.organisation_id, event.name, event.kind)


def learn_standin(uow: UnitOfWork, envelope: Envelope) -> None:
    """Keep who stands in for whom, and tell both of it as of any other event."""
    keep_standin(uow, envelope)
    tell(uow, envelope)


def keep_standin(uow: UnitOfWork, envelope: Envelope) -> None:
    """Keep who stands in for whom, or that it was ended."""
    event = envelope.event()
    if isinstance(event, DelegationEnded):
        end_standin(uow.connection, event.delegation_id, envelope.time)
    elif isinstance(event, DelegationMade) and envelope.programme:
        known = {
            "id": event.delegation_id,
            "programme": envelope.programme,
            "role": event.delegated_role,
            "delegator": event.delegator_id,
            "delegate": event.delegate_id,
            "first_day": event.first_day,
            "last_day": event.last_day,
        }
        store_standin(uow.connection, known)


def learn_rules(uow: UnitOfWork, envelope: Envelope) -> None:
    """Put a programme's rules in force, or refuse them and say why; those before stay in force then."""
    event = ProgrammeLoaded.model_validate(envelope.data)
    repository = storage.rulesets(uow)
    programme = repository.find(event.programme_id, for_update=True)
    programme = programme or repository.add(ProgrammeRules(id=event.programme_id))
    rules, problems, warnings = examine(dict(event.pack))
    if rules is None:
        programme.refuse(problems, pack_version=event.pack_version, sha256=event.sha256)
        return
    programme.adopt(
        rules,
        name=_name(event),
        pack_version=event.pack_version,
        sha256=event.sha256,
        warnings=warnings,
    )


def _name(event: ProgrammeLoaded) -> dict[str, str]:
    facts = event.pack.get("programme")
    name = facts.get("name") if isinstance(facts, dict) else None
    return name if isinstance(name, dict) else {"en": str(name or event.programme_id)}


def examine(pack: dict[str, object]) -> tuple[RuleSet | None, list[str], list[str]]:
    """Return a pack's rules (None when they have errors), what is wrong with them, and what is doubtful."""
    try:
        rules = read_pack(pack)
    except UnreadableRulesError as error:
        return None, error.problems, []
    findings = lint(rules)
    problems = [str(finding) for finding in findings if finding.error]
    warnings = [str(finding) for finding in findings if not finding.error]
    return (None if problems else rules), problems, warnings
