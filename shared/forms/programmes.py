"""A programme's calls before they are taken over: every form and every rule of eligibility must be usable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from shared.errors import InvalidError, Rule
from shared.forms.eligibility import Criterion
from shared.forms.model import Form
from shared.forms.reading import read
from shared.money import decimals_of

_CRITERIA: TypeAdapter[tuple[Criterion, ...]] = TypeAdapter(tuple[Criterion, ...])


def call_problems(pack: Mapping[str, Any]) -> dict[str, str]:
    """Return {"calls/<file>.yaml: <field>": rule} of what is wrong with the forms of a pack's calls."""
    calls = pack.get("calls", {})
    wrong: dict[str, str] = {}
    for stem, call in calls.items() if isinstance(calls, Mapping) else ():
        found = _problems(call) if isinstance(call, Mapping) else {"call": "must be a mapping"}
        wrong |= {f"calls/{stem}.yaml: {field}": rule for field, rule in found.items()}
    return wrong


def judging_problems(pack: Mapping[str, Any]) -> dict[str, str]:
    """Return {"scoring/<file>.yaml: <field>": rule} of criteria that are judged from what a call does not ask."""
    calls, sheets = (pack.get(name) for name in ("calls", "scoring"))
    if not isinstance(calls, Mapping) or not isinstance(sheets, Mapping):
        return {}
    wrong: dict[str, str] = {}
    for stem, sheet in sheets.items():
        users = [call for call in calls.values() if isinstance(call, Mapping) and isinstance(sheet, Mapping)]
        users = [call for call in users if call.get("scoring") == sheet.get("scoring") and "form" in call]
        for index, criterion in enumerate(sheet.get("criteria", []) if users else []):
            for name in criterion.get("judges", []) if isinstance(criterion, Mapping) else []:
                if not all(name in {*call["form"].get("properties", {}), "budget", "documents"} for call in users):
                    where = f"scoring/{stem}.yaml: criteria.{index}.judges"
                    wrong[where] = Rule("names %(name)s, which is no question", name=name)
    return wrong


def _problems(call: Mapping[str, Any]) -> dict[str, str]:
    name, ceiling = call.get("name"), call.get("ceiling")
    languages = frozenset(name) if isinstance(name, Mapping) else frozenset({"en"})
    currency = ceiling.get("currency", "") if isinstance(ceiling, Mapping) else ""
    form: Form | None = None
    if "form" in call:
        if "sections" in call:
            return {"sections": "stands beside form: a call has one form"}
        try:
            form = read(call["form"], languages=languages, decimals=decimals_of(str(currency)))
        except InvalidError as error:
            return error.fields
    rules = call.get("eligibility", {})
    wrong = _rules_wrong(rules.get("rules", []) if isinstance(rules, Mapping) else [], form)
    return wrong | _exclusion_wrong(call.get("exclusion", {}), form)


def _exclusion_wrong(source: Any, form: Form | None) -> dict[str, str]:
    """Return what is wrong with whom a call looks for on exclusion lists."""
    if not isinstance(source, Mapping):
        return {"exclusion": "must be a mapping"}
    wrong: dict[str, str] = {}
    least = source.get("threshold", 88)
    if not isinstance(least, int) or not 70 <= least <= 100:
        wrong["exclusion.threshold"] = "must be a whole number from 70 to 100"
    blocks = source.get("blocks", [])
    if not isinstance(blocks, list) or not all(isinstance(name, str) for name in blocks):
        wrong["exclusion.blocks"] = "must be a list of transitions, and release"
    subjects = source.get("subjects", [])
    known = form.questions if form else {}
    for index, item in enumerate(subjects if isinstance(subjects, list) else [None]):
        question, _, column = str(item.get("field", "") if isinstance(item, Mapping) else "").partition(".")
        asked = known.get(question)
        if asked is None or (column and column not in {part.id for part in asked.columns}):
            wrong[f"exclusion.subjects.{index}.field"] = Rule("names %(name)s, which is no question", name=question)
    return wrong


def _rules_wrong(source: Any, form: Form | None) -> dict[str, str]:
    try:
        criteria = _CRITERIA.validate_python(source)
    except ValidationError as error:
        return {f"eligibility.rules.{'.'.join(map(str, e['loc']))}": e["msg"] for e in error.errors()}
    known = form.questions if form else {}
    return {
        f"eligibility.rules.{index}.field": Rule("names %(name)s, which is no question", name=item.field)
        for index, item in enumerate(criteria)
        if item.field and item.field not in known
    }
