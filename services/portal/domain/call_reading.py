"""Reading a posted page of the editor into the draft: what can be understood in its own type, the rest as typed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

from pydantic import TypeAdapter, ValidationError

from services.portal.domain.call_fields import Field, Part, get, put
from services.portal.domain.form_asks import as_form, asks_of
from services.portal.domain.form_kinds import number_of
from shared.money import Amount, Money

Posted = Mapping[str, Sequence[str]]
_AMOUNT: TypeAdapter[Any] = TypeAdapter(Amount)
MOST_ROWS = 60


def taken(part: Part, posted: Posted, content: Mapping[str, Any], languages: Sequence[str]) -> dict[str, Any]:
    """Return the draft's content with what a posted page says; members that the page does not ask are kept."""
    new = deepcopy(dict(content))
    for field in part.fields:
        if field.kind == "rows":
            put(new, field.path, rows_posted(field, field.path, posted, get(content, field.path), languages) or None)
        elif field.kind == "asks":
            before = get(content, field.path)
            rows = rows_posted(field, field.path, posted, asks_of(before), languages)
            put(new, field.path, as_form(before, rows, languages))
        elif field.kind == "money":
            put(new, field.path, _money(field, posted))
        elif field.kind == "lists":
            put(new, field.path, _lists(posted.get(field.path, ()), get(content, field.path)))
        else:
            said = value_of(field, field.path, posted, languages)
            put(new, field.path, _in_order(said, get(content, field.path)) if field.kind == "choices" else said)
    return new


def _in_order(chosen: Any, before: Any) -> Any:
    """Return what was ticked; what was chosen before keeps its order, because a page has its own."""
    old = [item for item in before if item in (chosen or ())] if isinstance(before, list) else []
    return [*old, *(item for item in chosen if item not in old)] if chosen else None


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


def numbers_of(text: str) -> list[int | str] | None:
    """Return whole numbers between commas; what is none stays as it was typed."""
    words = words_of(text) or []
    return [int(word) if re.fullmatch(r"-?\d{1,6}", word) else word for word in words] or None


_PLAIN: dict[str, Callable[[str], Any]] = {
    "flag": lambda text: text == "true",
    "list": words_of,
    "whole": whole_of,
    "decimal": decimal_of,
    "switch": {"true": True, "false": False}.get,
    "numbers": numbers_of,
    "limit": number_of,
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


def rows_posted(
    field: Field, place: str, posted: Posted, before: Any, languages: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the rows that a page posted at a place, each over what stood in it before."""
    old = {str(row.get(field.key)): row for row in before or [] if isinstance(row, Mapping)}
    numbers = [n for n in range(MOST_ROWS) if f"{place}.{n}._" in posted]
    numbers = moved(numbers, one(posted, "go"), place)
    rows = []
    for number in numbers:
        start = f"{place}.{number}"
        row = dict(old.get(one(posted, f"{start}._"), {}))
        said = dict(_cells(field, start, posted, row, languages))
        if not any(said.values()):
            continue
        for name, value in said.items():
            _set(row, name, value)
        rows.append(row)
    _name_rows(field, rows)
    return rows


def _cells(
    field: Field, start: str, posted: Posted, row: Mapping[str, Any], languages: Sequence[str]
) -> Iterator[tuple[str, Any]]:
    """Yield what each column says that a row of this kind has."""
    for column in field.columns:
        name = f"{start}.{column.path}"
        if column.only and row.get("kind") not in column.only:
            continue
        if column.kind == "rows":
            yield column.path, rows_posted(column, name, posted, row.get(column.path), languages)
        else:
            said = value_of(column, name, posted, languages)
            yield column.path, _in_order(said, row.get(column.path)) if column.kind == "choices" else said


def _set(row: dict[str, Any], name: str, value: Any) -> None:
    if name == "source":
        row.pop("field", None)
        row.pop("fact", None)
        name, _, value = (value or "").partition(":")
    if value is None or value in ("", [], {}):
        row.pop(name, None)
    elif name:
        row[name] = value


def _name_rows(field: Field, rows: list[dict[str, Any]]) -> None:
    """Give each row without an id one that is made from its name."""
    texts = next((column.path for column in field.columns if column.kind == "names"), None)
    for row in rows:
        if texts and not row.get(field.key):
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
