"""A page that computes a loan: instalments, true cost, what paying early saves. Nothing of it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from pydantic import TypeAdapter, ValidationError

from services.loans.domain.schedule import TermsError
from services.loans.domain.schedule.asked import Asked, answer_to
from services.loans.handlers import access
from shared.money import Amount
from shared.web.dependencies import Uow, allowed
from shared.web.forms import rule_of
from shared.web.pages import render

router = APIRouter(include_in_schema=False)
_AMOUNT: TypeAdapter[Decimal] = TypeAdapter(Amount)
# The inputs, which are members of what the API is asked, and how each is read.
_AMOUNTS = ("principal", "annual_rate_pct", "instalment_multiple_of", "instalment", "down_payment_pct")
_COUNTS = ("n", "grace_principal", "grace_interest_payment", "grace_interest_charged", "currency_decimals")
_WORDS = ("start", "every", "interest", "amortisation", "day_count", "prepayment")
_BEYOND = ("fee", "prepaid", "prepaid_on")
LONGEST = 40
EVERY = (
    ("1 month", "Every month"),
    ("3 months", "Every three months"),
    ("2 weeks", "Every two weeks"),
    ("1 week", "Every week"),
    ("1 year", "Every year"),
)
INTEREST = (("declining", "On what is still owed"), ("flat", "Flat: on the whole loan to the end"))
AMORTISATION = (
    ("equal_instalment", "Equal instalments"),
    ("equal_principal", "Equal parts of the principal"),
    ("bullet", "All at the end"),
)
DAY_COUNT = (
    ("per_period", "Every period alike"),
    ("30/360", "Months of 30 days, 360 a year"),
    ("ACT/360", "Days, 360 a year"),
    ("ACT/365F", "Days, 365 a year"),
)
PREPAYMENT = (
    ("fewer_instalments", "The loan ends earlier"),
    ("lower_instalment", "Instalments get lower"),
    ("next_instalments", "The next instalments are paid for"),
)
_CHOICES = {
    "every_options": EVERY,
    "interest_options": INTEREST,
    "amortisation_options": AMORTISATION,
    "day_count_options": DAY_COUNT,
    "prepayment_options": PREPAYMENT,
}


@router.get("/calculator", dependencies=[allowed("loans.schedule.preview")])
def calculator(request: Request, uow: Uow) -> HTMLResponse:
    given = {name: request.query_params.get(name, "")[:LONGEST] for name in (*_AMOUNTS, *_COUNTS, *_WORDS, *_BEYOND)}
    errors: Mapping[str, str] = {}
    made = plain = saved = None
    if request.query_params:
        try:
            asked = _asked(given)
            made = answer_to(Asked.read(asked))
            if asked.get("prepayments"):
                plain = answer_to(Asked.read({name: value for name, value in asked.items() if name != "prepayments"}))
                saved = Decimal(plain["total"]["interest"]) - Decimal(made["total"]["interest"])
        except TermsError as error:
            errors = {_shown(name): rule for name, rule in error.fields.items()}
    else:
        given |= {"start": access.today(uow).isoformat(), "n": "12"}
    context = {"given": given, "made": made, "plain": plain, "saved": saved, "errors": errors} | _CHOICES
    return render(request, "calculator.html", status_code=422 if errors else 200, **context)


def _shown(name: str) -> str:
    """Return the input in which a member of the request was typed."""
    first = name.split(".", 1)[0]
    return {"fees": "fee", "prepayments": "prepaid"}.get(first, first)


def _asked(given: Mapping[str, str]) -> dict[str, Any]:
    """Return the request that the inputs stand for; raises TermsError for what is no number."""
    wrong: dict[str, str] = {}
    asked: dict[str, Any] = {name: given[name].strip() for name in _WORDS if given[name].strip()}
    amounts = {name: _amount(name, given[name], wrong) for name in (*_AMOUNTS, "fee", "prepaid") if given[name].strip()}
    for name in _COUNTS:
        text = given[name].strip()
        if text and not (text.isascii() and text.isdecimal()):
            wrong[name] = "must be a whole number"
        elif text:
            asked[name] = int(text)
    for name in ("principal", "annual_rate_pct", "n", "start"):
        if not given[name].strip():
            wrong[name] = "is missing"
    if amounts.get("prepaid") and not given["prepaid_on"].strip():
        wrong["prepaid_on"] = "is missing"
    if wrong:
        raise TermsError(wrong)
    asked |= {name: amounts[name] for name in _AMOUNTS if name in amounts}
    if amounts.get("fee"):
        asked["fees"] = [[asked["start"], amounts["fee"]]]
    if amounts.get("prepaid"):
        asked["prepayments"] = [[given["prepaid_on"].strip(), amounts["prepaid"]]]
    return asked


def _amount(name: str, text: str, wrong: dict[str, str]) -> str:
    """Return an amount as people write it the way machines do."""
    try:
        return f"{_AMOUNT.validate_python(text):f}"
    except ValidationError as error:
        wrong[name] = rule_of(error.errors()[0])
        return ""
