"""Reading a posted page of the editor into the draft: what can be understood in its own type, the rest as typed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

from pydantic import TypeAdapter, ValidationError

from services.portal.domain.call_parts import Field, Part, get, put
from shared.money import Amount, Money

Posted = Mapping[str, Sequence[str]]
_AMOUNT: TypeAdapter[Any] = TypeAdapter(Amount)
MOST_ROWS = 60


def taken(part: Part, posted: Posted, content: Mapping[str, Any], languages: Sequence[str]) -> dict[str, Any]:
    """Return the draft's content with what a posted page says; members that the page does not ask are kept."""
    new = deepcopy(dict(content))
    for field in part.fields:
        if field.kind == "rows":
            put(new, field.path, _rows(field, posted, get(content, field.path), languages) or None)
        elif field.kind == "money":
            put(new, field.path, _money(field, posted))
        elif field.kind == "lists":
            put(new, field.path, _lists(posted.get(field.path, ()), get(content, field.path)))
        else:
            put(new, field.path, value_of(field, field.path, posted, languages))
    return new


def one(posted: Posted, name: str) -> str:
    """Return a posted value without the white space around it."""
    given = posted.get(name)
    return given[-1].replace("\r\n", "\n").strip() if given else ""


def value_of(field: Field, name: str, posted: Posted, languages: Sequence[str]) -> Any:
    """Return what an input says in the type in which the pack has it; None for nothing."""
    if field.kind in {"names", "long_names"}:
        return {code: text for code in languages if (text := one(posted, f"{name}.{code}"))} or None
    if field.kind == "choices":
        return [item for item in posted.get(name, ()) if item] or None
    text = one(posted, name)
    if field.kind == "lines":
        return options_of(text, languages) or None
    return _PLAIN[field.kind](text) if field.kind in _PLAIN else text or None


def whole_of(text: str) -> int | str | None:
    """Return a whole number, or the text itself when it is none."""
    return int(text) if re.fullmatch(r"\d{1,9}", text) else text or None


def words_of(text: str) -> list[str] | None:
    """Return what stands between commas."""
    return [word for item in re.split(r"[,;\n]", text) if (word := item.strip())] or None


def decimal_of(text: str) -> str | None:
    """Return a number as packs write it, or the text itself when it is none."""
    try:
        return f"{_AMOUNT.validate_python(text):f}" if text else None
    except ValidationError:
        return text


_PLAIN: dict[str, Callable[[str], Any]] = {
    "flag": lambda text: text == "true",
    "list": words_of,
    "whole": whole_of,
    "decimal": decimal_of,
}


def _money(field: Field, posted: Posted) -> dict[str, str] | None:
    text, currency = one(posted, field.path), one(posted, "call.ceiling.currency").upper()
    if not text and not field.required:
        return None
    try:
        return Money.model_validate({"amount": text, "currency": currency}).model_dump(mode="json")
    except ValidationError:
        return {"amount": text, "currency": currency}


def _lists(chosen: Sequence[str], before: Any) -> dict[str, str] | None:
    """Return {place: checklist}; a checklist that was chosen before keeps its place."""
    known = {name: place for place, name in before.items()} if isinstance(before, Mapping) else {}
    return {known.get(name, name.replace("-", "_")): name for name in chosen if name} or None


def _rows(field: Field, posted: Posted, before: Any, languages: Sequence[str]) -> list[dict[str, Any]]:
    old = {str(row.get(field.key)): row for row in before or [] if isinstance(row, Mapping)}
    numbers = [n for n in range(MOST_ROWS) if f"{field.path}.{n}._" in posted]
    numbers = moved(numbers, one(posted, "go"), field.path)
    rows = []
    for number in numbers:
        start = f"{field.path}.{number}"
        row = dict(old.get(one(posted, f"{start}._"), {}))
        said = {column.path: value_of(column, f"{start}.{column.path}", posted, languages) for column in field.columns}
        if not any(value for value in said.values()):
            continue
        for name, value in said.items():
            _set(row, name, value)
        rows.append(row)
    _name_rows(field, rows)
    return rows


def _set(row: dict[str, Any], name: str, value: Any) -> None:
    if name == "source":
        row.pop("field", None)
        row.pop("fact", None)
        name, _, value = (value or "").partition(":")
    if not value and value is not False:
        row.pop(name, None)
    elif name:
        row[name] = value


def _name_rows(field: Field, rows: list[dict[str, Any]]) -> None:
    """Give each row without an id one that is made from its name."""
    texts = next(column.path for column in field.columns if column.kind == "names")
    for row in rows:
        if not row.get(field.key):
            taken_ids = {str(other.get(field.key)) for other in rows}
            row[field.key] = free_id(row.get(texts) or {}, taken_ids)


def free_id(names: Mapping[str, str], known: set[str]) -> str:
    """Return an id made from a name that nothing else has."""
    words = re.sub(r"[^a-z0-9]+", "_", str(names.get("en", "")).lower()).strip("_")[:40]
    first = words if words and words[0].isalpha() else f"item_{words}".rstrip("_")
    found, number = first, 2
    while found in known:
        found, number = f"{first}_{number}", number + 1
    return found


def moved(numbers: list[int], go: str, path: str) -> list[int]:
    """Return rows in the order that a row's own button asks for: one taken out, or put before the one above it."""
    verb, _, rest = go.partition(":")
    place, _, number = rest.rpartition(":")
    if place != path or not number.isdigit() or int(number) not in numbers:
        return numbers
    index = numbers.index(int(number))
    if verb == "drop":
        return numbers[:index] + numbers[index + 1 :]
    if verb == "up" and index > 0:
        return [*numbers[: index - 1], numbers[index], numbers[index - 1], *numbers[index + 1 :]]
    return numbers


def options_of(text: str, languages: Sequence[str]) -> list[dict[str, Any]]:
    """Return choices from lines "id | name | name", a name for each language in their order; an id may be left out."""
    found: list[dict[str, Any]] = []
    for line in filter(None, (line.strip() for line in text.splitlines())):
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) <= len(languages):
            cells = ["", *cells]
        names = {code: cell for code, cell in zip(languages, cells[1:], strict=False) if cell}
        found.append({"id": cells[0] or free_id(names, {item["id"] for item in found}), "name": names})
    return found


def options_text(options: Any, languages: Sequence[str]) -> str:
    """Return choices as lines that `options_of` reads."""
    rows = options if isinstance(options, list) else []
    return "\n".join(
        " | ".join([str(item.get("id", "")), *(str((item.get("name") or {}).get(code, "")) for code in languages)])
        for item in rows
        if isinstance(item, Mapping)
    )


def source_of(rule: Mapping[str, Any]) -> str:
    """Return what a rule of eligibility is judged from, as the choice that says it."""
    return next((f"{kind}:{rule[kind]}" for kind in ("field", "fact") if rule.get(kind)), "")
