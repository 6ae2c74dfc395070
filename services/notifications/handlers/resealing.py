"""Banks' secrets under a newer key of the house: sealed anew, so that the older key can go."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import Connection

from services.notifications.handlers.posting import about
from services.notifications.storage import webhooks as storage
from shared.database import UnitOfWork
from shared.vault import Vault, VaultError, key_id


@dataclass(frozen=True)
class Resealed:
    """How many secrets of how many endpoints were sealed anew; `missing` is how many wait for which other key."""

    secrets: int
    endpoints: int
    missing: dict[str, int]


def standing(connection: Connection) -> dict[str, int]:
    """Return how many secrets are kept under each key."""
    return dict(Counter(key_id(sealed) for sealed in storage.sealed_secrets(connection)))


def reseal(uow: UnitOfWork, vault: Vault) -> Resealed:
    """Seal every secret anew that stands under an older key of the file, all in one transaction.

    What is under a key that is not in the file stays as it is: its endpoint waits for that key, the others go on.
    Raises VaultError when a secret was changed, or moved from another endpoint.
    """
    done, touched = 0, 0
    repository = storage.endpoints(uow)
    for endpoint_id in storage.all_ids(uow.connection):

        def anew(number: int, sealed: str, place: str = endpoint_id) -> str | None:
            if key_id(sealed) == vault.newest or key_id(sealed) not in vault.ids:
                return None
            return vault.seal(vault.open(sealed, about(place, number)), about(place, number))

        numbers = repository.get(endpoint_id).reseal(anew, vault.newest)
        done, touched = done + len(numbers), touched + bool(numbers)
    uow.flush()
    found = standing(uow.connection)
    return Resealed(done, touched, {key: much for key, much in sorted(found.items()) if key not in vault.ids})


def must_be_openable(done: Resealed) -> None:
    """Raise VaultError that names the keys that are missing."""
    if done.missing:
        said = ", ".join(f"{much} under {key}" for key, much in done.missing.items())
        raise VaultError(
            f"Secrets of webhooks are sealed with keys that are not here ({said}): add these lines from your copy of"
            " the key file, or take keys/webhook.key out of the last backup"
        )
