"""Fixtures of all tests: a throw-away stand, units of work on it, and no network for unit tests."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from pytest_socket import disable_socket, enable_socket
from sqlalchemy import Engine

from shared.clock import Clock, utc_now
from shared.database import Context, UnitOfWork, system
from shared.events import Actor
from shared.process import settle
from shared.testing import language, loop
from shared.testing.lender import Lender
from shared.testing.order import Shuffled
from shared.testing.scenario_report import ScenarioReport
from shared.testing.stand import Stand

UNIT = Path(__file__).parent / "unit"
UowFor = Callable[..., UnitOfWork]

# Structlog's own default draws every traceback with all local variables, which takes seconds each.
structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()])


# The files that take longest, which begin first: what is left for the end can be shared out well. The first of two
# neighbours that want a broker of their own has so few tests that the same process gets the second one too.
LONGEST = (
    "test_whole.py",
    "test_simulation.py",
    "test_random_chaos.py",
    "test_producer_broker.py",
    "test_system.py",
    "test_operations.py",
    "test_consumer_limits.py",
    "test_portal_people.py",
    "test_consumer_delivery.py",
    "test_consumer_database.py",
    "test_producer_crash.py",
    "test_tracing.py",
    "test_watching.py",
    "test_consumer_failures.py",
)


def pytest_configure(config: pytest.Config) -> None:
    """Have the lines of the reliability suite printed, and the servers started, by the process that reports."""
    abroad = language.moved_abroad()
    config.pluginmanager.register(Shuffled(abroad))
    if hasattr(config, "workerinput"):
        return
    config.pluginmanager.register(ScenarioReport(config))
    if processes := config.getoption("numprocesses", 0):
        config.pluginmanager.register(Lender(processes))


@pytest.hookimpl(tryfirst=True)
def pytest_collection() -> None:
    """Read all modules without collecting garbage: nearly all of what that makes stays."""
    gc.disable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish() -> None:
    """Leave a million objects of modules and tests alone, as the services do: a seventh of the tests' time."""
    gc.enable()
    settle()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let the longest files begin first when several processes share the tests."""
    if hasattr(config, "workerinput"):
        rank = {name: number for number, name in enumerate(LONGEST)}
        items.sort(key=lambda item: rank.get(item.path.name, len(rank)))


STANDS: list[Stand] = []  # the one of this session, once there is one


@pytest.fixture(scope="session")
def stand() -> Iterator[Stand]:
    """Give the throw-away database server and broker of this session."""
    with Stand() as servers:
        STANDS.append(servers)
        yield servers
        STANDS.clear()


@pytest.fixture(autouse=True, scope="session")
def _one_loop() -> Iterator[None]:
    with loop.kept_open():
        yield


@pytest.fixture(autouse=True, scope="module")
def rest() -> Iterator[None]:
    """Give back the connections of a file's tests before the next file begins."""
    yield
    for servers in STANDS:
        servers.rest()


@pytest.fixture(scope="session")
def uow_for() -> UowFor:
    """Give `uow_for(engine, service, actor=None, clock=utc_now)`: a unit of work on a test database."""

    def make(engine: Engine, service: str, actor: Actor | None = None, *, clock: Clock = utc_now) -> UnitOfWork:
        return UnitOfWork(engine, service, Context(actor=actor or system(service)), clock=clock)

    return make


@pytest.fixture(autouse=True)
def _people_read(request: pytest.FixtureRequest) -> Iterator[None]:
    about_words = request.node.get_closest_marker("english") is not None
    with language.reading_in("en" if about_words else language.LANGUAGE):
        yield


@pytest.fixture(autouse=True)
def _unit_tests_stay_offline(request: pytest.FixtureRequest) -> Iterator[None]:
    if not request.path.is_relative_to(UNIT):
        yield
        return
    disable_socket(allow_unix_socket=True)
    yield
    enable_socket()
