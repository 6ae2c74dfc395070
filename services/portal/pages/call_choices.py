"""What can be chosen on the pages of the editor, from the programme's pack and the draft itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.portal.domain import ORGANISATION_KINDS
from services.portal.domain.call_parts import get
from services.portal.pages.organisations import KIND_NAMES
from shared.events.call_rules import languages_of
from shared.forms import FACTS
from shared.i18n import said

# What applications are judged from without asking, as people read it; gettext ids.
FACT_NAMES = {
    "organisation_kind": "Kind of organisation",
    "country": "Country",
    "requested": "Amount asked for",
    "own_share_percent": "Own share, %",
}
Choices = list[tuple[str, str]]


def in_language(text: Any, locale: str) -> str:
    """Return a pack's text in a language: packs write {en: …, ru: …} or plain text."""
    if isinstance(text, dict):
        return str(text.get(locale) or text.get("en") or next(iter(text.values()), ""))
    return "" if text is None else str(text)


def tongues_of(pack: Mapping[str, Any], content: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the languages that are asked for: the programme's, and others in which the call is named already."""
    names = get(content, "call.name")
    return tuple(dict.fromkeys([*languages_of(pack), *(names if isinstance(names, Mapping) else ())]))


def choices(pack: Mapping[str, Any], content: Mapping[str, Any], locale: str) -> dict[str, Choices]:
    """Return {list: [(value, what people read)]}."""
    return {
        "activities": _activities(pack, locale),
        "kinds": [(kind, said("portal", KIND_NAMES[kind])) for kind in ORGANISATION_KINDS],
        "workflows": _named(pack, "workflows", "workflow", locale),
        "checklists": _named(pack, "checklists", "checklist", locale),
        "sources": _sources(content, locale),
        "judges": [],
    }


def _activities(pack: Mapping[str, Any], locale: str) -> Choices:
    rows = [item for part in get(pack, "programme.objectives") or [] for item in part.get("activities") or []]
    rows += get(pack, "programme.activities") or []
    return [(str(row.get("id")), f"{row.get('id')} {in_language(row.get('name'), locale)}"[:90]) for row in rows]


def _named(pack: Mapping[str, Any], folder: str, key: str, locale: str) -> Choices:
    found = []
    for item in (pack.get(folder) or {}).values():
        name = in_language(item.get("name"), locale)
        found.append((str(item.get(key)), f"{name} ({item.get(key)})" if name else str(item.get(key))))
    return found


def _sources(content: Mapping[str, Any], locale: str) -> Choices:
    questions = get(content, "call.form.properties") or {}
    asked = [
        (f"field:{name}", f"{in_language(item.get('x-label'), locale)} ({name})")
        for name, item in questions.items()
        if isinstance(item, Mapping) and item.get("type") != "array"
    ]
    return [*((f"fact:{fact}", said("portal", FACT_NAMES[fact])) for fact in FACTS), *asked]
