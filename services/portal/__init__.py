"""The portal: people, organisations, sessions, programmes; the front door and the operator's view of the house."""

OWNS = ("user", "organisation", "programme", "session", "signin", "link", "key")
PUBLISHES = (
    "portal.user.registered",
    "portal.user.changed",
    "portal.user.deactivated",
    "portal.user.password_changed",
    "portal.organisation.registered",
    "portal.organisation.changed",
    "portal.organisation.change_proposed",
    "portal.organisation.change_refused",
    "portal.programme.loaded",
    "portal.session.opened",
    "portal.session.closed",
    "portal.session.confirmed",
    "portal.signin.refused",
    "portal.link.issued",
    "portal.key.issued",
    "portal.key.revoked",
    "portal.attempt.refused",
    "portal.backfill.answered",
    "portal.record.viewed",
    "portal.outbox.dropped",
)
CONSUMES: tuple[str, ...] = ()
