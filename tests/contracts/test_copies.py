"""No local copy is forgotten: each table of each service is a projection's, an entity's, or says what else it is."""

from __future__ import annotations

import importlib
from types import ModuleType

import pytest
from sqlalchemy import MetaData

from shared import migrations
from shared.messaging.projections import Projection
from shared.messaging.tables import inbox_tables, outbox_tables
from shared.settings import SERVICES


def declared(service: str) -> ModuleType:
    """Return what a service declares about its tables."""
    return importlib.import_module(f"services.{service}.projections")


def messaging() -> set[str]:
    """Return the tables that every service has for its messages."""
    metadata = MetaData()
    outbox_tables(metadata)
    inbox_tables(metadata)
    return set(metadata.tables)


ALL: list[tuple[str, str, Projection]] = [
    (service, name, projection) for service in SERVICES for name, projection in declared(service).PROJECTIONS.items()
]


@pytest.mark.parametrize("service", SERVICES)
def test_every_table_says_where_its_rows_come_from(service: str) -> None:
    """A table belongs to one projection, or has entities, or is named with a reason; no other is named."""
    tables = migrations.metadata_of(service).tables
    entities = [name for name, table in tables.items() if table.info.get("entity")]
    of_projections = [name for _, projection in declared(service).PROJECTIONS.items() for name in projection.tables]
    said = [*entities, *of_projections, *declared(service).OTHERS]
    assert sorted(said) == sorted(set(tables) - messaging())
    assert all(len(reason) > 10 for reason in declared(service).OTHERS.values())


@pytest.mark.parametrize(("service", "name", "projection"), ALL, ids=[f"{item[0]}-{item[1]}" for item in ALL])
def test_a_projection_hears_of_what_its_service_handles(service: str, name: str, projection: Projection) -> None:
    """Every event of a projection is one that the service's consumer handles, so the inbox knows it."""
    handled = importlib.import_module(f"services.{service}.handlers").ON
    assert projection.on, name
    assert set(projection.on) <= set(handled)


@pytest.mark.parametrize("service", ["grants", "loans"])
def test_what_only_fills_copies_is_in_some_projection(service: str) -> None:
    """These services' handlers of others' acts do nothing but fill copies, so each is some projection's."""
    on = importlib.import_module(f"services.{service}.handlers").ON
    handled = {kind for kind in on if kind.split(".")[1] != "backfill"}  # what the backbones say to each other
    assert {kind for projection in declared(service).PROJECTIONS.values() for kind in projection.on} == handled
