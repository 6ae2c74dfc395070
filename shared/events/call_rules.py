"""What a call and its scoring sheet say (`calls/*.yaml`, `scoring/*.yaml`), and what is refused in them.

The portal checks a pack with this before it publishes it: grants could not use a call that breaks these rules, and
would say so far from whoever wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from typing import Any

from pydantic import TypeAdapter, ValidationError

from shared.errors import Rule
from shared.money import Amount, Money

HUNDRED = Decimal(100)
MOST_LINES = 60
_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")
_PREFIX = re.compile(r"[A-Z][A-Z0-9]{0,7}")
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_AMOUNT: TypeAdapter[Decimal] = TypeAdapter(Amount)
Problems = Iterator[tuple[str, str]]


def call_rule_problems(pack: Mapping[str, Any]) -> dict[str, str]:
    """Return {"calls/<file>.yaml: <field>": rule} of what no call and no scoring sheet may say."""
    wrong: dict[str, str] = {}
    calls, sheets = _folder(pack, "calls"), _folder(pack, "scoring")
    ids = [str(call.get("call")) for call in calls.values()]
    for stem, call in calls.items():
        for field, rule in _call(call, pack, ids):
            wrong.setdefault(f"calls/{stem}.yaml: {field}", rule)
    languages = languages_of(pack)
    named = [str(sheet.get("scoring")) for sheet in sheets.values()]
    for stem, sheet in sheets.items():
        for field, rule in sheet_problems(sheet, languages):
            wrong.setdefault(f"scoring/{stem}.yaml: {field}", rule)
        if named.count(str(sheet.get("scoring"))) > 1:
            wrong[f"scoring/{stem}.yaml: scoring"] = "stands in two files"
    return wrong


def languages_of(pack: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the languages in which a programme says its texts."""
    facts = pack.get("programme")
    settings = facts.get("settings") if isinstance(facts, Mapping) else None
    given = settings.get("languages") if isinstance(settings, Mapping) else None
    return tuple(map(str, given)) if isinstance(given, list) and given else ("en",)


def _folder(pack: Mapping[str, Any], name: str) -> dict[str, Mapping[str, Any]]:
    found = pack.get(name)
    return {k: v for k, v in found.items() if isinstance(v, Mapping)} if isinstance(found, Mapping) else {}


def _call(call: Mapping[str, Any], pack: Mapping[str, Any], ids: Sequence[str]) -> Problems:
    languages = languages_of(pack)
    call_id = call.get("call")
    if not isinstance(call_id, str) or not _ID.fullmatch(call_id):
        yield "call", "must be small letters, digits and hyphens"
    elif ids.count(call_id) > 1:
        yield "call", "stands in two files"
    yield from _said("name", call.get("name"), languages)
    if "summary" in call:
        yield from _said("summary", call.get("summary"), languages)
    if not _PREFIX.fullmatch(str(call.get("reference_prefix", "BSO"))):
        yield "reference_prefix", "must be 1 to 8 capital letters and digits, a letter first"
    yield from _window(call)
    yield from _money(call)
    yield from _parts(call, languages)
    yield from _named_elsewhere(call, pack)
    yield from _needed(call, pack)
    yield from _counts(call)


def _said(place: str, value: Any, languages: Sequence[str]) -> Problems:
    if not isinstance(value, Mapping) or not all(isinstance(text, str) for text in value.values()):
        yield place, "must be said in words, by language"
        return
    if lacking := [code for code in languages if not str(value.get(code, "")).strip()]:
        yield place, Rule("is not said in: %(names)s", names=", ".join(lacking))


def _window(call: Mapping[str, Any]) -> Problems:
    opens, closes = _day(call.get("opens_on")), _day(call.get("closes_on"))
    if call.get("opens_on") is None:
        yield "opens_on", "is required"
    elif opens is None:
        yield "opens_on", "is not a date: write year-month-day"
    if call.get("closes_on") is not None and closes is None:
        yield "closes_on", "is not a date: write year-month-day"
    if opens and closes and closes < opens:
        yield "closes_on", Rule("is before the call opens, %(day)s", day=opens)
    at = call.get("closes_at")
    if at is not None and not (isinstance(at, str) and _TIME.fullmatch(at)):
        yield "closes_at", "is not a time of day: write hours:minutes"
    elif at is not None and call.get("closes_on") is None:
        yield "closes_at", "needs the day on which the call closes"


