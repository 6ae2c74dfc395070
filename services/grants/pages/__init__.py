"""HTML for people, under /grants."""

from fastapi import APIRouter

from services.grants.pages import case, cofinancing, form, fragments, lists, money, reviews

router = APIRouter()
for part in (fragments, lists, reviews, form, money, case, cofinancing):
    router.include_router(part.router)
