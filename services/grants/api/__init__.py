"""JSON over HTTP for machines, under /grants/api."""

from fastapi import APIRouter

from services.grants.api import (
    ageing,
    applications,
    awards,
    cofinancing,
    day,
    decisions,
    delegations,
    ledger,
    publishing,
    reports,
    reviews,
)
from services.grants.edge import STANDS_IN

router = APIRouter(dependencies=[STANDS_IN])
for part in (reports, ageing, applications, reviews, awards, ledger, day, cofinancing, decisions, delegations):
    router.include_router(part.router)
router.include_router(publishing.router)
