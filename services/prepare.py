"""What must be in place before the parts of `tamga run` start: databases, keys, people, topology.

The launcher starts this process at once, so that its imports overlap with the servers' own start. It
talks over pipes, a line a time: in come the settings, then "database" and "broker" as each takes
connections, then "settle"; out comes `{"done": step, ...}` for each, or `{"failed": one sentence}`.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from amqp.exceptions import AMQPError
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy.exc import SQLAlchemyError

from services.backbone import broker, queues
from services.launcher import settling
from services.portal import bootstrap
from shared import migrations
from shared.infrastructure import databases, ladder
from shared.infrastructure.names import database_name
from shared.infrastructure.refusals import worded
from shared.messaging import topology
from shared.messaging.broker_api import BrokerAPIError
from shared.messaging.drift import superfluous_bindings
from shared.settings import SERVICES, Settings

SETTLE_SECONDS = 60
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
    passwords = ladder.passwords(settings.home)
    for service in SERVICES:
        databases.ensure_database(admin_url, database_name(service), service, passwords)
    applied = migrations.upgrade_all(settings)
    return {"applied": sum(len(versions) for versions in applied.values())}


def prepare_people(settings: Settings) -> dict[str, Any]:
    """Make keys, the first programme and its people unless they are there; returns who can sign in."""
    if settings.signing_key_file is None or settings.identity_key_file is None:
        raise RuntimeError("the settings name no key files")
    ensure_keys(settings.signing_key_file, settings.identity_key_file)
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


def main() -> int:
    """Do each step when its line comes in; ends with the input."""
    settings, admin_url = None, ""
    steps: dict[str, Callable[[Settings], dict[str, Any]]] = {
        "database": lambda known: prepare_databases(known, admin_url),
        "people": prepare_people,
        "broker": prepare_topology,
        "settle": lambda known: {"unaccounted": settling.settle(known, SETTLE_SECONDS)},
    }
    logging.getLogger("alembic").setLevel(logging.WARNING)
    for line in sys.stdin:
        order = line.strip()
        if settings is None:
            given = json.loads(order)
            settings, admin_url = Settings.model_validate(given["settings"]), given["database_admin_url"]
            continue
        try:
            answer = {"done": order} | steps[order](settings)
        except (SQLAlchemyError, AMQPError, OSError, RuntimeError, ValueError) as error:
            logging.getLogger(__name__).exception("%s failed", order)
            answer = {"failed": f"{order}: {worded(error)}"}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
