"""The backbone's commands and accounts over all services: here they are known by name."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import cache

from sqlalchemy import Engine

from shared.database import engine_for
from shared.messaging import cli, topology
from shared.messaging.reconcile import reconcile as account
from shared.settings import SERVICES, Settings, settings


def consumers() -> dict[str, tuple[str, ...]]:
    """Return what each service consumes, from its card."""
    cards = {service: importlib.import_module(f"services.{service}") for service in SERVICES}
    return {service: card.CONSUMES for service, card in cards.items() if card.CONSUMES}


def engines(known: Settings) -> dict[str, Engine]:
    """Return an engine of each service's database."""
    return {service: engine_for(known.database_url(service), pool_size=1) for service in SERVICES}


@cache
def _engines() -> Mapping[str, Engine]:
    return engines(settings())


def _depths() -> dict[str, topology.Depth]:
    return topology.depths(settings().amqp_admin_url, list(consumers()))


def unfinished(known: Settings) -> int:
    """Return how many effects of recorded events are still to come."""
    databases = engines(known)
    try:
        return account(databases, consumers(), topology.depths(known.amqp_admin_url, list(consumers()))).open
    finally:
        for engine in databases.values():
            engine.dispose()


events, quarantine, reconcile = cli.build(cli.Backbone(engines=_engines, consumers=consumers, depths=_depths))
