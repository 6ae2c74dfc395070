"""JSON over HTTP for machines, under /grants/api."""

from fastapi import APIRouter

from services.grants.api import applications, awards, bulk, cofinancing, day, decisions, ledger, panels, reviews

router = APIRouter()
for part in (applications, reviews, awards, ledger, day, cofinancing, decisions, bulk, panels):
    router.include_router(part.router)
