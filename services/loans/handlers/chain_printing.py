"""A version of a tripartite agreement as a document in every language of the house."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from services.loans.domain.chain_terms import ChainTerms
from services.loans.domain.tripartite import Tripartite
from shared.i18n import LOCALES, money_in_words, translate
from shared.printing import agreement_document

PRICES = {"fixed": "Fixed price", "minimum": "At least", "market": "Market price"}


def agreement_pdf(item: Tripartite, row: Any) -> bytes:
    """Return a version (a row of the texts kept) as a PDF; the same bytes every time."""
    written: datetime = row.written_at
    facts = {"text": row.text, "sha256": row.sha256}
    terms = ChainTerms.model_validate(row.text["terms"])
    blocks = [_block(item, row, terms, locale) for locale in LOCALES]
    return agreement_document(f"{item.id} v{row.number}", item.buyer_name, blocks, facts, written)


def rule_in_words(terms: ChainTerms, locale: str) -> str:
    """Return the rule of the deduction as a sentence."""
    rule = terms.deduction
    if rule.kind == "share":
        figure = f"{rule.figure.normalize():f}"
        said = translate("loans", "%(figure)s per cent of each payment", {"figure": figure}, locale=locale)
    else:
        figure = money_in_words(rule.figure, terms.currency, locale)
        said = translate("loans", "%(figure)s of each delivery's payment", {"figure": figure}, locale=locale)
    limit = "at most what is due of the loan until %(n)s days after the payment"
    return f"{said}; {translate('loans', limit, {'n': rule.ahead_days}, locale=locale)}"


def _block(item: Tripartite, row: Any, terms: ChainTerms, locale: str) -> dict[str, Any]:
    def words(message: str, **params: Any) -> str:
        return translate("loans", message, params or None, locale=locale)

    parties = row.text["parties"]
    pairs = [
        (words("Reference"), item.id),
        (words("Version"), str(row.number)),
        (words("Supplier"), parties["supplier"]),
        (words("Lead firm"), parties["buyer"]),
        (words("Bank"), parties["bank"]),
        (words("Season"), f"{_day(terms.season_from)} – {_day(terms.season_to)}"),
        (words("Deduction"), rule_in_words(terms, locale)),
        (words("Loans in this order"), ", ".join(terms.referrals)),
        (words("Notice"), words("%(n)s days", n=terms.notice_days)),
        (words("Time to object to a delivery"), words("%(n)s days", n=terms.objection_days)),
    ]
    rows = [
        [
            good.name,
            f"{_plain(good.quantity)} {good.unit}",
            words(PRICES[good.price_rule]),
            _plain(good.price),
            _day(good.by),
        ]
        for good in terms.goods
    ]
    heads = ("Goods", "Quantity", "Price rule", "Price, %(currency)s", "Until")
    head = [words(name, currency=terms.currency) if "%" in name else words(name) for name in heads]
    texts = [{"title": words("Conditions"), "text": terms.conditions}] if terms.conditions else []
    signs = [f"{words(name)}, {parties[side]}" for name, side in _SIGNS]
    return {
        "lang": locale,
        "letterhead": [item.id],
        "foot": row.sha256,
        "heading": words("Tripartite agreement"),
        "pairs": pairs,
        "tables": [{"title": words("Goods"), "head": head, "rows": rows, "align": list("llrrr")}],
        "texts": texts,
        "sign": [*signs, words("Signed in the system by this hash: %(hash)s", hash=row.sha256)],
        "page": words("Page"),
    }


_SIGNS = (("Supplier", "supplier"), ("Lead firm", "buyer"), ("Bank", "bank"))


def _plain(figure: Decimal) -> str:
    return f"{figure.normalize():f}"


def _day(day: date) -> str:
    return day.isoformat()
