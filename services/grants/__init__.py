"""Grants: BSO grants from the open call to the last tranche, and co-financing with lead firms."""

OWNS = ("application", "review", "award", "call")
PUBLISHES: tuple[str, ...] = ()
CONSUMES = ("portal.user.#", "portal.organisation.#", "portal.programme.#", "notifications.delivery.#")
