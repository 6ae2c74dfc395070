"""The catalogue says what the code does: its document is valid AsyncAPI, its examples are events, its files are new.

`resources/asyncapi-3.0.0.json` is the official JSON Schema of AsyncAPI 3.0.0, taken as it is from the npm package
`@asyncapi/specs` 6.11.1 (`schemas/3.0.0-without-$id.json`); its licence stands beside it.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest
import yaml

import services.catalogue
from services.backbone import queues
from services.catalogue import DOCS, catalogue, documents
from services.notifications.handlers.deciding import tell
from services.notifications.handlers.queueing import announce
from shared.events import Event, base, event_types
from shared.events.catalogue import Card, Catalogue, Entry, asyncapi, drawing, gather, glossary, readme
from shared.events.catalogue.examples import kind_of
from shared.messaging.topology import binds
from shared.messaging.wire import Raw, decode, encode
from shared.settings import SERVICES

RESOURCE = Path(__file__).parent / "resources" / "asyncapi-3.0.0.json"
PROGRAMMES = Path(__file__).resolve().parents[2] / "programmes"
ENTRIES = catalogue().entries


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """Give the AsyncAPI document."""
    return asyncapi.document(catalogue())


@pytest.fixture(scope="module")
def official() -> jsonschema.Draft7Validator:
    """Give the official schema of AsyncAPI 3.0.0."""
    return jsonschema.Draft7Validator(json.loads(RESOURCE.read_text()))


def test_the_document_is_valid_asyncapi(document: dict[str, Any], official: jsonschema.Draft7Validator) -> None:
    """The document follows the official JSON Schema of AsyncAPI 3.0.0, bindings included."""
    problems = [f"{'/'.join(map(str, e.absolute_path))}: {e.message[:200]}" for e in official.iter_errors(document)]
    assert problems == []


def some(document: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of the document cut down to one event and one queue, all parts included."""
    name, parts = "portal.user.deactivated", document["components"]
    kept = document | {
        "channels": {key: document["channels"][key] for key in (name, "queue.loans")},
        "operations": {key: document["operations"][key] for key in (f"portal.sends.{name}", "loans.receives")},
        "components": {
            "messages": {f"{name}.v1": parts["messages"][f"{name}.v1"]},
            "schemas": {key: parts["schemas"][key] for key in ("Body", "CloudEventsHeaders", f"{name}.v1")},
        },
    }
    return copy.deepcopy(kept)


@pytest.mark.parametrize(
    "path",
    [
        ("channels", "portal.user.deactivated", "bindings", "amqp", "is"),
        ("channels", "portal.user.deactivated", "bindings", "amqp", "exchange", "type"),
        ("operations", "loans.receives", "action"),
        ("operations", "portal.sends.portal.user.deactivated", "bindings", "amqp", "deliveryMode"),
        ("components", "messages", "portal.user.deactivated.v1", "examples"),
        ("components", "schemas", "portal.user.deactivated.v1", "type"),
        ("info", "version"),
    ],
    ids=lambda path: path[-1] + " of " + path[0],
)
def test_the_official_schema_refuses_what_is_wrong(
    document: dict[str, Any], official: jsonschema.Draft7Validator, path: tuple[str, ...]
) -> None:
    """The check is not empty: a wrong value in any part of the document is found."""
    wrong = some(document)
    assert official.is_valid(wrong)
    place = wrong
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = {"wrong": True}
    assert not official.is_valid(wrong)


def references(value: Any) -> set[str]:
    """Return every reference in a document."""
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(references(inner) for inner in value.values()))
    return set().union(*(references(inner) for inner in value)) if isinstance(value, list) else set()


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    """No reference of the document dangles."""
    for reference in references(document):
        place = document
        for step in reference.removeprefix("#/").split("/"):
            assert step in place, reference
            place = place[step]


def test_examples_follow_the_schemas_and_are_events(document: dict[str, Any]) -> None:
    """Every example is valid against its own headers and payload schema, and is read as the event it shows."""
    for key, message in document["components"]["messages"].items():
        example = message["examples"][0]
        for part in ("headers", "payload"):
            schema = {"components": document["components"], "allOf": [message[part]]}
            jsonschema.Draft7Validator(schema).validate(example[part])
        envelope = decode(Raw(example["headers"], json.dumps(example["payload"]).encode(), message["name"]))
        assert f"{envelope.event().TYPE}.v{envelope.version}" == key
        assert not set(example["payload"]) ^ set(document["components"]["schemas"]["Body"]["properties"])


