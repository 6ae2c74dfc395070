"""The base of every entity: state that can be hashed, and the events that it records about itself."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple, Self, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    model_serializer,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from shared.events.base import Event
from shared.events.canonical import canonical

HIDDEN = "[private]"
# Tells a part that it is read from the database: what it does not know there, a later release wrote.
STORED = {"stored": True}


def canonical_hash(state: dict[str, Any]) -> str:
    """Return the hex SHA-256 of the RFC 8785 form of `state` (JSON types only; decimals are strings)."""
    return hashlib.sha256(canonical(state)).hexdigest()


def difference(before: dict[str, Any], after: dict[str, Any], private: frozenset[str]) -> dict[str, list[Any]]:
    """Return {field: [old, new]} of the top-level fields that differ; private fields show only that they changed."""
    names = sorted(before.keys() | after.keys())
    changed = {name: [before.get(name), after.get(name)] for name in names if before.get(name) != after.get(name)}
    return {name: [HIDDEN, HIDDEN] if name in private else pair for name, pair in changed.items()}


class Recorded(NamedTuple):
    """An event as its entity recorded it: what changed, and the hash of the state after it."""

    event: Event
    changes: dict[str, list[Any]]
    after_hash: str


class Part(BaseModel):
    """A value inside an entity. Unknown members are refused, but kept when a later release has stored them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Of the class, because a private attribute costs each part as much as reading it; a part has one of its own only
    # when there is something to keep.
    _later: ClassVar[Mapping[str, Any]] = {}

    @model_validator(mode="wrap")
    @classmethod
    def _read(cls, data: Any, read: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        known = cls.__pydantic_fields__.keys()
        if info.context is not STORED or not isinstance(data, dict) or data.keys() <= known:
            return read(data)
        part = read({name: value for name, value in data.items() if name in known})
        part.__dict__["_later"] = {name: value for name, value in data.items() if name not in known}
        return part

    @model_serializer(mode="wrap")
    def _write(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = write(self)
        return {**written, **self._later} if self._later else written

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Describe what this release knows: `_write` alone would be described as any object."""
        inner = schema["schema"] if schema["type"] == "function-wrap" else schema
        plain = {name: value for name, value in inner.items() if name != "serialization"}
        return handler(cast("CoreSchema", plain))


class Entity(BaseModel):
    """An entity: `id`, `version` (counts stored changes, from 1) and state.

    A state change is a verb on the entity; after changing its fields the verb calls `record`.
    Subclasses set `KIND` (the entity's name in events, e.g. "application") and may set
    `PRIVATE` (fields whose values must not stand in the record of changes).
    """

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    KIND: ClassVar[str]
    PRIVATE: ClassVar[frozenset[str]] = frozenset()

    id: str
    version: int = 0

    _events: list[Recorded] = PrivateAttr(default_factory=list)
    _snapshot: dict[str, Any] = PrivateAttr(default_factory=dict)
    _later: dict[str, Any] = PrivateAttr(default_factory=dict)

    @classmethod
    def stored(cls, state: Mapping[str, Any], version: int) -> Self:
        """Return the entity as it was stored; what a later release wrote beside the known is kept and stored again."""
        fields = cls.__pydantic_fields__.keys()
        known = {name: value for name, value in state.items() if name in fields}
        entity = cls.model_validate(known | {"version": version}, context=STORED)
        if len(known) < len(state):
            entity._later = {name: value for name, value in state.items() if name not in fields}  # noqa: SLF001 - its own
        return entity

    def state(self) -> dict[str, Any]:
        """Return the state as JSON types: decimals as strings, times in UTC with microseconds."""
        return self.model_dump(mode="json", exclude={"version"}) | self._later

    def loaded(self) -> dict[str, Any]:
        """Remember the present state as the one before the next event (storage calls this after a read); returns it."""
        self._snapshot = self.state()
        return self._snapshot

    def record(self, event: Event) -> None:
        """Record that `event` happened; its changes are the difference since the last recorded event."""
        after = self.state()
        changes = difference(self._snapshot, after, self.PRIVATE)
        changes.pop("id", None)
        self._events.append(Recorded(event=event, changes=changes, after_hash=canonical_hash(after)))
        self._snapshot = after

    def collect(self) -> list[Recorded]:
        """Return the recorded events and forget them."""
        events, self._events = self._events, []
        return events

    def up_to_date(self, recorded: list[Recorded], state: dict[str, Any]) -> list[Recorded]:
        """Return what was recorded, the last of it up to `state`, which is stored.

        A verb, or who called it, may change a field after recording. The hash on record is that of the stored state,
        or the comparison of the two would take it for somebody's who changed the row past the programs.
        """
        if not recorded or state == self._snapshot:
            return recorded
        late = difference(self._snapshot, state, self.PRIVATE)
        late.pop("id", None)
        last = recorded[-1]
        changes = last.changes | {name: [last.changes.get(name, pair)[0], pair[1]] for name, pair in late.items()}
        self._snapshot = state
        return [*recorded[:-1], Recorded(last.event, changes, canonical_hash(state))]

    def parties(self) -> dict[str, list[str]]:
        """Return who stands where in this case: {"applicant": ["org:…"], "officer": ["user:…"]}.

        Notifications are addressed by these names; every event of the entity carries them.
        """
        return {}

    def case(self) -> str | None:
        """Return the reference under which people find this case in every service, such as BSO-2026-0041."""
        return None

    def programme_id(self) -> str | None:
        """Return the programme that this entity belongs to, if any."""
        return None
