"""What can be chosen on the pages of the editor, from the programme's pack and the draft itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.portal.domain import ORGANISATION_KINDS
from services.portal.domain.call_fields import get
from services.portal.domain.form_kinds import KINDS, kind_of, questions_of
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
MEASURES = {
    "number": "A number",
    "percent": "A percentage, from its two counts",
    "distinct": "Different registration numbers",
}
PERIODS = {
    "add": "Added up",
    "cumulative": "All so far, never less",
    "level": "As it stands at the end",
}
BUDGET_NAMES = {
    "budget.grant": "The budget: asked from the grant",
    "budget.own": "The budget: own share",
    "budget.total": "The budget: altogether",
}
_NUMERIC = {"number", "whole", "amount"}
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
        **_usual(),
        **_answers(content, locale),
        "moves": _moves(pack, content, locale),
    }


def _usual() -> dict[str, Choices]:
    """Return what does not depend on the programme; an empty choice is what is usual."""
    yes, no = said("portal", "yes"), said("portal", "no")
    return {
        "usually_yes": [("", said("portal", "As usual: yes")), ("true", yes), ("false", no)],
        "usually_no": [("", said("portal", "As usual: no")), ("true", yes), ("false", no)],
        "measures": [(name, said("portal", text)) for name, text in MEASURES.items()],
        "periods": [(name, said("portal", text)) for name, text in PERIODS.items()],
        "kinds_of_question": [(name, said("portal", text)) for name, (text, _) in KINDS.items() if name != "rows"],
    }


def _answers(content: Mapping[str, Any], locale: str) -> dict[str, Choices]:
    """Return the questions of the form as what they can be chosen for."""
    every: Choices = []
    numeric: Choices = []
    numbers: Choices = [(term, said("portal", text)) for term, text in BUDGET_NAMES.items()]
    for name, item in questions_of(get(content, "call.form") or {}).items():
        shown = f"{in_language(item.get('x-label'), locale)} ({name})"
        every.append((name, shown))
        if kind_of(item) in _NUMERIC:
            numeric.append((name, shown))
            numbers.append((name, shown))
        for column, inner in questions_of(item.get("items") or {}).items():
            both = f"{shown}: {in_language(inner.get('x-label'), locale)} ({column})"
            every.append((f"{name}.{column}", both))
            if kind_of(inner) in _NUMERIC:
                numbers.append((f"{name}.{column}", both))
    return {"answers": every, "numeric": numeric, "numbers": numbers}


def _moves(pack: Mapping[str, Any], content: Mapping[str, Any], locale: str) -> Choices:
    """Return what can be held while a hit on an exclusion list is undecided."""
    chosen = get(content, "call.workflow")
    flows = [flow for flow in (pack.get("workflows") or {}).values() if flow.get("workflow") == chosen]
    moves = [move for flow in flows for move in flow.get("transitions") or [] if isinstance(move, Mapping)]
    named = [(str(move.get("id")), f"{in_language(move.get('name'), locale)} ({move.get('id')})") for move in moves]
    return [*named, ("release", said("portal", "Payment of a tranche"))]


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
