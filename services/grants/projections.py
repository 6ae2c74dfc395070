"""What grants copies from others' events, table by table; each copy can be built anew from those events."""

from __future__ import annotations

from services.grants.handlers import learning as on
from shared import checkpoints
from shared.messaging.projections import Projection

PROJECTIONS: dict[str, Projection] = {
    "people": Projection(
        ("person",),
        {
            "portal.user.registered": on.person_known,
            "portal.user.changed": on.person_known,
            "portal.user.deactivated": on.person_left,
        },
    ),
    "organisations": Projection(
        ("organisation",),
        dict.fromkeys(("portal.organisation.registered", "portal.organisation.changed"), on.organisation_known),
    ),
    "programmes": Projection(("pack", "call"), {"portal.programme.loaded": on.programme_loaded}),
    "letters": Projection(
        ("letter",),
        {
            f"notifications.delivery.{verb}": on.letter_known
            for verb in ("queued", "sent", "failed", "suppressed", "read")
        },
    ),
    "checkpoints": checkpoints.PROJECTION,
}
# Tables that are neither a projection nor entities, and why.
OTHERS: dict[str, str] = {
    "exclusion_entry": "the rows of imported lists: written with their list, in its transaction, never changed",
    "editing": "who has a draft open right now: no act, and worthless after some minutes",
    "acted_for": "who acted for whom on which case: written with the act, in its transaction",
    "bulk_row": "what came of each case of an act on many: written with the case, in the row's own transaction",
    "cofinancing_claim": "which case has claimed a document or payment: written with the entity, in its transaction",
    "payee_number": "the numbers of bank details, only ever added: kept apart from what is shown, told and exported",
    "sealed_file": "the keys of kept bank files, sealed: written with the bank file, in its transaction",
    "ledger_line": "what each act did to the accounts of an award: written with the award, in its transaction",
    "saved_view": "searches that people keep under a name for their own convenience: no case depends on them",
}
