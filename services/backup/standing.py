"""Servers for a restore: those that are given, or this machine's own, which otherwise run with `tamga run` alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from services.audit.signer.wire import address_in
from services.launcher import health, preflight
from shared.infrastructure import ladder
from shared.infrastructure.system import InfrastructureError
from shared.safekeeping.refusals import SafekeepingError
from shared.settings import Settings, settings

_GIVEN = "TAMGA_DATABASE_ADMIN_URL"


@contextmanager
def standing() -> Iterator[Settings]:
    """Give the settings of servers that run, and of nothing else of Tamga; raises SafekeepingError."""
    if os.environ.get(_GIVEN):
        yield settings()
        return
    home = Path(os.environ.get("TAMGA_HOME", ".tamga")).resolve()
    with ExitStack() as stack:
        try:
            preflight.make_home(home)
            stack.enter_context(preflight.only_one(home))
            health.forget(home)
            known = _started(home, stack)
        except InfrastructureError as error:
            raise SafekeepingError(str(error)) from error
        yield known


def _started(home: Path, stack: ExitStack) -> Settings:
    """Start this machine's servers; they end with the stack."""
    database, broker = ladder.find_database(home), ladder.find_broker(home)
    servers = [part.server for part in (database, broker) if part.server]
    for server in servers:
        stack.callback(server.stop)
        server.start()
    for server in servers:
        server.wait()
    keys = home / "keys"
    return Settings.model_validate(
        ladder.service_urls(home, database, broker)
        | {
            "home": home,
            "database_admin_url": database.admin_url,
            "amqp_admin_url": broker.admin_url,
            "amqp_api_url": broker.api_url,
            "signing_key_file": keys / "identity-private.pem",
            "identity_key_file": keys / "identity-public.pem",
            "payee_key_file": keys / "payee.key",
            "webhook_key_file": keys / "webhook.key",
            "signer": address_in(home),
            "documents": home / "documents",
        }
    )
