"""What notifications copies from others' events; each copy can be built anew from those events.

Programmes' rules are no copy but entities of this service: it adopts or refuses a pack, and says so in events of
its own.
"""

from __future__ import annotations

from services.notifications.domain.webhook import REVOKED
from services.notifications.handlers import learning, queueing
from shared import checkpoints
from shared.database import UnitOfWork
from shared.events import Envelope
from shared.messaging.projections import Projection


def _person_known(uow: UnitOfWork, envelope: Envelope) -> None:
    # The copy alone: letters that waited for this person were written when the event came for the first time.
    learning.keep_person(uow, envelope)


PROJECTIONS: dict[str, Projection] = {
    "people": Projection(
        ("person",),
        {
            "portal.user.registered": _person_known,
            "portal.user.changed": _person_known,
            "portal.user.deactivated": learning.deactivate_person,
        },
    ),
    "standins": Projection(
        ("standin",),
        {"grants.delegation.made": learning.keep_standin, "grants.delegation.ended": learning.keep_standin},
    ),
    "consents": Projection(
        ("consent",),
        dict.fromkeys((queueing.CONSENT, REVOKED, *queueing.ENDINGS), queueing.keep_consent),
    ),
    "organisations": Projection(
        ("organisation",),
        dict.fromkeys(("portal.organisation.registered", "portal.organisation.changed"), learning.learn_organisation),
    ),
    "checkpoints": checkpoints.PROJECTION,
}
# Tables that are neither a projection nor entities, and why.
OTHERS: dict[str, str] = {
    "decision": "who was told of an event and why, by the rules and the people of that moment",
    "attempt": "each try to hand a letter over, as the mail server answered it",
    "webhook_attempt": "each try to hand a message to a bank's system: what was signed, and what it answered",
}
