"""Use cases of co-financing: each a function of the unit of work, who asks, and a command."""

from __future__ import annotations

from collections.abc import Callable

from services.grants.handlers.cofinancing.agreement import (
    Concept,
    draw_terms,
    move,
    rules_of,
    save_concept,
    start_concept,
    workflow_of,
)
from services.grants.handlers.cofinancing.case import (
    STEP_BACK,
    barred,
    listed_for,
    look_at,
    may,
    moves_for,
    pack_for,
    roles_on,
    row_view,
    step_back,
    today_of,
)
from services.grants.handlers.cofinancing.match import (
    EnterContribution,
    add_evidence,
    approve_market_value,
    decide,
    enter,
    read_evidence,
    record_loan,
    record_refund,
    request_release,
    reverse,
    settle_release,
)
from shared.database import UnitOfWork
from shared.events import Envelope

__all__ = [
    "STEP_BACK",
    "Concept",
    "EnterContribution",
    "add_evidence",
    "approve_market_value",
    "barred",
    "decide",
    "draw_terms",
    "enter",
    "listed_for",
    "look_at",
    "may",
    "move",
    "moves_for",
    "pack_for",
    "read_evidence",
    "record_loan",
    "record_refund",
    "request_release",
    "reverse",
    "roles_on",
    "row_view",
    "rules_of",
    "save_concept",
    "settle_release",
    "start_concept",
    "step_back",
    "today_of",
    "workflow_of",
]

# Co-financing learns nothing of its own: people, organisations and packs are the service's.
ON: dict[str, Callable[[UnitOfWork, Envelope], None]] = {}
