"""Fixtures of the reliability suite: a backbone of real parts that can be cut, killed and filled, and the verdict.

A file that stops or fills its broker overrides the fixture `backbone` with one on `private_broker`; one that
kills its database overrides `two_databases` with those on `private_database`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from shared.testing.backbone import Backbone, backbone_on, consumer_database
from shared.testing.node import PrivateBroker, PrivateDatabase, folder_for
from shared.testing.scenario import Scenario, judged
from shared.testing.stand import Stand


@pytest.fixture(scope="session")
def two_databases(stand: Stand) -> Iterator[tuple[Engine, Engine]]:
    """Give a publishing and a consuming service's database."""
    with consumer_database(stand) as source, consumer_database(stand) as consumer:
        yield source, consumer


@pytest.fixture(scope="session")
def broker_url(stand: Stand) -> str:
    """Give one virtual host for all: each backbone names its exchange and queue for itself."""
    return stand.amqp_url


@pytest.fixture
def backbone(broker_url: str, two_databases: tuple[Engine, Engine]) -> Iterator[Backbone]:
    """Give an empty backbone with a queue of its own."""
    with backbone_on(broker_url, *two_databases) as parts:
        yield parts


@pytest.fixture
def scenario(request: pytest.FixtureRequest, backbone: Backbone) -> Iterator[Scenario]:
    """Give the scenario; afterwards every event is accounted for by SQL, whatever the test itself has looked at."""
    subject = Scenario(backbone, request.node.originalname)
    yield subject
    judged(subject, request.node)


@pytest.fixture(scope="session")
def _own_broker() -> Iterator[PrivateBroker]:
    with folder_for("rabbitmq") as folder:
        broker = PrivateBroker(folder)
        yield broker
        broker.kill()


@pytest.fixture
def private_broker(_own_broker: PrivateBroker) -> Iterator[PrivateBroker]:
    """Give a broker that may be stopped, killed and alarmed; it is up and calm at the beginning of each test."""
    _own_broker.calm()
    yield _own_broker
    _own_broker.calm()


@pytest.fixture(scope="session")
def _own_database() -> Iterator[PrivateDatabase]:
    with folder_for("postgresql") as folder:
        database = PrivateDatabase(folder)
        yield database
        database.stop()  # killed, it would leave its shared memory behind


@pytest.fixture
def private_database(_own_database: PrivateDatabase) -> Iterator[PrivateDatabase]:
    """Give a database server that may be stopped and killed; it is up before and after each test."""
    if not _own_database.running:
        _own_database.start()
    yield _own_database
    if not _own_database.running:
        _own_database.start()
