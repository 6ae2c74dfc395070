"""Notifications: who is told what, in which language, through which channel, and whether it arrived."""

OWNS = ("delivery", "preference", "ruleset")
PUBLISHES = (
    "notifications.attempt.refused",
    "notifications.backfill.answered",
    "notifications.delivery.failed",
    "notifications.delivery.queued",
    "notifications.delivery.read",
    "notifications.delivery.sent",
    "notifications.delivery.suppressed",
    "notifications.gap.alarmed",
    "notifications.gap.closed",
    "notifications.outbox.dropped",
    "notifications.preference.changed",
    "notifications.projection.rebuilt",
    "notifications.quarantine.discarded",
    "notifications.quarantine.replayed",
    "notifications.record.viewed",
    "notifications.ruleset.adopted",
    "notifications.ruleset.refused",
)
CONSUMES = ("portal.user.#", "portal.organisation.#", "portal.programme.#", "grants.#", "loans.#", "*.backfill.#")
