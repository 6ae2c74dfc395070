"""Every service's card says what its code does."""

from __future__ import annotations

import importlib
from types import ModuleType

import pytest

from shared.events import event_types
from shared.messaging.topology import binds
from shared.settings import SERVICES

EVERYBODYS = {
    "attempt",
    "record",
    "quarantine",
    "gap",
    "backfill",
    "manifest",
    "outbox",
    "projection",
}  # kinds of events that every service has
CONSUMERS = [service for service in SERVICES if service != "portal"]


def card(service: str) -> ModuleType:
    """Return a service's package, which is its card."""
    return importlib.import_module(f"services.{service}")


def published(service: str) -> set[str]:
    """Return the types of the events in the published language that this service is the source of."""
    return {name for name, _ in event_types() if name.split(".")[0] == service}


@pytest.mark.parametrize("service", SERVICES)
def test_a_card_lists_exactly_what_the_service_publishes(service: str) -> None:
    """PUBLISHES is the service's own part of the published language, no more and no less."""
    assert set(card(service).PUBLISHES) == published(service)


@pytest.mark.parametrize("service", SERVICES)
def test_every_event_is_about_something_the_service_owns(service: str) -> None:
    """The middle part of a type is the kind of entity; attempts, views and quarantines are everybody's."""
    about = {name.split(".")[1] for name in published(service)} - EVERYBODYS
    assert about <= set(card(service).OWNS)


@pytest.mark.parametrize("service", CONSUMERS)
def test_every_binding_finds_an_event(service: str) -> None:
    """No service waits for something that nobody ever says."""
    known = {name for name, _ in event_types()}
    idle = [key for key in card(service).CONSUMES if not any(binds(key, name) for name in known)]
    assert idle == []


@pytest.mark.parametrize("service", [name for name in CONSUMERS if name != "audit"])
def test_every_handled_event_exists_and_is_bound(service: str) -> None:
    """A handler of an event that is not bound, or does not exist, would never run."""
    known = {name for name, _ in event_types()}
    handled = set(importlib.import_module(f"services.{service}.handlers").ON)
    assert handled <= known
    assert [name for name in handled if not any(binds(key, name) for key in card(service).CONSUMES)] == []
    assert handled, f"{service} consumes and handles nothing"


def test_the_audit_service_hears_everything() -> None:
    """Every type of every service reaches the record."""
    assert card("audit").CONSUMES == ("#",)


@pytest.mark.parametrize(
    ("key", "name", "expected"),
    [
        ("#", "a.b.c", True),
        ("a.#", "a.b.c", True),
        ("a.#", "a", True),
        ("a.*.c", "a.b.c", True),
        ("a.*", "a.b.c", False),
        ("a.b.#", "a.bb.c", False),
        ("a.b.c", "a.b.c", True),
        ("#.c", "c", True),
        ("#.c", "a.b.c", True),
        ("a.#.c", "a.c", True),
        ("a.#.c", "a.b.d", False),
        ("*.b.#", "a.b", True),
        ("*", "a.b", False),
    ],
)
def test_bindings_match_as_the_broker_does(key: str, name: str, *, expected: bool) -> None:
    """`*` is one word and `#` any number of words, zero included."""
    assert binds(key, name) is expected
