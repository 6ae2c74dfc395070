"""The form in which a programme's manager states what its files of open data say of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from shared.errors import InvalidError, Rule
from shared.events.publishing_facts import PublishingFacts
from shared.web.forms import FormModel, invalid

_SHARE = re.compile(r"\s*([0-9A-Za-z]+)(?:\s*[: ]\s*([0-9]+(?:[.,][0-9]+)?)\s*%?)?\s*")
# Fields of the form: where they stand in what is stated.
PLAIN = ("prefix", "licence", "source", "description_from", "regrant", "starts", "ends")
CODES = ("flow_type", "finance_type", "aid_type", "tied_status")


class FactsForm(FormModel):
    """What the form has; a donor more than the first stays as the pack has it."""

    version: int
    publisher_ref: str = ""
    publisher_name: str = ""
    publisher_type: str = ""
    donor_ref: str = ""
    donor_name: str = ""
    donor_type: str = ""
    prefix: str = ""
    sectors: str = ""
    countries: str = ""
    starts: str = ""
    ends: str = ""
    licence: str = ""
    source: str = ""
    description_from: str = ""
    regrant: str = ""
    flow_type: str = ""
    finance_type: str = ""
    aid_type: str = ""
    tied_status: str = ""


class RatesForm(BaseModel):
    """The query in which somebody states rates: `rate_MKD` is how much of `to` one MKD was `on` that day."""

    model_config = ConfigDict(extra="allow", str_max_length=200, str_strip_whitespace=True)

    to: str = ""
    on: str = ""
    rate_source: str = ""

    def day(self) -> date | None:
        """Return the day of the rates, None where none is given; raises InvalidError for what is no day."""
        try:
            return date.fromisoformat(self.on) if self.on else None
        except ValueError as error:
            raise InvalidError({"on": Rule("must be a day, such as 2026-03-31")}) from error

    def stated(self) -> dict[str, Decimal]:
        """Return the rates by currency; raises InvalidError for what is no number."""
        found: dict[str, Decimal] = {}
        for name, value in (self.model_extra or {}).items():
            if name.startswith("rate_") and str(value).strip():
                try:
                    found[name.removeprefix("rate_").upper()] = Decimal(str(value).replace(",", ".").strip())
                except InvalidOperation as error:
                    raise InvalidError({name: Rule("must be a number, such as 0.01626")}) from error
        return found

    def typed(self, name: str) -> str:
        """Return what was typed into a field."""
        return str((self.model_extra or {}).get(name, ""))


def given(facts: PublishingFacts) -> dict[str, str]:
    """Return what is stated as the fields of the form."""
    found = {name: _text(getattr(facts, name)) for name in (*PLAIN, *CODES)}
    found |= {f"publisher_{name}": _text(getattr(facts.publisher, name)) for name in ("ref", "name", "type")}
    first = facts.donors[0] if facts.donors else None
    found |= {f"donor_{name}": _text(getattr(first, name, None)) for name in ("ref", "name", "type")}
    found["sectors"] = ", ".join(f"{item.code} {item.percent:f}" for item in facts.sectors)
    found["countries"] = ", ".join(f"{item.code} {item.percent:f}" for item in facts.countries)
    return found


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def parsed(form: FactsForm, present: PublishingFacts) -> PublishingFacts:
    """Return what the form states; raises InvalidError that names the field of the form and the rule."""
    stated = present.model_dump(mode="json", exclude_defaults=True)
    plain = {name: getattr(form, name).strip() or None for name in (*PLAIN, *CODES)}
    publisher = {name: getattr(form, f"publisher_{name}").strip() or None for name in ("ref", "name", "type")}
    donor = {name: getattr(form, f"donor_{name}").strip() or None for name in ("ref", "name", "type")}
    role = {"role": present.donors[0].role if present.donors else "funding"}
    rest = stated.get("donors", [])[1:]
    stated |= plain | {"publisher": publisher, "donors": [donor | role, *rest] if any(donor.values()) else rest}
    stated |= {name: _shares(name, getattr(form, name)) for name in ("sectors", "countries")}
    try:
        return PublishingFacts.model_validate(stated)
    except ValidationError as error:
        raise InvalidError({_field(name): rule for name, rule in invalid(error).fields.items()}) from error


def _field(name: str) -> str:
    """Return the field of the form of a place in what is stated: donors.0.ref is donor_ref."""
    parts = name.split(".")
    if parts[0] == "donors":
        return f"donor_{parts[-1]}"
    return "_".join(parts) if parts[0] == "publisher" else parts[0]


def _shares(field: str, text: str) -> list[Mapping[str, str]]:
    found: list[Mapping[str, str]] = []
    pieces = [piece for piece in text.replace(";", ",").split(",") if piece.strip()]
    for piece in pieces:
        match = _SHARE.fullmatch(piece)
        if not match:
            raise InvalidError({field: Rule("must be written as CODE and per cent, such as %(way)s", way=_WAYS[field])})
        share = (match[2] or ("100" if len(pieces) == 1 else "")).replace(",", ".")
        if not share:
            raise InvalidError({field: Rule("each needs its share in per cent")})
        found.append({"code": match[1].upper(), "percent": share})
    return found


_WAYS = {"sectors": "25010 60, 32130 40", "countries": "MK 100"}
