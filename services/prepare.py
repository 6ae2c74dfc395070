"""What must be in place before the other parts start: databases, keys, people, users of the broker, topology.

`python -m services.prepare once` does it where each part has a container, `... people` adds the people that the
programmes name, for a demonstration. Without an argument it serves the launcher of one machine, which starts this
process at once, so that its imports overlap with the servers' own start. It talks over pipes, a line a time: in come
the settings, then "database" and "broker" as each takes connections, then "settle"; out comes
`{"done": step, ...}` for each, or `{"failed": one sentence}`.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import unquote, urlsplit

from amqp.exceptions import AMQPError
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from services.backbone import broker, queues
from services.grants.storage import secrets
from services.launcher import settling
from services.notifications import webhook_cli
from services.notifications.handlers import resealing
from services.portal import bootstrap
from shared import migrations, vault
from shared.database import engine_for
from shared.documents import DocumentStore
from shared.infrastructure import databases, rabbitmq
from shared.infrastructure.names import database_name
from shared.infrastructure.refusals import worded
from shared.messaging import topology
from shared.messaging.broker_api import BrokerAPIError
from shared.messaging.drift import superfluous_bindings
from shared.settings import SERVICES, Settings, SettingsError, load

SETTLE_SECONDS = 60
FAILURES = (SQLAlchemyError, AMQPError, OSError, RuntimeError, ValueError)
WATCHING = "TAMGA_WATCH_AMQP_PASSWORD_FILE"
PEOPLE = "people.json"


def ensure_keys(private: Path, public: Path) -> bool:
    """Make the Ed25519 pair that signs identities unless it is there; returns whether it was made."""
    if private.exists() and public.exists():
        return False
    private.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = Ed25519PrivateKey.generate()
    encoding, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private.touch(mode=0o600)
    private.write_bytes(key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain))
    public.write_bytes(key.public_key().public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo))
    return True


def prepare_databases(settings: Settings, admin_url: str) -> dict[str, Any]:
    """Make every service's database and roles and bring them to the newest version."""
    passwords = passwords_in(settings)
    for service in SERVICES:
        databases.ensure_database(admin_url, database_name(service), service, passwords)
    applied = migrations.upgrade_all(settings)
    return {"applied": sum(len(versions) for versions in applied.values())}


def passwords_in(settings: Settings) -> dict[str, str]:
    """Return the passwords of the databases' roles, as the settings' URLs have them."""
    urls = [*settings.database_urls.values(), *settings.owner_database_urls.values()]
    known = {str(url.username): url.password for url in map(make_url, urls)}
    return {role: password for role, password in known.items() if password}


def prepare_people(settings: Settings) -> dict[str, Any]:
    """Make keys, the first programme and its people unless they are there; returns who can sign in."""
    if settings.signing_key_file is None or settings.identity_key_file is None:
        raise RuntimeError("the settings name no key files")
    ensure_keys(settings.signing_key_file, settings.identity_key_file)
    if settings.payee_key_file is not None:
        vault.ensure_key(settings.payee_key_file)
    if settings.webhook_key_file is not None:
        vault.ensure_key(settings.webhook_key_file)
    prepare_secrets(settings)
    return add_people(settings)


def prepare_secrets(settings: Settings) -> dict[str, Any]:
    """Seal bank numbers and banks' letters under the newest key; raises VaultError while one that sealed is missing."""
    engine, loans = (
        engine_for(settings.owner_database_urls[service], pool_size=1, application_name="tamga prepare")
        for service in ("grants", "loans")
    )
    try:
        with engine.begin() as connection:
            keys, store = vault.vault_of(settings.payee_key_file), DocumentStore(settings.documents_folder)
            secrets.must_be_openable(connection, keys)
            done = secrets.rekey(connection, keys, store)
        with engine.begin() as connection, loans.begin() as elsewhere:
            secrets.forget_open(connection, store, [elsewhere])
    finally:
        engine.dispose()
        loans.dispose()
    return {"sealed anew": done.numbers + done.files + _reseal_webhooks(settings)}


def _reseal_webhooks(settings: Settings) -> int:
    """Seal the secrets of banks' endpoints under the newest key; one whose key is missing waits, and is named."""
    if settings.webhook_key_file is None:
        return 0
    done = webhook_cli.reseal_all(settings)
    try:
        resealing.must_be_openable(done)
    except vault.VaultError as error:  # its endpoint alone is held up, not the house
        logging.getLogger(__name__).warning("%s", error)
    return done.secrets


