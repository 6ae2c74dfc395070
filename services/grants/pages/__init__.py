"""HTML for people, under /grants."""

from fastapi import APIRouter

from services.grants.pages import (
    case,
    cofinancing,
    cofinancing_acts,
    documents,
    eligibility,
    form,
    fragments,
    lists,
    money,
    publishing,
    queue,
    reviews,
)

router = APIRouter()
_ACTS = (form, money, case, documents, cofinancing, cofinancing_acts, publishing)
for part in (fragments, queue, lists, eligibility, reviews, *_ACTS):
    router.include_router(part.router)
