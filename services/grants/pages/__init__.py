"""HTML for people, under /grants."""

from fastapi import APIRouter

from services.grants.pages import (
    case,
    cofinancing,
    cofinancing_acts,
    documents,
    form,
    fragments,
    lists,
    money,
    queue,
    reviews,
)

router = APIRouter()
for part in (fragments, queue, lists, reviews, form, money, case, documents, cofinancing, cofinancing_acts):
    router.include_router(part.router)