def add_people(settings: Settings) -> dict[str, Any]:
    """Add the people that the programmes name unless they are there; returns who can sign in."""
    added = [credential.as_dict() for credential in bootstrap.ensure(settings)]
    if added:
        remember_people(settings.home / PEOPLE, added)
    return {"people": added}


def remember_people(file: Path, added: list[dict[str, Any]]) -> None:
    """Add people with their first passwords to the file that only its owner can read."""
    known = json.loads(file.read_text()) if file.exists() else []
    draft = file.with_suffix(".new")
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(known + added, indent=2, ensure_ascii=False) + "\n")
    draft.replace(file)


def prepare_topology(settings: Settings) -> dict[str, Any]:
    """Declare exchange, queues and bindings; returns bindings on the broker that this release lacks.

    A broker whose HTTP API does not answer works as well; then nobody can say what else is bound.
    """
    topology.apply(settings.amqp_admin_url, queues())
    try:
        found = superfluous_bindings(broker(settings), queues())
    except BrokerAPIError as error:
        logging.getLogger(__name__).warning("%s", error)
        return {"superfluous": []}
    return {"superfluous": [binding.name for binding in found]}


def prepare_broker(settings: Settings) -> dict[str, Any]:
    """Make the services' users with their least rights, and one that may only watch; then the topology."""
    users = {user: secret for user, secret in map(_account, settings.amqp_urls.values()) if secret}
    if watching := os.environ.get(WATCHING):
        users |= {rabbitmq.WATCHER: Path(watching).read_text(encoding="utf-8").strip()}
    broker(settings).api.define(rabbitmq.definitions(users))
    return prepare_topology(settings)


def _account(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return unquote(parts.username or ""), unquote(parts.password or "")


def once(settings: Settings) -> int:
    """Bring everything up to this release and end; harmless when all is there. Returns the exit code."""
    steps: dict[str, Callable[[], dict[str, Any]]] = {
        "databases": lambda: prepare_databases(settings, settings.database_admin_url),
        "secrets": lambda: prepare_secrets(settings),
        "programmes": lambda: {"people": len(bootstrap.ensure(settings, people=False))},
        "broker": lambda: prepare_broker(settings),
    }
    return _each(steps)


def people(settings: Settings) -> int:
    """Add the people that the programmes name and write their passwords down. Returns the exit code."""
    return _each({"people": lambda: {"added": len(add_people(settings)["people"])}})


def _each(steps: dict[str, Callable[[], dict[str, Any]]]) -> int:
    for name, step in steps.items():
        try:
            facts = step()
        except FAILURES as error:
            sys.stderr.write(f"{name}: {worded(error)}\n")
            return 1
        sys.stdout.write(f"{name}: {', '.join(f'{key} {value or 0}' for key, value in facts.items())}\n")
    return 0


def serve() -> int:
    """Do each step when its line comes in; ends with the input. Only answers go out, whatever else says something."""
    answers = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        return _serve(answers)


def _serve(answers: TextIO) -> int:
    settings, admin_url = None, ""
    steps: dict[str, Callable[[Settings], dict[str, Any]]] = {
        "database": lambda known: prepare_databases(known, admin_url),
        "people": prepare_people,
        "broker": prepare_topology,
        "settle": lambda known: {"unaccounted": settling.settle(known, SETTLE_SECONDS)},
    }
    for line in sys.stdin:
        order = line.strip()
        if settings is None:
            given = json.loads(order)
            settings, admin_url = Settings.model_validate(given["settings"]), given["database_admin_url"]
            continue
        try:
            answer = {"done": order} | steps[order](settings)
        except FAILURES as error:
            logging.getLogger(__name__).exception("%s failed", order)
            answer = {"failed": f"{order}: {worded(error)}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
    return 0


def main(arguments: list[str]) -> int:
    """Run what is asked for; returns the exit code."""
    logging.getLogger("alembic").setLevel(logging.WARNING)
    if not arguments:
        return serve()
    command = {"once": once, "people": people}.get(" ".join(arguments))
    if command is not None:
        try:
            return command(load())
        except SettingsError as error:
            sys.stderr.write(f"settings: {error}\n")
            return 1
    sys.stderr.write(f"{__doc__}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
