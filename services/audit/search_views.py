"""A search of the log as its page shows it: chips, mistakes, facets, bars."""

from __future__ import annotations

from decimal import Decimal
from math import ceil
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from services.audit import labels
from services.audit.asking import FIELDS, NAMES, Mistake, Search, Term, asked
from services.audit.query import SearchQuery
from services.audit.storage.facets import Overview
from services.audit.storage.spread import Spread
from services.audit.telling import label, say
from shared.asking import WORDS
from shared.i18n import said

HEIGHT, WIDTH, GAP = 52, 10, 3
_SURE = 0.005  # an estimate that is off by less is told as a number
THINGS = {
    "application": "Application",
    "appeal": "Appeal",
    "award": "Award",
    "delivery": "Letter",
    "loan": "Loan",
    "organisation": "Organisation",
    "payee": "Bank details",
    "programme": "Programme",
    "proposal": "Loan proposal",
    "record": "Look at a record",
    "referral": "Referral",
    "report": "Report",
    "review": "Review",
    "sample": "Sample",
    "search": "Search",
    "session": "Session",
    "tranche": "Tranche",
    "user": "Person",
}
HEADINGS = {
    "person": "Person",
    "role": "Role",
    "organisation": "Organisation",
    "kind": "Kind of act",
    "entity": "Kind of thing",
    "programme": "Programme",
    "service": "Service",
    "outcome": "Outcome",
    "case": "Case",
    "since": "From",
    "until": "To",
    "changed": "Changed",
    "from": "Before",
    "to": "After",
    "leaves": "The log at leaves",
}


def address(text: str) -> str:
    """Return the address of a search."""
    return f"/audit/?{urlencode({'q': text})}" if text else "/audit/"


def value(field: str, given: str) -> str:
    """Return what a value of a field is called."""
    if field == "kind":
        return f"{given}*" if given.endswith(".") else say(labels.kind(given))
    if field == "service":
        return say(labels.SERVICES.get(f"{given}.", given))
    if field == "role":
        return say(labels.ROLES.get(given, given))
    if field == "outcome":
        return say(labels.OUTCOMES.get(given, given))
    if field == "entity":
        return say(THINGS.get(given, given))
    return label(given) if field == "changed" else given


def chips(search: Search) -> list[tuple[str, str]]:
    """Return what is asked for, each part with the address of the search without it."""
    return [(_chip(search, term), address(search.without(term))) for term in search.terms]


def _chip(search: Search, term: Term) -> str:
    if term.field == WORDS:
        return search.text[term.start : term.end]
    return f"{say(HEADINGS[term.field])}: {value(term.field, str(term.values[0]))}"


def mistakes(search: Search) -> list[dict[str, str]]:
    """Return what was not understood, with its place and what may have been meant."""
    return [_told(search, mistake) for mistake in search.mistakes]


def _told(search: Search, mistake: Mistake) -> dict[str, str]:
    text, start, end = search.text, mistake.start, mistake.end
    return {
        "before": text[:start],
        "wrong": text[start:end],
        "after": text[end:],
        "rule": said("audit", mistake.rule),
        "fix": mistake.fix,
        "fixed": address(f"{text[:start]}{mistake.fix}{text[end:]}") if mistake.fix else "",
    }


def form(query: SearchQuery, search: Search) -> dict[str, Any]:
    """Return the fields of the form as the search fills them, and under `rest` what only the text can say."""
    names = {NAMES.get(name, name): name for name in FIELDS}
    shown = ("person", "case", "kind", "organisation", "role", "outcome", "since", "until", "changed", "old", "new")
    terms = {name: found[0] for name in shown if (found := search.of(names[name]))}
    values = asked(search).values if not search.mistakes else {}
    filled: dict[str, Any] = {name: values.get(name, str(term.values[0])) for name, term in terms.items()}
    # A moment or a span does not fit into a field for a day: it stays in the text.
    odd = {name for name in ("since", "until") if name in filled and len(filled[name]) != len("2026-01-31")}
    rest = search.without(*(term for name, term in terms.items() if name not in odd))
    return dict.fromkeys(shown, "") | {n: v for n, v in filled.items() if n not in odd} | {"rest": rest, "q": query.q}


def facets(overview: Overview, search: Search) -> list[tuple[str, list[tuple[str, str, int, float]]]]:
    """Return (heading, [(name, address, count, share of the greatest in percent)]) of each facet that tells apart."""
    found = []
    for name in ("person", "role", "organisation", "kind", "entity", "programme", "service", "outcome"):
        values = overview.facets.get(name, [])
        if values and not search.of(name):
            most = max(count for *_, count in values)
            lines = [
                (text if name == "person" else value(name, given), address(search.with_term(name, given)), count,
                 round(100 * count / most, 1))
                for given, text, count in values
            ]  # fmt: skip
            found.append((say(HEADINGS[name]), lines))
    return found


def histogram(overview: Overview, spread: Spread | None, search: Search, zone: ZoneInfo) -> dict[str, Any]:
    """Return the bars of the histogram as numbers of an SVG, each with the address of its own time.

    They are of all matches where that is known, else of the newest; `told` says which.
    """
    shown = spread.bars if spread else overview.bars
    most = max((bar.count for bar in shown), default=0)
    bars = [
        {
            "x": number * (WIDTH + GAP),
            "height": max(2, round(HEIGHT * bar.count / most, 1)) if bar.count else 0,
            "refused": round(HEIGHT * bar.refused / most, 1) if bar.refused else 0,
            "count": bar.count,
            "refusals": bar.refused,
            "at": bar.start,
            "href": address(_narrowed(search, bar.start.astimezone(zone), bar.end.astimezone(zone))),
        }
        for number, bar in enumerate(shown)
    ]
    step = WIDTH + GAP
    size = {"width": max(step * len(bars), step * 20), "height": HEIGHT, "step": step}
    return size | {"bars": bars, "about": bool(spread and not spread.exact), "told": _told_of(overview, spread)}


def _told_of(overview: Overview, spread: Spread | None) -> str:
    """Return in words what the bars count."""
    if spread is None and overview.more:
        return say("the newest %(n)s matches", n=Decimal(overview.counted))
    if spread is None or spread.exact:
        return (
            say("%(n)s matches", n=Decimal(spread.total if spread else overview.counted))
            + ". "
            + say("All are counted")
        )
    read = {"read": Decimal(spread.read), "leaves": Decimal(spread.leaves)}
    if spread.margin < _SURE:
        told = say("%(n)s matches", n=Decimal(spread.total))
    else:
        told = say(
            "about %(n)s matches, within %(p)s %%",
            n=Decimal(_rounded(spread.total)),
            p=Decimal(ceil(100 * spread.margin)),
        )
    return told + ". " + say("Estimated from %(read)s of %(leaves)s entries, read evenly over the whole time", **read)


def _rounded(count: int) -> int:
    """Return an estimate with two digits that count."""
    unit = int(10 ** max(0, len(str(count)) - 2))
    return round(count / unit) * unit


def _narrowed(search: Search, start: Any, end: Any) -> str:
    text = search.without(*search.of("since"), *search.of("until"))
    return f'{text} since:"{start:%Y-%m-%dT%H:%M}" until:"{end:%Y-%m-%dT%H:%M}"'.strip()
