"""HTML for people, under /grants."""

from fastapi import APIRouter

from services.grants.pages import (
    bulk,
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
    panels,
    queue,
    reviews,
)

router = APIRouter()
_ACTS = (day, form, money, ledger, case, documents, cofinancing, cofinancing_acts)
for part in (fragments, bulk, panels, queue, lists, eligibility, reviews, *_ACTS):
    router.include_router(part.router)
