"""A piece of XML as a value: name, attributes, and either text or pieces inside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Node:
    """One element. Attributes keep their order, so that the same record always gives the same bytes."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    inside: tuple[Node, ...] = ()
    text: str = ""

    def all(self, *path: str) -> Iterator[Node]:
        """Give the elements at a path below this one: `all("transaction", "value")`."""
        for child in self.inside:
            if child.name == path[0]:
                if len(path) == 1:
                    yield child
                else:
                    yield from child.all(*path[1:])

    def first(self, *path: str) -> Node | None:
        """Return the first element at a path, None without one."""
        return next(self.all(*path), None)

    def says(self, *path: str) -> str:
        """Return the text of the first element at a path, empty without one."""
        found = self.first(*path)
        return found.text if found else ""

    def of(self, attribute: str, *path: str) -> str:
        """Return an attribute of the first element at a path, empty without one."""
        found = self.first(*path) if path else self
        return found.attributes.get(attribute, "") if found else ""

    def flat(self, at: str = "") -> Iterator[tuple[str, str]]:
        """Give (place, value) of every text and attribute: two versions of a record are compared by these."""
        here = f"{at}/{self.name}" if at else self.name
        if self.text:
            yield here, self.text
        for name, value in self.attributes.items():
            yield f"{here}@{name}", value
        counts: dict[str, int] = {}
        for child in self.inside:
            counts[child.name] = counts.get(child.name, 0) + 1
            for place, value in child.flat():
                first, dot, rest = place.partition("/")
                name, mark, attribute = first.partition("@")
                number = f"[{counts[child.name]}]" if counts[child.name] > 1 else ""
                yield f"{here}/{name}{number}{mark}{attribute}{dot}{rest}", value


def node(name: str, /, *inside: Node | None, text: str | None = None, **attributes: str | None) -> Node:
    """Return an element; attributes that are None and pieces that are None are left out, `_` in names is a dash."""
    given = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items() if value is not None}
    return Node(name, given, tuple(item for item in inside if item is not None), text or "")


def narrated(name: str, text: str, /, **attributes: str | None) -> Node:
    """Return an element whose words stand in a narrative."""
    return node(name, node("narrative", text=text), **attributes)