def test_the_headers_are_those_of_the_wire() -> None:
    """The headers that the document describes are the ones that a message carries, all optional ones set."""
    envelope = ENTRIES["grants.application.submitted"].example
    full = envelope.model_copy(update={"causation_id": envelope.id})
    described = asyncapi.headers()
    assert set(encode(full).headers) == set(described["properties"])
    least = full.model_copy(update=dict.fromkeys(("causation_id", "position", "traceparent", "programme", "case")))
    assert set(encode(least).headers) == set(described["required"])


def test_every_event_is_sent_and_received_as_the_code_does(document: dict[str, Any]) -> None:
    """Each event type has its channel and its sender; each queue receives exactly what its service acts on."""
    operations = document["operations"]
    sends = {key for key, operation in operations.items() if operation["action"] == "send"}
    assert sends == {f"{name.split('.')[0]}.sends.{name}" for name, _ in event_types()}
    receives = {key.removesuffix(".receives") for key, operation in operations.items() if key not in sends}
    declared = {queue: list(keys) for queue, keys in queues().items() if keys}
    assert receives == set(declared)
    for queue, keys in declared.items():
        assert document["channels"][f"queue.{queue}"]["x-routing-keys"] == keys
        acted_on = set(operations[f"{queue}.receives"]["x-effects"])
        assert acted_on
        assert all(any(binds(key, name) for key in keys) for name in acted_on)


def test_personal_and_external_events_are_marked(document: dict[str, Any]) -> None:
    """Whoever reads the document sees whose data an event carries and whom it is for."""
    for (name, version), model in event_types().items():
        message = document["components"]["messages"][f"{name}.v{version}"]
        marks = (message["x-personal"], message["x-audience"], message["x-external"])
        assert marks == (model.PERSONAL, model.AUDIENCE, model.AUDIENCE == "external")


@cache
def told_by_rule() -> set[str]:
    """Return the events about which the programmes that we ship write letters."""
    files = sorted(PROGRAMMES.glob("*/notifications.yaml"))
    assert files
    return {rule["event"] for file in files for rule in yaml.safe_load(file.read_text()).get("rules", [])}


def needed_by(entry: Entry) -> list[str]:
    """Return the services, the record apart, that do something of their own with an event.

    One handler of notifications looks at every event of a case: it does something where a rule is. Another looks at
    every fact about a bank besides: it sends it where that bank has asked for it.
    """
    handlers = {card.service: card.handlers[entry.name] for card in entry.cards if card.service in acting(entry)}
    looking = {tell, announce}
    return [name for name, handler in handlers.items() if handler not in looking or entry.name in told_by_rule()]


def acting(entry: Entry) -> list[str]:
    """Return the services, the record apart, that act on an event."""
    return [card.service for card in entry.cards if entry.name in card.handlers and card.hears(entry.name)]


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES.keys())
def test_every_event_has_the_audience_that_it_says(entry: Entry) -> None:
    """An event is acted on by a service other than the record, or says on its class that it is for the record alone."""
    assert entry.audience in {"services", "record", "external"}
    if entry.audience == "services":
        assert needed_by(entry), f"{entry.name} has no consumer: set AUDIENCE, or handle it"
    else:
        assert needed_by(entry) == [], f"{entry.name} says that nobody here acts on it"


@pytest.mark.parametrize("service", SERVICES)
def test_every_handler_says_what_it_does(service: str) -> None:
    """The catalogue quotes handlers: each that a service has says in a sentence what it does."""
    silent = [entry.name for entry in ENTRIES.values() for what in [entry.effects.get(service)] if what == ""]
    lost = [entry.name for entry in ENTRIES.values() if service in acting(entry) and service not in entry.effects]
    assert silent + lost == []


def test_every_field_has_a_meaning() -> None:
    """The glossary knows every field of every event, and none that no event has."""
    used = {(kind_of(entry.name), field.name) for entry in ENTRIES.values() for field in entry.fields}
    unknown = sorted(f"{kind}.{name}" for kind, name in used if not glossary.known(kind, name))
    assert unknown == [], "write what the field means into shared/events/catalogue/glossary.py"
    names = {name for _, name in used} | {f"{kind}.{name}" for kind, name in used} | {"document.name"}
    assert sorted(set(glossary.FIELDS) - names) == []