def _day(value: Any) -> date | None:
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def closing_minute(value: str | None) -> time | None:
    """Return the minute of the last day from which on nothing is taken; None for the end of that day."""
    return time.fromisoformat(value) if value else None


def _money(call: Mapping[str, Any]) -> Problems:
    read: dict[str, Money] = {}
    for name in ("ceiling", "floor", "budget"):
        if call.get(name) is None or _blank(call[name]):
            if name == "ceiling":
                yield name, "is required"
            continue
        try:
            read[name] = Money.model_validate(call[name])
        except ValidationError as error:
            yield name, _why(error)
            continue
        if read[name].amount < 0 or (name == "ceiling" and not read[name]):
            yield name, "must be more than nothing"
    ceiling = read.get("ceiling")
    for name, other in read.items():
        if ceiling and other.currency != ceiling.currency:
            yield name, Rule("must be in %(currency)s, as the ceiling is", currency=ceiling.currency)
        elif ceiling and name == "floor" and other > ceiling:
            yield name, Rule("is above the ceiling, %(amount)s", amount=str(ceiling))
        elif ceiling and name == "budget" and other < ceiling:
            yield name, Rule("is less than one application may ask for, %(amount)s", amount=str(ceiling))


def _blank(money: Any) -> bool:
    """Say whether a currency was chosen and no amount was typed."""
    return isinstance(money, Mapping) and money.get("amount") in {None, ""}


def _why(error: ValidationError) -> str:
    first = error.errors()[0]
    ours = first.get("ctx", {}).get("error")
    return next((word for word in getattr(ours, "args", ()) if isinstance(word, str)), "is not an amount of money")


def _parts(call: Mapping[str, Any], languages: Sequence[str]) -> Problems:
    for name, key in (("documents", "type"), ("budget_lines", "id"), ("milestones", "id")):
        rows = call.get(name)
        if rows is not None:
            yield from _rows(name, rows, key, "name", languages)
    if not call.get("budget_lines"):
        yield "budget_lines", "must name at least one: the budget of an application is made of them"
    eligibility = call.get("eligibility")
    if isinstance(eligibility, Mapping) and "rules" in eligibility:
        yield from _rows("eligibility.rules", eligibility["rules"], "id", "text", languages)
    shares = [_number(row.get("percent")) for row in _listed(call.get("milestones"))]
    for index, share in enumerate(shares):
        if share is None or share <= 0:
            yield f"milestones.{index}.percent", "must be more than nothing"
    if shares and None not in shares and (total := sum(filter(None, shares), Decimal(0))) != HUNDRED:
        yield "milestones", Rule("add up to %(total)s %%, not to 100 %%", total=f"{total.normalize():f}")
    for index, row in enumerate(_listed(call.get("budget_lines"))):
        most = row.get("max_percent")
        if most is not None and ((share := _number(most)) is None or not 0 < share <= HUNDRED):
            yield f"budget_lines.{index}.max_percent", "must be more than 0 and at most 100"


def _listed(value: Any) -> list[Mapping[str, Any]]:
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []


def _rows(place: str, rows: Any, key: str, text: str, languages: Sequence[str]) -> Problems:
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        yield place, "must be a list of mappings"
        return
    ids = [row.get(key) for row in rows]
    for index, row in enumerate(rows):
        where = f"{place}.{index}"
        if not isinstance(row.get(key), str) or not _ID.fullmatch(row[key]):
            yield f"{where}.{key}", "must be small letters, digits and hyphens"
        elif ids.count(row[key]) > 1:
            yield f"{where}.{key}", Rule("has “%(name)s” twice", name=row[key])
        for field, rule in _said(text, row.get(text), languages):
            yield f"{where}.{field}", rule


