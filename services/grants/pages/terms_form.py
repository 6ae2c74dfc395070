"""The terms of an agreement in a form: milestones, budget lines, days and words, typed and read back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from starlette.datastructures import FormData

from services.grants.domain.award import MAX_MILESTONES
from services.grants.domain.award.terms import MAX_LINES, Terms

Row = dict[str, str]
PLAN = ("number", "title", "deliverable", "due", "amount")
LINE = ("line", "note", "grant", "own")
WORDS = ("conditions", "administration", "starts_on", "ends_on")
_BLANK = 2
_PREFIXES = {"milestones": "m", "lines": "l", "partners": "p"}
# A row's member of a command; sums of money have an amount of their own in it.
_TYPED = re.compile(r"^(milestones|lines|partners)(\.[^.]+\.[^.]+)(?:\.amount)?$")


def filled(terms: Terms, *, blank: int = _BLANK) -> dict[str, Any]:
    """Return the form's rows and texts as the terms say, with some empty rows to add to."""
    plan = [
        {
            "number": str(item.number or ""),
            "title": item.title,
            "deliverable": item.deliverable,
            "due": item.due.isoformat() if item.due else "",
            "amount": str(item.amount.amount),
        }
        for item in terms.milestones
    ]
    lines = [
        {"line": row.line, "note": row.note, "grant": str(row.grant.amount), "own": str(row.own.amount)}
        for row in terms.lines
    ]
    words = {name: str(getattr(terms, name) or "") for name in WORDS}
    partners = [
        {
            "number": str(item.number),
            "name": item.name,
            "shares": {share.line: str(share.grant.amount) for share in item.shares},
        }
        for item in terms.partners
    ]
    return {
        "plan": plan + [dict.fromkeys(PLAN, "")] * blank,
        "lines": lines + [dict.fromkeys(LINE, "")] * blank,
        "partners": partners,
    } | words


def typed(fields: FormData) -> dict[str, Any]:
    """Return what was typed, row by row; rows without a word are left out."""
    words = {name: str(fields.get(name, "")).strip() for name in WORDS}
    rows = {"plan": _rows(fields, "m", PLAN, MAX_MILESTONES), "lines": _rows(fields, "l", LINE, MAX_LINES)}
    return rows | {"partners": _partners(fields)} | words


def _partners(fields: FormData) -> list[dict[str, Any]]:
    """Return what was typed of the partners' shares; names of fields are p.<number>.<line>."""
    found: dict[str, dict[str, Any]] = {}
    for field, text in fields.multi_items():
        kind, _, rest = field.partition(".")
        number, _, line = rest.partition(".")
        if kind == "p" and number.isdecimal() and len(number) < 3 and line and isinstance(text, str):
            row = found.setdefault(number, {"number": number, "name": "", "shares": {}})
            if line == "name":
                row["name"] = text[:200]
            else:
                row["shares"][line[:60]] = text.strip()[:40]
    return list(found.values())


def again(form: dict[str, Any], *, blank: int = _BLANK) -> dict[str, Any]:
    """Return what was typed with empty rows to add to, as the form comes back."""
    plan, lines = [dict.fromkeys(PLAN, "")] * blank, [dict.fromkeys(LINE, "")] * blank
    return form | {"plan": form["plan"] + plan, "lines": form["lines"] + lines}


def by_field(errors: Mapping[str, str]) -> dict[str, str]:
    """Return what is wrong by the names of the form's fields: `lines.0.grant.amount` is typed in `l.0.grant`."""
    return {_TYPED.sub(lambda found: _PREFIXES[found[1]] + found[2], name): rule for name, rule in errors.items()}


def _rows(fields: FormData, prefix: str, columns: tuple[str, ...], most: int) -> list[Row]:
    given = [{name: str(fields.get(f"{prefix}.{i}.{name}", "")).strip() for name in columns} for i in range(most)]
    return [row for row in given if any(text for name, text in row.items() if name not in {"number", "line"})]


def said(form: dict[str, Any], currency: str) -> dict[str, Any]:
    """Return what was typed as a command's members; a list without a row is left out."""

    def sum_of(text: str) -> dict[str, str]:
        return {"amount": text or "0", "currency": currency}

    plan = [
        {**row, "number": row["number"] or None, "due": row["due"] or None, "amount": sum_of(row["amount"])}
        for row in form["plan"]
    ]
    lines = [{**row, "grant": sum_of(row["grant"]), "own": sum_of(row["own"])} for row in form["lines"]]
    days = {name: form[name] or None for name in ("starts_on", "ends_on")}
    texts = {name: form[name] for name in ("conditions", "administration")}
    partners = {
        row["number"]: {line: sum_of(text) for line, text in row["shares"].items()} for row in form.get("partners", [])
    }
    rest = ({"lines": lines} if lines else {}) | ({"partners": partners} if partners else {})
    return {"milestones": plan, **rest, **days, **texts}
