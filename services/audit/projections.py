"""The audit log comes from events, but it is a record: it is verified, and never built anew."""

from __future__ import annotations

from shared.messaging.projections import Projection

PROJECTIONS: dict[str, Projection] = {}
_LOG = "part of the log, which only grows and which `tamga audit verify` proves"
# Tables that are neither a projection nor entities, and why.
OTHERS: dict[str, str] = {
    **dict.fromkeys(("event", "tile", "tree_head", "checkpoint", "rejected"), _LOG),
    "verification": "what each verification of the log found",
    "manifest": "what sources told of how far they have written, with the verdicts",
    "cosignature": "what witnesses signed of the checkpoints",
    "signing_trouble": "since when the log was not signed, and why",
    "watch_place": "how far the watch has read the log",
    "comparison": "what each comparison of live rows with the log found",
}
