"""The backbone's commands and accounts over all services: here they are known by name."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import cache

from sqlalchemy import Engine

from shared.database import engine_for
from shared.messaging import cli, topology
from shared.settings import SERVICES, settings


def consumers() -> dict[str, tuple[str, ...]]:
    """Return what each service consumes, from its card."""
    cards = {service: importlib.import_module(f"services.{service}") for service in SERVICES}
    return {service: card.CONSUMES for service, card in cards.items() if card.CONSUMES}


@cache
def engines() -> Mapping[str, Engine]:
    """Return an engine of each service's database."""
    return {service: engine_for(settings().database_url(service), pool_size=1) for service in SERVICES}


def _depths() -> dict[str, topology.Depth]:
    return topology.depths(settings().amqp_admin_url, list(consumers()))


events, quarantine, reconcile = cli.build(cli.Backbone(engines=engines, consumers=consumers, depths=_depths))
