"""JSON over HTTP for machines, under /grants/api."""

from fastapi import APIRouter

from services.grants.api import applications, assessors, awards, cofinancing, day, decisions, ledger, reviews

router = APIRouter()
for part in (applications, reviews, awards, ledger, day, cofinancing, decisions, assessors):
    router.include_router(part.router)