def _number(value: Any) -> Decimal | None:
    try:
        return _AMOUNT.validate_python(value if isinstance(value, int | str) else str(value))
    except ValidationError:
        return None


def _named_elsewhere(call: Mapping[str, Any], pack: Mapping[str, Any]) -> Problems:
    """Name what a call refers to and the pack does not have."""
    for name, folder in (("workflow", "workflows"), ("scoring", "scoring")):
        known = {str(item.get(name)) for item in _folder(pack, folder).values()}
        if call.get(name) not in known:
            yield name, Rule("must be one of: %(names)s", names=", ".join(sorted(known)) or "–")
    lists = call.get("checklists", {})
    known = {str(item.get("checklist")) for item in _folder(pack, "checklists").values()}
    if not isinstance(lists, Mapping):
        yield "checklists", "must be a mapping"
        return
    for place, name in lists.items():
        if name not in known:
            yield f"checklists.{place}", Rule("must be one of: %(names)s", names=", ".join(sorted(known)) or "–")


def _needed(call: Mapping[str, Any], pack: Mapping[str, Any]) -> Problems:
    """Name what the call's workflow requires of an application and the call does not ask for: none could go on."""
    moves = [
        move
        for flow in _folder(pack, "workflows").values()
        if flow.get("workflow") == call.get("workflow")
        for move in _listed(flow.get("transitions"))
    ]
    needs = {str(need) for move in moves for need in move.get("requires") or ()}
    lists = call.get("checklists")
    has = {
        "document": [str(row.get("type")) for row in _listed(call.get("documents"))],
        "checklist": [str(name) for name in lists.values()] if isinstance(lists, Mapping) else [],
    }
    for kind, there in has.items():
        asked = {need.partition(":")[2] for need in needs if need.startswith(f"{kind}:")}
        if lacking := sorted(asked - set(there)):
            yield f"{kind}s", Rule("lacks what the workflow requires: %(names)s", names=", ".join(lacking))


def _counts(call: Mapping[str, Any]) -> Problems:
    needed = call.get("reviewers_needed", 2)
    if not _whole(needed, 0, 20):
        yield "reviewers_needed", Rule("must be a whole number from %(least)s to %(most)s", least=0, most=20)
    for name, least, most in (("budget_rows", 1, MOST_LINES), ("duration_months", 1, 120)):
        given = call.get(name)
        if given is None:
            continue
        low, high = (given.get("min", least), given.get("max", most)) if isinstance(given, Mapping) else (None, None)
        if not (_whole(low, least, most) and _whole(high, least, most) and int(str(low)) <= int(str(high))):
            yield (
                name,
                Rule(
                    "must be whole numbers from %(least)s to %(most)s, the first not more than the second",
                    least=least,
                    most=most,
                ),
            )


def _whole(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def sheet_problems(sheet: Mapping[str, Any], languages: Sequence[str]) -> Problems:
    """Give what a scoring sheet may not say: weights add up to 100, each criterion stands once."""
    if not _whole(sheet.get("max"), 1, 100):
        yield "max", Rule("must be a whole number from %(least)s to %(most)s", least=1, most=100)
    for name in ("threshold", "max_spread"):
        given = sheet.get(name)
        if given is None and name == "max_spread":
            continue
        if (value := _number(given)) is None or not 0 <= value <= HUNDRED:
            yield name, "must be from 0 to 100"
    rows = sheet.get("criteria")
    if not isinstance(rows, list) or not rows:
        yield "criteria", "must name at least one criterion"
        return
    yield from _rows("criteria", rows, "id", "name", languages)
    weights = [_number(row.get("weight")) for row in _listed(rows)]
    for index, weight in enumerate(weights):
        if weight is None or weight <= 0:
            yield f"criteria.{index}.weight", "must be more than nothing"
    if None not in weights and (total := sum(filter(None, weights), Decimal(0))) != HUNDRED:
        yield "criteria", Rule("weights add up to %(total)s, not to 100", total=f"{total.normalize():f}")
