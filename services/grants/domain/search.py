"""The language in which people ask for cases: `stage:review,panel -officer:me amount:>50000EUR "dairy farms"`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from shared import asking
from shared.asking import (
    MAX_TERMS,
    MAX_TEXT,
    WORDS,
    Field,
    Mistake,
    Search,
    Term,
    Value,
    WrongError,
    among,
    choice,
    plain,
    quoted,
    when,
)
from shared.errors import Rule
from shared.money import Money

__all__ = ["FIELDS", "MAX_TERMS", "MAX_TEXT", "WORDS", "Known", "Mistake", "Search", "Term", "parse", "quoted"]
_AMOUNT = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,3})?)([A-Za-z]{3})?")
_SCORE = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,2})?")


@dataclass(frozen=True)
class Known:
    """What exists in the programme that is asked about; an empty set of names lets every name pass."""

    stages: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    programmes: tuple[str, ...] = ()
    currencies: tuple[str, ...] = ()
    scores: bool = True  # whether this person may know scores


def parse(text: str, known: Known | None = None) -> Search:
    """Return what is asked for; whatever the text, mistakes are told with their place and never raised."""
    return asking.parse(text, FIELDS, known or Known())


def _amount(value: str, known: Known) -> Value:
    matched = _AMOUNT.fullmatch(value)
    if matched is None:
        raise WrongError(Rule("is not an amount: write a number and its currency, such as 50000EUR"))
    number, currency = matched.groups()
    if currency:
        among(currency, known.currencies)
    elif len(known.currencies) == 1:
        [currency] = known.currencies
    else:
        rule = Rule("amounts of different currencies can't be compared: say which, such as %(fix)s", fix=f"{number}EUR")
        raise WrongError(rule, f"{number}{known.currencies[0]}" if known.currencies else "")
    return Money.model_construct(amount=Decimal(number), currency=currency.upper())


def _score(value: str, known: Known) -> Value:
    if not known.scores:
        raise WrongError(Rule("scores are not for your role"))
    if not _SCORE.fullmatch(value) or Decimal(value) > 100:
        raise WrongError(Rule("is not a score: write a number from 0 to 100"))
    return Decimal(value)


ROLES = ("applicant", "officer", "reviewer", "programme_manager", "finance_officer")
FIELDS: dict[str, Field] = {
    "stage": Field(lambda value, known: among(value, known.stages)),
    "holder": Field(choice("me", "none", *ROLES)),
    "officer": Field(plain),
    "org": Field(plain),
    "call": Field(lambda value, known: among(value, known.calls)),
    "programme": Field(lambda value, known: among(value, known.programmes), single=True),
    "state": Field(choice("open", "closed", "draft", "all")),
    "overdue": Field(choice("yes", "no"), single=True),
    "task": Field(choice("overdue", "today", "open", "mine", "none"), single=True),
    "has": Field(choice("amendment", "hit", "appeal")),
    "amount": Field(_amount, compared=True),
    "score": Field(_score, compared=True),
    "updated": Field(when, compared=True),
    "since": Field(when, compared=True),
    "submitted": Field(when, compared=True),
    "due": Field(when, compared=True),
}
