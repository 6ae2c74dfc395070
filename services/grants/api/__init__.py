"""JSON over HTTP for machines, under /grants/api."""

from fastapi import APIRouter

from services.grants.api import applications, awards, cofinancing, day, decisions, ledger, payments, reviews

router = APIRouter()
for part in (applications, reviews, awards, ledger, payments, day, cofinancing, decisions):
    router.include_router(part.router)
