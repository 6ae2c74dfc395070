"""What was released stays readable: a schema may gain optional fields; anything else needs a new version.

`make schemas` writes schemas and samples down, and refuses what would break a reader.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from services.catalogue import RELEASED
from shared.events import Envelope, event_types
from shared.events.catalogue import released
from shared.events.compatibility import check
from shared.messaging.wire import Raw, decode
from shared.settings import SERVICES

NAME = "grants.application.moved 1"
MOVED = event_types()["grants.application.moved", 1].model_json_schema()


@pytest.mark.parametrize("service", released.PARTS)
def test_no_released_schema_is_broken(service: str) -> None:
    """Removed fields, new required ones, other types, values or limits fail the build, each by name."""
    assert [str(problem) for problem in check(released.read(RELEASED, service), released.schemas(service))] == []


@pytest.mark.parametrize("service", released.PARTS)
def test_the_released_schemas_are_written_down(service: str) -> None:
    """A new event or an added field is part of the language once it is written down: `make schemas` does it."""
    written, present = released.read(RELEASED, service), released.schemas(service)
    stale = [event for event in {*written, *present} if written.get(event) != present.get(event)]
    assert sorted(stale) == [], "run `make schemas`"


def message(sample: dict[str, Any]) -> Raw:
    """Return a written sample as the message it was."""
    return Raw(sample["headers"], json.dumps(sample["body"]).encode(), sample["headers"]["cloudEvents_type"])


@pytest.mark.parametrize("service", SERVICES)
def test_samples_of_every_released_version_are_read(service: str) -> None:
    """What an earlier release published is decoded by this one's models, field by field; none has no sample."""
    written = released.read(RELEASED / released.SAMPLES, service)
    assert set(written) == set(released.read(RELEASED, service)), "run `make schemas`"
    for event, sample in written.items():
        envelope = decode(message(sample))
        assert f"{envelope.type} {envelope.version}" == event
        read = envelope.event().model_dump(mode="json")
        assert {name: read.get(name) for name in sample["body"]["data"]} == sample["body"]["data"], event


@pytest.mark.parametrize("service", SERVICES)
def test_released_readers_take_what_this_release_publishes(service: str) -> None:
    """A consumer of the release before, which knows its own schemas alone, finds everything that it counts on."""
    written, present = released.read(RELEASED, service), released.samples(service)
    for event, schema in written.items():
        jsonschema.Draft202012Validator(schema).validate(present[event]["body"]["data"])
    envelope = released.read(RELEASED, released.ENVELOPE)
    for sample in present.values():
        jsonschema.Draft202012Validator(envelope["envelope.body 1"]).validate(sample["body"])
        jsonschema.Draft202012Validator(envelope["envelope.headers 1"]).validate(sample["headers"])


def test_unknown_fields_are_ignored_when_read() -> None:
    """An old consumer reads a new event: fields that it does not know, in data, body or headers, change nothing."""
    for service in SERVICES:
        for event, sample in released.samples(service).items():
            known = decode(message(sample))
            newer = copy.deepcopy(sample)
            newer["body"]["data"]["added_later"] = {"deep": [1]}
            newer["body"] |= {"added_later": True}
            newer["body"]["actor"]["added_later"] = "x"
            newer["headers"] |= {"cloudEvents_addedlater": "x"}
            read: Envelope = decode(message(newer))
            assert read.event() == known.event(), event
            assert read.actor == known.actor


def released_schema() -> dict[str, Any]:
    """Return the schema of an event that has about everything a schema can have, and a value list and limits."""
    schema: dict[str, Any] = copy.deepcopy(MOVED)
    schema["properties"]["side"] = {"enum": ["programme", "recipient"], "type": "string"}
    schema["properties"]["code"] = {"pattern": "^[A-Z]{2}$", "type": "string", "maxLength": 2}
    schema["properties"]["people"] = {"type": "array", "items": {"$ref": "#/$defs/Person"}}
    schema["$defs"]["Person"] = {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}
    schema["required"] += ["side", "code", "people"]
    return schema


