"""HTML for people, under /grants."""

from fastapi import APIRouter

from services.grants.pages import case, cofinancing, documents, form, fragments, lists, money, queue, reviews

router = APIRouter()
for part in (fragments, queue, lists, reviews, form, money, case, documents, cofinancing):
    router.include_router(part.router)
