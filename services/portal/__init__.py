"""The portal: people, organisations, sessions, programmes; the front door and the operator's view of the house."""

OWNS = ("user", "organisation", "programme", "call_draft", "session", "signin", "link", "key")
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
    "portal.call_draft.opened",
    "portal.call_draft.edited",
    "portal.call_draft.handed_in",
    "portal.call_draft.returned",
    "portal.call_draft.published",
    "portal.call_draft.discarded",
    "portal.session.opened",
    "portal.session.closed",
    "portal.session.confirmed",
    "portal.signin.refused",
    "portal.link.issued",
    "portal.key.issued",
    "portal.key.revoked",
    "portal.attempt.refused",
    "portal.backfill.answered",
    "portal.manifest.published",
    "portal.record.viewed",
    "portal.outbox.dropped",
)
CONSUMES: tuple[str, ...] = ()
