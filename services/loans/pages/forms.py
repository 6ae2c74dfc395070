"""Posted forms: pydantic models for the acts, and the editor's flat names made into a block and back."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, TypeVar, get_origin

from fastapi import Depends, Request
from pydantic import Field, ValidationError
from starlette.datastructures import FormData

from shared.errors import InvalidError
from shared.events.fields import Day, Line, Prose
from shared.money import Amount
from shared.web.forms import FormModel, invalid

_ROW = re.compile(r"^(\w+)-(\d{1,3})-(\w+)$")
_ENTRY = re.compile(r"^(\w+)-(\d{1,3})$")
MAX_ROWS = 40


class VersionedForm(FormModel):
    version: Annotated[int, Field(ge=1)]


class StartForm(FormModel):
    supporter: Line = ""
    title: Line = ""


class ConsentForm(VersionedForm):
    bank: Line = ""
    blocks: list[Line] = []
    purpose: Line = ""
    product: Line = ""  # with its version: "PRD-2026-0001 2"
    until: date
    text_version: Line
    language: Line


class SayForm(VersionedForm):
    text: Annotated[Prose, Field(min_length=1)]


class DeclineForm(VersionedForm):
    reasons: list[Line] = []
    note: Prose = ""


class OfferForm(VersionedForm):
    amount: Amount
    rate_percent: Amount
    term_months: int
    fee: Amount = Decimal(0)
    conditions: Prose = ""
    collateral: Prose = ""
    tripartite: bool = False
    valid_until: date


class CounterForm(VersionedForm):
    amount: Amount
    rate_percent: Amount
    term_months: int
    fee: Amount = Decimal(0)
    reason: Annotated[Prose, Field(min_length=1)]


class DisburseForm(FormModel):
    amount: Amount
    on: date


class RestructureForm(VersionedForm):
    on: date
    principal: Amount
    interest_paid: Amount
    rate_percent: Amount
    term_months: int


class DocumentForm(FormModel):
    version: Annotated[int, Field(ge=1)]
    kind: Line
    issued: Day = None
    expires: Day = None


async def form_data(request: Request) -> FormData:
    """Return the posted form as it came (it is parsed already where the token was checked)."""
    return await request.form()


Posted = Annotated[FormData, Depends(form_data)]


def posted_values(form: FormData) -> dict[str, str]:
    """Return the text fields of a form; files are no text."""
    return {name: value for name, value in form.items() if isinstance(value, str)}


M = TypeVar("M", bound=FormModel)


def parsed(model: type[M], form: FormData) -> M:
    """Return the form as a model; raises InvalidError naming each field and the rule it breaks.

    A field that is a list takes every input of its name; an empty optional input counts as not given.
    """
    data: dict[str, Any] = {}
    for name in form:
        field = model.model_fields.get(name)
        many = field is not None and get_origin(field.annotation) is list
        values = [value for value in form.getlist(name) if isinstance(value, str)]
        if many:
            data[name] = values
        elif values and (values[0] or (field is not None and field.is_required())):
            data[name] = values[0]
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise invalid(error) from error


def version_of(values: dict[str, str]) -> int:
    """Return the version that the form was made from."""
    text = values.get("version", "")
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise InvalidError({"version": "is required"})
    return int(text)


def block_data(values: dict[str, str]) -> dict[str, Any]:
    """Return what an editor form says as a block: `uses-0-item` becomes uses[0].item, `sales-1` sales[1].

    Empty inputs mean "not given"; empty rows and what trails behind the last amount of a series are left out.
    """
    data: dict[str, Any] = {}
    rows: dict[str, dict[int, dict[str, str]]] = {}
    series: dict[str, dict[int, str]] = {}
    for name, value in values.items():
        if name in {"csrf", "version"} or not value.strip():
            continue
        if found := _ROW.match(name):
            rows.setdefault(found[1], {}).setdefault(int(found[2]), {})[found[3]] = value
        elif found := _ENTRY.match(name):
            series.setdefault(found[1], {})[int(found[2])] = value
        else:
            data[name] = value
    for name, entries in rows.items():
        data[name] = [entries[index] for index in sorted(entries)][:MAX_ROWS]
    for name, places in series.items():
        data[name] = [places.get(index, "0") for index in range(min(max(places), MAX_ROWS) + 1)]
    return data


def flat(block: dict[str, Any]) -> dict[str, str]:
    """Return a block's JSON form as the editor's flat names and texts."""
    values: dict[str, str] = {}
    for name, value in block.items():
        if isinstance(value, list):
            for index, entry in enumerate(value):
                if isinstance(entry, dict):
                    values |= {f"{name}-{index}-{key}": _shown(item) for key, item in entry.items()}
                else:
                    values[f"{name}-{index}"] = _shown(entry)
        else:
            values[name] = _shown(value)
    return values


def _shown(value: Any) -> str:
    if value is None or value is False:
        return ""
    return "true" if value is True else str(value)
