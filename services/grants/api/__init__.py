"""JSON over HTTP for machines, under /grants/api."""

from fastapi import APIRouter

from services.grants.api import agreements, applications, awards, cofinancing, day, reviews

router = APIRouter()
for part in (applications, reviews, awards, agreements, day, cofinancing):
    router.include_router(part.router)
