"""JSON over HTTP for machines, under /grants/api."""

from fastapi import APIRouter

from services.grants.api import applications, assessors, awards, cofinancing, reviews

router = APIRouter()
for part in (applications, assessors, reviews, awards, cofinancing):
    router.include_router(part.router)
