"""A sample as machines read it, and as the working paper that an auditor writes into."""

from __future__ import annotations

import csv
from io import StringIO
from typing import Any

from services.audit.domain.sampling import HEADER
from services.audit.handlers.sampling import Sample, Wanted

COLUMNS = ("name", "programme", "stratum", "case", "leaf", "amount", "hits", "number")
_SEED = ("checkpoint", "root")
_MARKS = ("looked at by", "on", "finding")


def facts(wanted: Wanted, made: Sample) -> dict[str, Any]:
    """Return all that a sample says, as JSON has it; amounts as text in the sample's currency."""
    return {
        "algorithm": HEADER,
        "method": "monetary units" if wanted.by_amount else "smallest numbers by stratum",
        "strata": wanted.strata,
        "programme": wanted.asked.programme,
        "from": wanted.asked.since.isoformat(),
        "to": wanted.asked.until.isoformat(),
        "zone": wanted.asked.zone,
        "kind": made.kind,
        "checkpoint": {
            "size": made.checkpoint.size,
            "root": made.checkpoint.root.hex(),
            "note": made.checkpoint.note,
            "named": made.chosen,
            "after_the_period": made.after_end,
        },
        "items": made.items,
        "late": made.late,
        "whole": None if made.whole is None else str(made.whole),
        "currency": made.currency,
        "size": wanted.size,
        "by_stratum": [{"name": one.name, "items": one.items, "drawn": one.drawn} for one in made.strata],
        "drawn": [
            {
                "name": one.item.name,
                "programme": one.item.programme,
                "stratum": one.item.stratum,
                "case": one.item.case,
                "leaf": one.item.leaf,
                "amount": None if one.item.amount is None else str(one.item.amount),
                "hits": one.hits,
                "number": one.number,
            }
            for one in made.drawn
        ],
    }


def working_paper(told: dict[str, Any]) -> str:
    """Return a table in CSV: a line for each item drawn, with its seed, and room for what was found."""
    file = StringIO(newline="")
    lines, seed = csv.writer(file), told["checkpoint"]
    lines.writerow((*COLUMNS, *_SEED, *_MARKS))
    for row in told["drawn"]:
        lines.writerow((*(_cell(row[name]) for name in COLUMNS), seed["size"], seed["root"], *("" for _ in _MARKS)))
    return file.getvalue()


def _cell(value: Any) -> str:
    """Return a cell that no spreadsheet takes for a formula."""
    said = "" if value is None else str(value)
    return f"'{said}" if said.startswith(("=", "+", "-", "@", "\t", "\r")) else said
