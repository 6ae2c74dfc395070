"""The backbone's commands for this house: which services there are, where their databases and queues are."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

from sqlalchemy import Engine

from shared.database import engine_for
from shared.messaging import topology
from shared.messaging.cli import Backbone, build
from shared.settings import SERVICES, settings


def consumers() -> dict[str, tuple[str, ...]]:
    """Return what each service consumes, from its card."""
    return {service: importlib.import_module(f"services.{service}").CONSUMES for service in SERVICES}


def engines() -> dict[str, Engine]:
    """Return an engine of every service's database."""
    known = settings()
    return {
        service: engine_for(known.database_url(service), pool_size=1, application_name="tamga tools")
        for service in SERVICES
    }


def depths() -> Mapping[str, topology.Depth]:
    """Return how much waits in every consumer's queue."""
    return topology.depths(settings().amqp_admin_url, [service for service, keys in consumers().items() if keys])


events, quarantine, reconcile = build(Backbone(engines=engines, consumers=consumers, depths=depths))
