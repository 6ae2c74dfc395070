"""HTML for people, under /grants."""

from fastapi import APIRouter

from services.grants.pages import (
    case,
    cofinancing,
    cofinancing_acts,
    day,
    documents,
    eligibility,
    form,
    fragments,
    ledger,
    lists,
    money,
    payments,
    queue,
    reviews,
)

router = APIRouter()
_ACTS = (day, form, money, payments, ledger, case, documents, cofinancing, cofinancing_acts)
for part in (fragments, queue, lists, eligibility, reviews, *_ACTS):
    router.include_router(part.router)
