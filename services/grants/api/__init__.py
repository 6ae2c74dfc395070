"""JSON over HTTP for machines, under /grants/api."""

from fastapi import APIRouter

from services.grants.api import (
    ageing,
    agreements,
    applications,
    awards,
    cofinancing,
    day,
    decisions,
    delegations,
    ledger,
    reports,
    reviews,
)
from services.grants.edge import STANDS_IN

router = APIRouter(dependencies=[STANDS_IN])
_AWARD = (awards, agreements, ledger)
for part in (reports, ageing, applications, reviews, *_AWARD, day, cofinancing, decisions, delegations):
    router.include_router(part.router)
