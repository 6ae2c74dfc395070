"""HTML for people, under /grants."""

from fastapi import APIRouter

from services.grants.pages import (
    assessors,
    case,
    cofinancing,
    cofinancing_acts,
    day,
    documents,
    eligibility,
    exclusion,
    form,
    fragments,
    ledger,
    lists,
    money,
    queue,
    reviews,
)

router = APIRouter()
_ACTS = (day, form, money, ledger, case, documents, cofinancing, cofinancing_acts)
for part in (fragments, queue, lists, eligibility, reviews, *_ACTS, assessors, exclusion):
    router.include_router(part.router)