def mutated(*path: str, to: Any) -> Callable[[dict[str, Any]], None]:
    """Return a change of the schema: the member at `path` becomes `to`, or goes when `to` is None."""

    def change(schema: dict[str, Any]) -> None:
        *way, last = path
        place = schema
        for name in way:
            place = place[name]
        if to is None:
            del place[last]
        else:
            place[last] = to

    return change


def without(name: str) -> Callable[[dict[str, Any]], None]:
    """Return a change that takes a field away altogether."""

    def change(schema: dict[str, Any]) -> None:
        del schema["properties"][name]
        schema["required"] = [other for other in schema["required"] if other != name]

    return change


def required(name: str, *, wanted: bool) -> Callable[[dict[str, Any]], None]:
    """Return a change that makes a field required, or no longer."""

    def change(schema: dict[str, Any]) -> None:
        schema["properties"].setdefault(name, {"type": "string"})
        rest = [other for other in schema["required"] if other != name]
        schema["required"] = [*rest, name] if wanted else rest

    return change


P = "properties"
BREAKING = {
    "field removed": (without("holder"), "holder", "the field was removed"),
    "optional field removed": (without("comment"), "comment", "the field was removed"),
    "required field added": (required("ground", wanted=True), "ground", "a required field was added"),
    "optional became required": (required("comment", wanted=True), "comment", "became required"),
    "required became optional": (required("holder", wanted=False), "holder", "became optional"),
    "type changed": (mutated(P, "paused", "type", to="string"), "paused", "from boolean to string"),
    "nothing no longer allowed": (
        mutated(P, "due", to={"type": "string", "format": "date"}),
        "due",
        "from null or string/date to string/date",
    ),
    "nothing allowed": (
        mutated(P, "holder", to={"anyOf": [{"type": "string"}, {"type": "null"}]}),
        "holder",
        "from string to null or string",
    ),
    "format changed": (mutated(P, "due", "anyOf", to=[{"type": "null"}, {"type": "string"}]), "due", "string/date to"),
    "items of another type": (mutated(P, "notify", "items", "type", to="integer"), "notify[]", "string to integer"),
    "values of another type": (
        mutated(P, "stage_name", "additionalProperties", "type", to="integer"),
        "stage_name[]",
        "string to integer",
    ),
    "allowed values narrowed": (mutated(P, "side", "enum", to=["programme"]), "side", "'recipient' is no longer"),
    "allowed values widened": (mutated(P, "side", "enum", to=["programme", "recipient", "bank"]), "side", "'bank'"),
    "allowed values introduced": (mutated(P, "holder", "enum", to=["officer"]), "holder", "was added"),
    "pattern narrowed": (mutated(P, "code", "pattern", to="^[A-M]{2}$"), "code", "pattern changed"),
    "pattern introduced": (mutated(P, "holder", "pattern", to="^[a-z]+$"), "holder", "pattern changed"),
    "length narrowed": (mutated(P, "code", "maxLength", to=1), "code", "maxLength changed from 2 to 1"),
    "inside a shared type: type": (
        mutated("$defs", "Money", P, "currency", "type", to="integer"),
        "amount.currency",
        "string to integer",
    ),
    "inside a shared type: removed": (mutated("$defs", "Person", P, "id", to=None), "people[].id", "was removed"),
    "inside a closed type: added": (
        mutated("$defs", "Money", P, "rounded", to={"type": "boolean"}),
        "amount.rounded",
        "older consumers refuse unknown ones",
    ),
    "unknown fields refused": (mutated("additionalProperties", to=False), "event", "unknown fields"),
}
ADDITIVE = {
    "optional field": mutated(P, "ground", to={"type": "string", "default": ""}),
    "optional field that may be nothing": mutated(P, "by", to={"anyOf": [{"type": "string"}, {"type": "null"}]}),
    "optional field inside": mutated("$defs", "Person", P, "name", to={"type": "string", "default": ""}),
    "other words": mutated("description", to="Something else."),
    "words about a field": mutated(P, "holder", "description", to="Whose turn it is."),
    "fields in another order": mutated("required", to=None),
}