@pytest.mark.parametrize("name", sorted(documents()))
def test_the_written_documents_are_new(name: str) -> None:
    """What stands in docs/events is what the code says now."""
    assert (DOCS / name).read_text() == documents()[name], "run `make schemas`"


def test_the_yaml_is_the_document(document: dict[str, Any]) -> None:
    """YAML and JSON say the same."""
    assert yaml.load(asyncapi.as_yaml(catalogue()), Loader=yaml.CSafeLoader) == document


@pytest.fixture
def two_versions() -> Iterator[Catalogue]:
    """Give the catalogue of an event in two versions, the newer one for systems outside."""
    known = dict(base._TYPES)
    told = {"__doc__": "A sluice was opened.", "__module__": __name__, "TYPE": "portal.sluice.opened"}
    first = type("SluiceOpened", (Event,), told | {"__annotations__": {"height": str}})
    more = {"VERSION": 2, "AUDIENCE": "external", "PERSONAL": True, "by": ""}
    type("SluiceOpenedWider", (first,), told | more | {"__annotations__": {"by": str}})
    only = {key: model for key, model in base._TYPES.items() if key not in known}
    base._TYPES.clear()
    base._TYPES.update(only)
    yield gather([Card("portal", "The portal.", {"portal": ("portal.#",)}, {})])
    base._TYPES.clear()
    base._TYPES.update(known)


def test_versions_stand_side_by_side(two_versions: Catalogue, official: jsonschema.Draft7Validator) -> None:
    """Two versions of an event are both described and received; the newer one is sent, and says what it has besides."""
    entry = two_versions.entries["portal.sluice.opened"]
    assert entry.history == [(1, []), (2, ["by"])]
    assert [field.name for field in entry.fields] == ["height", "by"]
    document = asyncapi.document(two_versions)
    assert official.is_valid(document)
    messages = document["components"]["messages"]
    assert set(messages) == {"portal.sluice.opened.v1", "portal.sluice.opened.v2"}
    assert set(document["channels"]["queue.portal"]["messages"]) == set(messages)
    sent = document["operations"]["portal.sends.portal.sluice.opened"]["messages"]
    assert [ref["$ref"].rpartition("/")[2] for ref in sent] == ["portal.sluice.opened.v2"]
    newer = messages["portal.sluice.opened.v2"]
    assert (newer["x-version"], newer["x-external"], newer["x-personal"]) == (2, True, True)
    assert "for systems outside, with personal data" in readme.page(two_versions, two_versions.cards[0])


def test_a_break_ends_the_command_and_leaves_the_documents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`make schemas` on a broken schema ends with 1, names event, field and rule, and writes no document either."""
    monkeypatch.setattr(services.catalogue, "RELEASED", tmp_path / "schemas")
    monkeypatch.setattr(services.catalogue, "DOCS", tmp_path / "docs")
    (tmp_path / "schemas").mkdir()
    gone = {"portal.key.revoked 1": {"properties": {"why": {"type": "string"}}, "type": "object"}}
    (tmp_path / "schemas" / "portal.json").write_text(json.dumps(gone))
    assert services.catalogue.main() == 1
    assert "portal.key.revoked version 1, why: the field was removed" in capsys.readouterr().err
    assert not (tmp_path / "docs").exists()
    (tmp_path / "schemas" / "portal.json").unlink()
    assert services.catalogue.main() == 0
    assert {path.name for path in (tmp_path / "docs").iterdir()} == set(documents())


def test_the_picture_tells_what_it_shows() -> None:
    """The picture has a title and a description, names every service and every binding, and styles nothing inline."""
    drawn = drawing.svg(catalogue())
    root = ET.fromstring(drawn)  # noqa: S314 - our own text
    space = "{http://www.w3.org/2000/svg}"
    title, description = root.find(f"{space}title"), root.find(f"{space}desc")
    assert title is not None
    assert title.text
    assert description is not None
    assert description.text
    words = [node.text for node in root.iter(f"{space}text")]
    for card in catalogue().cards:
        assert card.service in words
        for queue, key in card.bindings:
            assert (key if queue == card.service else f"{key} → {queue}") in words
            assert key in description.text
    assert "style" not in drawn


def test_the_flow_chart_names_every_queue() -> None:
    """The Mermaid text has every publisher and every queue that is declared."""
    chart = drawing.mermaid(catalogue())
    assert all(f"[(queue {queue})]" in chart for queue, keys in queues().items() if keys)
    assert all(f"{service}[{service}]" in chart for service in SERVICES)
