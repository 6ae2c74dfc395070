"""The strict reader of a form: JSON Schema (2020-12) with our words on top.

Only what we check is allowed, so that no keyword stands in a form without effect. Of JSON Schema: `type`,
`required`, `properties`, `enum`, `format: date`, `minimum`, `maximum`, `maxLength`, `minItems`, `maxItems`,
`items`. Ours start with `x-`, which JSON Schema lets be: `x-label`, `x-hint` and `x-options` (names by
language), `x-long`, `x-max-words`, `x-money` (the currency's decimals), `x-decimals`, `x-when` and `x-required`
(asked, and then needed, only while another question is answered so), `x-order` (of columns), `x-sections` (order)
and `x-sums`. What is in order stands in lists, because JSON's mappings have none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from shared.errors import InvalidError, Rule
from shared.forms.model import Choice, Form, Question, Section, Sum, When

DIALECT = "https://json-schema.org/draft/2020-12/schema"
BUDGET = ("budget.grant", "budget.own", "budget.total")
MAX_ROWS = 60
_TOP = {"$schema", "type", "additionalProperties", "required", "properties", "x-sections", "x-sums"}
_COMMON = {"type", "x-label", "x-hint", "x-when", "x-required"}
_BY_TYPE = {
    "string": {"enum", "format", "maxLength", "x-options", "x-long", "x-max-words"},
    "number": {"minimum", "maximum", "x-money", "x-decimals"},
    "integer": {"minimum", "maximum"},
    "boolean": set(),
    "array": {"minItems", "maxItems", "items"},
}
_ROW = {"type", "required", "properties", "additionalProperties", "x-order"}
_ID = re.compile(r"[a-z][a-z0-9_]{0,59}")


class Reader:
    """Reads one form and collects everything that is wrong with it as {field: rule}."""

    def __init__(self, languages: frozenset[str], decimals: int) -> None:
        self.languages, self.decimals = languages, decimals
        self.wrong: dict[str, str] = {}

    def form(self, source: Any) -> Form:
        """Return the form that `source` describes, as far as it can be read."""
        top = self._object("form", source, _TOP)
        if top.get("$schema", DIALECT) != DIALECT:
            self.wrong["form.$schema"] = Rule("must be %(dialect)s", dialect=DIALECT)
        if top.get("type") != "object":
            self.wrong["form.type"] = "must be object"
        self._flag("form", top, "additionalProperties")
        questions = self._properties("form", top, nested=False)
        form = Form(sections=self._sections(top, questions), sums=self._sums(top))
        self._conditions(form.questions)
        self._terms(form)
        return form

    def _object(self, place: str, value: Any, allowed: set[str]) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            self.wrong[place] = "must be a mapping"
            return {}
        for name in value:
            if name not in allowed:
                self.wrong[f"{place}.{name}"] = "is not a keyword of forms"
        return value

    def _properties(self, place: str, source: Mapping[str, Any], *, nested: bool) -> dict[str, Question]:
        properties = source.get("properties", {})
        required = self._texts(f"{place}.required", source.get("required", []))
        if not isinstance(properties, Mapping) or not properties:
            self.wrong[f"{place}.properties"] = "must name the questions"
            return {}
        for name in required:
            if name not in properties:
                self.wrong[f"{place}.required"] = Rule("names %(name)s, which is no question", name=name)
        found = {}
        for name, value in properties.items():
            where = f"{place}.properties.{name}"
            if not isinstance(name, str) or not _ID.fullmatch(name):
                self.wrong[where] = "must be named with small letters, digits and _"
            elif (question := self._question(where, name, value, name in required, nested)) is not None:
                found[name] = question
        return found

    def _question(self, place: str, name: str, value: Any, required: bool, nested: bool) -> Question | None:
        kind = value.get("type") if isinstance(value, Mapping) else None
        if not isinstance(kind, str) or kind not in _BY_TYPE or (nested and kind == "array"):
            self.wrong[f"{place}.type"] = Rule("must be one of: %(names)s", names=", ".join(_BY_TYPE))
            return None
        source = self._object(place, value, _COMMON | _BY_TYPE[kind])
        when = self._when(place, source, required)
        facts = {"string": self._string, "array": self._array}.get(kind, self._number)(place, source)
        return Question(
            id=name,
            label=self._names(f"{place}.x-label", source.get("x-label")),
            hint=self._names(f"{place}.x-hint", source["x-hint"]) if "x-hint" in source else {},
            required=required or bool(self._flag(place, source, "x-required")),
            when=when,
            **facts,
        )

    def _string(self, place: str, source: Mapping[str, Any]) -> dict[str, Any]:
        if "enum" in source:
            return {"kind": "choice", "options": self._options(place, source)}
        if "x-options" in source:
            self.wrong[f"{place}.x-options"] = "needs the choices in enum"
        if "format" in source:
            if source["format"] != "date":
                self.wrong[f"{place}.format"] = "must be date"
            return {"kind": "date"}
        most = self._count(place, source, "x-max-words", 1)
        long = self._flag(place, source, "x-long") or most is not None
        length = self._count(place, source, "maxLength", 1)
        return {"kind": "long_text" if long else "text", "max_words": most, "max_length": length}

    def _options(self, place: str, source: Mapping[str, Any]) -> tuple[Choice, ...]:
        ids = self._texts(f"{place}.enum", source["enum"])
        names = source.get("x-options", {})
        if not ids or len(set(ids)) != len(ids):
            self.wrong[f"{place}.enum"] = "must name each choice once"
        if not isinstance(names, Mapping) or set(names) != set(ids):
            self.wrong[f"{place}.x-options"] = "must name every choice of enum and no other"
            return ()
        return tuple(Choice(id=item, name=self._names(f"{place}.x-options.{item}", names[item])) for item in ids)

    def _number(self, place: str, source: Mapping[str, Any]) -> dict[str, Any]:
        if source["type"] == "boolean":
            return {"kind": "yes_no"}
        low, high = (self._limit(place, source, name) for name in ("minimum", "maximum"))
        if low is not None and high is not None and low > high:
            self.wrong[f"{place}.minimum"] = "is above maximum"
        money = bool(self._flag(place, source, "x-money"))
        places = self.decimals if money else self._count(place, source, "x-decimals", 0)
        whole = source["type"] == "integer"
        return {
            "kind": "amount" if money else "number",
            "min": None if low is None else str(low),
            "max": None if high is None else str(high),
            "decimals": 0 if whole else places,
        }

    def _array(self, place: str, source: Mapping[str, Any]) -> dict[str, Any]:
        items = self._object(f"{place}.items", source.get("items"), _ROW)
        if items.get("type") != "object":
            self.wrong[f"{place}.items.type"] = "must be object"
        low = self._count(place, source, "minItems", 0) or 0
        high = self._count(place, source, "maxItems", 1)
        if high is None or high > MAX_ROWS or low > high:
            self.wrong[f"{place}.maxItems"] = Rule("must be between minItems and %(most)s", most=MAX_ROWS)
        found = self._properties(f"{place}.items", items, nested=True)
        order = self._texts(f"{place}.items.x-order", items.get("x-order"))
        if sorted(order) != sorted(found):
            self.wrong[f"{place}.items.x-order"] = "must name every column once"
        columns = tuple(found[name] for name in order if name in found)
        for column in columns:
            if column.when:
                self.wrong[f"{place}.items.properties.{column.id}.x-when"] = "is not for columns of rows"
        return {"kind": "rows", "columns": columns, "min_rows": low, "max_rows": high or 1}

    def _when(self, place: str, source: Mapping[str, Any], required: bool) -> When | None:
        if "x-when" not in source:
            if "x-required" in source:
                self.wrong[f"{place}.x-required"] = "is for questions with x-when; use required"
            return None
        if required:
            self.wrong[f"{place}.x-when"] = "may be hidden, so it can't stand in required: use x-required"
        given = source["x-when"]
        if not isinstance(given, Mapping) or len(given) != 1:
            self.wrong[f"{place}.x-when"] = "must name one question and its answers"
            return None
        field, values = next(iter(given.items()))
        return When(field=str(field), values=tuple(self._texts(f"{place}.x-when.{field}", values)))

    def _conditions(self, questions: Mapping[str, Question]) -> None:
        """Let a question hang on one that stands before it alone, so that no circle can come about."""
        seen: dict[str, Question] = {}
        for name, question in questions.items():
            place, when = f"form.properties.{name}.x-when", question.when
            if when is not None and when.field not in seen:
                self.wrong[place] = Rule("names %(name)s, which is no question before it", name=when.field)
            elif when is not None:
                other = seen[when.field]
                known = {"yes", "no"} if other.kind == "yes_no" else {option.id for option in other.options}
                if not when.values or not set(when.values) <= known:
                    self.wrong[place] = Rule("must name answers of %(name)s", name=when.field)
            seen[name] = question

    def _sections(self, top: Mapping[str, Any], questions: Mapping[str, Question]) -> tuple[Section, ...]:
        given, placed, found = top.get("x-sections"), set(), []
        if not isinstance(given, list) or not given:
            self.wrong["form.x-sections"] = "must put the questions in order"
            return ()
        for index, item in enumerate(given):
            place = f"form.x-sections.{index}"
            source = self._object(place, item, {"id", "name", "hint", "fields"})
            fields = self._texts(f"{place}.fields", source.get("fields"))
            for name in fields:
                if name in placed:
                    self.wrong[f"{place}.fields"] = Rule("asks %(name)s a second time", name=name)
                elif name not in top.get("properties", {}):
                    self.wrong[f"{place}.fields"] = Rule("names %(name)s, which is no question", name=name)
                placed.add(name)
            names = self._names(f"{place}.name", source.get("name"))
            hint = self._names(f"{place}.hint", source["hint"]) if "hint" in source else {}
            asked = tuple(questions[name] for name in fields if name in questions)
            found.append(Section(id=str(source.get("id", "")), name=names, hint=hint, fields=asked))
        for name in questions:
            if name not in placed:
                self.wrong[f"form.properties.{name}"] = "stands in no section"
        ids = [section.id for section in found]
        if len(set(ids)) != len(ids) or not all(_ID.fullmatch(item) for item in ids) or set(ids) & _OWN:
            self.wrong["form.x-sections"] = "must have an id each, and each its own"
        return tuple(found)

    def _sums(self, top: Mapping[str, Any]) -> tuple[Sum, ...]:
        found = []
        for index, item in enumerate(top.get("x-sums", [])):
            place = f"form.x-sums.{index}"
            source = self._object(place, item, {"id", "text", "left", "right"})
            sides = {side: tuple(self._texts(f"{place}.{side}", source.get(side))) for side in ("left", "right")}
            text = self._names(f"{place}.text", source.get("text"))
            for side, terms in sides.items():
                if not terms:
                    self.wrong.setdefault(f"{place}.{side}", "must name numbers")
            if all(sides.values()):
                found.append(Sum(id=str(source.get("id", index)), text=text, **sides))
        return tuple(found)

    def _terms(self, form: Form) -> None:
        known = {*form.numbers(), *BUDGET}
        for index, item in enumerate(form.sums):
            for term in (*item.left, *item.right):
                if term not in known:
                    self.wrong[f"form.x-sums.{index}"] = Rule("adds up %(name)s, which is no number", name=term)

    def _names(self, place: str, value: Any) -> dict[str, str]:
        fine = isinstance(value, Mapping) and all(isinstance(text, str) and text.strip() for text in value.values())
        if not fine:
            self.wrong[place] = "must be said in words, by language"
            return {}
        if lacking := sorted(self.languages - set(value)):
            self.wrong[place] = Rule("is not said in: %(names)s", names=", ".join(lacking))
        return dict(value)

    def _texts(self, place: str, value: Any) -> list[str]:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.wrong[place] = "must be a list of names"
            return []
        return value

    def _flag(self, place: str, source: Mapping[str, Any], name: str) -> bool | None:
        value = source.get(name)
        if value is not None and not isinstance(value, bool):
            self.wrong[f"{place}.{name}"] = "must be true or false"
        return value if isinstance(value, bool) else None

    def _count(self, place: str, source: Mapping[str, Any], name: str, least: int) -> int | None:
        value = source.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            self.wrong[f"{place}.{name}"] = Rule("must be a whole number of at least %(least)s", least=least)
            return None
        return value

    def _limit(self, place: str, source: Mapping[str, Any], name: str) -> int | float | None:
        value = source.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            self.wrong[f"{place}.{name}"] = "must be a number"
            return None
        return value


# Parts of an application that are no sections of the form, but are asked again as if they were.
_OWN = {"budget", "documents"}


def read(source: Any, *, languages: frozenset[str] = frozenset({"en"}), decimals: int = 2) -> Form:
    """Return the form; raises InvalidError that names each field and the rule it breaks.

    Every name must be said in `languages`; `decimals` are those of the currency of its amounts.
    """
    reader = Reader(languages, decimals)
    form = reader.form(source)
    if reader.wrong:
        raise InvalidError(reader.wrong, "The form can't be used")
    return form
