"""The backbone's commands for this house: which services there are, where their databases and queues are."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import NullPool

from services.cards import consumers
from shared.database import engine_for
from shared.engine import encode_json
from shared.events import Envelope
from shared.messaging import backfill, log_cli, topology, topology_cli
from shared.messaging.broker_api import BrokerAPIError
from shared.messaging.cli import Backbone, build
from shared.messaging.drift import Broker
from shared.messaging.link import user_of
from shared.messaging.projections import Projection
from shared.settings import SERVICES, Settings, settings


def declared_projections() -> dict[str, dict[str, Projection]]:
    """Return every service's local copies of others' facts."""
    return {service: importlib.import_module(f"services.{service}.projections").PROJECTIONS for service in SERVICES}


def queues() -> dict[str, tuple[str, ...]]:
    """Return every queue with its bindings: the consumers', and those in which sources hear of missed events."""
    return consumers() | backfill.queues(SERVICES)


def engines() -> dict[str, Engine]:
    """Return an engine of every service's database."""
    known = settings()
    return {
        service: engine_for(known.database_url(service), pool_size=1, application_name="tamga tools")
        for service in SERVICES
    }


def owner(service: str) -> Engine:
    """Return an engine of a service's database that connects as the owner of its tables."""
    return create_engine(settings().owner_database_urls[service], poolclass=NullPool, json_serializer=encode_json)


def in_log(connection: Connection, ids: Sequence[UUID]) -> set[UUID]:
    """Return which of these events the audit log has."""
    from services.audit.storage.append import known  # noqa: PLC0415 - most commands don't need the log

    return set(known(connection, ids))


def archive(connection: Connection, ids: Sequence[UUID]) -> list[Envelope]:
    """Return those of the events that the audit log has."""
    from services.audit.storage.archive import envelopes  # noqa: PLC0415 - the same

    return list(envelopes(connection, ids))


def depths() -> Mapping[str, topology.Depth]:
    """Return how much waits in every consumer's queue, what its worker has taken and not yet handled included."""
    found = topology.depths(settings().amqp_admin_url, [service for service, keys in consumers().items() if keys])
    try:
        held = broker().api.waiting()
    except BrokerAPIError:
        return found  # AMQP tells what nobody has taken yet
    return {queue: replace(depth, messages=held.get(queue, depth.messages)) for queue, depth in found.items()}


def broker(known: Settings | None = None) -> Broker:
    """Return the live broker, with the users that the services work as."""
    known = known or settings()
    users = {service: user_of(known.amqp_url(service)) for service in SERVICES}
    return Broker.at(known.amqp_admin_url, known.amqp_api_url, users)


events, quarantine, reconcile = build(Backbone(engines=engines, consumers=consumers, depths=depths))
topology_commands = topology_cli.build(broker, queues)
log = log_cli.Log(
    engines=engines,
    consumers=consumers,
    owner=owner,
    in_log=in_log,
    kept_months=lambda: settings().outbox_retention_months,
    projections=declared_projections,
    archive=archive,
)
events.command("retention")(log_cli.retention(log))
projections = log_cli.projections(log)
