"""HTML for people, under /grants."""

from fastapi import APIRouter

from services.grants.pages import (
    assessors,
    case,
    cofinancing,
    cofinancing_acts,
    documents,
    eligibility,
    form,
    fragments,
    lists,
    money,
    queue,
    reviews,
)

router = APIRouter()
_ACTS = (form, money, case, documents, cofinancing, cofinancing_acts)
for part in (fragments, assessors, queue, lists, eligibility, reviews, *_ACTS):
    router.include_router(part.router)
