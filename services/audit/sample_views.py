"""A sample as its page shows it: bars of its parts, the line of money, and the commands that draw it again."""

from __future__ import annotations

import shlex
from datetime import date
from decimal import Decimal
from typing import Any

from services.audit.domain.sampling import HEADER, START
from services.audit.handlers.sampling import Sample, Wanted
from services.audit.telling import say

WIDTH = 1000
_HITS = 400  # more ticks than these are a grey area


def strata(made: Sample, by: str) -> list[dict[str, Any]]:
    """Return the parts with the lengths of their bars in per cent of the largest."""
    most = max((one.items for one in made.strata), default=1)
    return [
        {
            "name": _called(one.name, by),
            "of": one.items,
            "drawn": one.drawn,
            "bar": round(100 * one.items / most, 2),
            # What was drawn stays visible beside very many.
            "part": max(0.6, round(100 * one.drawn / most, 2)) if one.drawn else 0,
        }
        for one in made.strata
    ]


def _called(name: str, by: str) -> str:
    if by == "none":
        return say("All together")
    if by == "month" and name:
        return f"{date.fromisoformat(f'{name}-01'):%m.%Y}"
    return name or say("Without a programme")


def money(made: Sample) -> dict[str, Any] | None:
    """Return the line of money: amounts end to end, those that were hit, and where the hits fell; None without any."""
    size = sum(one.hits for one in made.drawn)
    whole = int((made.whole or Decimal(0)) * 1000)
    if not whole or made.start is None:
        return None
    places = [(made.start + hit * whole) * WIDTH / size / whole for hit in range(size if size <= _HITS else 0)]
    return {
        "blocks": [
            (round(one.before * WIDTH / whole, 2), max(1.0, round(one.item.units * WIDTH / whole, 2)), one)
            for one in made.drawn
        ],
        "hits": [round(place, 2) for place in places],
        "whole": whole,
        "start": made.start,
        "step": Decimal(whole) / size / 1000,
    }


def recipe(made: Sample) -> tuple[str, str] | None:
    """Return the command that gives the first line's number of chance, and that number; None for an empty sample."""
    if not made.drawn:
        return None
    name = START if made.start is not None else made.drawn[0].item.name
    parts = [made.checkpoint.root.hex(), shlex.quote(name)]
    return f"printf '{HEADER}\\n%s\\n%s\\n' {' '.join(parts)} | sha256sum", made.drawn[0].number


def again(wanted: Wanted, made: Sample) -> str:
    """Return the command that draws this sample again under the same checkpoint."""
    words = ["tamga", "audit", "sample", "--from", str(wanted.asked.since), "--to", str(wanted.asked.until)]
    words += ["--size", str(wanted.size)]
    words += ["--programme", wanted.asked.programme] if wanted.asked.programme else []
    words += ["--kind", wanted.kind] if wanted.kind else []
    words += ["--mus"] if wanted.by_amount else []
    words += ["--strata", wanted.strata] if wanted.strata != "programme" else []
    return shlex.join([*words, "--checkpoint", str(made.checkpoint.size)])
