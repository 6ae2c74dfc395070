"""Fixtures of the reliability suite: a backbone of real parts whose lines can be cut."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from shared.testing.backbone import Backbone, backbone_on, consumer_database
from shared.testing.stand import Stand


@pytest.fixture(scope="session")
def two_databases(stand: Stand) -> Iterator[tuple[Engine, Engine]]:
    """Give a publishing and a consuming service's database."""
    with consumer_database(stand) as source, consumer_database(stand) as consumer:
        yield source, consumer


@pytest.fixture
def backbone(stand: Stand, two_databases: tuple[Engine, Engine]) -> Iterator[Backbone]:
    """Give an empty backbone with a queue of its own."""
    with backbone_on(stand, *two_databases) as parts:
        yield parts
