"""An agreement as a document: a tagged PDF/A with the same facts attached for machines, the same bytes every time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from services.grants.domain.amendment import Amendment
from services.grants.domain.award import Award
from services.grants.domain.award.terms import Terms
from services.grants.domain.partnership import LEAD
from services.grants.handlers.base import Frame
from shared.i18n import LOCALES, money_in_words, translate
from shared.money import Money
from shared.printing import agreement_document
from shared.workflow.model import say


def agreement_pdf(  # noqa: PLR0917 - what a document is made of
    frame: Frame, award: Award, terms: Terms, version: int, now: datetime, amendment: Amendment | None = None
) -> bytes:
    """Return one version of an agreement in every language of the house, in one document."""
    facts = _facts(frame, award, terms, version, now, amendment)
    blocks = [_block(frame, award, terms, facts, locale) for locale in LOCALES]
    author = say(frame.pack.rules.letterhead.name or frame.pack.name, LOCALES[0])
    return agreement_document(f"{award.id} v{version}", author, blocks, facts, now)


def _facts(  # noqa: PLR0917 - what a document is made of
    frame: Frame, award: Award, terms: Terms, version: int, now: datetime, amendment: Amendment | None
) -> dict[str, Any]:
    """Return what the document says as JSON types: the attachment for machines."""
    return {
        "reference": award.id,
        "agreement_version": version,
        "drawn_at": now.isoformat(),
        "programme": {"id": award.programme, "name": dict(frame.pack.name)},
        "recipient": {"organisation_id": award.organisation, "name": award.organisation_name},
        "title": award.title,
        "grant": award.amount.model_dump(mode="json"),
        "terms": terms.model_dump(mode="json"),
        "amendment": amendment
        and {"number": amendment.number, "classes": list(amendment.verdict.kinds), "why": amendment.why},
    }


def _block(frame: Frame, award: Award, terms: Terms, facts: dict[str, Any], locale: str) -> dict[str, Any]:
    def words(message: str, **params: Any) -> str:
        return translate("grants", message, params or None, locale=locale)

    head = frame.pack.rules.letterhead
    pairs = [
        (words("Reference"), award.id),
        (words("Version"), str(facts["agreement_version"])),
        (words("Programme"), say(frame.pack.name, locale)),
        (words("Recipient"), award.organisation_name),
        (words("Project"), award.title),
        (words("Grant"), _sum(award.amount, locale)),
        (words("First day"), _day(terms.starts_on)),
        (words("Last day"), _day(terms.ends_on)),
    ]
    if facts["amendment"]:
        pairs.append((words("Amendment"), f"{facts['amendment']['number']}: {facts['amendment']['why']}"))
    return {
        "lang": locale,
        "letterhead": [say(names, locale) for names in (head.name or frame.pack.name, head.address) if names],
        "foot": say(head.foot, locale) if head.foot else "",
        "heading": words("Grant agreement"),
        "pairs": [pair for pair in pairs if pair[1]],
        "tables": _tables(frame, award, terms, locale),
        "texts": _texts(terms, words("Conditions"), words("Notices and contacts")),
        "sign": [words("For the programme"), words("For the recipient"), words("Accepted in the system by this hash")],
        "page": words("Page"),
    }


def _texts(terms: Terms, conditions: str, administration: str) -> list[dict[str, str]]:
    said = ((conditions, terms.conditions), (administration, terms.administration))
    return [{"title": title, "text": text} for title, text in said if text]


def _tables(frame: Frame, award: Award, terms: Terms, locale: str) -> list[dict[str, Any]]:
    def words(message: str) -> str:
        return translate("grants", message, locale=locale)

    names = {item.id: say(item.name, locale) for item in frame.call.budget_lines}
    lines = [
        [names.get(row.line, row.line), row.note, _sum(row.grant, locale), _sum(row.own, locale)] for row in terms.lines
    ]
    plan = [
        [str(item.number or ""), item.title, item.deliverable, _day(item.due), _sum(item.amount, locale)]
        for item in terms.milestones
    ]
    sums = [words("Together"), "", _sum(award.amount, locale), ""]
    lead = [words("Budget line"), words("Note"), words("Grant"), words("Own contribution")]
    heads = ["#", *(words(name) for name in ("Milestone", "Deliverable", "Until", "Tranche"))]
    return [
        _table(words("Budget"), lead, [*lines, sums] if lines else [], "llrr"),
        *_shares(frame, award, terms, locale),
        _table(words("Milestones and tranches"), heads, plan, "lllrr"),
    ]


def _shares(frame: Frame, award: Award, terms: Terms, locale: str) -> list[dict[str, Any]]:
    """Return the partners, and whose each budget line is; what no partner has is the recipient's."""
    if not terms.partners:
        return []

    def words(message: str) -> str:
        return translate("grants", message, locale=locale)

    names = {item.id: say(item.name, locale) for item in frame.call.budget_lines}
    who = {LEAD: award.organisation_name} | {item.number: item.name for item in terms.partners}
    partners = [[item.name, item.part, _sum(item.share(award.amount.currency), locale)] for item in terms.partners]
    cells = terms.participants(award.amount.currency)
    rows = [
        [names.get(line, line), who[number], _sum(grant, locale)]
        for (number, line), grant in sorted(cells.items(), key=lambda cell: (cell[0][1], cell[0][0]))
        if grant
    ]
    return [
        _table(words("Partners"), [words("Partner"), words("What it does"), words("Share")], partners, "llr"),
        _table(words("Whose share"), [words("Budget line"), words("Organisation"), words("Share")], rows, "llr"),
    ]


def _table(title: str, head: Sequence[str], rows: list[list[str]], align: str) -> dict[str, Any]:
    return {"title": title, "head": head, "rows": rows, "align": list(align)}


def _sum(amount: Money, locale: str) -> str:
    return money_in_words(amount.amount, amount.currency, locale)


def _day(day: date | None) -> str:
    return day.isoformat() if day else ""
