"""What loans copies from others' events, table by table; each copy can be built anew from those events."""

from __future__ import annotations

from services.loans.handlers import learning as on
from shared import checkpoints
from shared.messaging.projections import Projection

PROJECTIONS: dict[str, Projection] = {
    "people": Projection(
        ("person",),
        {
            "portal.user.registered": on.know_person,
            "portal.user.changed": on.know_person,
            "portal.user.deactivated": on.forget_person,
        },
    ),
    "organisations": Projection(
        ("organisation",),
        dict.fromkeys(("portal.organisation.registered", "portal.organisation.changed"), on.know_organisation),
    ),
    "programmes": Projection(("programme",), {"portal.programme.loaded": on.know_programme}),
    "supporters": Projection(("supporter",), {"grants.application.awarded": on.know_supporter}),
    "links": Projection(("action_link",), {"notifications.link.issued": on.know_link}),
    "letters": Projection(
        ("letter",),
        {
            f"notifications.delivery.{verb}": on.know_letter
            for verb in ("queued", "sent", "failed", "suppressed", "read")
        },
    ),
    "checkpoints": checkpoints.PROJECTION,
}
# Tables that are neither a projection nor entities, and why.
OTHERS: dict[str, str] = {
    "tape_line": "the lines of repayment tapes: written with the tape's own entity and never changed",
    "tape_sum": "the sums of those lines",
    "funnel": "what becomes of proposals, counted anew from the entities",
    "product_version": "the versions of products: written with the product's own entity and never changed",
    "group_version": "what the members of a group said: written with the locked proposal and never changed",
    "link_use": "which links of letters work no more: written with the act that was done, or as their person changed",
    "attendance": "what each person has learned: written with the training's own entity",
    "tripartite_text": "the versions of agreements: written with the agreement's own entity and never changed",
    "deduction": "what of a delivery's payment is kept back for which loan: written with the delivery, never changed",
    "look": "what a bank was shown and when: written with the event that says so and never changed",
    "locked_proposal": "what of a proposal was shown to a bank: written with the entity and never changed",
}
