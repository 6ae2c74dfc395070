"""The catalogue: every event with who publishes it, who acts on it, its fields, versions and an example."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property, partial
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic_core import PydanticUndefined

from shared.events import compatibility
from shared.events.base import Event, event_types
from shared.events.catalogue import examples, glossary
from shared.events.envelope import Envelope
from shared.messaging.topology import binds

_NAMES: dict[Any, str] = {str: "text", int: "whole number", bool: "yes or no", date: "date", datetime: "moment"}


@dataclass(frozen=True)
class Card:
    """A service as the catalogue knows it: its card, its queues, and what its handlers do on which event type.

    A service that takes every event alike says in `every` what it does with it.
    """

    service: str
    about: str
    queues: Mapping[str, tuple[str, ...]]  # {queue: the routing keys bound to it}
    handlers: Mapping[str, Callable[..., Any]]
    every: str = ""

    @property
    def bindings(self) -> list[tuple[str, str]]:
        """Return (queue, routing key) of everything that is bound."""
        return [(queue, key) for queue, keys in self.queues.items() for key in keys]

    def hears(self, name: str, queue: str | None = None) -> bool:
        """Say whether a queue of the service, or this one, is bound to events of this type."""
        return any(binds(key, name) for own, key in self.bindings if queue in {None, own})

    def does(self, name: str) -> str:
        """Return what the service does on an event of this type; empty when it lets it pass."""
        handler = self.handlers.get(name)
        done = [self.every] if self.every else []
        return " ".join([*done, *(_sentences(handler) if handler else [])]) if self.hears(name) else ""


@dataclass(frozen=True)
class Field:
    """One field of an event."""

    name: str
    type: str
    required: bool
    meaning: str


@dataclass(frozen=True)
class Entry:
    """One event type: its models by version, the oldest first."""

    name: str
    models: tuple[type[Event], ...]
    cards: tuple[Card, ...]

    @property
    def model(self) -> type[Event]:
        """Return the newest version, which is the one that is published."""
        return self.models[-1]

    @property
    def source(self) -> str:
        """Return who publishes it."""
        return self.model.source()

    @property
    def about(self) -> str:
        """Return what it says has happened."""
        return " ".join((self.model.__doc__ or "").split())

    @property
    def personal(self) -> bool:
        """Say whether a person's data are in it."""
        return self.model.PERSONAL

    @property
    def audience(self) -> str:
        """Return services, record or external."""
        return self.model.AUDIENCE

    @cached_property
    def effects(self) -> dict[str, str]:
        """Return what each service does that acts on it."""
        return {card.service: what for card in self.cards if (what := card.does(self.name))}

    @cached_property
    def passing(self) -> list[str]:
        """Return the services that hear it, to keep the order of its entity, and let it pass."""
        return [card.service for card in self.cards if card.hears(self.name) and card.service not in self.effects]

    @cached_property
    def fields(self) -> list[Field]:
        """Return the fields of the newest version."""
        kind = "document" if ".document_" in self.name else examples.kind_of(self.name)
        return [
            Field(
                name,
                type_name(field.annotation),
                field.default is PydanticUndefined and field.default_factory is None,
                glossary.meaning(kind, name) or glossary.meaning(examples.kind_of(self.name), name),
            )
            for name, field in self.model.model_fields.items()
        ]

    @cached_property
    def history(self) -> list[tuple[int, list[str]]]:
        """Return each version with the fields that it has besides those of the version before."""
        schemas = [model.model_json_schema() for model in self.models]
        before = [{}, *schemas[:-1]]
        return [
            (model.VERSION, compatibility.additions(old, new) if old else [])
            for model, old, new in zip(self.models, before, schemas, strict=True)
        ]

    @cached_property
    def example(self) -> Envelope:
        """Return an example of the newest version."""
        return examples.envelope(self.model)


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Every event of the house, and the services that speak and hear; equal to itself alone, so that texts are kept."""

    cards: tuple[Card, ...]
    entries: Mapping[str, Entry]

    def search(self, words: str) -> list[Entry]:
        """Return the events in whose type or description every one of the words stands."""
        wanted = words.casefold().split()
        return [
            entry
            for entry in self.entries.values()
            if all(word in f"{entry.name} {entry.about}".casefold() for word in wanted)
        ]

    def of(self, service: str) -> list[Entry]:
        """Return the events that a service publishes."""
        return [entry for entry in self.entries.values() if entry.source == service]

    def heard(self, service: str) -> list[Entry]:
        """Return the events that a service acts on."""
        return [entry for entry in self.entries.values() if service in entry.effects]


def gather(cards: Iterable[Card]) -> Catalogue:
    """Return the catalogue of these services."""
    cards = tuple(cards)
    models: dict[str, list[type[Event]]] = {}
    for (name, _), model in sorted(event_types().items()):
        models.setdefault(name, []).append(model)
    return Catalogue(cards, {name: Entry(name, tuple(kinds), cards) for name, kinds in models.items()})


def _sentences(handler: Any) -> list[str]:
    """Return what a handler says that it does; one that calls several says what each does."""
    if isinstance(handler, partial):
        return [sentence for part in handler.args for sentence in _sentences(part)]
    if isinstance(handler, tuple):
        return [sentence for part in handler for sentence in _sentences(part)]
    return [first_line(handler.__doc__)]


def first_line(text: str | None) -> str:
    """Return the first sentence of a docstring."""
    return (text or "").strip().split("\n\n")[0].split("\n")[0].strip()


def type_name(annotation: Any) -> str:
    """Return a type in words: "list of text", "date, or nothing"."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in {Union, UnionType}:
        kinds = " or ".join(type_name(kind) for kind in inner if kind is not NoneType)
        return f"{kinds}, or nothing" if NoneType in inner else kinds
    if origin is Literal:
        return " or ".join(str(value) for value in inner)
    if origin is list:
        return f"list of {type_name(inner[0])}"
    if origin is dict:
        return f"{type_name(inner[1])} by {type_name(inner[0])}"
    return _NAMES.get(annotation, "anything" if annotation in {object, Any} else annotation.__name__.lower())
