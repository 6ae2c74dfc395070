"""Words of products and of how a proposal fits them. Each is a gettext id."""

from __future__ import annotations

from typing import Any

from services.loans.domain.finance import Finance
from services.loans.domain.matching import Finding, Words
from services.loans.domain.proposal import Proposal
from services.loans.handlers.products import Standing
from services.loans.pages import words
from shared import i18n

CONDITIONS: dict[str, str] = {
    "amount": "Amount",
    "term": "Term in months",
    "grace": "Months without principal",
    "instrument": "Kind of loan",
    "purpose": "Purpose",
    "dscr": "Debt service cover",
    "dscr_stressed": "Debt service cover, sales −10 %%",
    "own_share": "Own share",
    "collateral": "Collateral coverage",
    "debt_to_equity": "Debt to equity",
    "history": "Years of accounts",
    "age": "Years in business",
    "arrears": "Days in arrears",
    "size": "Size of the firm",
    "sector": "Sectors, ISIC",
    "sector_not": "Not for sectors, ISIC",
    "region": "Regions",
    "women_owned": "Owned by women",
    "youth_owned": "Owned by people under 30",
    "documents": "Documents",
}
INSTRUMENTS = {"term_loan": "Term loan", "working_capital": "Working capital loan", "leasing": "Leasing"}
RATE_TYPES = {"fixed": "Fixed", "variable": "Variable"}
INTERESTS = {"declining": "On what is owed", "flat": "On what was paid out"}
METHODS = {
    "equal_instalment": "Equal instalments",
    "equal_principal": "Equal principal",
    "bullet": "Whole at the end",
}
EVERY = {"1": "Every month", "3": "Every three months", "6": "Every six months", "12": "Every year"}
SIZES = {"micro": "micro", "small": "small", "medium": "medium", "large": "large"}
TAKES = {
    "at_least": "at least",
    "at_most": "at most",
    "any_of": "one of, with commas between",
    "none_of": "none of, with commas between",
    "all_of": "all of, with commas between",
}
UNITS = {"number": "", "percent": "per cent", "years": "years", "days": "days", "codes": ""}
STAGES = {"published": ("On offer", "good"), "withdrawn": ("Withdrawn", "")}


def label(rule: str) -> str:
    """Return what a condition is about."""
    return words.say(CONDITIONS[rule]).replace("%%", "%")


def spoken(given: Words, rule: str, finance: Finance) -> str:
    """Return what a finding says in the reader's language, its codes as people call them."""
    message, params = given
    known = {name: _named(rule, str(value), finance) for name, value in params.items() if isinstance(value, str)}
    return words.say(message, {**params, **known}) if params else words.say(message)


def codes(rule: str, values: list[str], finance: Finance) -> str:
    """Return a condition's codes as people call them."""
    return _named(rule, ", ".join(values), finance)


def _named(rule: str, value: str, finance: Finance) -> str:
    locale = i18n.current_locale.get()
    names: dict[str, str] = {}
    if rule == "instrument":
        names = {code: words.say(name) for code, name in INSTRUMENTS.items()}
    elif rule == "size":
        names = {code: words.say(name) for code, name in SIZES.items()}
    elif rule == "purpose":
        names = {item.code: item.said(locale) for item in finance.purposes}
    elif rule == "documents":
        names = {item.kind: item.said(locale) for item in finance.documents}
    return ", ".join(names.get(code, code) for code in value.split(", "))


def findings(
    found: list[Finding], finance: Finance, reference: str = "", *, advise: bool = True
) -> list[dict[str, Any]]:
    """Return the lines of a match; with `reference` each tells where it is mended. `advise` says how."""
    return [
        {
            "label": label(item.rule),
            "met": item.met,
            "said": spoken(item.said, item.rule, finance),
            "mend": spoken(item.mend, item.rule, finance) if item.mend and advise else "",
            "href": _address(reference, item.block) if reference else "",
        }
        for item in found
    ]


def standings(found: list[Standing], finance: Finance, proposal: Proposal) -> list[dict[str, Any]]:
    """Return how ready a proposal is for each bank, with what is not met yet."""
    locale = i18n.current_locale.get()
    return [
        {
            "name": item.bank_name,
            "match": item.match,
            "product": item.product.terms.said(locale) if item.product else "",
            "lines": findings([one for one in item.match.findings if not one.met], finance, proposal.id),
        }
        for item in found
    ]


def _address(reference: str, block: str) -> str:
    mended = {"ratios": "projection", "documents": ""}.get(block, block)
    return f"/loans/proposals/{reference}/" + (f"edit/{mended}" if mended else "documents")
