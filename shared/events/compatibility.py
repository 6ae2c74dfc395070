"""Whether an event's schema may follow the released one: who reads old events, and who is still old, both go on.

An event may gain an optional field, and nothing else. Old events are read again from outboxes and logs, and during
a deployment old consumers read new events, so what was released is neither taken away nor widened nor narrowed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]
# Words about a value that bind nobody.
_REMARKS = {"title", "description", "default", "examples", "$defs", "deprecated"}
_STRUCTURE = {"properties", "required", "items", "anyOf", "$ref", "type", "additionalProperties", "enum", "const"}
_KEEP = "released events stay readable: leave version %s as it is and publish a new VERSION"


@dataclass(frozen=True)
class Break:
    """One way in which a schema does not follow the released one."""

    event: str  # "type version"
    field: str
    rule: str

    def __str__(self) -> str:
        name, _, version = self.event.rpartition(" ")
        return f"{name} version {version}, {self.field or 'event'}: {self.rule}; {_KEEP % version}"


def check(released: Mapping[str, Schema], present: Mapping[str, Schema]) -> list[Break]:
    """Return every break between released and present schemas, both by "type version"."""
    found: list[Break] = []
    for event, schema in released.items():
        if event not in present:
            found.append(Break(event, "", "the event was removed"))
            continue
        pair = _Pair(schema, present[event])
        found += [Break(event, field, rule) for field, rule in pair.differences(schema, present[event], "")]
    return found


def additions(released: Schema, present: Schema) -> list[str]:
    """Return the fields that the present schema has besides the released one's."""
    return [name for name in present.get("properties", {}) if name not in released.get("properties", {})]


@dataclass(frozen=True)
class _Pair:
    """The released and the present schema whose `$defs` the references point into."""

    old: Schema
    new: Schema

    def differences(self, old: Schema, new: Schema, field: str) -> Iterator[tuple[str, str]]:
        """Yield (field, rule) of every break below `field`."""
        old, new = _resolved(old, self.old), _resolved(new, self.new)
        before, after = _kinds(old, self.old), _kinds(new, self.new)
        if before != after:
            yield field, f"the type changed from {' or '.join(before)} to {' or '.join(after)}"
            return
        yield from _values(old, new, field)
        yield from _limits(old, new, field)
        yield from self._properties(old, new, field)
        for name in ("items", "additionalProperties"):
            if isinstance(old.get(name), Mapping) and isinstance(new.get(name), Mapping):
                yield from self.differences(old[name], new[name], f"{field}[]")
            elif name == "additionalProperties" and old.get(name, True) != new.get(name, True):
                yield field, "unknown fields were ignored and are not any more, or the reverse"
            elif (name in old) != (name in new):
                yield f"{field}[]", "the type of what is inside changed"
        yield from self._choices(old, new, field)

    def _properties(self, old: Schema, new: Schema, field: str) -> Iterator[tuple[str, str]]:
        before, after = old.get("properties", {}), new.get("properties", {})
        needed, needs = set(old.get("required", ())), set(new.get("required", ()))
        for name, schema in before.items():
            place = f"{field}.{name}" if field else name
            if name not in after:
                yield place, "the field was removed"
                continue
            if name in needs - needed:
                yield place, "an optional field became required"
            if name in needed - needs:
                yield place, "a required field became optional, and older consumers count on it"
            yield from self.differences(schema, after[name], place)
        for name in after:
            place = f"{field}.{name}" if field else name
            if name not in before and name in needs:
                yield place, "a required field was added: give it a default"
            elif name not in before and old.get("additionalProperties") is False:
                yield place, "a field was added where older consumers refuse unknown ones"

    def _choices(self, old: Schema, new: Schema, field: str) -> Iterator[tuple[str, str]]:
        # The kinds are the same, so in their order each choice meets its own kind.
        for one, other in zip(_ordered(old, self.old), _ordered(new, self.new), strict=True):
            yield from self.differences(one, other, field)


def _resolved(schema: Schema, root: Schema) -> Schema:
    if "$ref" in schema:
        target: Schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
        return target
    return schema


def _kinds(schema: Schema, root: Schema) -> list[str]:
    """Return the JSON types that a schema takes, with the format where it has one: ["null", "string/date"]."""
    if "anyOf" in schema:
        return sorted(kind for choice in schema["anyOf"] for kind in _kinds(_resolved(choice, root), root))
    values = [*schema.get("enum", ()), *([schema["const"]] if "const" in schema else ())]
    kind = schema.get("type") or (f"values of {type(values[0]).__name__}" if values else "anything")
    return [f"{kind}/{schema['format']}" if "format" in schema else str(kind)]


def _ordered(schema: Schema, root: Schema) -> list[Schema]:
    choices = [_resolved(choice, root) for choice in schema.get("anyOf", ())]
    return sorted(choices, key=lambda choice: _kinds(choice, root))


def _values(old: Schema, new: Schema, field: str) -> Iterator[tuple[str, str]]:
    before, after = _allowed(old), _allowed(new)
    if before is None and after is None:
        return
    if before is None or after is None:
        yield field, f"a list of allowed values was {'removed' if after is None else 'added'}"
        return
    if gone := [value for value in before if value not in after]:
        yield field, f"the value {gone[0]!r} is no longer allowed"
    if more := [value for value in after if value not in before]:
        yield field, f"the value {more[0]!r} was added, and older consumers refuse it"


def _allowed(schema: Schema) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    values: list[Any] | None = schema.get("enum")
    return values


def _limits(old: Schema, new: Schema, field: str) -> Iterator[tuple[str, str]]:
    """Yield pattern, lengths, bounds, format: each binds one side or the other when it changes."""
    for word in sorted({*old, *new} - _REMARKS - _STRUCTURE):
        if old.get(word) != new.get(word):
            yield field, f"{word} changed from {old.get(word)!r} to {new.get(word)!r}"
