"""What a backup of Tamga has in it, and where this installation keeps backups and their key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyrage
from sqlalchemy import Connection, make_url

from services.audit.keys import Keys
from services.audit.signer.book import KEY, LAST, PUBLIC
from services.audit.signer.wire import FOLDER
from services.audit.storage import receipts, subjects, tree
from services.backbone import broker
from shared.infrastructure.names import app_role, owner_role
from shared.messaging.broker_api import BrokerAPIError
from shared.safekeeping import sealing
from shared.safekeeping.making import Contents, Extras
from shared.safekeeping.moment import Moment
from shared.safekeeping.refusals import SafekeepingError
from shared.safekeeping.restoring import Server
from shared.settings import SERVICES, Settings
from shared.version import release

KEYS, BROKER = "keys/", "broker.json"
LOG_KEY, LOG_MEMORY, LOG_PUBLIC = f"{KEYS}{KEY}", f"{KEYS}{LAST}", f"{KEYS}{PUBLIC}"
SIGNING, IDENTITY = f"{KEYS}identity-private.pem", f"{KEYS}identity-public.pem"
WEBHOOKS = f"{KEYS}webhook.key"  # containers have it as a secret, read-only
PAYEES, PAYEE_SECRET = f"{KEYS}payee.key", "payee_key"  # the latter where containers have it, read-only
ERASURES, RECEIPTS = f"{KEYS}{subjects.LEDGER}", f"{KEYS}{receipts.FILE}"
_ADMIN = "TAMGA_DATABASE_ADMIN_URL"


def key_file(known: Settings) -> Path:
    """Return where the key of backups is."""
    return known.backup_key_file or known.home / "backup_key"


def key_of(known: Settings, given: Path | None = None) -> pyrage.x25519.Identity:
    """Return the key of backups; raises SafekeepingError."""
    return sealing.key_in(given or key_file(known))


def ensure_key(known: Settings) -> None:
    """Make the key of this machine's backups unless it is there, or a place of its own was given for it."""
    if known.backup_key_file is None and not key_file(known).exists():
        sealing.make_key(key_file(known))


def signer_folder(known: Settings) -> Path:
    """Return where the signer of the log keeps its key and what it signed last."""
    return known.home / FOLDER if known.signer else known.home / "keys"


def log_key(known: Settings) -> Path:
    """Return where the key is with which the log is signed: before the signer has taken it over, among the others."""
    own = signer_folder(known) / LOG_KEY.removeprefix(KEYS)
    return own if own.exists() else known.home / LOG_KEY


def signed_last(known: Settings) -> int:
    """Return up to which entry the signer signed here; no restore takes that back."""
    last = signer_folder(known) / LAST
    note = last.read_text() if last.exists() else Keys.of(known).kept() or ""
    return int(note.split("\n")[1]) if note else 0


def owner_urls(known: Settings) -> dict[str, str]:
    """Return the URL of every service's database with the role that owns its tables; raises SafekeepingError."""
    missing = [service for service in SERVICES if service not in known.owner_database_urls]
    if missing:
        raise SafekeepingError(
            f"No owner of the database is known for {', '.join(missing)}: start Tamga with `make run`, or set"
            f" TAMGA_{missing[0].upper()}_OWNER_DATABASE_URL and its like."
        )
    return {service: known.owner_database_urls[service] for service in SERVICES}


def live_names(known: Settings) -> dict[str, str]:
    """Return the names of the services' databases."""
    return {service: str(make_url(url).database) for service, url in owner_urls(known).items()}


def server_of(known: Settings) -> Server:
    """Return the database server with its administrator; raises SafekeepingError."""
    if not known.database_admin_url:
        raise SafekeepingError(f"The database server's administrator is not known: set {_ADMIN}.")
    passwords = {}
    for service, url in owner_urls(known).items():
        for role, secret in ((owner_role(service), url), (app_role(service), known.database_urls.get(service))):
            if secret and (password := make_url(secret).password):
                passwords[role] = str(password)
    return Server(known.database_admin_url, passwords)


def contents_of(known: Settings) -> Contents:
    """Return what is to be kept; raises SafekeepingError."""

    def extras(moment: Moment) -> Extras:
        return Extras(
            _keys(known, moment.connections["audit"]) | {BROKER: _definitions(known)},
            {"log": _log(moment.connections["audit"])},
        )

    return Contents(release(), owner_urls(known), known.documents_folder, extras)


def _log(connection: Connection) -> dict[str, Any]:
    state, signed = tree.head(connection), tree.latest_checkpoint(connection)
    return {"size": state.size, "root": state.root().hex(), "signed_size": signed.size if signed else 0}


def _keys(known: Settings, log: Connection) -> dict[str, bytes]:
    """Return the keys that are here. What the signer remembers is as old as the log that is kept with it."""
    keys, signed = Keys.of(known), tree.latest_checkpoint(log)
    found = {LOG_MEMORY: signed.note.encode()} if signed else {}
    if signed and not log_key(known).exists():
        raise SafekeepingError(
            f"The key with which the log is signed is not at {log_key(known)}: run this where the signer's folder"
            " can be read (TAMGA_HOME)."
        )
    files = {
        LOG_KEY: log_key(known),
        LOG_PUBLIC: keys.folder / PUBLIC,
        SIGNING: known.signing_key_file,
        IDENTITY: known.identity_key_file,
    }
    # Who was erased stays so; the keys of people themselves are kept apart, and not for long: see people_keys.
    files |= {ERASURES: keys.folder / subjects.LEDGER, RECEIPTS: keys.folder / receipts.FILE}
    files |= {PAYEES: known.payee_key_file, WEBHOOKS: known.webhook_key_file}
    try:
        return found | {name: file.read_bytes() for name, file in files.items() if file and file.exists()}
    except OSError as error:
        raise SafekeepingError(f"{error.filename} can't be read ({error.strerror}): run this as its owner.") from error


def _definitions(known: Settings) -> bytes:
    """Return what is declared on the broker. It can be declared again from the code, so its absence is no obstacle."""
    if not known.amqp_admin_url:
        return json.dumps({"missing": "the broker's address is not set"}).encode()
    try:
        return json.dumps(broker(known).api.definitions(), indent=1).encode()
    except BrokerAPIError as error:
        return json.dumps({"missing": str(error)}).encode()
