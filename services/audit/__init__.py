"""The audit service: the verifiable record of every act, searchable, with proofs and a check of completeness."""

OWNS = ("search", "verification", "event", "record", "attempt", "backup", "hold", "erasure", "comparison", "change")
PUBLISHES = (
    "audit.attempt.refused",
    "audit.backfill.answered",
    "audit.backup.created",
    "audit.backup.drilled",
    "audit.backup.restored",
    "audit.change.found",
    "audit.comparison.completed",
    "audit.erasure.completed",
    "audit.erasure.requested",
    "audit.erasure.withdrawn",
    "audit.event.rejected",
    "audit.gap.alarmed",
    "audit.gap.closed",
    "audit.hold.placed",
    "audit.hold.released",
    "audit.manifest.disputed",
    "audit.manifest.published",
    "audit.manifest.settled",
    "audit.outbox.dropped",
    "audit.quarantine.discarded",
    "audit.quarantine.replayed",
    "audit.record.viewed",
    "audit.search.performed",
    "audit.verification.completed",
)
CONSUMES = ("#",)
