"""What the service does: learns people and rules, decides who is told, sends, and keeps inboxes."""

from __future__ import annotations

from collections.abc import Callable

from services.notifications.domain.endpoint import known_types
from services.notifications.handlers.deciding import tell, tell_everywhere
from services.notifications.handlers.learning import (
    deactivate_person,
    learn_organisation,
    learn_person,
    learn_rules,
    learn_standin,
)
from services.notifications.handlers.posting import post_due
from services.notifications.handlers.queueing import CONSENT, announce, learn_consent
from services.notifications.handlers.sending import send_due
from services.notifications.handlers.watch_letters import tell_auditors
from shared import checkpoints
from shared.database import UnitOfWork
from shared.events import Envelope, event_types
from shared.messaging import gaps

# A programme's rules may speak about any event of a case, so all of them are looked at.
_TOLD_OF = ("grants", "loans")

Handler = Callable[[UnitOfWork, Envelope], None]

_PORTAL: dict[str, Handler] = {
    "portal.user.registered": learn_person,
    "portal.user.changed": learn_person,
    "portal.user.deactivated": deactivate_person,
    "portal.organisation.registered": learn_organisation,
    "portal.organisation.changed": learn_organisation,
    "portal.programme.loaded": learn_rules,
    "portal.call_draft.handed_in": tell,
    "portal.organisation.change_proposed": tell_everywhere,
}
ON: dict[str, Handler] = _PORTAL | {name: tell for name, _ in sorted(event_types()) if name.split(".")[0] in _TOLD_OF}

ON |= {"audit.hit.found": tell_auditors}
ON |= dict.fromkeys(known_types(), announce) | {CONSENT: learn_consent}
ON |= {"grants.delegation.made": learn_standin, "grants.delegation.ended": learn_standin} | gaps.ON | checkpoints.ON

TIMERS = ((1.0, send_due), (1.0, post_due), *gaps.TIMERS)