@pytest.mark.parametrize(("change", "field", "rule"), BREAKING.values(), ids=BREAKING.keys())
def test_a_breaking_change_is_named(change: Callable[[dict[str, Any]], None], field: str, rule: str) -> None:
    """Each kind of break names event, version, field and rule, and says that a new version is the way."""
    before = released_schema()
    after = copy.deepcopy(before)
    change(after)
    found = [str(problem) for problem in check({NAME: before}, {NAME: after})]
    assert found, "nothing was found"
    # A type that several fields share is named at each of them.
    told = [problem for problem in found if problem.startswith(f"grants.application.moved version 1, {field}: ")]
    assert any(rule in problem for problem in told), found
    assert all("publish a new VERSION" in problem for problem in found)


@pytest.mark.parametrize("change", ADDITIVE.values(), ids=ADDITIVE.keys())
def test_an_additive_change_passes(change: Callable[[dict[str, Any]], None]) -> None:
    """Optional fields, other words and another order hurt no reader."""
    before = released_schema()
    after = copy.deepcopy(before)
    change(after)
    if "required" not in after:
        after["required"] = before["required"][::-1]
    assert after != before
    assert check({NAME: before}, {NAME: after}) == []


def test_the_envelope_is_released_too() -> None:
    """An actor without a role, or a header that goes, would break the reader of every event, and is found."""
    before = released.schemas(released.ENVELOPE)
    after = copy.deepcopy(before)
    del after["envelope.body 1"]["$defs"]["Actor"]["properties"]["role"]
    del after["envelope.headers 1"]["properties"]["cloudEvents_case"]
    found = [(problem.field, problem.rule) for problem in check(before, after)]
    assert found == [("actor.role", "the field was removed"), ("cloudEvents_case", "the field was removed")]


def test_a_new_version_stands_beside_the_old_one_and_an_event_never_goes() -> None:
    """Version 2 may be anything while version 1 stays; taking version 1 away breaks whoever reads old events."""
    old, new = released_schema(), {"type": "object", "properties": {"other": {"type": "integer"}}}
    assert check({NAME: old}, {NAME: old, "grants.application.moved 2": new}) == []
    gone = check({NAME: old}, {"grants.application.moved 2": new})
    assert [problem.rule for problem in gone] == ["the event was removed"]


def test_renewing_refuses_a_break_and_writes_nothing(tmp_path: Path) -> None:
    """`make schemas` with a broken schema leaves every file as it was; an additive change is written down."""
    assert released.renew(tmp_path) == []
    file = tmp_path / "grants.json"
    kept = json.loads(file.read_text())
    kept[NAME]["properties"]["gone"] = {"type": "string"}
    file.write_text(json.dumps(kept))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.json")}
    assert [problem.field for problem in released.renew(tmp_path)] == ["gone"]
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.json")} == before
    del kept[NAME]["properties"]["gone"]
    del kept[NAME]["properties"]["comment"]
    file.write_text(json.dumps(kept))
    assert released.renew(tmp_path) == []
    assert json.loads(file.read_text())[NAME] == released.schemas("grants")[NAME]


def test_a_sample_is_never_written_again(tmp_path: Path) -> None:
    """A golden sample stays what the first release published, though examples change since."""
    released.renew(tmp_path)
    file = tmp_path / released.SAMPLES / "portal.json"
    golden = json.loads(file.read_text())
    golden["portal.user.deactivated 1"]["body"]["data"]["reason"] = "as it was said then"
    file.write_text(json.dumps(golden))
    released.renew(tmp_path)
    assert json.loads(file.read_text()) == golden


def test_every_event_is_released() -> None:
    """No event of the published language is missing from the schemas that are written down."""
    written = {event for service in SERVICES for event in released.read(RELEASED, service)}
    assert written == {f"{name} {version}" for name, version in event_types()}
