"""JSON over HTTP for machines, under /grants/api."""

from fastapi import APIRouter

from services.grants.api import applications, assessors, awards, cofinancing, day, decisions, exclusion, ledger, reviews

router = APIRouter()
for part in (applications, reviews, awards, ledger, day, cofinancing, decisions, assessors, exclusion):
    router.include_router(part.router)
