"""HTML for people, under /grants."""

from fastapi import APIRouter

from services.grants.pages import case, cofinancing, documents, eligibility, form, fragments, lists, money, reviews

router = APIRouter()
for part in (fragments, lists, eligibility, reviews, form, money, case, documents, cofinancing):
    router.include_router(part.router)
