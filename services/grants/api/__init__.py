"""JSON over HTTP for machines, under /grants/api."""

from fastapi import APIRouter

from services.grants.api import applications, awards, cofinancing, reports, reviews

router = APIRouter()
for part in (applications, reviews, awards, reports, cofinancing):
    router.include_router(part.router)
