"""The portal copies nothing from others: people, organisations and programmes are its own."""

from __future__ import annotations

from shared.messaging.projections import Projection

PROJECTIONS: dict[str, Projection] = {}
# Tables that are neither a projection nor entities, and why.
OTHERS: dict[str, str] = {
    "programme_version": "every version of a programme's pack, as its event carries it",
    "credential": "hashes of passwords, which no event carries",
    "session": "who is signed in",
    "api_key": "hashes of keys, which no event carries",
    "sign_in_link": "hashes of links, which no event carries",
    "sign_in_limit": "failures to sign in within the last hour",
}
