"""The catalogue as an AsyncAPI 3.0 document, AMQP bindings 0.3.

A channel is a routing key of the topic exchange, or a consumer's queue. Services send to the former and receive
from the latter, so a receive operation names exactly the events that the service acts on.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import yaml

from shared.events.base import Event
from shared.events.catalogue import glossary
from shared.events.catalogue.examples import envelope, kind_of
from shared.events.catalogue.model import Card, Catalogue, Entry
from shared.events.envelope import CONTENT_TYPE, PREFIX, Body
from shared.messaging.topology import QUEUE_ARGUMENTS
from shared.messaging.wire import EXCHANGE, encode

VERSION = "3.0.0"
_AMQP = "0.3.0"
_SCHEMAS = "#/components/schemas/"
_DESCRIPTION = """\
Every event of Tamga, generated from the event models, the services' cards and their handlers.

Events are facts in the past tense, CloudEvents 1.0 in binary mode: the attributes are AMQP headers, the body is
JSON. Events of one entity (`subject`) are counted from 1 without a hole by `sequence`, and a source's events by
`position`. A consumer's effect happens once, in the order of the entity. A service publishes under its own name
alone: the broker checks the AMQP user of each message. A released version gains optional fields, nothing else;
readers ignore fields that they do not know.
"""
# header: (what it is, JSON type facts, whether it is always there)
HEADERS: dict[str, tuple[str, dict[str, Any], bool]] = {
    "specversion": ("The version of CloudEvents.", {"const": "1.0"}, True),
    "id": ("The event's id; a message that comes twice has the same.", {"format": "uuid"}, True),
    "source": ("The service that publishes it.", {}, True),
    "type": ("What has happened; also the routing key.", {}, True),
    "dataversion": ("The version of the event's schema.", {"pattern": "^[0-9]+$"}, True),
    "subject": ("The entity that it happened to, as kind:id.", {}, True),
    "sequence": ("Which event of the entity, from 1, padded to 20 digits.", {"pattern": "^[0-9]{20}$"}, True),
    "time": ("When it happened, UTC.", {"format": "date-time"}, True),
    "correlationid": ("What it belongs to: the request or message that began it all.", {"format": "uuid"}, True),
    "outcome": ("Whether the act was done or refused.", {"enum": ["success", "refused"]}, True),
    "position": ("Which event of the source, from 1.", {"pattern": "^[0-9]+$"}, False),
    "causationid": ("The event that caused this one.", {"format": "uuid"}, False),
    "traceparent": ("W3C trace context.", {}, False),
    "programme": ("The programme that it belongs to.", {}, False),
    "case": ("The reference under which people find the case.", {}, False),
}
_BODY = {
    "data": "The event's own fields.",
    "actor": "Who acted.",
    "changes": "What changed: field, then the value before and the value after.",
    "after_hash": "SHA-256 of the entity's state after the act, by RFC 8785.",
    "parties": "Who takes part in the case: party, then user:<id>, org:<id> or role:<role>.",
    "reason": "Why, in the words of who acted.",
}


def document(catalogue: Catalogue) -> dict[str, Any]:
    """Return the AsyncAPI document of the catalogue as JSON types."""
    entries = catalogue.entries.values()
    queues = [(card, queue) for card in catalogue.cards for queue in card.queues]
    found = {
        "asyncapi": VERSION,
        "info": {
            "title": "Tamga events",
            "version": "1.0.0",
            "description": _DESCRIPTION,
            "tags": [{"name": card.service, "description": card.about} for card in catalogue.cards],
        },
        "defaultContentType": CONTENT_TYPE,
        "servers": {"broker": {"host": "localhost:5672", "protocol": "amqp", "description": "RabbitMQ."}},
        "channels": {entry.name: _exchange(entry) for entry in entries}
        | {f"queue.{queue}": _queue(card, queue, catalogue) for card, queue in queues},
        "operations": {f"{entry.source}.sends.{entry.name}": _send(entry) for entry in entries}
        | {f"{queue}.receives": _receive(card, queue, catalogue) for card, queue in queues},
        "components": {
            "messages": {_id(model): _message(entry, model) for entry in entries for model in entry.models},
            "schemas": _schemas(catalogue),
        },
    }
    plain: dict[str, Any] = json.loads(json.dumps(found))
    return plain


@cache
def as_json(catalogue: Catalogue) -> str:
    """Return the document as JSON."""
    return json.dumps(document(catalogue), ensure_ascii=False)


@cache
def as_yaml(catalogue: Catalogue) -> str:
    """Return the document as YAML."""
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: str = yaml.dump(document(catalogue), Dumper=dumper, sort_keys=False, allow_unicode=True, width=120)
    return text


def _id(model: type[Event]) -> str:
    return f"{model.TYPE}.v{model.VERSION}"


def _ref(path: str) -> dict[str, str]:
    return {"$ref": path}


def _messages(entry: Entry) -> dict[str, Any]:
    return {_id(model): _ref(f"#/components/messages/{_id(model)}") for model in entry.models}


def _exchange(entry: Entry) -> dict[str, Any]:
    topic = {"name": EXCHANGE, "type": "topic", "durable": True, "autoDelete": False, "vhost": "/"}
    return {
        "address": entry.name,
        "title": entry.name,
        "description": entry.about,
        "messages": _messages(entry),
        "bindings": {"amqp": {"is": "routingKey", "exchange": topic, "bindingVersion": _AMQP}},
    }


def _queue(card: Card, queue: str, catalogue: Catalogue) -> dict[str, Any]:
    kept = {"name": queue, "durable": True, "exclusive": False, "autoDelete": False, "vhost": "/"}
    heard = [entry for entry in catalogue.entries.values() if card.hears(entry.name, queue)]
    return {
        "address": queue,
        "description": f"A queue of {card.service}, bound to {EXCHANGE} by {', '.join(card.queues[queue])}.",
        "messages": {name: ref for entry in heard for name, ref in _messages(entry).items()},
        "bindings": {"amqp": {"is": "queue", "queue": kept, "bindingVersion": _AMQP}},
        "x-routing-keys": list(card.queues[queue]),
        "x-queue-arguments": QUEUE_ARGUMENTS,
    }


def _send(entry: Entry) -> dict[str, Any]:
    return {
        "action": "send",
        "channel": _ref(f"#/channels/{entry.name}"),
        "summary": entry.about,
        "tags": [{"name": entry.source}],
        "messages": [_ref(f"#/channels/{entry.name}/messages/{_id(entry.model)}")],
        "bindings": {"amqp": {"userId": entry.source, "deliveryMode": 2, "mandatory": True, "bindingVersion": _AMQP}},
    }


def _receive(card: Card, queue: str, catalogue: Catalogue) -> dict[str, Any]:
    channel = f"queue.{queue}"
    heard = [entry for entry in catalogue.heard(card.service) if card.hears(entry.name, queue)]
    return {
        "action": "receive",
        "channel": _ref(f"#/channels/{channel}"),
        "summary": f"What {card.service} acts on from {queue}.",
        "tags": [{"name": card.service}],
        "messages": [_ref(f"#/channels/{channel}/messages/{_id(model)}") for entry in heard for model in entry.models],
        "bindings": {"amqp": {"ack": True, "bindingVersion": _AMQP}},
        "x-effects": {entry.name: entry.effects[card.service] for entry in heard},
    }


def _message(entry: Entry, model: type[Event]) -> dict[str, Any]:
    data = _ref(f"{_SCHEMAS}{_id(model)}")
    raw = encode(envelope(model))
    return {
        "name": model.TYPE,
        "title": model.__name__,
        "summary": entry.about,
        "contentType": CONTENT_TYPE,
        "correlationId": {"location": f"$message.header#/{PREFIX}correlationid"},
        "headers": _ref(f"{_SCHEMAS}CloudEventsHeaders"),
        "payload": {"allOf": [_ref(f"{_SCHEMAS}Body"), {"type": "object", "properties": {"data": data}}]},
        "tags": [{"name": model.source()}, {"name": kind_of(model.TYPE)}],
        "bindings": {"amqp": {"messageType": model.TYPE, "bindingVersion": _AMQP}},
        "examples": [{"name": "example", "headers": raw.headers, "payload": json.loads(raw.body)}],
        "x-version": model.VERSION,
        "x-personal": model.PERSONAL,
        "x-audience": model.AUDIENCE,
        "x-external": model.AUDIENCE == "external",
    }


def example(entry: Entry) -> tuple[str, str]:
    """Return headers and body of an event's example, as JSON for people."""
    raw = encode(entry.example)
    return _pretty(raw.headers), _pretty(json.loads(raw.body))


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _schemas(catalogue: Catalogue) -> dict[str, Any]:
    shared: dict[str, Any] = {"CloudEventsHeaders": headers()}
    body = Body.model_json_schema(mode="serialization", ref_template=f"{_SCHEMAS}{{model}}")
    for name, about in _BODY.items():
        body["properties"][name]["description"] = about
    shared |= body.pop("$defs")
    shared["Body"] = body
    for entry in catalogue.entries.values():
        for model in entry.models:
            schema = model.model_json_schema(mode="serialization", ref_template=f"{_SCHEMAS}{{model}}")
            shared |= schema.pop("$defs", {})
            shared[_id(model)] = _explained(schema, kind_of(model.TYPE))
    return shared


def _explained(schema: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return an event's schema in which every field says what it means."""
    for name, about in schema["properties"].items():
        # Beside a reference nothing else counts; it stands alone in a list of one.
        told = {"allOf": [about]} if "$ref" in about else {key: about[key] for key in about if key != "title"}
        schema["properties"][name] = {"description": glossary.meaning(kind, name)} | told
    return schema


def headers() -> dict[str, Any]:
    """Return the JSON Schema of the CloudEvents headers."""
    return {
        "type": "object",
        "description": "CloudEvents 1.0 attributes and extensions, as the AMQP binding names them.",
        "required": [PREFIX + name for name, (_, _, always) in HEADERS.items() if always],
        "properties": {
            PREFIX + name: {"type": "string", "description": about} | facts
            for name, (about, facts, _) in HEADERS.items()
        },
    }
