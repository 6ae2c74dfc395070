"""Databases of one publishing and one consuming service: made once for each file, empty for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher
from consumer_store import Store
from sqlalchemy import Engine

from services.portal import passwords
from shared.testing.backbone import consumer_database, empty
from shared.testing.routes import worked_out_once
from shared.testing.stand import Stand

Pair = tuple[Engine, Engine]


@pytest.fixture(scope="module", autouse=True)
def _passwords_cost_little() -> Iterator[None]:
    """Let the passwords of a pack's people cost little; what a hash must cost, the unit tests say."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        yield


@pytest.fixture(scope="module", autouse=True)
def _apps_cost_little() -> Iterator[None]:
    """Let the apps of a file share what is the same in each."""
    with pytest.MonkeyPatch.context() as patch:
        worked_out_once(patch)
        yield


@pytest.fixture(scope="module")
def database(stand: Stand) -> Iterator[Engine]:
    """Give a database with the messaging tables and the one of the effects."""
    with consumer_database(stand) as engine:
        yield engine


@pytest.fixture
def engine(database: Engine) -> Engine:
    """Give it empty."""
    empty(database)
    return database


@pytest.fixture
def store(engine: Engine) -> Store:
    """Give a consumer whose tables are empty."""
    return Store(engine)


@pytest.fixture(scope="module")
def databases(stand: Stand) -> Iterator[Pair]:
    """Give a source's and a consumer's database."""
    with consumer_database(stand) as source, consumer_database(stand) as consumer:
        yield source, consumer


@pytest.fixture
def both(databases: Pair) -> Pair:
    """Give both, empty."""
    for engine in databases:
        empty(engine)
    return databases
