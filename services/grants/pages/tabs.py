"""The parts of a case's page under the headings where a person looks for them."""

from __future__ import annotations

from typing import Any

from services.grants.domain.application import Application
from services.grants.domain.award import Award
from services.grants.domain.pack import Call
from services.grants.domain.review import Review

Tab = tuple[str, str]  # the part of the address after the case, the gettext id of its name; a figure may follow
Group = tuple[str, list[Tab]]


def groups_of(
    application: Application,
    call: Call,
    reviews: list[Review],
    award: Award | None,
    *,
    inside: bool,
    scores: bool,
    closes: bool,
    assesses: bool = False,
    appeals: bool = False,
) -> list[Group]:
    """Return the headings of a case's page with their parts; what this reader has not is left out.

    `inside` is staff's view, `scores` says whether the reader sees who reviews,
    `assesses` whether due diligence has a result of its own,
    `closes` whether a closeout is asked for, `appeals` whether the decision can be or was appealed.
    """
    concluded = award is not None and award.concluded_at is not None
    groups: list[Group] = [
        ("Summary", [("", "Summary")]),
        ("Application", _written(application, call)),
        ("Review", _judged(reviews, call, scores=scores, assesses=assesses) if inside else []),
        ("Agreement and money", _money(award, ledger=inside and concluded, closes=inside and concluded and closes)),
        ("Reports", [("reports", "Reports")] if concluded and call.reporting else []),
        ("Appeal", [("appeal", "Appeal")] if appeals else []),
        ("Messages and notes" if inside else "Messages", [("notes", "Notes" if inside else "Messages")]),
        ("Timeline", [("timeline", "Timeline"), *([("workflow", "Workflow")] if inside else [])]),
    ]
    return [(name, parts) for name, parts in groups if parts]


def _written(application: Application, call: Call) -> list[Tab]:
    partners = [("partners", "Partners")] if call.partners else []
    return [("answers", "Answers"), *partners, ("documents", f"Documents {len(application.documents)}")]


def _judged(reviews: list[Review], call: Call, *, scores: bool, assesses: bool) -> list[Tab]:
    done = sum(1 for review in reviews if review.status == "submitted")
    own = [("reviews", f"Reviews {done}/{call.reviewers_needed}")] if scores else []
    own += [("capacity", "Capacity")] if assesses else []
    return [*own, ("screening", "Exclusion lists"), ("alike", "Look-alikes")]


def _money(award: Award | None, *, ledger: bool, closes: bool) -> list[Tab]:
    if award is None:
        return []
    found = [("agreement", "Agreement"), ("money", "Milestones and payments")]
    return [*found, *([("ledger", "Ledger")] if ledger else []), *([("closeout", "Closeout")] if closes else [])]


def placed(groups: list[Group], here: str) -> Group | None:
    """Return the heading under which a part of the page stands."""
    return next((group for group in groups if here in dict(group[1])), None)


def links(groups: list[Group], here: str, base: str, translated: Any) -> dict[str, Any]:
    """Return what `case_base.html` draws: a row of headings, and the parts of the one that is open."""
    group = placed(groups, here)

    def href(part: str) -> str:
        return f"{base}/{part}" if part else base

    parts = [(href(part), _named(name, translated)) for part, name in group[1]] if group else []
    return {
        "tabs": [(href(found[0][0]), translated(name)) for name, found in groups],
        "here": href(group[1][0][0]) if group else "",
        "subtabs": parts if len(parts) > 1 else [],
        "subhere": href(here),
        "subname": translated(group[0]) if group else "",
    }


def _named(name: str, translated: Any) -> str:
    word, _, count = name.rpartition(" ")
    figure = bool(word) and count[:1].isdigit()
    return f"{translated(word)} {count}" if figure else str(translated(name))
