"""What a field of the editor of calls is, and where in a draft it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal[
    "text",
    "names",
    "long_names",
    "day",
    "time",
    "whole",
    "decimal",
    "money",
    "flag",
    "choice",
    "choices",
    "list",
    "lines",
    "source",
    "lists",
    "rows",
    "switch",  # yes, no, or what is usual
    "numbers",  # whole numbers between commas
    "limit",  # a number as JSON has it
    "asks",  # questions of a JSON Schema, as rows; see `form_asks`
]


@dataclass(frozen=True)
class Field:
    """One thing that is asked; `path` is where it stands in the draft, in rows that of a column in its row."""

    path: str
    label: str
    kind: Kind = "text"
    hint: str = ""
    required: bool = False
    choices: str = ""  # the list of what can be chosen, see `pages/call_choices.py`
    columns: tuple[Field, ...] = ()
    folded: bool = False  # of columns: rarely needed
    key: str = "id"  # of rows: the member by which a row is known
    add: str = ""  # of rows: what the button says that adds one
    only: tuple[str, ...] = ()  # of columns: the kinds of row (its `kind`) that have it; none: all


@dataclass(frozen=True)
class Part:
    """A page of the editor."""

    id: str
    name: str
    fields: tuple[Field, ...]
    hint: str = ""


ROW_ID = "Small letters, digits and _; left empty, it is made from the name."


def get(content: Any, path: str) -> Any:
    """Return what stands at a dotted path, None when nothing does."""
    for name in path.split("."):
        if isinstance(content, Mapping):
            content = content.get(name)
        elif isinstance(content, list) and name.isdigit() and int(name) < len(content):
            content = content[int(name)]
        else:
            return None
    return content


def put(content: dict[str, Any], path: str, value: Any) -> None:
    """Set a value at a dotted path of mappings; nothing (None) takes the member out, and what is empty then."""
    first, _, rest = path.partition(".")
    if rest:
        inner = content.get(first)
        inner = dict(inner) if isinstance(inner, Mapping) else {}
        put(inner, rest, value)
        value = inner or None
    if value is None:
        content.pop(first, None)
    else:
        content[first] = value
