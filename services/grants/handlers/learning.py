"""What grants learns from the portal and from notifications."""

from __future__ import annotations

from collections.abc import Callable

from services.grants.domain.conflict import domain_of
from services.grants.domain.pack import Pack
from services.grants.storage import learned
from shared.database import UnitOfWork
from shared.events import Envelope
from shared.events.notifications import LetterEvent
from shared.events.portal import (
    OrganisationChanged,
    OrganisationRegistered,
    ProgrammeLoaded,
    UserChanged,
    UserDeactivated,
    UserRegistered,
)

# The parts of a pack that grants reads; the rest is others' business.
_PARTS = (
    "programme",
    "calls",
    "workflows",
    "scoring",
    "checklists",
    "cofinancing",
    "decisions",
    "payments",
    "closeout",
)


def person_known(uow: UnitOfWork, envelope: Envelope) -> None:
    """Remember somebody who may sign in, or has changed."""
    event = UserRegistered.model_validate(envelope.data)
    learned.put_person(
        uow.connection,
        id=event.user_id,
        name=event.name,
        roles=event.roles,
        organisation=event.organisation,
        programmes=event.programmes,
        active=True,
        email_domain=domain_of(event.email),
    )


def person_left(uow: UnitOfWork, envelope: Envelope) -> None:
    """Remember that somebody can't sign in any more; their name stays on what they did."""
    learned.deactivate_person(uow.connection, UserDeactivated.model_validate(envelope.data).user_id)


def organisation_known(uow: UnitOfWork, envelope: Envelope) -> None:
    """Remember an organisation, or what it is called now."""
    event = OrganisationChanged.model_validate(envelope.data)  # of one newly registered, the same members
    known = {name: getattr(event, name) for name in ("name", "kind", "country", "registration_number")}
    learned.put_organisation(uow.connection, id=event.organisation_id, **known)


def programme_loaded(uow: UnitOfWork, envelope: Envelope) -> None:
    """Keep this version of a programme's pack; its calls are what can be applied to from now on."""
    event = ProgrammeLoaded.model_validate(envelope.data)
    content = {name: event.pack[name] for name in _PARTS if name in event.pack}
    pack = Pack.read(content)
    learned.put_pack(
        uow.connection,
        programme=event.programme_id,
        version=event.pack_version,
        sha256=event.sha256,
        content=content,
        at=envelope.time,
    )
    for call in pack.calls.values():
        learned.put_call(
            uow.connection,
            programme=event.programme_id,
            id=call.call,
            pack_version=event.pack_version,
            name=call.name,
            opens_on=call.opens_on,
            closes_on=call.closes_on,
        )


def letter_known(uow: UnitOfWork, envelope: Envelope) -> None:
    """Remember how it stands with a letter about one of our cases."""
    if envelope.case is None:
        return
    event = LetterEvent.model_validate(envelope.data)
    learned.put_letter(
        uow.connection,
        id=envelope.entity.partition(":")[2],
        case=envelope.case,
        event=event.event_id,
        recipient=event.recipient,
        to=event.recipient_name,
        channel=event.channel,
        subject=event.title,
        state=event.state,
        about=event.event_type,
        at=envelope.time,
    )


ON: dict[str, Callable[[UnitOfWork, Envelope], None]] = {
    UserRegistered.TYPE: person_known,
    UserChanged.TYPE: person_known,
    UserDeactivated.TYPE: person_left,
    OrganisationRegistered.TYPE: organisation_known,
    OrganisationChanged.TYPE: organisation_known,
    ProgrammeLoaded.TYPE: programme_loaded,
    **{f"notifications.delivery.{verb}": letter_known for verb in ("queued", "sent", "failed", "suppressed", "read")},
}
